"""A stand-in for Atlassian: one stateful world in memory, served in process or on a loopback socket.

`world_of` builds it from a plan, `make_app` and `serving` put it behind HTTP, `faults_for` lets things
go wrong. Nothing here is imported by a real run.
"""

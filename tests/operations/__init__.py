"""Tests of the operations, called without a command line."""

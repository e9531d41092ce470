"""The closed vocabularies of events: what this version writes.

A ledger that a later version wrote may hold other words: whoever reads them must not rely on these.
"""

from typing import Any, Literal

Json = dict[str, Any]

# What a submission's answer means.
AnswerMeaning = Literal["accepted", "refused", "rate_limited", "unknown"]
WhyNotAttempted = Literal["stopped", "need", "window", "account", "not_selected", "probe"]
# How a person settles a job.
Resolution = Literal["accepted", "accepted_no_id", "send_again"]

ProbePhase = Literal["before", "after"]
ProbeVerdict = Literal["absent", "present", "arrived", "not_arrived", "already_there", "not_asked"]

WritePurpose = Literal["repair", "rollback", "links"]
WriteAction = Literal["create", "update", "delete"]
WriteResult = Literal["done", "skipped", "refused", "unknown"]
VerifyResult = Literal["clean", "differences", "partial"]

LogKind = Literal["history", "audit"]

"""An issue's own history as evidence."""

import dataclasses
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook.remotelinks.history import link_changes, removal

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def entry(created: Any, *, added: str | None = None, removed: str | None = None) -> dict[str, Any]:
    def told(key: str | None) -> str | None:
        return None if key is None else f'This issue links to "{key} (Ops)"'

    return {
        "created": created,
        "author": {"accountId": "a1", "displayName": "J. Doe"},
        "items": [
            {"field": "status", "from": "1", "to": "2"},
            {
                "field": "RemoteIssueLink",
                "from": None if removed is None else "7",
                "fromString": told(removed),
                "to": None if added is None else "7",
                "toString": told(added),
            },
        ],
    }


DAY = "2026-11-2{}T10:00:00.000+0000"


def test_a_removal_that_was_the_last_word_counts() -> None:
    changes = link_changes(
        [entry(DAY.format(2), removed="OPS-7"), entry(DAY.format(1), added="OPS-7")]
    )
    assert [change.removed for change in changes] == [False, True]
    assert removal(changes, ["OPS-7"], submitted_at=EPOCH).author == "J. Doe"


def test_a_link_that_was_added_again_was_not_removed() -> None:
    changes = link_changes([entry(1000, removed="OPS-7"), entry(2000, added="OPS-7")])
    assert removal(changes, ["OPS-7"], submitted_at=EPOCH) is None


def test_another_key_that_begins_alike_is_another_issue() -> None:
    changes = link_changes([entry(1000, removed="OPS-77"), entry(1000, removed="XOPS-7")])
    assert removal(changes, ["OPS-7"], submitted_at=EPOCH) is None
    assert removal(changes, ["PLT-1", "ops-77"], submitted_at=EPOCH) is not None


def test_what_was_removed_before_the_job_was_submitted_was_no_link_of_the_job() -> None:
    changes = link_changes([entry(DAY.format(1), removed="OPS-7")])
    moment = changes[0].at
    assert removal(changes, ["OPS-7"], submitted_at=moment) is not None
    assert removal(changes, ["OPS-7"], submitted_at=moment + timedelta(seconds=1)) is None


def test_a_removal_without_a_moment_is_no_evidence() -> None:
    assert (
        removal(link_changes([entry("x", removed="OPS-7")]), ["OPS-7"], submitted_at=EPOCH) is None
    )


TITLES = {
    "the key": ('This issue links to "OPS-7"', True),
    "the key and the application": ('This issue links to "OPS-7 (Contoso (Ops))"', True),
    "a page that names the key": ('This issue links to "Notes about OPS-7 (Wiki)"', False),
    "a page that begins with the key": ('This issue links to "OPS-7 minutes (Wiki)"', False),
    "no quotes at all": ("This issue links to OPS-7", False),
}


@pytest.mark.parametrize(("text", "counts"), TITLES.values(), ids=TITLES.keys())
def test_the_quoted_title_must_be_the_key(text: str, counts: bool) -> None:
    (change,) = link_changes([entry(1000, removed="x")])
    change = dataclasses.replace(change, text=text)
    assert (removal([change], ["OPS-7"], submitted_at=EPOCH) is not None) == counts
    # A link that the ledger names needs only name the key.
    assert removal([change], ["OPS-7"], submitted_at=EPOCH, ours=lambda one: one == "7") is not None
    assert removal([change], ["OPS-9"], submitted_at=EPOCH, ours=lambda one: one == "7") is None


@given(
    st.lists(
        st.recursive(
            st.none() | st.integers() | st.text() | st.sampled_from(["RemoteIssueLink"]),
            lambda inner: (
                st.lists(inner)
                | st.dictionaries(
                    st.sampled_from(["created", "author", "items", "field", "from", "toString"]),
                    inner,
                )
            ),
        )
    )
)
def test_whatever_a_server_says_is_no_error(histories: list[Any]) -> None:
    link_changes(histories)

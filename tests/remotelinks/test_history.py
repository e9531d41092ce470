"""An issue's own history as evidence."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from runbook.remotelinks.history import link_changes, removal


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
    assert removal(changes, ["OPS-7"]).author == "J. Doe"


def test_a_link_that_was_added_again_was_not_removed() -> None:
    changes = link_changes([entry(1000, removed="OPS-7"), entry(2000, added="OPS-7")])
    assert removal(changes, ["OPS-7"]) is None


def test_another_key_that_begins_alike_is_another_issue() -> None:
    changes = link_changes([entry(1000, removed="OPS-77"), entry(1000, removed="XOPS-7")])
    assert removal(changes, ["OPS-7"]) is None
    assert removal(changes, ["PLT-1", "ops-77"]) is not None


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

"""The values of Jira's REST API as far as remote links need them: writes, issues, and how answers are read.

A write is built before it is sent, so that it can be shown and recorded; it carries the whole record,
since a field left out becomes null (jira-rest.md B1). Pure.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar
from urllib.parse import quote

from runbook.atlassian.errors import NotDocumentedError, WriteUnknownError
from runbook.http import Answer, Exchange

Record = dict[str, Any]
Member = TypeVar("Member")

GLOBAL_ID_LIMIT = 255
_MOST_DIGITS = 18
LINKS = "issue/{issue}/remotelink"
LINK = "issue/{issue}/remotelink/{link}"


@dataclass(frozen=True, slots=True, kw_only=True)
class IssueRef:
    """An issue by its present key and its numeric id."""

    id: int
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolution:
    """What keys resolved to: `found` by the key as asked; the rest is absent, or not visible to us."""

    found: Mapping[str, IssueRef]
    absent: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkWrite:
    """One write of a remote link, ready to be shown, recorded and sent; `body` is the whole record."""

    action: Literal["create", "update", "delete"]
    method: Literal["POST", "PUT", "DELETE"]
    issue: str
    link_id: int | str | None = None
    query: tuple[tuple[str, str], ...] = ()
    body: Mapping[str, Any] | None = None

    @property
    def endpoint(self) -> str:
        """Return the template that the limits count it by."""
        return LINKS if self.link_id is None else LINK

    @property
    def path(self) -> str:
        """Return where it is sent to, below `/rest/api/3/`."""
        return links_path(self.issue, self.link_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A write that arrived; `created` is False where a link of that `globalId` was updated."""

    link_id: str | None
    created: bool
    exchange: Exchange = field(repr=False)


def create_write(issue: str, record: Mapping[str, Any]) -> LinkWrite:
    """Return the write that creates a link, or updates the one of the same `globalId`."""
    return LinkWrite(action="create", method="POST", issue=issue, body=_whole(record))


def update_write(issue: str, link_id: int | str, record: Mapping[str, Any]) -> LinkWrite:
    """Return the write that replaces the whole of a link."""
    return LinkWrite(
        action="update", method="PUT", issue=issue, link_id=link_id, body=_whole(record)
    )


def delete_write(issue: str, link_id: int | str) -> LinkWrite:
    """Return the write that removes a link by its id."""
    return LinkWrite(action="delete", method="DELETE", issue=issue, link_id=link_id)


def delete_by_global_id_write(issue: str, global_id: str) -> LinkWrite:
    """Return the write that removes the link with a `globalId`."""
    query = (("globalId", global_id),)
    return LinkWrite(action="delete", method="DELETE", issue=issue, query=query)


def issue_path(issue: str) -> str:
    """Return the path of an issue, which stays one segment whatever its name."""
    # A segment of dots alone would be taken for a step up.
    encoded = quote(issue, safe="") if issue.strip(".") else issue.replace(".", "%2E")
    return f"issue/{encoded}"


def links_path(issue: str, link_id: int | str | None = None) -> str:
    """Return the path of an issue's remote links, or of one of them."""
    path = f"{issue_path(issue)}/remotelink"
    return path if link_id is None else f"{path}/{quote(str(link_id), safe='')}"


def _whole(record: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in record.items() if name not in ("id", "self")}


def matched(
    keys: Sequence[str], issues: Iterable[IssueRef], found: dict[str, IssueRef]
) -> list[str]:
    """Put what matches by key or id into `found` and return the keys that are left."""
    known: dict[str, IssueRef] = {}
    for issue in issues:
        known[issue.key.upper()] = known[str(issue.id)] = issue
    rest = []
    for key in keys:
        match = known.get(key.upper())
        if match is None:
            rest.append(key)
        else:
            found[key] = match
    return rest


def _not_documented(words: str) -> NotDocumentedError:
    return NotDocumentedError(words, hint="check what stands between this machine and the site")


def record_in(value: Any) -> Record:
    """Return a JSON object of an answer."""
    if not isinstance(value, dict):
        raise _not_documented("an answer holds something other than the documented JSON object")
    return value


def list_in(value: Any, name: str) -> list[Any]:
    """Return a list of an answer's object, empty where it is absent."""
    listed = record_in(value).get(name, [])
    if not isinstance(listed, list):
        raise _not_documented(f"an answer's `{name}` is no list")
    return listed


def member_in(value: Any, name: str, kind: type[Member]) -> Member:
    """Return a documented member of an answer's object, which has to be there and of its type.

    Raises:
        NotDocumentedError: it is absent or of another type; `True` is no number.
    """
    member = record_in(value).get(name)
    if not isinstance(member, kind) or (isinstance(member, bool) and kind is not bool):
        raise _not_documented(f"an answer has no `{name}` as documented")
    return member


def number_of(value: Any) -> int:
    """Return a whole number that an answer gives as a number or as text, as ids are.

    Raises:
        NotDocumentedError: it is neither.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and len(value) <= _MOST_DIGITS and value.isdecimal():
        return int(value)
    raise _not_documented(
        "an answer has something other than a whole number where one is documented"
    )


def issue_in(value: Any) -> IssueRef:
    """Return the issue of a record with `id` and `key`."""
    record = record_in(value)
    try:
        return IssueRef(id=int(record["id"]), key=str(record["key"]))
    except (KeyError, TypeError, ValueError):
        raise _not_documented("an answer names an issue without `id` and `key`") from None


def written_id(answer: Answer, exchange: Exchange) -> str:
    """Return the id of a link that was created or updated; without one nothing is known."""
    try:
        return str(int(answer.json()["id"]))
    except (ValueError, TypeError, KeyError):
        raise WriteUnknownError(
            f"a write was answered with {answer.status}, but without the id of a link",
            exchange,
            hint="look with `runbook links list` before it is sent again",
        ) from None

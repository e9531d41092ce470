"""An issue's own history: which remote links were added or removed, when and by whom.

In: Jira's changelog records. Out: changes of remote links. The field is `RemoteIssueLink`, `from` and
`to` are link ids, the texts say `This issue links to "<title> (<application>)"` (jira-rest.md B1,
reported, not documented): so a change that cannot be read this way is no evidence, never an error.
"""

import re
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from runbook.atlassian.jira import JiraSite

_FIELD = "remoteissuelink"


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkChange:
    """One remote link that was added (`removed` False) or removed, as the issue's history says."""

    at: datetime | None
    author_id: str | None
    author: str
    removed: bool
    link_id: str | None
    text: str

    def names(self, keys: Iterable[str]) -> bool:
        """Return whether the text names one of these issue keys."""
        key = "|".join(map(re.escape, keys))
        return re.search(rf"(?<![\w-])(?:{key})(?![\w-])", self.text, re.IGNORECASE) is not None

    def titled(self, keys: Iterable[str]) -> bool:
        """Return whether the quoted title is one of these issue keys: `"KEY"` or `"KEY (App)"`."""
        quoted = re.search(r'"(.*)"', self.text, re.DOTALL)
        title = "" if quoted is None else quoted[1].strip()
        key = "|".join(map(re.escape, keys))
        return re.fullmatch(rf"(?is)(?:{key})(?: \(.*\))?", title) is not None


class SiteHistory:
    """The changelogs of Jira sites; `sites` maps a site's URL to its client."""

    def __init__(self, sites: Mapping[str, JiraSite]) -> None:
        self._sites = sites

    async def changes(
        self, site: str, issues: Sequence[str]
    ) -> AsyncIterator[tuple[str, tuple[LinkChange, ...]]]:
        """Yield (issue key as asked, its changes of remote links, oldest first).

        Raises:
            RunbookError: the site cannot be asked.
        """
        jira = self._sites[site]
        resolution = await jira.resolve(issues)
        asked: dict[str, list[str]] = {}
        for key, issue in resolution.found.items():
            asked.setdefault(str(issue.id), []).append(key)
        histories: dict[str, list[Any]] = {}
        if asked:
            async for record in jira.changelogs(tuple(asked)):
                listed = record.get("changeHistories")
                if isinstance(listed, list):
                    histories.setdefault(str(record.get("issueId")), []).extend(listed)
        for issue_id, keys in asked.items():
            changes = link_changes(histories.get(issue_id, ()))
            for key in keys:
                yield key, changes


def link_changes(histories: Iterable[Any]) -> tuple[LinkChange, ...]:
    """Return the changes of remote links in `changeHistories` records, oldest first."""
    result: list[LinkChange] = []
    for history in histories:
        if not isinstance(history, Mapping):
            continue
        author = history.get("author")
        author = author if isinstance(author, Mapping) else {}
        at = _moment(history.get("created"))
        items = history.get("items")
        for item in items if isinstance(items, list) else ():
            if not isinstance(item, Mapping) or str(item.get("field", "")).lower() != _FIELD:
                continue
            sides = (
                (True, item.get("from"), item.get("fromString")),
                (False, item.get("to"), item.get("toString")),
            )
            for removed, link_id, text in sides:
                if link_id is None and text is None:
                    continue
                result.append(
                    LinkChange(
                        at=at,
                        author_id=_text(author.get("accountId")),
                        author=_text(author.get("displayName")) or "somebody",
                        removed=removed,
                        link_id=_text(link_id),
                        text=_text(text) or "",
                    )
                )
    oldest = datetime.min.replace(tzinfo=UTC)
    return tuple(sorted(result, key=lambda change: change.at or oldest))


def removal(
    changes: Iterable[LinkChange],
    keys: Sequence[str],
    *,
    submitted_at: datetime,
    ours: Callable[[str], bool] = lambda _: False,
) -> LinkChange | None:
    """Return the removal that was the last word on a link to one of `keys`, None where there is none.

    Only what happened at or after `submitted_at`, the job's first submission, counts: earlier the link
    was none of the job's. The quoted title must be the key itself, since other links (a wiki page's)
    may name it in theirs; of a link whose id is `ours` it is enough that the text names the key.
    """
    last: LinkChange | None = None
    for change in changes:
        if change.at is None or change.at < submitted_at:
            continue
        known = change.link_id is not None and ours(change.link_id)
        if change.titled(keys) or (known and change.names(keys)):
            last = change
    return last if last is not None and last.removed else None


def _moment(value: Any) -> datetime | None:
    try:
        if isinstance(value, int | float):
            return datetime.fromtimestamp(value / 1000, UTC)
        moment = datetime.fromisoformat(str(value))
    except (ValueError, OverflowError, OSError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _text(value: Any) -> str | None:
    return None if value is None else str(value)

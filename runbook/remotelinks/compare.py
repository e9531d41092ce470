"""What became of the expected links of one issue: every one gets exactly one kind.

In: the links that are expected on an issue, the remote links that are there, and the addresses of the
sites. Out: one verdict for each expected link, and one for each link besides them that is worth a
word. Pure: files, SQL and the network are in `staging` and `verification`.

A link matches an expected target when its `globalId` carries the target's numeric id
(`appId=…&issueId=…`) and its address is no `/browse/` address of another site, known or not (ids of
different sites may be equal), or when its address is `/browse/KEY` on the target site's base or display URL, with the key as it was expected or as it is
now. The kinds, in the order in which they are tried:

- `recreated`: a matching link of the job's shape (or one that the ledger names as ours) with the
  expected label. One link serves several rows that say the same: Jira holds one link per globalId.
- `wrong_type`: such a link with another label (information: the target is linked).
- `satisfied_otherwise`: only a user's own link matches: it was there before, or has another shape.
- `old_url`: a link still points to the target's key on a base URL from before the migration.
- `wrong_target`: a link of the job's shape contradicts itself (the right key or title on another
  address or with another issue's id), or is left over, of the expected label, on the right site.
- `source_absent`, `target_absent`: the issue does not exist (or the account cannot see it).
- `not_looked_at`: the source was not read, or the target's key was not resolved.
- `missing`: none of these; `verification` asks the changelog, which may make it `removed_since`.
- `no_job`: the plan has no job for the two sites; decided before an issue is looked at.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple
from urllib.parse import urlsplit


class Kind(StrEnum):
    """What became of an expected link; the last two count links besides the expected ones."""

    RECREATED = "recreated"
    MISSING = "missing"
    WRONG_TARGET = "wrong_target"
    WRONG_TYPE = "wrong_type"
    OLD_URL = "old_url"
    SOURCE_ABSENT = "source_absent"
    TARGET_ABSENT = "target_absent"
    REMOVED_SINCE = "removed_since"
    SATISFIED_OTHERWISE = "satisfied_otherwise"
    NO_JOB = "no_job"
    NOT_LOOKED_AT = "not_looked_at"
    DUPLICATE = "duplicate"
    UNEXPECTED = "unexpected"


BESIDES = (Kind.DUPLICATE, Kind.UNEXPECTED)
KINDS = tuple(kind for kind in Kind if kind not in BESIDES)
DIFFERENCES = (Kind.MISSING, Kind.WRONG_TARGET, Kind.OLD_URL)
UNSEEN = (Kind.SOURCE_ABSENT, Kind.TARGET_ABSENT, Kind.NOT_LOOKED_AT, Kind.NO_JOB)

JIRA_APPLICATION = "com.atlassian.jira"
DEFAULT_LABEL = "links to"
_KEY_END = re.compile(r"[?#/]")


class Wanted(NamedTuple):
    """One expected link of the issue at hand; a tuple, since a million are made.

    `site` numbers the target's site; `keys` are all names of the target issue (as mapped, in the
    Data Center, now); `issue_id` is None and `resolved` False where nobody asked the site;
    `absent` says that the site does not know the key.
    """

    row: int
    job: int
    site: int
    keys: tuple[str, ...]
    issue_id: int | None
    resolved: bool
    absent: bool
    label: str


class Found(NamedTuple):
    """One remote link that is on the issue.

    `before` is True where it was there before the run, False where it was not, None where nobody
    looked. `ours` says that the ledger names it as recorded or written by us.
    """

    link_id: int
    global_id: str | None
    relationship: str | None
    url: str
    title: str
    application: str | None
    before: bool | None
    ours: bool


class Verdict(NamedTuple):
    """What became of an expected link (`row`), or a word on a link besides them (`row` is None)."""

    row: int | None
    job: int | None
    kind: Kind
    link: Found | None
    detail: str


class Pointer(NamedTuple):
    """Where a link points: `site` numbers a known site, OLD stands for an old base, None for neither."""

    site: int | None
    key: str | None
    issue_id: int | None


OLD = -1


class Addresses:
    """The base URLs that are known: each site's own (base and display), and the old ones."""

    def __init__(self, sites: Mapping[int, Iterable[str]], old: Iterable[str]) -> None:
        self._known: dict[str, int] = {}
        for base in old:
            self._known[normal_base(base)] = OLD
        for number, bases in sites.items():
            for base in bases:
                self._known[normal_base(base)] = number
        self._seen: dict[str, int | None] = {}

    def site_of(self, base: str) -> int | None:
        """Return the number of the site with this base URL, OLD, or None."""
        try:
            return self._seen[base]
        except KeyError:
            number = self._known.get(normal_base(base))
            if len(self._seen) < 10_000:
                self._seen[base] = number
            return number

    def pointer(self, url: str, global_id: str | None) -> Pointer:
        """Return where a link points, by its address and its globalId."""
        issue_id = issue_id_of(global_id)
        base, browse, rest = url.rpartition("/browse/")
        if not browse:
            return Pointer(None, None, issue_id)
        key = rest if rest.isalnum() else _KEY_END.split(rest, maxsplit=1)[0]
        return Pointer(self.site_of(base), key.upper(), issue_id)


def normal_base(url: str) -> str:
    """Return a base URL for comparison: host in lower case, no usual port, no trailing slash.

    `http` counts as `https`: links were often stored before the site moved to TLS.
    """
    try:
        parts = urlsplit(url.strip())
        host, port = (parts.hostname or "").lower(), parts.port
    except ValueError:
        return url.strip().rstrip("/")
    place = host if port in (None, 80, 443) else f"{host}:{port}"
    return f"{place}{parts.path.rstrip('/')}"


def issue_id_of(global_id: str | None) -> int | None:
    """Return the issue id of a globalId of the form `appId=…&issueId=…`, None for any other."""
    if global_id is None or not global_id.startswith("appId="):
        return None
    _, mark, number = global_id.rpartition("&issueId=")
    return (
        int(number) if mark and number.isascii() and number.isdigit() and len(number) < 19 else None
    )


def job_shaped(link: Found) -> bool:
    """Return whether a link has the shape of a link between two Jira sites (jira-rest.md B2)."""
    return issue_id_of(link.global_id) is not None or link.application == JIRA_APPLICATION


def by_job(link: Found) -> bool:
    """Return whether a link counts as recreated: ours, or of the job's shape and not there before."""
    return link.ours or (not link.before and job_shaped(link))


def same_label(one: str | None, other: str | None) -> bool:
    """Return whether two labels are the same to a reader; none at all shows as `links to`."""
    if one == other:
        return True
    return _label(one) == _label(other)


def _label(text: str | None) -> str:
    return " ".join((text or DEFAULT_LABEL).split()).casefold()


class _Issue:
    """The matching of one issue: links are claimed once, by the first rule that fits."""

    def __init__(self, found: Sequence[Found], addresses: Addresses) -> None:
        self.found = found
        self.points = [addresses.pointer(link.url, link.global_id) for link in found]
        self.free = [True] * len(found)
        self.verdicts: list[Verdict] = []

    def say(self, want: Wanted, kind: Kind, index: int | None, detail: str = "") -> None:
        link = None
        if index is not None:
            link, self.free[index] = self.found[index], False
        self.verdicts.append(Verdict(want.row, want.job, kind, link, detail))


def judge(
    wanted: Sequence[Wanted],
    found: Sequence[Found],
    addresses: Addresses,
    jobs_here: Mapping[int, int],
    *,
    besides: bool = True,
) -> list[Verdict]:
    """Return one verdict for each expected link of an issue that was read, and the words besides.

    `jobs_here` maps the number of a site to the job that links this issue's site to it; `besides`
    off leaves out duplicates and unexpected links (where only a sample of the rows is known).
    """
    issue = _Issue(found, addresses)
    rest = _matched(issue, wanted, besides=besides)
    for rule in (_old_url, _contradicting, _without_target, _left_over):
        if not rest:
            break
        rest = [want for want in rest if not rule(issue, want)]
    for want in rest:
        issue.say(want, Kind.MISSING, None)
    if besides:
        _unexpected(issue, jobs_here)
    return issue.verdicts


def _hits(want: Wanted, point: Pointer) -> bool:
    if point.site == want.site and point.key in want.keys:
        return True
    return (
        want.issue_id is not None
        and point.issue_id == want.issue_id
        and (point.key is None or point.site == want.site)
    )


def _matched(issue: _Issue, wanted: Sequence[Wanted], *, besides: bool) -> list[Wanted]:
    """Settle every target that some link matches; return the rows of the others."""
    groups: dict[tuple[int, str], list[Wanted]] = {}
    for want in wanted:
        groups.setdefault((want.site, want.keys[0]), []).append(want)
    rest: list[Wanted] = []
    for group in groups.values():
        # A link whose id says one target and whose address another serves the first of them only.
        hits = [
            index
            for index, point in enumerate(issue.points)
            if issue.free[index] and _hits(group[0], point)
        ]
        if hits:
            _settle(issue, group, hits, besides=besides)
        else:
            rest.extend(group)
    return rest


def _settle(issue: _Issue, group: list[Wanted], hits: list[int], *, besides: bool) -> None:
    found = issue.found
    made = [index for index in hits if by_job(found[index])]
    own = [index for index in hits if index not in made]
    others: list[Wanted] = []
    for want in group:
        same = [index for index in made if same_label(found[index].relationship, want.label)]
        if same:
            issue.say(want, Kind.RECREATED, next((i for i in same if issue.free[i]), same[0]))
        else:
            others.append(want)
    for want in others:
        if made:
            index = next((i for i in made if issue.free[i]), made[0])
            shown = found[index].relationship or DEFAULT_LABEL
            detail = f"shown as `{shown}`, expected `{want.label}`"
            issue.say(want, Kind.WRONG_TYPE, index, detail)
        else:
            index = next((i for i in own if issue.free[i]), own[0])
            why = "was there before" if found[index].before else "has not the shape of a job's link"
            issue.say(want, Kind.SATISFIED_OTHERWISE, index, f"a user's own link: it {why}")
    for index in hits:
        if issue.free[index]:
            issue.free[index] = False
            if besides:
                detail = "another link to the same target is there"
                if index in own:
                    detail = "a user's own link to the same target is there too"
                issue.verdicts.append(
                    Verdict(None, group[0].job, Kind.DUPLICATE, found[index], detail)
                )


def _old_url(issue: _Issue, want: Wanted) -> bool:
    for index, point in enumerate(issue.points):
        if issue.free[index] and point.site == OLD and point.key in want.keys:
            issue.say(want, Kind.OLD_URL, index, f"still points to {issue.found[index].url}")
            return True
    return False


def _contradicting(issue: _Issue, want: Wanted) -> bool:
    for index, point in enumerate(issue.points):
        link = issue.found[index]
        if not issue.free[index] or not by_job(link):
            continue
        elsewhere = point.key in want.keys and point.site not in (want.site, OLD)
        titled = link.title.strip().upper() in want.keys
        if elsewhere or (titled and point.key is not None):
            issue.say(want, Kind.WRONG_TARGET, index, f"points to {link.url}")
            return True
    return False


def _without_target(issue: _Issue, want: Wanted) -> bool:
    if want.absent:
        detail = "the target does not exist there, or this account cannot see it"
        issue.say(want, Kind.TARGET_ABSENT, None, detail)
    elif not want.resolved:
        issue.say(want, Kind.NOT_LOOKED_AT, None, "the target's key was not resolved")
    return want.absent or not want.resolved


def _left_over(issue: _Issue, want: Wanted) -> bool:
    for index, point in enumerate(issue.points):
        link = issue.found[index]
        if (
            issue.free[index]
            and by_job(link)
            and point.site == want.site
            and same_label(link.relationship, want.label)
        ):
            detail = f"points to {link.url}, which nothing expects here"
            issue.say(want, Kind.WRONG_TARGET, index, detail)
            return True
    return False


def _unexpected(issue: _Issue, jobs_here: Mapping[int, int]) -> None:
    for index, link in enumerate(issue.found):
        if not issue.free[index]:
            continue
        job = jobs_here.get(issue.points[index].site or 0) if by_job(link) else None
        if job is not None:
            detail = f"`{link.relationship or DEFAULT_LABEL}`: no expected link says so"
            issue.verdicts.append(Verdict(None, job, Kind.UNEXPECTED, link, detail))

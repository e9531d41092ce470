"""What became of the expected links of one issue: every one gets exactly one kind.

In: the links that are expected on an issue, the remote links that are there, and the addresses of the
sites. Out: one kind for each expected link, and one for each link besides them that is worth
mentioning. Pure: files, SQL and the network are in `comparison_store`, `comparison` and `verification`.

A link matches an expected target when it points to it (`pointing`): by the target's numeric id, or by
its key as it was expected or as it is now. The kinds, in the order in which they are tried:

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

from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple

from runbook.remotelinks.pointing import OLD, Addresses, Pointer, issue_id_of


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


class Wanted(NamedTuple):
    """One expected link of the issue at hand; a tuple, since a million are made.

    `site` is the address of the target's site; `keys` are all names of the target issue (as mapped, in the
    Data Center, now); `issue_id` is None and `resolved` False where nobody asked the site;
    `absent` says that the site does not know the key.
    """

    row: int
    job: str
    site: str
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


class Classified(NamedTuple):
    """What became of an expected link (`row`), or of a link besides them (`row` is None)."""

    row: int | None
    job: str | None
    kind: Kind
    link: Found | None
    detail: str


def job_shaped(link: Found) -> bool:
    """Return whether a link has the shape of a link between two Jira sites (jira-rest.md B2)."""
    return issue_id_of(link.global_id) is not None or link.application == JIRA_APPLICATION


def by_job(link: Found) -> bool:
    """Return whether a link counts as recreated: ours, or of the job's shape and not there before."""
    return link.ours or (not link.before and job_shaped(link))


def same_label(label: str | None, other: str | None) -> bool:
    """Return whether two labels are the same to a reader; none at all shows as `links to`."""
    return label == other or _label(label) == _label(other)


def _label(text: str | None) -> str:
    return " ".join((text or DEFAULT_LABEL).split()).casefold()


class _Issue:
    """The matching of one issue: links are claimed once, by the first rule that fits."""

    def __init__(self, found: Sequence[Found], addresses: Addresses) -> None:
        self.found = found
        self.points = [addresses.pointer(link.url, link.global_id) for link in found]
        self.free = [True] * len(found)
        self.classified: list[Classified] = []

    def say(self, want: Wanted, kind: Kind, index: int | None, detail: str = "") -> None:
        link = None
        if index is not None:
            link, self.free[index] = self.found[index], False
        self.classified.append(Classified(want.row, want.job, kind, link, detail))

    def free_of(self, indexes: Sequence[int]) -> int:
        """Return the first of these links that is unclaimed, else the first: one serves several rows."""
        return next((index for index in indexes if self.free[index]), indexes[0])

    def unclaimed(self) -> Iterator[tuple[int, Found, Pointer]]:
        """Yield the links that no rule has claimed yet, with their indexes and where they point."""
        for index, point in enumerate(self.points):
            if self.free[index]:
                yield index, self.found[index], point


def classify(
    wanted: Sequence[Wanted],
    found: Sequence[Found],
    addresses: Addresses,
    jobs_here: Mapping[str, str],
    *,
    besides: bool = True,
) -> list[Classified]:
    """Return the kind of each expected link of an issue that was read, and of the links besides.

    `jobs_here` maps the address of a site to the job that links this issue's site to it; `besides`
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
    return issue.classified


def _matched(issue: _Issue, wanted: Sequence[Wanted], *, besides: bool) -> list[Wanted]:
    """Settle every target that some link matches; return the rows of the others."""
    groups: dict[tuple[str, str], list[Wanted]] = {}
    for want in wanted:
        groups.setdefault((want.site, want.keys[0]), []).append(want)
    rest: list[Wanted] = []
    for group in groups.values():
        # A link whose id says one target and whose address another serves the first of them only.
        target = group[0].site, group[0].keys, group[0].issue_id
        hits = [index for index, _, point in issue.unclaimed() if point.hits(*target)]
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
            issue.say(want, Kind.RECREATED, issue.free_of(same))
        else:
            others.append(want)
    for want in others:
        if made:
            index = issue.free_of(made)
            shown = found[index].relationship or DEFAULT_LABEL
            detail = f"shown as `{shown}`, expected `{want.label}`"
            issue.say(want, Kind.WRONG_TYPE, index, detail)
        else:
            index = issue.free_of(own)
            why = "was there before" if found[index].before else "has not the shape of a job's link"
            issue.say(want, Kind.SATISFIED_OTHERWISE, index, f"a user's own link: it {why}")
    for index in hits:
        if issue.free[index]:
            issue.free[index] = False
            if besides:
                detail = "another link to the same target is there"
                if index in own:
                    detail = "a user's own link to the same target is there too"
                issue.classified.append(
                    Classified(None, group[0].job, Kind.DUPLICATE, found[index], detail)
                )


def _old_url(issue: _Issue, want: Wanted) -> bool:
    for index, link, point in issue.unclaimed():
        if point.site == OLD and point.key in want.keys:
            issue.say(want, Kind.OLD_URL, index, f"still points to {link.url}")
            return True
    return False


def _contradicting(issue: _Issue, want: Wanted) -> bool:
    for index, link, point in issue.unclaimed():
        if not by_job(link):
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
    for index, link, point in issue.unclaimed():
        right_site = point.site == want.site
        if right_site and by_job(link) and same_label(link.relationship, want.label):
            detail = f"points to {link.url}, which nothing expects here"
            issue.say(want, Kind.WRONG_TARGET, index, detail)
            return True
    return False


def _unexpected(issue: _Issue, jobs_here: Mapping[str, str]) -> None:
    for _, link, point in issue.unclaimed():
        job = jobs_here.get(point.site or "") if by_job(link) else None
        if job is not None:
            detail = f"`{link.relationship or DEFAULT_LABEL}`: no expected link says so"
            issue.classified.append(Classified(None, job, Kind.UNEXPECTED, link, detail))

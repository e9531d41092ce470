"""What arrived against what was expected, and what was written to put it right."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from runbook.ledger.events import Json
from runbook.ledger.events.links import LinksListed
from runbook.report.exchanges import as_text
from runbook.report.facts import ReportFacts, counted, total_of
from runbook.report.states import KINDS, KINDS_BESIDE, Chip, Sum, sum_of
from runbook.report.text import DASH, Composed, clip
from runbook.view import Write

# Longer lists are written close together, so that the file stays one that a browser opens at once.
TABLE_ROWS = 1_500
GROUPS_BY_DETAIL = 2_000
SHORT_FROM = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkGroup:
    """Many small statements of one kind, written close together."""

    title: str
    chip: Chip
    note: str = ""
    count: int
    text: str


@dataclass(frozen=True, slots=True)
class KindCounts:
    """The links of one job, by what became of them; `whole` is what the kinds add up to."""

    job: str
    counts: Mapping[str, int]

    @property
    def whole(self) -> int:
        """Return the sum of the kinds, which is what was expected unless something is wrong."""
        return sum(self.counts[kind] for kind in KINDS)


@dataclass(frozen=True, slots=True, kw_only=True)
class KindsTable:
    """The links of all jobs: `shown` kinds add up to the expected ones, those `beside` do not."""

    shown: Sequence[str]
    beside: Sequence[str]
    rows: Sequence[KindCounts]
    total: KindCounts


@dataclass(frozen=True, slots=True, kw_only=True)
class LinksPart:
    """What a verification says of links: `findings` of `kinds_found` for a table, else `groups`."""

    kinds: KindsTable
    findings: Sequence[Json] = ()
    kinds_found: Sequence[tuple[str, str]] = ()
    groups: Sequence[LinkGroup] = ()
    by_detail: bool = True
    short: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteListing:
    """A list of changes that was drawn up, what became of them, and what was left alone."""

    id: str
    at: datetime
    listing: LinksListed
    ended: bool
    writes: Sum
    left: Sequence[Json] = ()
    left_groups: Sequence[LinkGroup] = ()


def kinds_sum(facts: ReportFacts) -> Sum | None:
    """Return what became of all expected links of the last verification, None without one."""
    if facts.verification is None:
        return None
    w = facts.w
    return sum_of(
        w("sum_links"),
        [(facts.chips.kind(kind), total_of(facts.verification, kind)) for kind in KINDS],
        noun="link",
        of=w("of_the_expected"),
        w=w,
    )


def links_part(facts: ReportFacts) -> LinksPart | None:
    """Return what the last verification says of links, None where there is none."""
    if facts.verification is None:
        return None
    findings = facts.verification.findings
    if len(findings) <= TABLE_ROWS:
        kinds = dict.fromkeys(as_text(finding.get("kind")) for finding in findings)
        return LinksPart(
            kinds=_kinds(facts),
            findings=findings,
            kinds_found=[(clip(kind, 40), facts.chips.kind(kind).word) for kind in kinds],
        )
    bases = {job.id: job.job.destination for job in facts.view.jobs}
    groups: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for finding in findings:
        job, kind, detail = (as_text(finding.get(name)) for name in ("job", "kind", "detail"))
        groups[job, kind, detail].append(_arrow(finding, bases.get(job)))
    by_detail = len(groups) <= GROUPS_BY_DETAIL
    if not by_detail:
        merged: dict[tuple[str, str, str], list[str]] = defaultdict(list)
        for (job, kind, _), arrows in groups.items():
            merged[job, kind, ""] += arrows
        groups = merged
    short = len(findings) > SHORT_FROM
    return LinksPart(
        kinds=_kinds(facts),
        groups=[
            LinkGroup(
                title=clip(job, 80) or facts.w("no_job_name"),
                chip=facts.chips.kind(kind),
                note=clip(detail, 300),
                count=len(arrows),
                text=_by_projects(arrows) if short else Composed("  ".join(arrows)),
            )
            for (job, kind, detail), arrows in groups.items()
        ],
        by_detail=by_detail,
        short=short,
    )


def _kinds(facts: ReportFacts) -> KindsTable:
    totals = {
        kind: total_of(facts.verification, kind) for kind in ("expected", *KINDS, *KINDS_BESIDE)
    }
    ended = facts.verification.ended if facts.verification is not None else None
    return KindsTable(
        shown=[kind for kind in KINDS if kind in ("recreated", "missing") or totals[kind]],
        beside=[kind for kind in KINDS_BESIDE if totals[kind]],
        rows=[
            KindCounts(as_text(job.get("id")), {kind: counted(job, kind) for kind in totals})
            for job in (ended.jobs if ended is not None else ())
        ],
        total=KindCounts("", totals),
    )


def _arrow(finding: Json, base: str | None = None) -> str:
    """Return a statement as `issue→target`; a target on its job's destination is its key alone."""
    target = as_text(finding.get("target"))
    if base is not None:
        target = target.removeprefix(f"{base}/browse/")
    return f"{clip(as_text(finding.get('issue')), 40)}→{clip(target, 160) or DASH}"


def _by_projects(arrows: Iterable[str]) -> str:
    """Return statements `issue→target` as one text that writes each pair of projects only once."""
    pairs: dict[tuple[str, str], list[str]] = defaultdict(list)
    for arrow in arrows:
        issue, _, target = arrow.partition("→")
        (source, _, here), (other, _, there) = issue.rpartition("-"), target.rpartition("-")
        numbers = here.isdecimal() and there.isdecimal() and "/" not in other
        pairs[(source, other) if numbers else ("", "")].append(
            f"{here}:{there}" if numbers else arrow
        )
    return Composed(
        "\n".join(
            (f"{source}-… : {other}-…  " if source else "") + " ".join(lines)
            for (source, other), lines in pairs.items()
        )
    )


def listings_of(facts: ReportFacts) -> Iterable[WriteListing]:
    """Yield what repair, rollback and single commands listed."""
    view, chips, w = facts.view, facts.chips, facts.w
    ended = {event.listing for _, event in view.listings_ended}
    states = {write.intended.write: write_state(write) for write in view.writes}
    # Each list of what was left has its place in the section as its id.
    place = 1
    for at, listing in view.listings:
        place += 1 + bool(listing.planned)
        done = [states.get(as_text(plan.get("write")), "not_begun") for plan in listing.planned]
        # States that are always named, then those that only this list has.
        names = dict.fromkeys(("done", "skipped", "refused", "unknown", "not_begun", *done))
        many = len(listing.left) > TABLE_ROWS
        reasons: dict[str, list[str]] = defaultdict(list)
        for left in listing.left if many else ():
            reasons[as_text(left.get("reason"))].append(_arrow(left))
        yield WriteListing(
            id=f"left-{place}",
            at=at,
            listing=listing,
            ended=listing.listing in ended,
            writes=sum_of(
                w("sum_writes", purpose=w.known("purpose", listing.purpose)),
                [(chips.outcome(name), done.count(name)) for name in names],
                noun="write",
                of=w("of_the_listed"),
                w=w,
            ),
            left=() if many else listing.left,
            left_groups=[
                LinkGroup(
                    title=w("left_alone"),
                    chip=Chip(tone="idle", symbol=DASH, word=w("left_alone")),
                    note=clip(reason, 300),
                    count=len(arrows),
                    text=Composed("  ".join(arrows)),
                )
                for reason, arrows in reasons.items()
            ],
        )
        place += bool(listing.left)


def write_groups(facts: ReportFacts) -> Sequence[LinkGroup]:
    """Return all changes of links close together where they are too many for a table, else nothing."""
    writes, w = facts.view.writes, facts.w
    if len(writes) <= TABLE_ROWS:
        return ()
    groups: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for write in writes:
        said = write.intended
        arrow = _arrow({"issue": said.issue, "target": target_of(write)})
        groups[said.purpose, said.action, write_state(write)].append(arrow)
    return [
        LinkGroup(
            title=f"{w.known('purpose', purpose)}: {w.known('action', action)}",
            chip=facts.chips.outcome(state),
            count=len(arrows),
            text=Composed("  ".join(arrows)),
        )
        for (purpose, action, state), arrows in groups.items()
    ]


def write_state(write: Write) -> str:
    """Return what became of a change: its result, or unknown while it has none."""
    return "unknown" if write.ended is None else write.ended.result


def target_of(write: Write) -> str:
    """Return where the written link points, from the record sent or the one that was there."""
    for record in (write.intended.after, write.intended.before):
        thing = record.get("object") if isinstance(record, dict) else None
        if isinstance(thing, dict) and thing.get("url"):
            return as_text(thing["url"])
    return ""

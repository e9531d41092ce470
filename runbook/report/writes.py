"""Links that runbook changed itself: what was listed, what became of each change, what was left."""

from collections import defaultdict
from collections.abc import Sequence

from runbook.ledger.events import Json
from runbook.report.exchanges import as_text
from runbook.report.link_cells import arrow, issue_cell, target_cell
from runbook.report.page import (
    Block,
    Chip,
    Column,
    Group,
    Groups,
    Heading,
    Para,
    Row,
    Stack,
    Sum,
    Table,
    Text,
)
from runbook.report.states import (
    is_preview,
    outcome_chip,
    sum_of,
)
from runbook.report.text import (
    DASH,
    Composed,
    clip,
)
from runbook.report.timestamps import Zone
from runbook.report.translations import Words
from runbook.view import RunView, Write

# Longer lists are written close together, so that the file stays one that a browser opens at once.
TABLE_ROWS = 1_500


def writes_blocks(view: RunView, zone: Zone, w: Words) -> list[Block]:
    """Return what repair, rollback and single commands changed, and what they left alone."""
    if is_preview(view):
        return []
    blocks: list[Block] = [Heading(id="writes", text=w("h_writes"))]
    if not view.listings and not view.writes:
        return [*blocks, Para(text=w("writes_none"))]
    ended = {event.listing: event for _, event in view.listings_ended}
    by_write = {write.intended.write: write for write in view.writes}
    for at, listing in view.listings:
        purpose = _purpose(listing.purpose, w)
        done = [by_write.get(as_text(plan.get("write"))) for plan in listing.planned]
        state = w("listing_ended") if listing.listing in ended else w("listing_open")
        when = zone.said(at)
        blocks.append(
            Para(
                text=w(
                    "listing_said",
                    purpose=purpose,
                    at=when,
                    by=clip(listing.operator, 120) or DASH,
                    planned=w.count("write", len(listing.planned)),
                    left=w.count("left", len(listing.left)),
                    state=state,
                )
            )
        )
        if listing.planned:
            blocks.append(_writes_sum(done, purpose, w))
        if listing.left:
            blocks.append(_left_block(listing.left, w, len(blocks)))
    if view.writes:
        blocks.append(_writes_block(view.writes, zone, w))
    return blocks


def _purpose(purpose: str, w: Words) -> str:
    return w.known("purpose", purpose)


def _write_state(write: Write | None) -> str:
    if write is None:
        return "not_begun"
    return "unknown" if write.ended is None else write.ended.result


def _write_chip(state: str, w: Words) -> Chip:
    if state == "not_begun":
        return Chip(tone="idle", symbol=DASH, word=w("write_not_begun"))
    return outcome_chip(state, w)


def _writes_sum(done: Sequence[Write | None], purpose: str, w: Words) -> Sum:
    states = [_write_state(write) for write in done]
    names = ("done", "skipped", "refused", "unknown", "not_begun")
    others = [state for state in dict.fromkeys(states) if state not in names]
    return sum_of(
        w("sum_writes", purpose=purpose),
        [(_write_chip(name, w), states.count(name)) for name in (*names, *others)],
        noun="write",
        of=w("of_the_listed"),
        w=w,
    )


def _writes_block(writes: Sequence[Write], zone: Zone, w: Words) -> Block:
    if len(writes) > TABLE_ROWS:
        return _grouped_writes(writes, w)
    columns = (
        Column(title=w("c_when")),
        Column(title=w("c_purpose")),
        Column(title=w("c_action")),
        Column(title=w("c_issue")),
        Column(title=w("c_target"), wide=True),
        Column(title=w("f_result")),
        Column(title=w("c_link_id")),
    )
    rows = []
    for write in writes:
        said, ended = write.intended, write.ended
        result = _write_chip(_write_state(write), w)
        rows.append(
            Row(
                cells=(
                    zone.moment(write.at),
                    Text(text=_purpose(said.purpose, w)),
                    Text(text=_action(said.action, w)),
                    issue_cell({"issue": said.issue, "site": said.site}),
                    target_cell({"target": target_of(write)}),
                    Stack(
                        cells=(
                            result,
                            Text(text=clip(ended.detail, 200), foreign=True),
                        )
                    )
                    if ended is not None and ended.detail
                    else result,
                    Text(text=clip(as_text((ended and ended.link_id) or said.link_id), 40) or DASH),
                )
            )
        )
    return Table(
        id="writes-table", caption=w("cap_writes"), columns=columns, rows=tuple(rows), dense=True
    )


def _action(action: str, w: Words) -> str:
    return w.known("action", action)


def target_of(write: Write) -> str:
    """Return where the written link points, from the record sent or the one that was there."""
    for record in (write.intended.after, write.intended.before):
        thing = record.get("object") if isinstance(record, dict) else None
        if isinstance(thing, dict) and thing.get("url"):
            return as_text(thing["url"])
    return ""


def _grouped_writes(writes: Sequence[Write], w: Words) -> Groups:
    groups: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for write in writes:
        said = write.intended
        groups[said.purpose, said.action, _write_state(write)].append(
            f"{clip(said.issue, 40)}→{clip(target_of(write), 160) or DASH}"
        )
    return Groups(
        groups=tuple(
            Group(
                title=f"{_purpose(purpose, w)}: {_action(action, w)}",
                chip=_write_chip(state, w),
                note="",
                note_cut="",
                lines=((w.count("link", len(lines)), Composed("  ".join(lines))),),
            )
            for (purpose, action, state), lines in groups.items()
        )
    )


def _left_block(left: Sequence[Json], w: Words, number_: int) -> Block:
    if len(left) > TABLE_ROWS:
        groups: dict[str, list[str]] = defaultdict(list)
        for one in left:
            groups[as_text(one.get("reason"))].append(arrow(one, {}))
        return Groups(
            groups=tuple(
                Group(
                    title=w("left_alone"),
                    chip=Chip(tone="idle", symbol=DASH, word=w("left_alone")),
                    note=clip(reason, 300),
                    note_cut="",
                    lines=((w.count("link", len(lines)), Composed("  ".join(lines))),),
                )
                for reason, lines in groups.items()
            )
        )
    columns = (
        Column(title=w("c_issue")),
        Column(title=w("c_target"), wide=True),
        Column(title=w("c_link_id")),
        Column(title=w("c_why"), wide=True),
    )
    rows = tuple(
        Row(
            cells=(
                issue_cell(one),
                target_cell(one),
                Text(text=clip(as_text(one.get("link_id")), 40) or DASH),
                Text(text=clip(as_text(one.get("reason")), 300), foreign=True),
            )
        )
        for one in left
    )
    return Table(
        id=f"left-{number_}", caption=w("cap_left"), columns=columns, rows=rows, dense=True
    )

"""The verdict in one sentence, and the numbers behind it that add up."""

from runbook.ledger.events import Json
from runbook.report.advice import standing, what_next, why_not
from runbook.report.page import (
    Bullets,
    Chip,
    Column,
    Link,
    Number,
    Para,
    Row,
    Section,
    Stack,
    Sum,
    Table,
    Text,
    Verdict,
)
from runbook.report.rounds import Unserved, due_pairs, missed_pairs
from runbook.report.states import (
    chip_of,
    is_clean,
    is_preview,
    job_sum,
    noted,
    run_chip,
    undone_jobs,
    verification_chip,
)
from runbook.report.text import anchor, clip, site_label, thousands
from runbook.report.translations import Words
from runbook.view import AT_ATLASSIAN, JobState, JobView, RunState, RunView, Verification
from runbook.windows import WindowState

# As many rows as leave the first printed page in one piece.
UNDONE_SHOWN = 4
UNDONE_SHOWN_WITH_LINKS = 3
UNLOOKED_ALWAYS = ("text", "comments", "confluence", "boards", "automation", "apps")


def last_verification(view: RunView) -> Verification | None:
    """Return the last verification that came to an end."""
    ended = [one for one in view.verifications if one.ended is not None]
    return ended[-1] if ended else None


def expected_links(one: Verification) -> int:
    """Return how many links a verification expected, over all jobs."""
    return sum(int(job.get("expected") or 0) for job in _verified_jobs(one))


def differing_links(one: Verification) -> int:
    """Return how many expected links are missing, point elsewhere, or keep an old address."""
    kinds = ("missing", "wrong_target", "old_url")
    return sum(int(job.get(kind) or 0) for job in _verified_jobs(one) for kind in kinds)


def _verified_jobs(one: Verification) -> list[Json]:
    return [] if one.ended is None else one.ended.jobs


def verdict(view: RunView, w: Words) -> Verdict:
    """Return the verdict on a run, or on a plan that was not run."""
    if is_preview(view):
        return _preview_verdict(view, w)
    clean, due = is_clean(view), due_pairs(view)
    chip = run_chip(view.state.value, w, clean=clean)
    if view.state is RunState.COMPLETE:
        said = verification_chip(view.verification, w, clean=clean)
        known = chip if view.verification == "none" else said
        words = [chip.word, said.word, *([w("round_due")] if due else [])]
        tone, symbol = known.tone, known.symbol
        if due and tone != "bad":
            tone, symbol = "warn", "◷"
        chip = Chip(tone=tone, symbol=symbol, word=", ".join(words))
    return Verdict(chip=chip, sentence=_sentence(view, due, w), notes=_notes(view, due, w))


def _preview_verdict(view: RunView, w: Words) -> Verdict:
    errors = sum(
        1 for one in view.findings if one.get("severity") == "error" and not one.get("waived")
    )
    planned = w.plural("planned_jobs", len(view.jobs))
    sentence = w("verdict_preview", planned=planned)
    if errors:
        sentence = w("verdict_preview_blocked", planned=planned, errors=w.count("error", errors))
    return Verdict(chip=run_chip("preview", w), sentence=sentence, notes=())


def _sentence(view: RunView, due: tuple[Unserved, ...], w: Words) -> str:
    match view.state:
        case RunState.COMPLETE:
            return _complete_sentence(view, due, w)
        case RunState.NEEDS_PERSON:
            waiting = [job for job in view.jobs if job.needs_person()]
            unknown = [job for job in waiting if job.state is JobState.UNKNOWN]
            key = "verdict_unknown" if unknown else "verdict_probe"
            return w.plural(key, len(unknown or waiting), standing=standing(view, w))
        case RunState.STOPPED if view.stop is None:
            return w("verdict_selected", standing=standing(view, w))
        case _:
            return w(f"verdict_{view.state.value}", standing=standing(view, w))


def _complete_sentence(view: RunView, due: tuple[Unserved, ...], w: Words) -> str:
    one = last_verification(view)
    known = view.verification if one is not None else "none"
    total = len(view.jobs)
    spoken = sum(job.state is not JobState.COMPLETE for job in view.jobs)
    reported = (
        w("reported_some", done=thousands(total - spoken), jobs=w.count("job", total))
        if spoken
        else w.plural("reported_all", total)
    )
    values = {
        "reported": reported,
        "spoken": w.plural("reported_spoken", spoken) if spoken else "",
        "due": w.plural(f"due_{'but' if known == 'clean' else 'and'}", len(due)) if due else "",
    }
    if one is not None and known != "none":
        values["links"] = w.count("link", expected_links(one))
    if one is not None and known == "differences":
        values["different"] = w.count("link", differing_links(one))
    return w(f"verdict_complete_{known}", **values)


def _notes(view: RunView, due: tuple[Unserved, ...], w: Words) -> tuple[str, ...]:
    notes = []
    if due:
        ready = any(one.state is not WindowState.NOT_YET for one in due)
        notes.append(w.plural("note_due_ready" if ready else "note_due", len(due)))
    if view.stop is not None and view.state is not RunState.STOPPED:
        notes.append(w("note_stopped"))
    moving = [job for job in view.jobs if job.state in AT_ATLASSIAN]
    if moving and view.state is not RunState.RUNNING:
        notes.append(w.plural("note_moving", len(moving)))
    if view.state is not RunState.COMPLETE and view.verification != "none":
        notes.append(w(f"note_verified_{view.verification}"))
    if view.verification == "none" and view.state is not RunState.COMPLETE:
        notes.append(w("note_not_verified"))
    if any(write.ended is None for write in view.writes):
        notes.append(w("note_write_unknown"))
    stalled = [job for job in view.jobs if job.stalled_since and job.state in AT_ATLASSIAN]
    if stalled:
        notes.append(w.plural("note_stalled", len(stalled)))
    missed = missed_pairs(view)
    if missed:
        notes.append(w.plural("note_missed", len(missed)))
    return tuple(notes)


def done_section(view: RunView, w: Words) -> Section:
    """Return what was done, what was not, and why; the states add up to the jobs of the plan."""
    blocks: list[Sum | Para | Table] = [job_sum(view, w)]
    if not is_preview(view):
        links = _link_sum(view, w)
        if links is not None:
            blocks.append(links)
    undone = undone_jobs(view)
    if is_preview(view):
        blocks.append(Para(text=w("preview_nothing_sent")))
    elif undone:
        room = UNDONE_SHOWN if last_verification(view) is None else UNDONE_SHOWN_WITH_LINKS
        blocks.append(_undone_table(undone[:room], view, w))
        if len(undone) > room:
            blocks.append(
                Para(
                    text=w("undone_more", jobs=w.count("job", len(undone) - room)),
                    tone="note",
                )
            )
    else:
        due = due_pairs(view)
        said = w.plural("undone_none", len(view.jobs))
        if due:
            named = clip("; ".join(dict.fromkeys(one.named for one in due)), 180)
            said = w.plural("undone_due", len(due), named=named)
        blocks.append(Para(text=said))
    one = last_verification(view)
    different = 0 if one is None else differing_links(one)
    if different:
        blocks.append(Para(text=w.plural("undone_links", different)))
    title, short = ("h_planned", "s_planned") if is_preview(view) else ("h_done", "s_done")
    return Section(id="done", title=w(title), short=w(short), blocks=tuple(blocks))


def _link_sum(view: RunView, w: Words) -> Sum | None:
    from runbook.report.verification import kinds_sum

    one = last_verification(view)
    return None if one is None else kinds_sum(one, w, clean=is_clean(view))


def _undone_table(undone: tuple[JobView, ...], view: RunView, w: Words) -> Table:
    rows = tuple(
        Row(
            cells=(
                Link(
                    text=clip(job.id, 60),
                    href=f"#{anchor('job', job.id)}",
                    note=f"{clip(site_label(job.job.site), 40)} → {clip(site_label(job.job.destination), 40)}",
                ),
                chip_of(job, w),
                Text(text=why_not(job, w), note=clip(job.detail, 130), foreign=True),
                Text(text=what_next(job, view, w)),
            )
        )
        for job in undone
    )
    columns = (
        Column(title=w("c_job")),
        Column(title=w("c_state")),
        Column(title=w("c_why"), wide=True),
        Column(title=w("c_next"), wide=True),
    )
    return Table(id="undone", caption=w("cap_undone"), columns=columns, rows=rows)


def unlooked_section(view: RunView, w: Words) -> Section:
    """Return what nobody looked at: always the same list, and what this run left out besides."""
    items = [(w(f"un_{name}_t"), w(f"un_{name}")) for name in UNLOOKED_ALWAYS]
    one = last_verification(view)
    if one is None and not is_preview(view):
        items.insert(0, (w("un_links_t"), w("un_links")))
    elif one is not None and one.ended is not None and one.ended.sample is not None:
        items.insert(0, (w("un_sample_t"), w("un_sample")))
    if one is not None and not (one.started.before):
        items.append((w("un_before_t"), w("un_before")))
    if not any(log.log == "audit" for _, log in view.logs) and not is_preview(view):
        items.append((w("un_logs_t"), w("un_logs")))
    unasked = sum(1 for finding in view.findings if finding.get("code") == "RB690")
    if unasked:
        items.append((w("un_online_t"), w.plural("un_online", unasked)))
    unprobed = sum(1 for job in view.jobs if job.unprobed())
    if unprobed:
        items.append((w("un_probe_t"), w.plural("un_probe_left", unprobed)))
    elif not is_preview(view) and not any(job.probes for job in view.jobs):
        items.append((w("un_probe_t"), w("un_probe")))
    items.append((w("un_applink_t"), w("un_applink")))
    return Section(
        id="not-looked-at",
        title=w("h_unlooked"),
        short=w("s_unlooked"),
        blocks=(Bullets(items=tuple(items)),),
    )


def verification_cell(view: RunView, w: Words) -> Stack:
    """Return what verification says of a run, with when."""
    one = last_verification(view)
    note = "" if one is None else w("verified_links", links=w.count("link", expected_links(one)))
    return Stack(
        cells=(noted(verification_chip(view.verification, w, clean=is_clean(view)), note, w),)
        if note
        else (verification_chip(view.verification, w, clean=is_clean(view)),)
    )


def number(count: int, *, strong: bool = False) -> Number:
    """Return a count as a cell."""
    return Number(text=thousands(count), key=count, zero=count == 0, strong=strong)

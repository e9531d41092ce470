"""The verdict in one sentence, and the numbers behind it that add up."""

from runbook.ledger.events import Json
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
from runbook.report.states import (
    done_jobs,
    is_clean,
    is_preview,
    job_chip,
    job_sum,
    noted,
    run_chip,
    undone_jobs,
    verification_chip,
)
from runbook.report.text import anchor, clip, site_label, thousands
from runbook.report.words import Words
from runbook.view import AT_ATLASSIAN, JobState, JobView, RunState, RunView, Verification

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
        errors = sum(
            1 for one in view.findings if one.get("severity") == "error" and not one.get("waived")
        )
        key = "verdict_preview_blocked" if errors else "verdict_preview"
        return Verdict(
            chip=run_chip("preview", w),
            sentence=w(key, jobs=w.count("job", len(view.jobs)), errors=w.count("error", errors)),
            notes=(),
        )
    chip = run_chip(view.state.value, w, clean=is_clean(view))
    if view.state is RunState.COMPLETE:
        said = verification_chip(view.verification, w, clean=is_clean(view))
        tone = chip.tone if view.verification == "none" else said.tone
        symbol = chip.symbol if view.verification == "none" else said.symbol
        chip = Chip(tone=tone, symbol=symbol, word=f"{chip.word}, {said.word}")
    return Verdict(chip=chip, sentence=_sentence(view, w), notes=_notes(view, w))


def _sentence(view: RunView, w: Words) -> str:
    done, total = len(done_jobs(view)), len(view.jobs)
    values = {
        "done": thousands(done),
        "total": thousands(total),
        "jobs": w.count("job", total),
        "rest": w.count("job", total - done),
    }
    match view.state:
        case RunState.COMPLETE:
            return _complete_sentence(view, w, values)
        case RunState.NEEDS_PERSON:
            waiting = [job for job in view.jobs if job.needs_person()]
            unknown = [job for job in waiting if job.state is JobState.UNKNOWN]
            key = "verdict_needs_person" if unknown else "verdict_probe"
            return w(key, waiting=w.count("job", len(waiting)), **values)
        case RunState.FAILED:
            bad = sum(job.state in (JobState.ERROR, JobState.REFUSED) for job in view.jobs)
            held = sum(job.state is JobState.NOT_ATTEMPTED for job in view.jobs)
            return w(
                "verdict_failed",
                bad=w.count("job", bad),
                held=w.count("job", held),
                **values,
            )
        case RunState.STOPPED if view.stop is None:
            return w("verdict_selected", **values)
        case _:
            return w(f"verdict_{view.state.value}", **values)


def _complete_sentence(view: RunView, w: Words, values: dict[str, str]) -> str:
    one = last_verification(view)
    known = view.verification if one is not None else "none"
    links = 0 if one is None else expected_links(one)
    different = 0 if one is None else differing_links(one)
    return w(
        f"verdict_complete_{known}",
        links=w.count("link", links),
        different=w.count("link", different),
        **values,
    )


def _notes(view: RunView, w: Words) -> tuple[str, ...]:
    notes = []
    moving = [job for job in view.jobs if job.state in AT_ATLASSIAN]
    if moving and view.state is not RunState.RUNNING:
        notes.append(w("note_moving", jobs=w.count("job", len(moving))))
    if view.state is not RunState.COMPLETE and view.verification != "none":
        notes.append(w(f"note_verified_{view.verification}"))
    if view.verification == "none" and view.state is not RunState.COMPLETE:
        notes.append(w("note_not_verified"))
    if any(write.ended is None for write in view.writes):
        notes.append(w("note_write_unknown"))
    stalled = [job for job in view.jobs if job.stalled_since and job.state in AT_ATLASSIAN]
    if stalled:
        notes.append(w("note_stalled", jobs=w.count("job", len(stalled))))
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
        blocks.append(Para(text=w("undone_none", jobs=w.count("job", len(view.jobs)))))
    one = last_verification(view)
    different = 0 if one is None else differing_links(one)
    if different:
        blocks.append(Para(text=w("undone_links", different=w.count("link", different))))
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
                job_chip(job.state.value, w),
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


def why_not(job: JobView, w: Words) -> str:
    """Return in fixed words why a job is not done."""
    if job.state is JobState.COMPLETE:
        return w("why_probe_not_arrived")
    if job.why is not None and w.has(f"why_{job.why}"):
        return w(f"why_{job.why}")
    if job.state is JobState.UNKNOWN and job.spoken:
        return w("why_unknown_spoken")
    return w(f"why_state_{job.state.value}")


def what_next(job: JobView, view: RunView, w: Words) -> str:
    """Return in fixed words what settles a job that is not done."""
    if view.state is RunState.RUNNING and not job.needs_person():
        return w("next_running")
    values = {"run": clip(view.id, 60), "job": clip(job.id, 60)}
    if job.needs_person():
        key = "next_unknown" if job.state is JobState.UNKNOWN else "next_probe"
        return w(key, **values)
    match job.state:
        case JobState.UNKNOWN:
            return w("next_verify", **values)
        case JobState.ERROR:
            return w("next_error", **values)
        case JobState.NOT_ATTEMPTED if job.why == "window":
            return w("next_window", **values)
        case _ if view.stop is not None:
            return w("next_stopped", **values)
        case JobState.REFUSED:
            return w("next_refused", **values)
        case _:
            return w("next_again", **values)


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
        items.append((w("un_online_t"), w("un_online", findings=w.count("finding", unasked))))
    if not is_preview(view) and not any(job.probes for job in view.jobs):
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

"""The words before the first job: what will be sent, by whom, where, and what cannot be undone."""

from pathlib import Path
from urllib.parse import urlsplit

from runbook.cli.console import say
from runbook.errors import ExitCode
from runbook.operations.run import RunResult, RunSummary
from runbook.text import added_up, aligned, moment, plural, printable
from runbook.view import SUSPECTS, JobState, JobView, RunView, next_for


def summary_text(summary: RunSummary) -> str:
    """Return what a person reads before saying yes."""
    plan = summary.checked.plan
    chosen = [job for job in summary.checked.jobs if job.id in summary.sending.todo]
    emails = {account.profile: account.email for account in summary.environment.accounts}
    hosts = dict.fromkeys(
        [urlsplit(job.url).hostname or "" for job in chosen]
        + [urlsplit(site).hostname or "" for site in summary.site_ids]
    )
    head = [
        ("plan", f"{plan.name}" + (f" for {printable(plan.customer)}" if plan.customer else "")),
        ("jobs", f"{plural(len(chosen), 'job')} of {len(summary.checked.jobs)}, in this order"),
        ("digest", summary.checked.jobs_digest),
        ("accounts", ", ".join(f"{name} = {email}" for name, email in emails.items())),
        ("hosts", ", ".join(hosts)),
    ]
    if summary.environment.endpoint is not None:
        head.append(
            (
                "stand-in",
                f"{summary.environment.endpoint} answers for every host; nothing reaches Atlassian",
            )
        )
    head.append(("earlier runs", _earlier(summary)))
    lines = [aligned(head), ""]
    lines.append(
        aligned(
            [
                (
                    f"{job.order}.",
                    job.id,
                    f"{urlsplit(job.site).hostname} -> {urlsplit(job.destination).hostname}",
                    f"as {job.account}",
                )
                for job in chosen
            ],
            indent="  ",
        )
    )
    if summary.sending.difference:
        lines += ["", "the plan changed since the last process, in nothing that was submitted:"]
        lines += [f"  {printable(line)}" for line in summary.sending.difference]
    lines += [
        "",
        "Atlassian offers no way to list, cancel or undo a job. Text that is rewritten stays rewritten.",
    ]
    return "\n".join(lines)


def _earlier(summary: RunSummary) -> str:
    if summary.sending.continues is not None:
        began = summary.sending.continues.started_at
        return f"goes on with run {summary.sending.continues.id}, begun {moment(began, summary.checked.plan.zone)}"
    if not summary.earlier:
        return "none: if jobs were sent elsewhere, stop"
    shown = [
        f"{view.id} ({view.started.plan_name}, {view.state.value})" for view in summary.earlier[-3:]
    ]
    return f"{plural(len(summary.earlier), 'run')} in this ledger: {', '.join(shown)}"


def say_closing(result: RunResult, plan: Path) -> None:
    """Say how a run ended, what needs a person, and the one command that comes next."""
    view, ending = result.view, result.ending
    if result.refused is not None:
        say(f"nothing was sent: {result.refused}")
    say("")
    say(f"run {view.id}: {ending.state.value.replace('_', ' ')}, {added_up(ending.counts)}")
    if ending.detail:
        say(f"  {printable(ending.detail)}")
    for job in view.jobs:
        for line in advice_for(job, view, plan):
            say(line)
    match ending.exit_code:
        case ExitCode.DONE if ending.state.value == "complete":
            say(
                f"next: `runbook verify {view.id}` - Atlassian's word is no proof that every link came"
            )
        case ExitCode.INTERRUPTED | ExitCode.REMOTE:
            say(
                f"next: the same command, `runbook run {plan}`, resumes; jobs at Atlassian continue meanwhile"
            )
        case ExitCode.JOB | ExitCode.CREDENTIAL:
            say(f"next: fix the cause, then `runbook run {plan}` sends what was refused or held")
        case _:
            pass


def advice_for(job: JobView, view: RunView, plan: Path) -> list[str]:
    """Return what a person should know and do about a job, empty where nothing."""
    lines: list[str] = []
    advice = next_for(job, view, str(plan))
    state = job.state.value
    if advice.key == "unknown":
        send_again, accepted, no_id = advice.commands
        lines += [
            f"  {job.id}: unknown - {printable(job.detail)}",
            "    look at the site's link-fixing page or the audit log, then say what happened:",
            f"      {send_again}      (recommended: links already updated are left out; a backup may be repeated)",
            f"      {accepted}   (where its job id is known)",
            f"      {no_id}  (accepted, id not known: only verification can tell)",
        ]
    elif job.state in (JobState.REFUSED, JobState.ERROR):
        lines.append(f"  {job.id}: {state} - {printable(job.detail)}")
        last = job.sent[-1] if job.sent else None
        if job.state is JobState.REFUSED and last is not None:
            lines += [f"    likely: {cause}" for cause in last.causes]
            if last.trace_id:
                lines.append(f"    trace id for Atlassian's support: {printable(last.trace_id)}")
        lines += [f"    after the fix: {command}" for command in advice.commands]
    elif job.state is JobState.NOT_ATTEMPTED:
        lines.append(f"  {job.id}: not attempted ({job.why}) - {printable(job.detail)}")
    elif advice.key == "probe":
        again, no_id = advice.commands
        lines += [
            f"  {job.id}: complete, but a known link did not arrive. Suspects, in order: {'; '.join(SUSPECTS)}",
            f"    fix it and send again: {again}",
            f"    or go on without: {no_id}",
        ]
    return lines

"""The words before the first job: what will be sent, by whom, where, and what cannot be undone."""

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from runbook.text import aligned, moment, plural, printable

if TYPE_CHECKING:
    from runbook.cli.run_values import Summary


def summary_text(summary: "Summary") -> str:
    """Return what a person reads before saying yes."""
    plan = summary.prepared.plan
    chosen = [job for job in summary.prepared.jobs if job.id in summary.todo]
    emails = {account.profile: account.email for account in summary.accounts}
    hosts = dict.fromkeys(
        [urlsplit(job.url).hostname or "" for job in chosen]
        + [urlsplit(site).hostname or "" for site in summary.site_ids]
    )
    head = [
        ("plan", f"{plan.name}" + (f" for {printable(plan.customer)}" if plan.customer else "")),
        ("jobs", f"{plural(len(chosen), 'job')} of {len(summary.prepared.jobs)}, in this order"),
        ("digest", summary.prepared.jobs_digest),
        ("accounts", ", ".join(f"{name} = {email}" for name, email in emails.items())),
        ("hosts", ", ".join(hosts)),
    ]
    if summary.endpoint is not None:
        head.append(
            ("stand-in", f"{summary.endpoint} answers for every host; nothing reaches Atlassian")
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
    if summary.difference:
        lines += ["", "the plan changed since the last process, in nothing that was submitted:"]
        lines += [f"  {printable(line)}" for line in summary.difference]
    lines += [
        "",
        "Atlassian offers no way to list, cancel or undo a job. Text that is rewritten stays rewritten.",
    ]
    return "\n".join(lines)


def _earlier(summary: "Summary") -> str:
    if summary.going_on is not None:
        began = summary.going_on.started_at
        return f"goes on with run {summary.going_on.id}, begun {moment(began, summary.prepared.plan.zone)}"
    if not summary.earlier:
        return "none: if jobs were sent elsewhere, stop"
    shown = [
        f"{view.id} ({view.started.plan_name}, {view.state.value})" for view in summary.earlier[-3:]
    ]
    return f"{plural(len(summary.earlier), 'run')} in this ledger: {', '.join(shown)}"

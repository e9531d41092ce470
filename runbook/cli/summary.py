"""The words before the first job: what will be sent, by whom, where, and what cannot be undone."""

from urllib.parse import urlsplit

from runbook.operations.run import RunSummary
from runbook.text import aligned, moment, plural, printable


def summary_text(summary: RunSummary) -> str:
    """Return what a person reads before saying yes."""
    plan = summary.checked.plan
    chosen = [job for job in summary.checked.jobs if job.id in summary.sending.todo]
    emails = {account.profile: account.email for account in summary.accounts}
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

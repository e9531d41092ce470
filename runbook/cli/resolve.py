"""`runbook resolve`: a person's word on an outcome that cannot be known, or on a job sent elsewhere."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from runbook.cli.options import ledger_option, operator_option, run_argument
from runbook.cli.wiring import Root
from runbook.errors import UsageError

if TYPE_CHECKING:
    from runbook.view import JobView


@click.command("resolve")
@run_argument
@click.argument("job", metavar="JOB")
@click.option("--accepted", "uuid", metavar="UUID", help="Atlassian accepted it under this job id.")
@click.option("--accepted-no-id", is_flag=True, help="It was accepted; its id is not known.")
@click.option("--send-again", is_flag=True, help="Send it again at the next `run`.")
@click.option("--by", metavar="NAME", help="Whose word it is; default the operator.")
@click.option("--note", default="", metavar="TEXT", help="How they know; kept in the ledger.")
@operator_option
@ledger_option
@click.pass_obj
def resolve(
    root: Root,
    run: str,
    job: str,
    uuid: str | None,
    accepted_no_id: bool,
    send_again: bool,
    by: str | None,
    note: str,
    operator: str | None,
    ledger_file: Path | None,
) -> None:
    """Record a person's word on JOB of RUN; the next `run` acts on it."""
    from runbook.cli.console import say
    from runbook.cli.runs_lookup import find_run, runs_in
    from runbook.ledger.events import JobResolved

    if sum((uuid is not None, accepted_no_id, send_again)) != 1:
        raise UsageError(
            "say exactly one of `--accepted UUID`, `--accepted-no-id` and `--send-again`",
            hint="`--send-again` is recommended: Atlassian leaves out links that are updated already, but may repeat a backup",
        )
    if uuid is not None and (
        not uuid.strip() or any(c.isspace() or c == "/" for c in uuid.strip())
    ):
        raise UsageError(
            f"`--accepted {uuid!r}` is no job id", hint="it is the `uuid` of Atlassian's answer"
        )
    resolution = (
        "accepted" if uuid is not None else "send_again" if send_again else "accepted_no_id"
    )
    person = by or root.operator(operator)
    with root.open_ledger(root.ledger_path(ledger_file), read_only=False) as ledger:
        view = find_run(runs_in(root, ledger), run)
        known = view.job(job)
        if known is None:
            raise UsageError(
                f"run `{view.id}` has no job `{job}`",
                hint=f"its jobs: {', '.join(one.id for one in view.jobs)}",
            )
        refuse_pointless(known, resolution)
        ledger.append(
            JobResolved(
                resolution=resolution,
                uuid=uuid.strip() if uuid is not None else None,
                by=person,
                note=note.strip(),
            ),
            run=view.id,
            job=job,
        )
    say(f"{job}: {resolution.replace('_', ' ')}, by the word of {person}")
    what = {
        "accepted": "it is polled at the next",
        "accepted_no_id": "it is never polled; `runbook verify` tells whether its links came. Go on with",
        "send_again": "it is sent once more at the next",
    }[resolution]
    say(f"  {what} `runbook run PLAN`")


def refuse_pointless(job: "JobView", resolution: str) -> None:
    """Raise `UsageError` where the job's outcome is known, so that no word is wanted."""
    from runbook.view import SENDABLE, accepts_resolution

    if job.state in SENDABLE and resolution == "send_again":
        raise UsageError(
            f"`{job.id}` is {job.state.value.replace('_', ' ')}: the next `run` sends it anyway",
            hint="`resolve` is for unknown outcomes and for jobs that were sent elsewhere",
        )
    if accepts_resolution(job, resolution):
        return
    raise UsageError(
        f"the outcome of `{job.id}` is known: {job.state.value.replace('_', ' ')}",
        hint='to send it once more: `runbook run PLAN --again ID --reason "…"`',
    )

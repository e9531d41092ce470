"""`verify`: compare what arrived with what was expected."""

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import click

from runbook.cli.console import say, show
from runbook.cli.link_text import host_of, next_round, say_bad_rows
from runbook.cli.options import (
    expected_option,
    format_option,
    ledger_option,
    network_options,
    operator_option,
    run_argument,
)
from runbook.cli.snapshot_progress import watching
from runbook.errors import UsageError
from runbook.ledger.store import Ledger
from runbook.operations.find_run import find_run, runs_in
from runbook.operations.link_steps import verify_run
from runbook.operations.links import (
    accounts_if_any,
    accounts_of,
    expected_of,
    plan_of,
    ports_of,
    scratch,
)
from runbook.operations.root import Root, process_mask
from runbook.remotelinks.compare import BESIDES, DIFFERENCES, KINDS, Kind
from runbook.remotelinks.expected import ExpectedFile
from runbook.remotelinks.occasion import check_after, check_before
from runbook.remotelinks.staging import Stage
from runbook.remotelinks.verification import Verified
from runbook.secrets import Account
from runbook.text import aligned, plural, printable

SHOWN_OF_LESSER_KINDS = 20


@click.command("verify")
@run_argument
@click.option(
    "--after",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="The snapshot to compare; without it one is taken now.",
)
@click.option(
    "--before",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="A snapshot from before the run: tells users' own links from those that arrived.",
)
@expected_option
@click.option(
    "--sample",
    type=click.IntRange(min=1),
    metavar="N",
    help="Look at N expected links drawn at random, and say how sure that makes.",
)
@operator_option
@format_option("text", "json")
@ledger_option
@network_options
@click.pass_context
def verify(
    ctx: click.Context,
    run: str,
    after: Path | None,
    before: Path | None,
    expected_file: Path | None,
    sample: int | None,
    operator: str | None,
    output_format: str,
    ledger_file: Path | None,
    endpoint: str | None,
    ca_bundle: Path | None,
) -> None:
    """Compare the links that are there with those that RUN should have recreated.

    Every expected link gets exactly one kind. Exit code 8 when anything is missing, wrong or old.
    """
    root: Root = ctx.obj

    path = root.ledger_path(ledger_file)
    with root.open_ledger(path, read_only=False) as ledger:
        view = find_run(runs_in(root, ledger), run)
        plan = plan_of(view)
        expected = expected_of(plan, expected_file, path)
        if expected is None and (after is None or before is None):
            raise UsageError(
                "nothing to compare with: the plan names no expected links",
                hint="`--expected CSV` names the Data Center's issue links; docs/expected-links.md has the SQL that exports them",
            )
        if after is not None:
            check_after(after, view)
        if before is not None:
            check_before(before, view)
        root.endpoint(endpoint)
        accounts, why_not = (
            (accounts_of(root, plan), "") if after is None else accounts_if_any(root, plan)
        )
        with scratch() as folder, Stage(plan, folder=folder) as stage:
            work = _work(
                root=root,
                stage=stage,
                ledger=ledger,
                run=view.id,
                folder=folder,
                accounts=accounts,
                why_not=why_not,
                expected=expected,
                after=after,
                before=before,
                sample=sample,
                operator=root.operator(operator, accounts),
                endpoint=endpoint,
                ca_bundle=ca_bundle,
            )
            verified: Verified = root.await_(work)
            say_bad_rows(stage)
            if output_format == "json":
                for piece in json_pieces(verified, stage):
                    click.echo(piece, nl=False)
            else:
                _show_text(verified, stage)
            _say_verdict(verified, view.id, view.started.plan_file)
    ctx.exit(int(verified.exit_code))


async def _work(
    *,
    root: Root,
    stage: "Stage",
    ledger: "Ledger",
    run: str,
    folder: Path,
    accounts: "tuple[Account, ...]",
    why_not: str,
    expected: "ExpectedFile | None",
    after: Path | None,
    before: Path | None,
    sample: int | None,
    operator: str,
    endpoint: str | None,
    ca_bundle: Path | None,
) -> "Verified":

    async with ports_of(
        root,
        stage.plan,
        ledger,
        folder,
        accounts,
        why_not=why_not,
        endpoint=endpoint,
        ca_bundle=ca_bundle,
        watching=partial(watching, root),
    ) as ports:
        return await verify_run(
            ports,
            run,
            stage,
            expected=expected,
            after=after,
            before=before,
            sample=sample,
            operator=operator,
        )


def json_pieces(verified: "Verified", stage: "Stage") -> Iterator[str]:
    """Yield the JSON document piece by piece: there may be a million findings."""
    mask = process_mask()
    yield '{\n  "format": 1,\n  "jobs": [\n'
    yield ",\n".join(f"    {json.dumps(job)}" for job in verified.jobs)
    yield '\n  ],\n  "findings": ['
    separator = "\n"
    for finding in stage.findings():
        yield separator + "    " + mask.text(json.dumps(finding.as_json()))
        separator = ",\n"
    yield "\n  ]\n}\n"


def _show_text(verified: "Verified", stage: "Stage") -> None:

    always = (Kind.RECREATED, Kind.MISSING, Kind.WRONG_TARGET, Kind.OLD_URL)
    used = [kind for kind in (*KINDS, *BESIDES) if kind in always or verified.total(kind)]
    head = ("job", "expected", *(kind.value.replace("_", " ") for kind in used))
    table = [head]
    for job in verified.jobs:
        name = "(no job)" if job["id"] is None else printable(job["id"])
        table.append((name, str(job["expected"]), *(str(job[kind.value]) for kind in used)))
    if len(verified.jobs) > 1:
        total = sum(job["expected"] for job in verified.jobs)
        table.append(("in all", str(total), *(str(verified.total(kind)) for kind in used)))
    show(aligned(table))
    lesser = {Kind.NO_JOB, Kind.NOT_LOOKED_AT, Kind.SATISFIED_OTHERWISE, Kind.WRONG_TYPE, *BESIDES}
    shown: dict[str, int] = {}
    for one in stage.findings():
        shown[one.kind] = shown.get(one.kind, 0) + 1
        if Kind(one.kind) in lesser and shown[one.kind] > SHOWN_OF_LESSER_KINDS:
            continue
        link = "" if one.link_id is None else f" (link {one.link_id})"
        site = "" if one.site is None else f" on {host_of(one.site)}"
        detail = f": {printable(one.detail)}" if one.detail else ""
        words = one.kind.replace("_", " ")
        show(f"{words}: {printable(one.issue)}{site} -> {printable(one.target)}{link}{detail}")
    for kind, count in shown.items():
        if Kind(kind) in lesser and count > SHOWN_OF_LESSER_KINDS:
            more = count - SHOWN_OF_LESSER_KINDS
            show(f"{kind.replace('_', ' ')}: … and {more} more; `--format json` lists all")


def _say_verdict(verified: "Verified", run: str, plan_file: str) -> None:

    for note in verified.notes:
        say(f"note: {printable(note)}")
    if verified.sample is not None:
        say(f"sample: {verified.sample.sentence()}")
    match verified.result:
        case "clean":
            say(
                f"clean: every one of {plural(verified.concerned, 'expected link')} was looked at and none is missing, wrong or old"
            )
        case "differences":
            bad = ", ".join(
                f"{verified.total(kind)} {kind.value.replace('_', ' ')}"
                for kind in DIFFERENCES
                if verified.total(kind)
            )
            say(f"differences: {bad}")
            if verified.later:
                say(f"  {next_round(verified.later, plan_file)}")
            if verified.total(Kind.MISSING) > verified.later:
                say(f"  `runbook repair {run} --dry-run` shows what would be created")
        case _:
            _say_partial(verified)


def _say_partial(verified: "Verified") -> None:
    """Say what was really looked at, and name the rest."""
    words = {
        Kind.SOURCE_ABSENT: "whose issue does not exist or is not visible to this account",
        Kind.TARGET_ABSENT: "whose target does not exist or is not visible to this account",
        Kind.NOT_LOOKED_AT: "not looked at",
        Kind.NO_JOB: "that no job of the plan serves",
    }
    unseen = verified.unseen()
    looked_at = verified.concerned - sum(unseen.values())
    rest = [f"{plural(count, 'expected link')} {words[kind]}" for kind, count in unseen.items()]
    if verified.bad_rows:
        rest.append(f"{plural(verified.bad_rows, 'row')} that cannot be read")
    if looked_at:
        seen = f"no difference in what was looked at ({plural(looked_at, 'expected link')})"
    else:
        seen = "not one expected link was looked at"
    say(f"partial: {seen}{'; left: ' if rest else ''}{', '.join(rest)}")

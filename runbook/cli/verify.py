"""`verify`: compare what arrived with what was expected."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from runbook.cli.linkwork import expected_option
from runbook.cli.options import (
    format_option,
    ledger_option,
    network_options,
    operator_option,
    run_argument,
)
from runbook.cli.wiring import Root

if TYPE_CHECKING:
    from runbook.ledger.store import Ledger
    from runbook.remotelinks.comparison_store import ComparisonStore
    from runbook.remotelinks.expected import ExpectedFile
    from runbook.remotelinks.verification import Verified
    from runbook.secrets import Account

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
    from runbook.cli.linkwork import (
        accounts_if_any,
        accounts_of,
        expected_of,
        plan_of,
        say_bad_rows,
        scratch,
    )
    from runbook.cli.runs_lookup import find_run, runs_in
    from runbook.errors import UsageError
    from runbook.remotelinks.comparison_store import ComparisonStore
    from runbook.remotelinks.occasion import check_after, check_before

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
        with scratch() as folder, ComparisonStore(plan, folder=folder) as store:
            work = _work(
                root=root,
                store=store,
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
            say_bad_rows(store)
            if output_format == "json":
                for piece in json_pieces(verified):
                    click.echo(piece, nl=False)
            else:
                _show_text(verified)
            _say_verdict(verified, view.id, view.started.plan_file)
    ctx.exit(int(verified.exit_code))


async def _work(
    *,
    root: Root,
    store: "ComparisonStore",
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
    from runbook.cli.linkwork import ports_of
    from runbook.remotelinks.steps import verify_run

    async with ports_of(
        root,
        store.plan,
        ledger,
        folder,
        accounts,
        why_not=why_not,
        endpoint=endpoint,
        ca_bundle=ca_bundle,
    ) as ports:
        return await verify_run(
            ports,
            run,
            store,
            expected=expected,
            after=after,
            before=before,
            sample=sample,
            operator=operator,
        )


def json_pieces(verified: "Verified") -> Iterator[str]:
    """Yield the JSON document piece by piece: there may be a million findings."""
    from runbook.cli.wiring import process_mask

    mask = process_mask()
    yield '{\n  "format": 1,\n  "jobs": [\n'
    yield ",\n".join(f"    {json.dumps(job)}" for job in verified.jobs)
    yield '\n  ],\n  "findings": ['
    separator = "\n"
    for finding in verified.comparison.findings():
        yield separator + "    " + mask.text(json.dumps(finding.as_json()))
        separator = ",\n"
    yield "\n  ]\n}\n"


def _show_text(verified: "Verified") -> None:
    from runbook.cli.console import show
    from runbook.cli.linkwork import host_of
    from runbook.remotelinks.compare import BESIDES, KINDS, Kind
    from runbook.text import aligned, printable

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
    for finding in verified.comparison.findings():
        shown[finding.kind] = shown.get(finding.kind, 0) + 1
        if Kind(finding.kind) in lesser and shown[finding.kind] > SHOWN_OF_LESSER_KINDS:
            continue
        link = "" if finding.link_id is None else f" (link {finding.link_id})"
        site = "" if finding.site is None else f" on {host_of(finding.site)}"
        detail = f": {printable(finding.detail)}" if finding.detail else ""
        words = finding.kind.replace("_", " ")
        show(
            f"{words}: {printable(finding.issue)}{site} -> {printable(finding.target)}{link}{detail}"
        )
    for kind, count in shown.items():
        if Kind(kind) in lesser and count > SHOWN_OF_LESSER_KINDS:
            more = count - SHOWN_OF_LESSER_KINDS
            show(f"{kind.replace('_', ' ')}: … and {more} more; `--format json` lists all")


def _say_verdict(verified: "Verified", run: str, plan_file: str) -> None:
    from runbook.cli.console import say
    from runbook.cli.linkwork import next_round
    from runbook.remotelinks.compare import DIFFERENCES, Kind
    from runbook.text import plural, printable

    for note in verified.comparison.store.notes:
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
    from runbook.cli.console import say
    from runbook.remotelinks.compare import Kind
    from runbook.text import plural

    words = {
        Kind.SOURCE_ABSENT: "whose issue does not exist or is not visible to this account",
        Kind.TARGET_ABSENT: "whose target does not exist or is not visible to this account",
        Kind.NOT_LOOKED_AT: "not looked at",
        Kind.NO_JOB: "that no job of the plan serves",
    }
    unseen = verified.unseen()
    looked_at = verified.concerned - sum(unseen.values())
    rest = [f"{plural(count, 'expected link')} {words[kind]}" for kind, count in unseen.items()]
    bad_rows = verified.comparison.store.bad_count
    if bad_rows:
        rest.append(f"{plural(bad_rows, 'row')} that cannot be read")
    if looked_at:
        seen = f"no difference in what was looked at ({plural(looked_at, 'expected link')})"
    else:
        seen = "not one expected link was looked at"
    say(f"partial: {seen}{'; left: ' if rest else ''}{', '.join(rest)}")

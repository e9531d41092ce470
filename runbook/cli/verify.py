"""`verify`: compare what arrived with what was expected."""

import json
from collections.abc import Iterator
from functools import partial

import click

from runbook.cli.console import masked, say, show
from runbook.cli.link_text import host_of, next_round, say_bad_rows
from runbook.cli.options import (
    expected_option,
    format_option,
    ledger_option,
    network_options,
    operator_option,
    path_option,
    run_argument,
    with_options,
)
from runbook.cli.snapshot import watching
from runbook.errors import ExitCode
from runbook.operations.links import VerifyOptions, verify_in_ledger
from runbook.operations.root import Root
from runbook.remotelinks.compare import BESIDES, DIFFERENCES, KINDS, Kind
from runbook.remotelinks.comparison_store import ComparisonStore
from runbook.remotelinks.verification import Verified
from runbook.text import aligned, plural, printable
from runbook.view import RunView

SHOWN_OF_LESSER_KINDS = 20


@click.command("verify")
@run_argument
@path_option(
    "--after", dir_okay=False, help="The snapshot to compare; without it one is taken now."
)
@path_option(
    "--before",
    dir_okay=False,
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
@with_options(VerifyOptions)
def verify(root: Root, options: VerifyOptions) -> ExitCode:
    """Compare the links that are there with those that RUN should have recreated.

    Every expected link gets exactly one kind. Exit code 8 when anything is missing, wrong or old.
    """

    def show_verified(verified: Verified, store: ComparisonStore, view: RunView) -> None:
        say_bad_rows(store.bad, store.bad_count)
        if options.output_format == "json":
            for piece in json_pieces(verified):
                click.echo(piece, nl=False)
        else:
            _show_text(verified)
        _say_result(verified, view.id, view.started.plan_file)

    return verify_in_ledger(root, options, partial(watching, root), show_verified)


def json_pieces(verified: Verified) -> Iterator[str]:
    """Yield the JSON document piece by piece: there may be a million findings."""
    yield '{\n  "format": 1,\n  "jobs": [\n'
    yield ",\n".join(f"    {json.dumps(job)}" for job in verified.jobs)
    yield '\n  ],\n  "findings": ['
    separator = "\n"
    for finding in verified.comparison.findings():
        yield separator + "    " + masked(json.dumps(finding.as_json()))
        separator = ",\n"
    yield "\n  ]\n}\n"


def _show_text(verified: Verified) -> None:

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


def _say_result(verified: Verified, run: str, plan_file: str) -> None:

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


def _say_partial(verified: Verified) -> None:
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
    bad_rows = verified.comparison.store.bad_count
    if bad_rows:
        rest.append(f"{plural(bad_rows, 'row')} that cannot be read")
    if looked_at:
        seen = f"no difference in what was looked at ({plural(looked_at, 'expected link')})"
    else:
        seen = "not one expected link was looked at"
    say(f"partial: {seen}{'; left: ' if rest else ''}{', '.join(rest)}")

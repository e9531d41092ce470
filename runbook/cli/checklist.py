"""`runbook checklist`: walk through the app-link authorization and record who did it, and when."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import click

from runbook.atomic_file import write_atomically
from runbook.checklist import (
    AppLinkGroup,
    Direction,
    LinkState,
    checklist_json,
    checklist_text,
    clicks,
    count_states,
    groups_of,
    host,
    preparation,
    summary,
)
from runbook.cli.console import say
from runbook.cli.options import path_option, plan_argument, with_options
from runbook.errors import UsageError
from runbook.operations.attest import (
    Attested,
    ChecklistOptions,
    Values,
    attest,
    attest_given,
    attestation,
    attested_moment,
    evidence_name,
    lies_ahead,
    named_person,
    read_evidence,
)
from runbook.operations.credentials import variable_names
from runbook.operations.root import Root, read_plan_for
from runbook.plan.model import Plan
from runbook.report.checklist_html import checklist_html
from runbook.text import plural, printable

FUTURE = "note: that moment lies in the future of this machine's clock"
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")


@click.command()
@plan_argument
@click.option(
    "--set",
    "set_ids",
    multiple=True,
    metavar="ID",
    help="Record that the direction of job ID is authorized, without asking; may be repeated.",
)
@click.option("--by", metavar="NAME", help="Who attests it.")
@click.option("--at", metavar="TIME", help="When it was authorized, with offset, or `now`.")
@click.option("--as", "as_account", metavar="EMAIL", help="The account that was signed in.")
@path_option("--evidence", help="A screenshot of it.")
@click.option(
    "--format",
    "output_format",
    type=click.Choice(["text", "json", "html"]),
    help="List instead of asking; `html` is a sheet to print.",
)
@path_option("-o", "--output", help="Where to write the list; default stdout.", allow_dash=True)
@with_options(ChecklistOptions)
def checklist(root: Root, options: ChecklistOptions) -> None:
    """Walk through the app-link authorization, grouped by site and signed-in account.

    Answers are written into PLAN at once, comments and layout stay; leave at any time and call it
    again: only open directions are asked. Without a terminal it lists.
    """
    plan = read_plan_for(options.plan)
    if options.set_ids:
        _say_attested(options, attest_given(root, plan, options))
        return
    if options.at or options.evidence:
        raise UsageError("`--at` and `--evidence` belong to `--set ID`")
    if root.interactive and options.output_format is None and options.output is None:
        _walk(root, options, plan)
        return
    if options.by or options.as_account:
        raise UsageError("`--by` and `--as` belong to `--set ID`, or to the walk on a terminal")
    _list(plan, options.output_format or "text", options.output)


def _list(plan: Plan, output_format: str, output: Path | None) -> None:
    groups = groups_of(plan)
    if output_format == "json":
        text = json.dumps(checklist_json(plan, groups), indent=2, ensure_ascii=False)
    elif output_format == "html":
        text = checklist_html(plan, groups)
    else:
        text = checklist_text(plan, groups)
    if output is None or str(output) == "-":
        click.echo(text)
        return
    write_atomically(output, text.rstrip("\n") + "\n")
    say(f"checklist written to `{output}`")


def _say_attested(options: ChecklistOptions, attested: Attested) -> None:
    if attested.in_future:
        say(FUTURE)
    by = attested.values["by"]
    for job in options.set_ids:
        say(f"recorded in `{options.plan}`: {printable(job)} authorized by {by}")
        for name in attested.kept.get(job, ()):
            say(f"note: `{name}` was not given and stays as it was")
    _say_evidence(options.plan, attested.values)
    say(summary(attested.plan, groups_of(attested.plan)))


def _say_evidence(path: Path, values: Values) -> None:
    name = values.get("evidence")
    if isinstance(name, str):
        sha256 = read_evidence(path, name)["sha256"]
        say(f"evidence `{printable(name)}` has SHA-256 {sha256}")


# The walk


def _walk(root: Root, options: ChecklistOptions, plan: Plan) -> None:
    path, by = options.plan, options.by
    groups = groups_of(plan)
    say(summary(plan, groups))
    for group in groups:
        todo = [
            direction for direction in group.directions if direction.state is not LinkState.DONE
        ]
        if not todo:
            continue
        say(f"\n{printable(group.site)}: one sign-in covers {plural(len(todo), 'direction')}")
        for text in preparation(group):
            say(f"  - {text}")
        earlier = [direction.link for direction in group.directions if direction.link]
        named = next((link.by for link in reversed(earlier) if link.by), None)
        account = next((link.as_account for link in reversed(earlier) if link.as_account), None)
        by = by or named or root.environ.get("RUNBOOK_OPERATOR") or None
        of_profile = root.environ.get(variable_names(group.account)[0], "").strip() or None
        signed_in = options.as_account or account or of_profile
        for direction in todo:
            answer = _ask(group, direction)
            if answer == "q":
                _leave(read_plan_for(path))
                return
            if answer == "s":
                continue
            by, signed_in = _record(root, path, plan, direction, by=by, signed_in=signed_in)
    _leave(read_plan_for(path))


def _leave(plan: Plan) -> None:
    groups = groups_of(plan)
    counts = count_states(groups)
    say(f"\n{summary(plan, groups)}")
    if counts["open"] or counts["incomplete"]:
        say("the same command goes on with the open ones")


def _ask(group: AppLinkGroup, direction: Direction) -> str:
    ids = ", ".join(printable(instance.id) for instance in direction.instances)
    say(f"\n  to {host(direction.destination)} ({ids}): {direction.state.value}")
    for number, text in enumerate(clicks(group, direction), start=1):
        say(f"    {number}. {text}")
    while True:
        typed = str(click.prompt("  authorized? (y)es, (s)kip, (q)uit", err=True)).strip().lower()
        for word in ("yes", "skip", "quit"):
            if typed in (word, word[0]):
                return word[0]
        say("  `y`: it is authorized, record it (who, as whom, when)")
        say("  `s`: leave it open and go to the next one")
        say("  `q`: leave; what was answered so far is in the plan")


def _record(
    root: Root,
    path: Path,
    plan: Plan,
    direction: Direction,
    *,
    by: str | None,
    signed_in: str | None,
) -> tuple[str, str | None]:
    """Ask who, as whom, when and with which evidence; write it; return the answers to offer again."""

    def when(text: str) -> str:
        return attested_moment(root, plan, text).isoformat(timespec="seconds")

    while True:
        by = _answer("who attests it", by, _person)
        account = _answer("signed in as (e-mail)", signed_in or "", _account)
        at = _answer("when", "now", when)
        evidence = _answer(
            "evidence file (empty for none)", "", lambda text: _evidence(path, text.strip())
        )
        values = attestation(root, plan, by=by, at=at, as_account=account)
        if lies_ahead(root, values):
            say(FUTURE)
        if evidence:
            values["evidence"] = evidence
        try:
            attest(path, tuple(instance.id for instance in direction.instances), values)
        except UsageError as problem:
            say(f"  {problem}; {problem.hint or 'please answer again'}")
            continue
        say(f"  recorded in `{path}`")
        _say_evidence(path, values)
        return by, account or None


def _answer(question: str, default: str | None, check: Callable[[str], str]) -> str:
    """Ask until the answer holds; what is wrong with it is said where it was typed."""
    while True:
        typed = str(click.prompt(f"  {question}", default=default, err=True))
        try:
            return check(typed)
        except UsageError as problem:
            say(f"  {problem}{f'; {problem.hint}' if problem.hint else ''}")


def _person(text: str) -> str:
    name = named_person(text, "who attests it")
    if not any(character.isalpha() for character in name):
        raise UsageError(f"`{name}` is no name of a person", hint="name who attests it")
    return name


def _account(text: str) -> str:
    name = " ".join(printable(text).split())
    if name and not _EMAIL.fullmatch(name):
        say(f"  note: `{name}` looks like no e-mail address; it is kept as typed")
    return name


def _evidence(path: Path, text: str) -> str:
    if not text:
        return ""
    name = evidence_name(path, Path(text))
    read_evidence(path, name)
    return name

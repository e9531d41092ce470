"""`runbook check`: every finding of one or more plans, what is left to do, and how much time is left."""

from dataclasses import dataclass
from datetime import datetime, tzinfo
from pathlib import Path
from typing import Any

import click

from runbook.checks.outlook import Outlook, outlook
from runbook.cli.console import show, show_json
from runbook.cli.options import format_option, ledger_option, network_options, with_options
from runbook.errors import ExitCode, UsageError
from runbook.findings import Finding, Severity, counts, may_run
from runbook.operations.check_plan import Examined, examined_plan, planned_moment
from runbook.operations.root import NetworkOptions, Root
from runbook.plan.model import Plan
from runbook.plan.source import Source
from runbook.text import moment, plural, printable, shortened, span
from runbook.windows import Pair


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckOptions(NetworkOptions):
    """Which plans are checked, at which moment, and whether the sites are asked."""

    plans: tuple[Path, ...]
    at: str | None
    online: bool
    strict: bool
    output_format: str
    ledger_file: Path | None


@click.command("check")
@click.argument(
    "plans", metavar="PLAN...", nargs=-1, required=True, type=click.Path(path_type=Path)
)
@click.option(
    "--at", metavar="TIME", help="The planned moment, with its offset; overrides `cutover`."
)
@click.option("--online", is_flag=True, help="Ask the sites, too (reads only).")
@click.option("--strict", is_flag=True, help="Let warnings fail.")
@format_option("text", "json")
@ledger_option
@network_options
@with_options(CheckOptions)
def check(root: Root, options: CheckOptions) -> ExitCode:
    """Check each PLAN and list every finding, in file order.

    Exit code 3 means that at least one plan may not run.
    """
    moment = planned_moment(options.at)
    examined = [
        examined_plan(
            root,
            path,
            at=moment,
            ledger=options.ledger_file,
            online=options.online,
            network=options,
        )
        for path in options.plans
    ]
    if options.output_format == "json":
        show_json({"format": 1, "plans": [plan_json(plan) for plan in examined]})
    else:
        _show_text(examined, moment)
    passed = all(
        may_run(plan.findings) and not (options.strict and counts(plan.findings)["warning"])
        for plan in examined
    )
    return ExitCode.DONE if passed else ExitCode.PLAN


def plan_json(examined: Examined) -> dict[str, Any]:
    """Return one plan as `check --format json` lists it; name and digest are null where unreadable."""
    plan = examined.loaded.plan
    return {
        "file": examined.loaded.file,
        "name": None if plan is None else plan.name or None,
        "digest": None if plan is None else plan.digest,
        "instances": 0 if plan is None else len(plan.instances),
        "may_run": may_run(examined.findings),
        "counts": counts(examined.findings),
        "findings": [finding.as_json() for finding in examined.findings],
    }


def _show_text(examined: list[Examined], at: datetime | None) -> None:
    from runbook.cli.check import PRESENT, closing_text, finding_text

    for judged in examined:
        for finding in judged.findings:
            show(finding_text(finding, judged.loaded.source) + "\n")
        plan, facts = judged.loaded.plan, judged.facts
        if plan is not None and facts is not None and facts.online is not None:
            from runbook.checks.online import online_lines

            show("asked online:")
            for line in online_lines(plan, facts.online):
                show(f"  {line}")
            show("")
        said = "--at" if at else "cutover" if plan and plan.cutover else PRESENT
        show(closing_text(judged, at_said=said))
        if judged is not examined[-1]:
            show("")


_WIDTH = 110
_COLOURS = {Severity.ERROR: "red", Severity.WARNING: "yellow", Severity.NOTE: "cyan"}
_LISTED = 6
_LONGEST = 1000
PRESENT = "the present"


def finding_text(finding: Finding, source: Source) -> str:
    """Return one finding with its location, its line, a caret and what to do."""
    heading = f"{finding.severity.value}[{finding.code}]"
    colour = _COLOURS[finding.severity]
    if finding.waived is not None:
        heading, colour = f"waived {heading}", "green"
    margin = len(str(finding.line))
    location = printable(f"{finding.file}:{finding.line}:{finding.column}")
    lines = [
        f"{click.style(heading, fg=colour, bold=True)}: {shortened(finding.message, _LONGEST)}",
        f"{' ' * margin}--> {location}",
    ]
    quoted, offset = _window(source.line(finding.line), finding.column - 1)
    if quoted.strip() and source.is_text(finding.line):
        gutter = " " * margin
        caret = " " * offset + click.style("^", fg=colour, bold=True)
        lines += [f"{gutter} |", f"{finding.line} | {quoted}", f"{gutter} | {caret}"]
    if finding.waived is not None:
        by = f" by {printable(finding.waived.by)}" if finding.waived.by else ""
        lines.append(f"{' ' * margin} = waived{by}: {shortened(finding.waived.reason, _LONGEST)}")
    elif finding.hint:
        lines.append(f"{' ' * margin} = hint: {shortened(finding.hint, _LONGEST)}")
    return "\n".join(lines)


def _window(line: str, offset: int) -> tuple[str, int]:
    """Return the part of a line that fits a terminal, and where the offset lies in it."""
    line = line.rstrip()
    offset = min(offset, len(line))
    if len(line) <= _WIDTH:
        return line, offset
    begin = max(0, min(offset - _WIDTH // 3, len(line) - _WIDTH))
    end = begin + _WIDTH
    left, right = "…" if begin else "", "…" if end < len(line) else ""
    return f"{left}{line[begin:end]}{right}", offset - begin + len(left)


def closing_text(examined: Examined, *, at_said: str) -> str:
    """Return the summary of one plan: the counts, what is left to do, rounds and deadlines."""
    numbers = counts(examined.findings)
    verdict = "may run" if may_run(examined.findings) else "may not run"
    summary = (
        f"{plural(numbers['error'], 'error')}, {plural(numbers['warning'], 'warning')}, "
        f"{plural(numbers['note'], 'note')}, {numbers['waived']} waived: {verdict}"
    )
    plan, facts = examined.loaded.plan, examined.facts
    file = printable(examined.loaded.file)
    if plan is None or facts is None:
        return f"{file}: {summary}"
    ahead = outlook(plan, facts, examined.findings)
    judged = f"judged at {moment(facts.at, plan.zone)} ({at_said})"
    lines = [
        f"{file}: plan `{printable(plan.name)}`, {plural(len(plan.instances), 'job')}, {judged}",
        summary,
    ]
    lines += _to_do(ahead)
    if not plan.broken:
        lines += _rounds(plan, ahead, facts.at, at_said)
        after = "from now" if at_said == PRESENT else "after the planned moment"
        lines += _deadline(ahead, facts.at, plan.zone, after)
    return "\n".join(lines)


def _to_do(ahead: Outlook) -> list[str]:
    items: list[str] = []
    if ahead.errors:
        codes = ", ".join(f"{code} x {count}" for code, count in sorted(ahead.errors.items()))
        items.append(f"- correct the errors above: {codes}")
    if ahead.undated:
        items.append(f"- enter the migration dates of {_listed(ahead.undated)}")
    if ahead.links:
        count = sum(len(jobs) for jobs in ahead.links.values())
        items.append(f"- authorize {plural(count, 'app link')}, and say who did it and when:")
        for site, jobs in list(ahead.links.items())[:_LISTED]:
            ids = ", ".join(job.id for job in jobs[:_LISTED])
            more = "" if len(jobs) <= _LISTED else f" and {len(jobs) - _LISTED} more"
            items.append(f"    signed in at {printable(site)}: {ids}{more}")
        if len(ahead.links) > _LISTED:
            items.append(f"    and at {len(ahead.links) - _LISTED} more sites")
    if ahead.unfinished:
        items.append(f"- enter `finished` of {_listed(ahead.unfinished)} when it is")
    if not items:
        return ["", "left to do: nothing in this plan"]
    return ["", "left to do:", *(f"  {item}" for item in items)]


def _rounds(plan: Plan, ahead: Outlook, at: datetime, at_said: str) -> list[str]:
    if not ahead.rounds:
        return []
    lines = [
        "",
        f"rounds: {len(ahead.rounds)} "
        + ("serves" if len(ahead.rounds) == 1 else "serve")
        + " every pair of waves that can be served",
    ]
    for number, round_ in enumerate(ahead.rounds[:_LISTED], start=1):
        jobs = len({pair.job for pair in round_.pairs})
        planned = ", by planned ends" if any(pair.planned for pair in round_.pairs) else ""
        lines.append(
            f"  {number}. from {moment(round_.begins, plan.zone)} until {moment(round_.until, plan.zone)}: "
            f"{plural(jobs, 'job')}, {plural(len(round_.pairs), 'pair')} of waves{planned}"
        )
    if len(ahead.rounds) > _LISTED:
        lines.append(f"  and {len(ahead.rounds) - _LISTED} more")
    if at < ahead.rounds[0].begins:
        now = "the present" if at_said == PRESENT else "the planned moment"
        # Where nothing closes next, nothing is open.
        some = (
            "some pairs wait for it, see RB206"
            if ahead.closing
            else "no pair is open then, see RB203"
        )
        lines.append(f"  {now} lies before round 1: {some}")
    return lines


def _deadline(ahead: Outlook, at: datetime, zone: tzinfo, after: str) -> list[str]:
    lines: list[str] = []
    if ahead.closing is not None:
        pair, end = ahead.closing
        kind = "safe end" if end == pair.safe_closes else "last end"
        said = f", {_assumed(pair)}" if _assumed(pair) else ""
        lines.append(
            f"next window closes: {moment(end, zone)}, {span(end - at)} {after} "
            f"({kind} of `{pair.job}`, {_name(pair)}{said})"
        )
    elif ahead.opening is not None:
        pair, opens = ahead.opening
        lines.append(
            f"next window opens: {moment(opens, zone)}, {span(opens - at)} {after} "
            f"(`{pair.job}`, {_name(pair)})"
        )
    if ahead.unservable:
        names = [f"`{pair.job}` {_name(pair)}" for pair in ahead.unservable]
        lines.append(f"no moment serves, only `runbook repair` helps: {_listed(names)}")
    return ["", *lines] if lines else []


def _assumed(pair: Pair) -> str:
    words = {"a start is assumed": pair.start_assumed, "an end is planned": pair.planned}
    return ", ".join(word for word, holds in words.items() if holds)


def _name(pair: Pair) -> str:
    return printable(f"{pair.from_wave.name} -> {pair.to_wave.name}")


def _listed(names: list[str]) -> str:
    shown = ", ".join(printable(name) for name in names[:_LISTED])
    return shown if len(names) <= _LISTED else f"{shown} and {len(names) - _LISTED} more"


@click.command("explain")
@click.argument("code", metavar="CODE", required=False)
def explain(code: str | None) -> None:
    """Print the documentation of CODE, such as RB301; without CODE, list all of them."""
    from runbook.checks.codes import CODES, sections
    from runbook.cli.console import show

    if code is None:
        rows = (f"{name}  {severity.value:<7}  {what}" for name, (severity, what) in CODES.items())
        show("\n".join(rows))
        return
    wanted = code.strip().upper()
    if wanted.isdigit():
        wanted = f"RB{wanted}"
    section = sections().get(wanted)
    if section is None:
        from difflib import get_close_matches

        near = get_close_matches(wanted, CODES, n=1)
        meant = f", did you mean `{near[0]}`?" if near else ""
        raise UsageError(
            f"there is no check `{code}`{meant}", hint="`runbook explain` lists all of them"
        )
    show(section)

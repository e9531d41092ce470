"""`leftovers`: issues that still mention an old base URL."""

import click

from runbook.cli.console import say, show, show_json
from runbook.cli.link_text import host_of
from runbook.cli.options import (
    format_option,
    network_options,
    path_option,
    plan_argument,
    with_options,
)
from runbook.errors import ExitCode, foremost
from runbook.operations.find_leftovers import LeftoverOptions, find_leftovers
from runbook.operations.root import Root
from runbook.text import aligned, plural, printable, shortened

APPROXIMATE = (
    "Jira's text search is approximate: it knows summary, description, environment, comments and text "
    "fields, runs a little late, and finds no attachments, filters, dashboards or app data"
)


@click.command("leftovers")
@plan_argument
@path_option(
    "--snapshot",
    "snapshot_file",
    help="Look at the remote links of this snapshot, too.",
    dir_okay=False,
)
@format_option("text", "json")
@network_options
@with_options(LeftoverOptions)
def leftovers(root: Root, options: LeftoverOptions) -> ExitCode:
    """List issues that still mention a base URL from before the migration."""
    found = find_leftovers(root, options)
    notes = [APPROXIMATE]
    if options.snapshot_file is None:
        notes.append("remote links were not looked at: name a snapshot with `--snapshot FILE`")
    notes += [f"`{site}` could not be asked: {error}" for site, error in found.errors]
    if options.output_format == "json":
        show_json(
            {
                "format": 1,
                "hosts": list(found.hosts),
                "leftovers": [leftover.as_json() for leftover in found.leftovers],
                "notes": notes,
            }
        )
    elif found.leftovers:
        rows = [("issue", "site", "old host", "found by", "where")]
        rows += [
            (
                printable(leftover.issue),
                host_of(leftover.site),
                printable(leftover.host),
                leftover.found_by.replace("_", " "),
                shortened(leftover.where, 120) or "(a field that is not shown)",
            )
            for leftover in found.leftovers
        ]
        show(aligned(rows))
    issues = len({(leftover.site, leftover.issue) for leftover in found.leftovers})
    say(f"{plural(issues, 'issue')} with leftovers of {', '.join(found.hosts) or 'no old host'}")
    for note in notes:
        say(f"note: {printable(note)}")
    return foremost(error.exit_code for _, error in found.errors)

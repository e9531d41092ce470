"""`leftovers`: issues that still mention an old base URL."""

from pathlib import Path

import click

from runbook.atlassian.limits import Limits
from runbook.cli.console import say, show, show_json
from runbook.cli.link_text import host_of
from runbook.cli.options import format_option, network_options, plan_argument
from runbook.errors import RunbookError, foremost
from runbook.operations.links import accounts_of
from runbook.operations.root import Root, read_plan_for
from runbook.operations.sites import jira_site
from runbook.plan.model import Plan
from runbook.remotelinks.leftovers import Leftover, by_remote_links, by_text, old_hosts
from runbook.secrets import Account
from runbook.text import aligned, plural, printable, shortened

APPROXIMATE = (
    "Jira's text search is approximate: it knows summary, description, environment, comments and text "
    "fields, runs a little late, and finds no attachments, filters, dashboards or app data"
)


@click.command("leftovers")
@plan_argument
@click.option(
    "--snapshot",
    "snapshot_file",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Look at the remote links of this snapshot, too.",
)
@format_option("text", "json")
@network_options
@click.pass_context
def leftovers(
    ctx: click.Context,
    plan: Path,
    snapshot_file: Path | None,
    output_format: str,
    endpoint: str | None,
    ca_bundle: Path | None,
) -> None:
    """List issues that still mention a base URL from before the migration."""
    root: Root = ctx.obj

    read = read_plan_for(plan)
    root.endpoint(endpoint)
    links = [] if snapshot_file is None else list(by_remote_links(read, snapshot_file))
    accounts = accounts_of(root, read)
    found, errors = root.await_(_asked(root, read, accounts, endpoint, ca_bundle))
    found += links
    notes = [APPROXIMATE]
    if snapshot_file is None:
        notes.append("remote links were not looked at: name a snapshot with `--snapshot FILE`")
    notes += [f"`{site}` could not be asked: {error}" for site, error in errors]
    if output_format == "json":
        show_json(
            {
                "format": 1,
                "hosts": list(old_hosts(read)),
                "leftovers": [one.as_json() for one in found],
                "notes": notes,
            }
        )
    elif found:
        rows = [("issue", "site", "old host", "found by", "where")]
        rows += [
            (
                printable(one.issue),
                host_of(one.site),
                printable(one.host),
                one.found_by.replace("_", " "),
                shortened(one.where, 120) or "(a field that is not shown)",
            )
            for one in found
        ]
        show(aligned(rows))
    issues = len({(one.site, one.issue) for one in found})
    say(
        f"{plural(issues, 'issue')} with leftovers of {', '.join(old_hosts(read)) or 'no old host'}"
    )
    for note in notes:
        say(f"note: {printable(note)}")
    ctx.exit(int(foremost(error.exit_code for _, error in errors)))


async def _asked(
    root: Root,
    plan: "Plan",
    accounts: "tuple[Account, ...]",
    endpoint: str | None,
    ca_bundle: Path | None,
) -> "tuple[list[Leftover], list[tuple[str, RunbookError]]]":
    """Return what the sites' text search finds; a site that cannot be asked is an error beside it."""
    found: list[Leftover] = []
    errors: list[tuple[str, RunbookError]] = []
    limits = Limits(root.clock)
    async with root.network(accounts, endpoint=endpoint, ca_bundle=ca_bundle) as send:
        for site in plan.sites:
            jira = jira_site(
                root, send, site.url, site.account, limits=limits, site_id=site.site_id
            )
            try:
                found += [one async for one in by_text(plan, site, jira)]
            except RunbookError as problem:
                errors.append((site.url, problem))
    return found, errors

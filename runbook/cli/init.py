"""`runbook init`: a full mesh plan to start from, every field explained."""

import re
from pathlib import Path

import click

from runbook.atomic_file import write_atomically
from runbook.checks.request import base_url_problem, is_cloud
from runbook.errors import UsageError
from runbook.plan.fields import NAME
from runbook.plan.read import site_url, without_slash
from runbook.plan.starter import starter_plan


class TakesSites(click.Command):
    """A command whose `--site` takes any number of addresses: `--site A B`, or once for each."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Rewrite `--site A B` as `--site A --site B`."""
        spread: list[str] = []
        of_sites = False
        for word in args:
            if word == "--site":
                of_sites = True
                continue
            if word.startswith("-"):
                of_sites = False
            spread += ["--site", word] if of_sites else [word]
        return super().parse_args(ctx, spread)


@click.command("init", cls=TakesSites)
@click.option(
    "--site",
    "sites",
    multiple=True,
    required=True,
    metavar="URL ...",
    help="A cloud site that takes part; at least two.",
)
@click.option(
    "--migrated-from",
    required=True,
    metavar="URL",
    help="The base URL of the Data Center that was split.",
)
@click.option("--name", default="split", show_default=True, help="What the plan is called.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write it to a file instead of stdout.",
)
@click.option("--force", is_flag=True, help="Replace FILE where it is there.")
def init(
    sites: tuple[str, ...], migrated_from: str, name: str, output: Path | None, force: bool
) -> None:
    """Write a plan with one job for each direction of each pair of sites.

    Every field is explained. The checklist is open and the migration dates are missing:
    `runbook check` lists both.
    """
    if re.fullmatch(NAME, name) is None:
        raise UsageError(
            f"`{name}` is no name for a plan",
            hint="lower case letters, digits and `-`, at most 63, such as `contoso-split`",
        )
    text = starter_plan(_checked_sites(sites), _checked_origin(migrated_from), name)
    if output is None:
        click.echo(text, nl=False)
        return
    replaces = output.exists()
    if replaces and not force:
        raise UsageError(
            f"`{output}` is there already, and nothing was written",
            hint="name another file, or replace it with `--force`",
        )

    write_atomically(output, text)
    click.echo(f"{'replaced' if replaces else 'wrote'} `{output}`", err=True)
    click.echo(f"next: fill in the migrations, then `runbook check {output}`", err=True)


def _checked_sites(sites: tuple[str, ...]) -> list[str]:

    result: list[str] = []
    for given in sites:
        url = site_url(given if "://" in given else f"https://{given}")
        problem = base_url_problem(url, cloud=True)
        if problem is not None or "@" in url:
            raise UsageError(
                f"`--site {_without_user(given)}` {problem or 'holds a user name'}",
                hint="name the site only, such as `--site https://contoso-eng.atlassian.net`",
            )
        if not is_cloud(url):
            raise UsageError(
                f"`--site {given}` is no Atlassian Cloud site",
                hint="name the site's own address, https://<name>.atlassian.net",
            )
        if url in result:
            raise UsageError(f"the site `{url}` was given twice")
        result.append(url)
    if len(result) < 2:
        raise UsageError(
            "a split has at least two sites", hint="give `--site` once for each of them"
        )
    return result


def _checked_origin(given: str) -> str:

    url = without_slash(given)
    problem = base_url_problem(url, cloud=False)
    if problem is None and "@" in url:
        problem = "holds a user name"
    if problem is None and is_cloud(url):
        problem = "is a cloud site; links are recreated from Data Center to Cloud only"
    if problem is not None:
        raise UsageError(
            f"`--migrated-from {_without_user(given)}` {problem}",
            hint="name the Data Center's base URL, such as https://jira.contoso.example",
        )
    return url


def _without_user(url: str) -> str:
    head, at, tail = url.rpartition("@")
    return f"{head.partition('://')[0]}://***@{tail}" if at else url

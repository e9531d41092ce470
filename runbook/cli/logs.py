"""`runbook logs import` and `runbook logs fetch`: keep Atlassian's own logs in the ledger."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from runbook.cli.console import say, show, show_json
from runbook.cli.log_keeping import Fetched, Kept, keep, site_of, totals
from runbook.cli.options import format_option, ledger_option, network_options, run_argument
from runbook.cli.wiring import Root
from runbook.errors import UsageError
from runbook.text import aligned, plural, printable

if TYPE_CHECKING:
    from runbook.http import Send
    from runbook.plan.model import Plan
    from runbook.view import JobView, RunView

KINDS = ("audit", "history")
_LIMIT_BYTES = 128 * 1024 * 1024


@click.group()
def logs() -> None:
    """Keep Atlassian's own logs in the ledger: raw bytes, hash, and which job each row belongs to.

    Atlassian keeps the audit log of a product for 29 days.
    """


@logs.command("import")
@run_argument
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--kind", required=True, type=click.Choice(KINDS), help="Which of the two logs it is."
)
@click.option("--site", required=True, metavar="URL", help="The site it was downloaded for.")
@click.option(
    "--map",
    "mappings",
    multiple=True,
    metavar="ROLE=COLUMN",
    help="Name the column of a role (issue, old, new, status, type, at) where its name does not tell.",
)
@format_option("text", "json")
@ledger_option
@click.pass_obj
def import_(
    root: Root,
    run: str,
    file: Path,
    kind: str,
    site: str,
    mappings: tuple[str, ...],
    output_format: str,
    ledger_file: Path | None,
) -> None:
    """Keep FILE, a log that was downloaded by hand, with RUN.

    CSV with any delimiter and JSON are read, in UTF-8 or UTF-16, also zipped or gzipped.
    """
    data, mapping = _bytes(file), _mapping(mappings)
    _refuse_unlikely(data, kind, mapping)
    kept = keep(
        root,
        root.ledger_path(ledger_file),
        run,
        [Fetched(kind=kind, site=site, source=file.name, data=data, mapping=mapping)],
    )
    _show(kept, output_format)


@logs.command()
@run_argument
@click.option(
    "--kind",
    "kinds",
    multiple=True,
    type=click.Choice(KINDS),
    help="Which of the two logs; default those the plan has an address for.",
)
@click.option("--site", "sites", multiple=True, metavar="URL", help="Only this site.")
@format_option("text", "json")
@ledger_option
@network_options
@click.pass_obj
def fetch(
    root: Root,
    run: str,
    kinds: tuple[str, ...],
    sites: tuple[str, ...],
    output_format: str,
    ledger_file: Path | None,
    endpoint: str | None,
    ca_bundle: Path | None,
) -> None:
    """Download the logs of RUN from the addresses that its plan gives in `logs`.

    Without an address nothing is guessed: download by hand and use `runbook logs import`.
    """
    from runbook.cli.runs_lookup import find_run, read_runs
    from runbook.plan import load_plan_bytes

    path = root.ledger_path(ledger_file)
    view = find_run(read_runs(root, path), run)
    plan = load_plan_bytes(view.plan_text.encode(), view.started.plan_file).whole_plan()
    wanted = _wanted(view, plan, kinds, tuple(site_of(view, one) for one in sites))
    accounts = root.accounts(one.account for one in wanted)

    async def work() -> list[Fetched]:
        async with root.network(accounts, endpoint=endpoint, ca_bundle=ca_bundle) as send:
            return await fetch_logs(send, wanted, plan)

    _show(keep(root, path, view.id, root.await_(work())), output_format)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """One download that is to be made."""

    kind: str
    site: str
    account: str
    url: str


async def fetch_logs(send: "Send", wanted: "list[Wanted]", plan: "Plan") -> list[Fetched]:
    """Return every wanted log.

    Raises:
        UsageError, CredentialError, RemoteError: see `runbook.logs.fetch.download`.
    """
    from urllib.parse import urlsplit

    from runbook.logs.fetch import download

    hosts = frozenset(urlsplit(site.url).hostname or "" for site in plan.sites)
    fetched = []
    for one in wanted:
        say(f"fetching the {one.kind} log of {printable(one.site)}")
        got = await download(send, one.url, account=one.account, hosts=hosts)
        fetched.append(
            Fetched(kind=one.kind, site=one.site, source=got.source, data=got.data, mapping={})
        )
    return fetched


def _wanted(
    view: "RunView", plan: "Plan", kinds: tuple[str, ...], sites: tuple[str, ...]
) -> list[Wanted]:
    from runbook.logs.fetch import BY_HAND, filled, takes_job_id

    templates = {"audit": plan.logs_audit, "history": plan.logs_history}
    asked = kinds or tuple(kind for kind, template in templates.items() if template)
    missing = [kind for kind in asked if not templates[kind]]
    if missing or not asked:
        named = " and ".join(f"`logs.{kind}`" for kind in missing or KINDS)
        raise UsageError(
            f"the plan gives no address in {named}, and the addresses are not documented, so none is guessed",
            hint=BY_HAND,
        )
    wanted: dict[str, Wanted] = {}
    for kind in asked:
        template = templates[kind] or ""
        for job in view.jobs:
            if (sites and job.job.site not in sites) or not job.submissions:
                continue
            if takes_job_id(template) and job.uuid is None:
                say(
                    f"note: job `{printable(job.id)}` has no id, so its {kind} log cannot be asked for"
                )
                continue
            url = filled(template, _values(job))
            wanted.setdefault(
                url, Wanted(kind=kind, site=job.job.site, account=job.job.account, url=url)
            )
    if not wanted:
        raise UsageError("no job of this run was submitted, so there is no log to fetch")
    return list(wanted.values())


def _values(job: "JobView") -> dict[str, str]:
    return {
        "siteId": job.site_id or "",
        "jobId": job.uuid or "",
        "product": str(job.job.body.get("product", "")),
        "productURL": job.job.site,
    }


def _refuse_unlikely(data: bytes, kind: str, mapping: Mapping[str, str]) -> None:
    """Keep a file that was named by mistake out of the ledger, which forgets nothing."""
    from runbook.logs.read import read_log

    log = read_log(data, mapping)
    if log.roles or (kind == "history" and len(log.columns) > 1):
        return
    named = ", ".join(f"`{printable(one)}`" for one in log.columns[:8])
    raise UsageError(
        f"no column of the file was recognised as one of a log; its columns are {named}",
        hint="if it is the right file, name a column with `--map ROLE=COLUMN`, such as `--map new='column 3'`",
    )


def _mapping(mappings: tuple[str, ...]) -> dict[str, str]:
    result = {}
    for one in mappings:
        role, equals, column = one.partition("=")
        if not equals or not role or not column:
            raise UsageError(
                f"`--map {one}` is not of the form ROLE=COLUMN", hint="for example `--map new=URL`"
            )
        result[role.strip()] = column
    return result


def _bytes(file: Path) -> bytes:
    try:
        if file.stat().st_size > _LIMIT_BYTES:
            raise UsageError(
                f"`{file}` is larger than {_LIMIT_BYTES // 1024**2} MiB",
                hint="compress it (zip or gzip), or import it in parts",
            )
        return file.read_bytes()
    except OSError as problem:
        raise UsageError(f"cannot read `{file}`: {problem.strerror or problem}") from problem


# Showing


def _show(kept: list[Kept], output_format: str) -> None:
    last = kept[-1].view
    if output_format == "json":
        show_json(
            {
                "format": 1,
                "run": last.id,
                "logs": [_log_json(one) for one in kept],
                "totals": totals(last),
            }
        )
        return
    for one in kept:
        _show_log(one)
    shown = [
        [
            printable(one["id"]),
            str(one["log_rows"]),
            "not verified" if one["recreated"] is None else str(one["recreated"]),
            "" if one["expected"] is None else str(one["expected"]),
        ]
        for one in totals(last)
    ]
    show(aligned([["job", "audit log rows", "recreated", "expected"], *shown]))


def _log_json(one: Kept) -> dict[str, Any]:
    event = one.event
    return {
        "kind": event.log,
        "site": event.site,
        "source": event.source,
        "sha256": event.sha256,
        "bytes": event.raw_bytes,
        "rows": event.rows,
        "columns": event.columns,
        "attribution": event.attribution,
        "notes": event.notes,
        "already_kept": one.known,
    }


def _show_log(one: Kept) -> None:
    event = one.event
    what = f"{event.log} log of {printable(event.site)}"
    if one.known:
        say(f"this {what} is in the ledger already; nothing was written")
    else:
        say(f"kept the {what}: {plural(event.rows, 'row')}, SHA-256 {event.sha256}")
    for note in event.notes:
        say(f"note: {printable(note)}")
    named = ", ".join(f"{role} = `{printable(name)}`" for role, name in event.columns.items())
    say(f"columns: {named or 'none recognised; name them with --map ROLE=COLUMN'}")
    counts = event.attribution
    parts = [f"{count} {printable(job)}" for job, count in counts["jobs"].items() if count]
    parts += [f"{counts['seen_before']} seen in an earlier log"] if counts["seen_before"] else []
    parts += [f"{n} unattributed ({why})" for why, n in counts["because"].items()]
    say(f"rows: {event.rows}{' = ' + ' + '.join(parts) if parts else ''}")

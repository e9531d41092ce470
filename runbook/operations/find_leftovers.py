"""Find issues that still mention a base URL from before the migration."""

from dataclasses import dataclass
from pathlib import Path

from runbook.atlassian.jira import JiraSite
from runbook.atlassian.limits import Limits
from runbook.errors import RunbookError
from runbook.operations.links import accounts_of
from runbook.operations.root import NetworkOptions, Root, read_plan_for
from runbook.remotelinks.leftovers import Leftover, by_remote_links, by_text, old_hosts


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftoverOptions(NetworkOptions):
    """Where leftovers are looked for: the sites of a plan, and the links of a snapshot where given."""

    plan: Path
    snapshot_file: Path | None
    output_format: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundLeftovers:
    """What was found, for which hosts, and which sites could not be asked."""

    hosts: tuple[str, ...]
    leftovers: tuple[Leftover, ...]
    errors: tuple[tuple[str, RunbookError], ...]


def find_leftovers(root: Root, options: LeftoverOptions) -> FoundLeftovers:
    """Return what the sites' text search and the snapshot hold; a site that fails is an error.

    Raises:
        PlanError: the plan has structural errors.
        UsageError: the snapshot cannot be read.
        CredentialError: an account has no complete credential.
    """
    plan = read_plan_for(options.plan)
    root.endpoint(options.endpoint)
    file = options.snapshot_file
    in_links = () if file is None else tuple(by_remote_links(plan, file))
    accounts = accounts_of(root, plan)
    in_texts: list[Leftover] = []
    errors: list[tuple[str, RunbookError]] = []

    async def search() -> None:
        limits = Limits(root.clock)
        async with root.network(accounts, options) as send:
            for site in plan.sites:
                jira = JiraSite(
                    site, send=send, clock=root.clock, limits=limits, random=root.random
                )
                try:
                    in_texts.extend([leftover async for leftover in by_text(plan, site, jira)])
                except RunbookError as problem:
                    errors.append((site.url, problem))

    root.await_(search())
    return FoundLeftovers(
        hosts=tuple(old_hosts(plan)), leftovers=(*in_texts, *in_links), errors=tuple(errors)
    )

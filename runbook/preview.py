"""A dry run: the exact requests in order, their windows and rounds, and the unknowns.

In: a plan, a moment, and, where known, how many links are expected. Out: a JSON document, text, or a
shell script. Pure: reads no clock, no file and no network. `run --dry-run` prints the same.
"""

import json
import re
import shlex
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from itertools import chain
from typing import Any
from urllib.parse import urlsplit

from runbook.checklist import LinkState, state_of
from runbook.clock import isoformat_utc
from runbook.jobs import (
    HEADERS,
    SITE_ID_PLACEHOLDER,
    SUBMIT_INTERVAL_S,
    CmaJob,
    jobs_digest,
    jobs_of,
    ordered,
)
from runbook.plan.model import Plan
from runbook.text import aligned, moment, plural, printable, span
from runbook.windows import Pair, WindowState, pairs_of, rounds, unservable

Expected = Mapping[str | tuple[str, str, str] | None, int]
"""Links expected per job id, and per (job id, wave of productURL, wave of destinationURL).

The key None counts those that belong to no job.
"""

_NO_WAY_BACK = (
    "nothing can be cancelled or undone: once Atlassian has accepted a job, no endpoint stops it,\n"
    "takes it back or lists it; the preview itself touched no network"
)

_STATE_WORDS: dict[WindowState, str] = {
    WindowState.NOT_YET: "not yet open",
    WindowState.OPEN: "open",
    WindowState.LATE: "late: only open if the two weeks count from the migrations' ends",
    WindowState.CLOSED: "closed",
    WindowState.NEVER: "never open at once: only repair helps",
}


def preview_json(
    plan: Plan, at: datetime, expected: Expected | None = None, *, use_planned: bool = True
) -> dict[str, Any]:
    """Return the document that `preview --format json` prints.

    `expected` is null in every window where it is None; `use_planned` counts planned ends of waves
    as well as finished ones.
    """
    jobs = jobs_of(plan)
    pairs = _pairs(plan, use_planned=use_planned)
    return {
        "format": 1,
        "plan": {"name": plan.name, "digest": plan.digest, "jobs_digest": jobs_digest(jobs)},
        "at": isoformat_utc(at),
        "rounds": [
            {
                "from": isoformat_utc(round_.begins),
                "until": isoformat_utc(round_.until),
                "pairs": [
                    {"job": pair.job, "from": pair.from_wave.name, "to": pair.to_wave.name}
                    for pair in round_.pairs
                ],
            }
            for round_ in rounds(chain.from_iterable(pairs.values()), at)
        ],
        "jobs": [
            {
                "id": job.id,
                "order": job.order,
                "needs": list(job.needs),
                "windows": [_window_json(pair, at, expected) for pair in pairs[job.id]],
                "request": {
                    "method": job.method,
                    "url": job.url,
                    "headers": dict(HEADERS),
                    "body": dict(job.body),
                },
            }
            for job in jobs
        ],
    }


def _window_json(pair: Pair, at: datetime, expected: Expected | None) -> dict[str, Any]:
    window = pair.as_json()
    del window["start_assumed"]
    return {**window, "state": pair.state(at).value, "expected": _expected_of(pair, expected)}


def _expected_of(pair: Pair, expected: Expected | None) -> int | None:
    key = (pair.job, pair.from_wave.name, pair.to_wave.name)
    return None if expected is None else expected.get(key, 0)


def _pairs(plan: Plan, *, use_planned: bool) -> dict[str, tuple[Pair, ...]]:
    """Return the pairs of each job, in the order of the jobs."""
    return {
        instance.id: pairs_of(plan, instance, use_planned=use_planned)
        for instance in ordered(plan.instances)
    }


def preview_text(
    plan: Plan, at: datetime, expected: Expected | None = None, *, use_planned: bool = True
) -> str:
    """Return the dry run as plain text; times in the plan's own offset."""
    jobs = jobs_of(plan)
    pairs = _pairs(plan, use_planned=use_planned)
    every = tuple(chain.from_iterable(pairs.values()))
    unknown = "\n".join(f"  - {line}" for line in _not_known(plan, jobs, expected))
    blocks = [
        aligned(_head(plan, jobs, at)),
        "requests, in this order:",
        *(_job_text(plan, job, pairs[job.id], at, expected) for job in jobs),
        _rounds_text(plan, every, at),
        f"what is not known:\n{unknown}",
        _NO_WAY_BACK,
    ]
    return "\n\n".join(block for block in blocks if block)


def _head(plan: Plan, jobs: tuple[CmaJob, ...], at: datetime) -> Iterator[tuple[str, str]]:
    yield "plan", printable(plan.name)
    if plan.customer:
        yield "customer", printable(plan.customer)
    if plan.change:
        yield "change", printable(plan.change)
    yield "moment", moment(at, plan.zone)
    sites = len({job.site for job in jobs})
    yield (
        "jobs",
        f"{len(jobs)} on {plural(sites, 'site')}: one at a time per site, sites in parallel, {SUBMIT_INTERVAL_S:.0f} s between submissions",
    )
    for host, why in _hosts(plan, jobs):
        yield "host", f"{printable(host)} ({why})"
    yield "accounts", ", ".join(printable(name) for name in dict.fromkeys(j.account for j in jobs))
    yield "plan digest", plan.digest
    yield "jobs digest", jobs_digest(jobs)


def _hosts(plan: Plan, jobs: tuple[CmaJob, ...]) -> tuple[tuple[str, str], ...]:
    """Return every host that `run` would talk to, each with why."""
    found = {"api.atlassian.com": "submits and polls the jobs"}
    probed = {url for instance in plan.instances if instance.probe for url in instance.sites}
    for url in dict.fromkeys([*(job.site for job in jobs), *sorted(probed)]):
        why = ["site id, without a credential"] if any(job.site == url for job in jobs) else []
        why += ["probe links, read only"] if url in probed else []
        found[urlsplit(url).netloc] = ", ".join(why)
    return tuple(found.items())


def _job_text(
    plan: Plan, job: CmaJob, pairs: tuple[Pair, ...], at: datetime, expected: Expected | None
) -> str:
    lines = [f"{job.order}. {printable(job.id)}"]
    if job.needs:
        lines.append(f"   needs   {', '.join(map(printable, job.needs))}")
    if expected is not None and job.recreate_as_remote:
        lines.append(f"   expects {plural(expected.get(job.id, 0), 'link')}")
    lines.append(f"   {job.method} {printable(job.url)}")
    lines += [f"   {name}: {value}" for name, value in HEADERS]
    body = json.dumps(dict(job.body), indent=2, ensure_ascii=False).splitlines()
    lines += [f"   {printable(line)}" for line in body]
    if not job.recreate_as_remote:
        lines.append("   window  none: only recreating links is bound to the two weeks")
    elif not pairs:
        lines.append("   window  unknown: a site of this job has no migration in the plan")
    lines += [f"   window  {_pair_text(plan, pair, at, expected)}" for pair in pairs]
    return "\n".join(lines)


def _pair_text(plan: Plan, pair: Pair, at: datetime, expected: Expected | None) -> str:
    state = pair.state(at)
    words = f"{_waves(pair)}: {_STATE_WORDS[state]}"
    if pair.opens is None or pair.safe_closes is None or pair.closes is None:
        return f"{words}, a wave has no end yet"
    if state is not WindowState.NEVER:
        words += f"; opens {moment(pair.opens, plan.zone)}, safe until {moment(pair.safe_closes, plan.zone)}, at most until {moment(pair.closes, plan.zone)}"
    if pair.servable(at):
        closes = pair.safe_closes if state is WindowState.OPEN else pair.closes
        words += f" ({span(closes - at)} left)"
    if pair.planned:
        words += "; an end is planned, not finished"
    if pair.start_assumed:
        words += "; a start is assumed, none is given"
    count = _expected_of(pair, expected)
    return words if count is None else f"{words}; {plural(count, 'link')} expected"


def _rounds_text(plan: Plan, pairs: tuple[Pair, ...], at: datetime) -> str:
    if not pairs:
        return ""
    needed = rounds(pairs, at)
    lines = [
        f"rounds: {plural(len(needed), 'moment')} can serve every pair of waves that can still be served"
    ]
    groups = []
    for number, round_ in enumerate(needed, start=1):
        begins, until = moment(round_.begins, plan.zone), moment(round_.until, plan.zone)
        groups.append((f"{number}. from {begins} until {until}", round_.pairs))
    undated = tuple(pair for pair in pairs if pair.opens is None)
    groups += [
        ("served by no moment, only repair helps", unservable(pairs, at)),
        ("without a date, so without a round", undated),
    ]
    for words, members in groups:
        if members:
            lines.append(f"  {words}: {plural(len(members), 'pair')}")
        lines += [f"     {printable(pair.job)} ({_waves(pair)})" for pair in members]
    return "\n".join(lines)


def _waves(pair: Pair) -> str:
    return f"{printable(pair.from_wave.name)} -> {printable(pair.to_wave.name)}"


def _not_known(plan: Plan, jobs: tuple[CmaJob, ...], expected: Expected | None) -> tuple[str, ...]:
    """Return what the preview cannot tell, one sentence each."""
    lines = []
    open_ids = _sites_without_id(jobs)
    if open_ids:
        lines.append(
            f"the site ids of {', '.join(map(printable, open_ids))}: `run` asks each at /_edge/tenant_info and puts it where {SITE_ID_PLACEHOLDER} stands"
        )
    recreating = [instance for instance in plan.instances if instance.recreate_as_remote]
    if recreating:
        attested = [job for job in recreating if state_of(job.app_link) is LinkState.DONE]
        lines += [
            f"whether the app links are authorized: no endpoint tells; {len(attested)} of {plural(len(recreating), 'direction')} attested by a person",
            "which end of a migration starts the two weeks: Atlassian does not say, so a window has a safe and a last end",
        ]
        if expected is None:
            lines.append(
                "how many links each job will recreate: `--links CSV` says how many are expected"
            )
    return (
        *lines,
        "how long a job takes, and whether others send jobs to the same sites: nothing lists jobs",
        "whether the links arrived once a job is Complete: only `runbook verify` tells",
    )


# Everybody on a machine can see the arguments of processes; `printf` is built into the shell.
_AUTHORIZATION = (
    "# The header with e-mail and API token, for the standard input of curl (7.55 or later): as an",
    "# argument everybody on this machine could read it.",
    "authorization() {",
    """  printf 'Authorization: Basic %s\\n' "$(printf '%s:%s' "$1" "$2" | base64 | tr -d '\\n')\"""",
    "}",
)


def preview_curl(plan: Plan, variables: Callable[[str], tuple[str, str]]) -> str:
    """Return a POSIX shell script of the same requests.

    `variables` maps a credential profile to the names of its variables, e-mail and token, so that
    no credential stands in the script. Every value of the plan is quoted.
    """
    jobs = jobs_of(plan)
    lines = [
        "#!/bin/sh",
        f"# The requests of `{printable(plan.name)}`, in order; jobs digest {jobs_digest(jobs)}.",
        "# To read and to copy from, one job at a time. Run as a whole it would send every job at once:",
        "# it waits for no window and no other job, keeps no ledger and sees no unknown outcome.",
        "# `runbook run` does all that. Nothing that was sent can be cancelled or undone.",
        "set -eu",
        "",
        *_AUTHORIZATION,
        "",
    ]
    for profile in dict.fromkeys(job.account for job in jobs):
        lines += [
            f': "${{{name}:?set it to the {what} of this account}}"'
            for name, what in zip(_names(profile, variables), ("e-mail", "API token"), strict=True)
        ]
    unknown = _sites_without_id(jobs)
    site_variables = {url: f"SITE_ID_{number}" for number, url in enumerate(unknown, start=1)}
    for url, name in site_variables.items():
        asked = shlex.quote(f"{url}/_edge/tenant_info")
        lines += [
            "",
            f"# the site id of {printable(url)}",
            f"{name}=$(curl --silent --show-error --fail {asked} |",
            """  sed -n 's/.*"cloudId" *: *"\\([^"]*\\)".*/\\1/p')""",
            f': "${{{name}:?no site id came back}}"',
        ]
    for job in jobs:
        lines += ["", *_job_curl(job, site_variables, variables)]
    return "\n".join(lines) + "\n"


def _names(profile: str, variables: Callable[[str], tuple[str, str]]) -> tuple[str, ...]:
    # A profile that is no name of a shell variable must not become a command either.
    return tuple(re.sub(r"[^A-Za-z0-9_]", "_", name) for name in variables(profile))


def _sites_without_id(jobs: tuple[CmaJob, ...]) -> list[str]:
    return list(dict.fromkeys(job.site for job in jobs if SITE_ID_PLACEHOLDER in job.url))


def _job_curl(
    job: CmaJob, site_variables: Mapping[str, str], variables: Callable[[str], tuple[str, str]]
) -> Iterator[str]:
    email, token = _names(job.account, variables)
    needs = f", after {', '.join(map(printable, job.needs))}" if job.needs else ""

    def quoted(url: str) -> str:
        if job.site not in site_variables:
            return shlex.quote(url)
        return url.replace(SITE_ID_PLACEHOLDER, f'"${site_variables[job.site]}"')

    yield f"# {job.order}. {printable(job.id)}{needs}"
    login = f'authorization "${email}" "${token}" | curl --silent --show-error --header @-'
    yield f"{login} \\"
    yield f"  --request {job.method} \\"
    for header in HEADERS:
        yield f"  --header {shlex.quote(': '.join(header))} \\"
    yield f"  --data-binary {shlex.quote(job.body_bytes().decode())} \\"
    yield f"  {quoted(job.url)}"
    yield "# its status, with the uuid of the answer:"
    yield f"#   {login} {quoted(job.url.removesuffix('/cma') + '/status/')}UUID"

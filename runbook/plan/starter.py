"""The text of a new plan: every direction of every pair of sites, every field explained.

In: base URLs that were checked. Out: YAML. Nothing is guessed: what is not known is a comment.
"""

import re
from collections.abc import Sequence
from itertools import permutations

from runbook.plan.parse import default_id

_HEAD = """\
# yaml-language-server: $schema=plan.schema.json
# (`runbook schema -o plan.schema.json` writes that file; editors then complete and check this plan)
#
# {count} sites, {jobs} jobs: one job for each direction of each pair.
# Next: fill in the migrations, authorize the app links, then `runbook check`.

format: 1                       # the format of this file
name: {name}{pad}# runs of the same name belong together; lower case, digits and `-`

# customer: Contoso Ltd         # whose cutover it is; shown in the report
# change: CHG-20481             # the ticket of the change; shown in the report

# The planned start, with the offset of the place it is meant for. Checks judge the plan at this
# moment (without it, at the present one), and `run` refuses to start before it without `--early`.
# cutover: 2026-11-22T20:00:00+01:00

# How booleans are sent. Atlassian's guide shows text ("true"), its reference JSON (true).
# booleans: native              # native (default) or string

# The Data Center's issue links as CSV (source_key,destination_key,link_type,direction), relative to
# this file: with it `preview` says how many links to expect, and `verify` which are missing.
# expected: issue-links.csv

# Whether `run` needs an approval made by `runbook approve`.
# requireApproval: false

# Where Atlassian's own logs can be fetched, if you know the addresses.
# Placeholders: {{siteId}}, {{jobId}}, {{product}}.
# logs: {{history: null, audit: null}}

# Every cloud site that takes part.
sites:
"""
_SITE = """\
  - url: {url}
    # siteId: 6f1c2a52-8a3b-4d3e-9a51-0c1f6e2b7a10   # else looked up at /_edge/tenant_info
    # account: default          # which credential submits: RUNBOOK_EMAIL, RUNBOOK_API_TOKEN;
    #                           # profile `abc` reads RUNBOOK_ABC_EMAIL, RUNBOOK_ABC_API_TOKEN
    # tokenExpires: 2027-03-01  # when that API token expires
    # projects: [ENG, {{key: PLT, was: PLATFORM}}]   # Jira projects there; `was` is the old key
    #
    # The waves that brought data to this site. The two weeks of each pair of waves count from here.
    # For a wave that is still to come write `planned` instead of `finished`.
    #   - name: wave-1                            # optional
    #     projects: [ENG]                         # optional; default: all projects of the site
    #     started: 2026-11-13T18:00:00+01:00      # optional; without it the safe end is assumed
    #     finished: 2026-11-14T02:30:00+01:00
    migrations: []
"""
_INSTANCES = """
# One entry is one job. Links that are local to the Data Center are recreated as remote links on the
# issues of `productURL`, pointing to those of `destinationURL`.
instances:
"""
_INSTANCE = """\
  - id: {id}
    # product: jira             # jira (default) or confluence, which cannot recreate
    productURL: {source}
    destinationURL: {destination}
    migratedFrom: {origin}      # the Data Center whose data went to destinationURL
    # migratedFromOverride: https://jira.example.com   # production, where migratedFrom is a clone
    recreateAsRemote: true      # true (default): what a split needs; false only updates links
    # createBackup: false       # true on the first job of a site: a cloud backup first (takes hours)
    # needs: []                 # ids of jobs that must be complete first
    # probe:                    # 1 to 5 links known from the Data Center, read before and after
    #   - {{issue: ENG-123, target: OPS-77}}
    #
    # The checklist. The app link must be authorized in this direction before the job is sent, and
    # no API can tell whether it is. `runbook checklist` walks through all of them.
    appLink:
      authorized: false         # true when it is
      # as: admin@example.com   # the account that was signed in when it was authorized
      # by: J. Doe              # who attests it
      # at: 2026-11-20T09:15:00+01:00
      # evidence: evidence/{id}.png   # a screenshot, relative to this file
"""
_WAIVERS = """
# Findings that somebody accepts; they stay visible everywhere.
# waive:
#   - {code: RB301, instance: ID, reason: authorized by phone, by: J. Doe}
#   - {code: RB502, sites: [URL, URL], reason: no links between these two, by: J. Doe}
"""


def starter_plan(sites: Sequence[str], migrated_from: str, name: str) -> str:
    """Return a full mesh plan with an open checklist and without migration dates."""
    pairs = list(permutations(sites, 2))
    ids = _ids(pairs)
    parts = [
        _HEAD.format(count=len(sites), jobs=len(pairs), name=name, pad=" " * max(1, 26 - len(name)))
    ]
    for i, url in enumerate(sites):
        parts.append(_explained_once(_SITE, i).format(url=url))
    parts.append(_INSTANCES)
    for i, (job_id, (source, destination)) in enumerate(zip(ids, pairs, strict=True)):
        values = {"id": job_id, "source": source, "destination": destination}
        parts.append(_explained_once(_INSTANCE, i).format(**values, origin=migrated_from))
    parts.append(_WAIVERS)
    return "".join(parts)


def _explained_once(template: str, position: int) -> str:
    """Return the template, without its comments where it is not the first of its kind."""
    if position == 0:
        return template
    lines = re.sub(r" +#.*", "", template).splitlines(keepends=True)
    return "".join(line for line in lines if line.strip())


def _ids(pairs: Sequence[tuple[str, str]]) -> list[str]:
    """Return an id for each direction, none of them twice and none too long."""
    result: list[str] = []
    for number, (source, destination) in enumerate(pairs, start=1):
        name = default_id(source, destination, None)
        result.append(name if len(name) <= 63 and name not in result else f"job-{number}")
    return result

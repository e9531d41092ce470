"""RB401 to RB410: what the API would refuse, or take for something else."""

from datetime import timedelta

import pytest

from runbook.checks.request import base_url_problem
from tests.checks.judged import AT, codes, job, judged, site

SITES = [site("eng"), site("ops")]
PAIR = [job("eng>ops"), job("ops>eng")]

URLS = {
    "https://jira.contoso.example": (True, True),
    "http://jira.contoso.example": (False, True),
    "https://jira.contoso.example:8443": (False, True),
    "https://jira.contoso.example:8443/jira": (False, True),
    "https://jira.contoso.example/jira/main": (False, True),
    "http://[::1]:8080/jira": (False, True),
    "https://jira": (True, True),
    "jira.contoso.example": (False, False),
    "//jira.contoso.example": (False, False),
    "ftp://jira.contoso.example": (False, False),
    "https://": (False, False),
    "https:///path": (False, False),
    "https://jira.contoso.example?a=b": (False, False),
    "https://jira.contoso.example?": (False, False),
    "https://jira.contoso.example#top": (False, False),
    "https://jira.contoso.example/#": (False, False),
    "https://jira.contoso.example/browse/ENG-1": (False, False),
    "https://jira.contoso.example/jira/browse": (False, False),
    "https://jira.contoso.example/secure/Dashboard.jspa": (False, False),
    "https://jira.contoso.example/SECURE": (False, False),
    "https://jira.contoso.example/jira/": (False, False),
    "https://jira.contoso.example:port": (False, False),
    "https://jira.contoso.example:99999": (False, False),
    "https://jira contoso.example": (False, False),
    "https://jira.contoso.example\n": (False, False),
    "https://[::1": (False, False),
    "https://jira.contoso.example\\browse": (False, False),
    "text": (False, False),
}


@pytest.mark.parametrize(("url", "right"), URLS.items(), ids=URLS.keys())
def test_a_base_url_for_a_cloud_site_and_for_a_data_center(url, right):
    found = (base_url_problem(url, cloud=True), base_url_problem(url, cloud=False))
    assert tuple(problem is None for problem in found) == right


JOBS = {
    "a right pair": (PAIR, []),
    "a path on a cloud site": (
        [*PAIR, job("eng>ops", "id: x").replace("ops.atlassian.net", "ops.atlassian.net/wiki")],
        ["RB401"],
    ),
    "a site that is not in the plan": ([*PAIR, job("eng>hr", "id: x")], ["RB402"]),
    "Confluence recreated": ([*PAIR, job("eng>ops", "id: x, product: confluence")], ["RB403"]),
    "Confluence updated": (
        [*PAIR, job("eng>ops", "product: confluence, recreateAsRemote: false", link="")],
        [],
    ),
    "onto the same site": ([*PAIR, job("eng>eng")], ["RB404"]),
    "from a cloud site": (
        [job("eng>ops", origin="https://old.atlassian.net"), job("ops>eng")],
        ["RB405", "RB503"],
    ),
    "from a site of the plan": (
        [job("eng>ops", origin="https://ops.atlassian.net/"), job("ops>eng")],
        ["RB405", "RB503"],
    ),
    "updated from a cloud site": (
        [
            *PAIR,
            job("eng>ops", "recreateAsRemote: false", origin="https://old.atlassian.net", link=""),
        ],
        [],
    ),
    "a backup of Confluence": (
        [
            *PAIR,
            job(
                "eng>ops",
                "product: confluence, recreateAsRemote: false, createBackup: true",
                link="",
            ),
        ],
        ["RB406"],
    ),
    "an override that says nothing": (
        [job("eng>ops", "migratedFromOverride: https://jira.contoso.example/"), job("ops>eng")],
        ["RB407"],
    ),
    "one backup before the first job": ([job("eng>ops", "createBackup: true"), job("ops>eng")], []),
    "a backup for each site": (
        [job("eng>ops", "createBackup: true"), job("ops>eng", "createBackup: true")],
        [],
    ),
    "two backups for one site": (
        [
            job("eng>ops", "createBackup: true"),
            job("ops>eng"),
            job("eng>eng", "recreateAsRemote: false, createBackup: true", link=""),
        ],
        ["RB409"],
    ),
    "a backup on the second job of its site": (
        [
            job("eng>ops"),
            job("ops>eng"),
            job("eng>eng", "recreateAsRemote: false, createBackup: true", link=""),
        ],
        ["RB410"],
    ),
    "a backup on a later line that is sent first": (
        [
            job("eng>ops", "needs: [first]"),
            job("ops>eng"),
            job("eng>eng", "id: first, recreateAsRemote: false, createBackup: true", link=""),
        ],
        [],
    ),
}


@pytest.mark.parametrize(("jobs", "expected"), JOBS.values(), ids=JOBS.keys())
def test_a_request_is_judged(jobs, expected):
    assert codes(judged(SITES, jobs)) == expected


def test_a_site_that_is_no_cloud_site_serves_no_job():
    sites = [
        "  - {url: https://jira.contoso.example, migrations: [{finished: 2026-11-14T02:00:00Z}]}\n",
        site("ops"),
    ]
    jobs = [
        entry.replace("https://eng.atlassian.net", "https://jira.contoso.example") for entry in PAIR
    ]
    found = judged(sites, jobs)
    assert [finding.code for finding in found if finding.code.startswith("RB4")].count("RB402") == 2


HOSTS = {
    "https://jira-staging.contoso.example": True,
    "https://staging.jira.contoso.example": True,
    "https://jira-stage2.contoso.example": True,
    "https://jira.contoso.example/jira-backup": True,
    "https://jirabackup.contoso.example": False,
    "https://jira-bak:8080/jira": True,
    "https://clone.contoso.example": True,
    "https://jira.contoso.test": False,
    "https://jira.contoso.example": False,
    "https://attestation.contoso.example": False,
    "https://backstage.contoso.example": False,
}


@pytest.mark.parametrize(("url", "staging"), HOSTS.items(), ids=HOSTS.keys())
def test_a_host_that_looks_like_staging_wants_an_override(url, staging):
    jobs = [job("eng>ops", origin=url), job("ops>eng", origin=url)]
    assert codes(judged(SITES, jobs)) == (["RB408"] * 2 if staging else [])
    override = "migratedFromOverride: https://live.contoso.example"
    named = [job("eng>ops", override, origin=url), job("ops>eng", override, origin=url)]
    assert codes(judged(SITES, named)) == []


BACKUPS = {
    "six days ago": (timedelta(days=6), ["RB409"]),
    "a moment less than seven days ago": (timedelta(days=7) - timedelta(seconds=1), ["RB409"]),
    "seven days ago": (timedelta(days=7), []),
    "later than the planned moment": (timedelta(days=-1), []),
}


@pytest.mark.parametrize(("ago", "expected"), BACKUPS.values(), ids=BACKUPS.keys())
def test_a_backup_of_an_earlier_run_counts_for_a_week(ago, expected):
    jobs = [job("eng>ops", "createBackup: true"), job("ops>eng")]
    earlier = (("https://eng.atlassian.net", AT - ago), ("https://ops.atlassian.net", AT))
    assert codes(judged(SITES, jobs, earlier_backups=earlier)) == expected

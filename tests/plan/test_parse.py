"""Plans are typed by their fields; every structural mistake is found at once, at its place."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runbook.errors import PlanError
from runbook.findings import Severity
from runbook.plan import load_plan, load_plan_bytes, read_plan
from runbook.plan.model import BooleanStyle, Product
from tests.plan.plans import PLAN, load, said

FIRST_URL = "    productURL: https://contoso-eng.atlassian.net\n"
BACKUP = "    migratedFrom: https://jira.contoso.example\n"


def with_field(line: str) -> tuple[str, str]:
    """Return the edit that adds a line to the first instance (at line 17)."""
    return (BACKUP, f"{BACKUP}    {line}\n")


def plan_with(*edits: tuple[str, str]):
    loaded = load(PLAN, *edits)
    assert not [finding for finding in loaded.findings if finding.severity is Severity.ERROR], (
        loaded.findings
    )
    return loaded.plan


# ---- values


def test_a_right_plan_has_no_structural_finding():
    assert said(load()) == []


@pytest.mark.parametrize("key", ["NO", "no", "12e3", "0x1F", "1_000", "on", "null1", "2026"])
def test_a_project_key_stays_the_text_that_was_written(key):
    plan = plan_with(("[ENG, PLT]", f"[ENG, {key}]"))
    assert plan.sites[0].projects[1].key == key


def test_a_renamed_project_keeps_its_old_key():
    plan = plan_with(("[ENG, PLT]", "[ENG, {key: PLT, was: OLD}]"))
    assert (plan.sites[0].projects[1].key, plan.sites[0].projects[1].was) == ("PLT", "OLD")


@pytest.mark.parametrize("word", ["true", '"true"', "True", "'TRUE'"])
def test_a_boolean_may_be_quoted(word):
    assert plan_with(with_field(f"createBackup: {word}")).instances[0].create_backup is True


@pytest.mark.parametrize("word", ["yes", "on", "1", "y", '"yes"', "tru"])
def test_other_words_are_no_booleans(word):
    loaded = load(PLAN, with_field(f"createBackup: {word}"))
    assert said(loaded) == [("RB103", 17, 19)]


@pytest.mark.parametrize("word", ["Confluence", "CONFLUENCE", "confluence"])
def test_a_product_is_read_in_any_case(word):
    plan = plan_with(with_field(f"product: {word}"))
    assert plan.instances[0].product is Product.CONFLUENCE


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-20T20:00:00+01:00",
        "2026-11-20 20:00:00+01:00",
        "'2026-11-20T20:00+01:00'",
        "2026-11-20T19:00:00Z",
        "2026-11-20t19:00:00.000z",
        "2026-11-20T08:00:00-11:00",
    ],
)
def test_a_moment_may_be_written_in_any_usual_way(text):
    plan = plan_with(("2026-11-20T20:00:00+01:00", text))
    assert plan.cutover == datetime(2026, 11, 20, 19, tzinfo=UTC)
    assert plan.cutover.utcoffset() == timedelta(0)


def test_the_zone_is_the_one_of_the_cutover():
    assert plan_with().zone.utcoffset(None) == timedelta(hours=1)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("2026-11-20T20:00:00", "lacks an offset"),
        ("2026-11-20", "lacks a time and an offset"),
        ("2026-02-30T20:00:00Z", "no moment"),
        ("2026-11-20T25:00:00Z", "no moment"),
        ("tomorrow", "takes a date-time"),
        ("0001-01-01T00:00:00+14:00", "takes a date-time"),
        ("9999-12-31T23:59:59-14:00", "takes a date-time"),
        ("[2026]", "takes a date-time"),
    ],
)
def test_a_moment_that_is_none_is_said_so(text, words):
    loaded = load(PLAN, ("2026-11-20T20:00:00+01:00", text))
    assert said(loaded) == [("RB103", 3, 10)]
    assert words in loaded.findings[0].message


def test_every_optional_field_has_its_value():
    head = (
        "customer: 12\nchange: CHG-1\nbooleans: string\nexpected: l.csv\nrequireApproval: true\n"
        "logs: {history: 'https://x/{siteId}', audit: null}\nsites:"
    )
    site = (
        "    siteId: odd id\n    account: ops-2\n    tokenExpires: 2027-03-01\n"
        "    projects: [ENG, PLT]"
    )
    plan = plan_with(
        ("sites:", head),
        ("    projects: [ENG, PLT]", site),
        with_field("migratedFromOverride: http://live.contoso.example:8080/jira/"),
        with_field("probe: [{issue: ENG-1, target: OPS-2}]"),
        with_field("needs: [ops-to-eng]"),
    )
    assert (plan.customer, plan.change, plan.booleans) == ("12", "CHG-1", BooleanStyle.STRING)
    assert (plan.expected, plan.require_approval) == ("l.csv", True)
    assert (plan.logs_history, plan.logs_audit) == ("https://x/{siteId}", None)
    site = plan.sites[0]
    assert (site.site_id, site.account, site.token_expires) == ("odd id", "ops-2", date(2027, 3, 1))
    job = plan.instances[0]
    assert job.migrated_from_override == "http://live.contoso.example:8080/jira"
    assert (job.probe[0].issue, job.probe[0].target) == ("ENG-1", "OPS-2")
    assert job.needs == ("ops-to-eng",)


def test_a_key_without_a_value_counts_as_not_given():
    plan = plan_with(with_field("createBackup:"), with_field("needs: ~"))
    assert (plan.instances[0].create_backup, plan.instances[0].needs) == (False, ())


def test_cloud_urls_compare_equal_in_every_spelling():
    plan = plan_with((FIRST_URL, "    productURL: HTTPS://Contoso-Eng.Atlassian.net/\n"))
    assert plan.instances[0].product_url == plan.sites[0].url


def test_a_data_centers_url_is_kept_less_one_slash():
    plan = plan_with((BACKUP, "    migratedFrom: http://Jira.Contoso.example:8080/jira/\n"))
    assert plan.instances[0].migrated_from == "http://Jira.Contoso.example:8080/jira"


def test_default_ids_come_from_the_sites_and_never_repeat():
    jobs = (
        "  - {productURL: https://contoso-eng.atlassian.net, "
        "destinationURL: https://contoso-ops.atlassian.net, migratedFrom: https://jira-%s.example%s}\n"
    )
    text = PLAN + jobs % (1, "") + jobs % (2, "") + jobs % (3, ", product: Confluence")
    plan = load_plan_bytes(text.encode(), "plan.yaml").plan
    assert [instance.id for instance in plan.instances[2:]] == [
        "contoso-eng-to-contoso-ops",
        "contoso-eng-to-contoso-ops-2",
        "contoso-eng-to-contoso-ops-confluence",
    ]


def test_a_default_id_gives_way_to_one_that_was_written():
    edit = ("  - id: eng-to-ops\n    productURL", "  - productURL")
    other = ("  - id: ops-to-eng", "  - id: contoso-eng-to-contoso-ops")
    plan = plan_with(edit, other)
    assert plan.instances[0].id == "contoso-eng-to-contoso-ops-2"


def test_an_odd_site_id_is_a_note():
    loaded = load(PLAN, ("    projects: [ENG", "    siteId: 12-odd\n    projects: [ENG"))
    (note,) = loaded.findings
    assert (note.code, note.severity, note.line, note.column) == ("RB103", Severity.NOTE, 6, 13)


# ---- structural findings

WRONG = {
    "an unknown key": ([with_field("recreateAsRemot: true")], [("RB101", 17, 5)]),
    "an unknown key of the plan": ([("format: 1", "format: 1\nowner: me")], [("RB101", 2, 1)]),
    "a misspelt required key is one mistake": (
        [("    migratedFrom:", "    migratedForm:")],
        [("RB101", 16, 5)],
    ),
    "a missing required field stands at the mapping": ([(FIRST_URL, "")], [("RB102", 13, 5)]),
    "a missing field of the plan": ([("name: contoso-split\n", "")], [("RB102", 1, 1)]),
    "a missing format": ([("format: 1\n", "")], [("RB102", 1, 1)]),
    "a field of the plan without a value": ([("contoso-split", "")], [("RB103", 2, 6)]),
    "a name in upper case": ([("contoso-split", "Contoso")], [("RB103", 2, 7)]),
    "a site id with a slash": (
        [("    projects: [ENG", "    siteId: a/b\n    projects: [ENG")],
        [("RB103", 6, 13)],
    ),
    "a list where text is wanted": ([("contoso-split", "[a]")], [("RB103", 2, 7)]),
    "text where a list is wanted": ([with_field("needs: ops-to-eng")], [("RB103", 17, 12)]),
    "text where a mapping is wanted": ([with_field("probe: [ENG-1]")], [("RB103", 17, 13)]),
    "six probes": (
        [with_field("probe: [" + "{issue: A-1, target: B-1}, " * 6 + "]")],
        [("RB103", 17, 12)],
    ),
    "an issue key that is none": (
        [with_field("probe: [{issue: ENG, target: B-1}]")],
        [("RB103", 17, 21)],
    ),
    "no instance at all": (
        [(PLAN[PLAN.index("instances:") :], "instances: []\n")],
        [("RB103", 12, 12)],
    ),
    "an id with a space": ([("id: eng-to-ops", "id: eng to ops")], [("RB103", 13, 9)]),
    "a token date with a time": (
        [("    projects: [ENG", "    tokenExpires: 2027-03-01T00:00:00Z\n    projects: [ENG")],
        [("RB103", 6, 19)],
    ),
    "a wave that ends before it starts": (
        [("finished: 2026-11-14T02:00:00Z", "finished: 2026-11-12T02:00:00Z")],
        [("RB103", 8, 51)],
    ),
    "a site listed twice": (
        [
            (
                "  - url: https://contoso-ops.atlassian.net",
                "  - url: https://contoso-ENG.atlassian.net/",
            )
        ],
        [("RB103", 9, 10)],
    ),
    "a tag": ([("contoso-split", "!!python/object:os.system x")], [("RB103", 2, 7)]),
    "a key that is a list": ([("format: 1", "format: 1\n? [a]\n: b")], [("RB103", 2, 3)]),
    "a duplicate key": (
        [with_field("createBackup: true"), with_field("createBackup: false")],
        [("RB104", 18, 5)],
    ),
    "a duplicate id": ([("id: ops-to-eng", "id: eng-to-ops")], [("RB105", 18, 9)]),
    "the same job twice": (
        [
            (
                "id: ops-to-eng\n    productURL: https://contoso-ops",
                "id: b\n    productURL: https://contoso-eng",
            ),
            (
                "destinationURL: https://contoso-eng.atlassian.net",
                "destinationURL: https://contoso-ops.atlassian.net/",
            ),
        ],
        [("RB106", 18, 5)],
    ),
    "a token": ([with_field("apiToken: abc")], [("RB107", 17, 5)]),
    "a password below an unknown key": (
        [with_field("login: {user: me, password: abc}")],
        [("RB101", 17, 5), ("RB107", 17, 23)],
    ),
    "credentials inside a URL stand at the key": (
        [(BACKUP, "    migratedFrom: https://me:pw@jira.contoso.example\n")],
        [("RB107", 16, 5)],
    ),
    "an Atlassian token in any field": (
        [("name: contoso-split", "name: contoso-split\nchange: ATATT3xFfGF0abcdefgh")],
        [("RB107", 3, 1)],
    ),
    "another format, and nothing else is judged": (
        [("format: 1", "format: 2"), ("name: contoso-split", "title: x")],
        [("RB108", 1, 9)],
    ),
    "a need that is not there": ([with_field("needs: [nobody]")], [("RB109", 17, 13)]),
    "a job that needs itself": ([with_field("needs: [eng-to-ops]")], [("RB109", 17, 13)]),
    "several mistakes at once, in file order": (
        [
            ("name: contoso-split", "name: X"),
            with_field("createBackup: maybe"),
            ("id: ops-to-eng", "id: ops-to-eng\n    needs: [nobody]"),
        ],
        [("RB103", 2, 7), ("RB103", 17, 19), ("RB109", 20, 13)],
    ),
}


@pytest.mark.parametrize(("edits", "expected"), WRONG.values(), ids=WRONG.keys())
def test_a_mistake_is_found_at_its_place(edits, expected):
    found = said(load(PLAN, *edits))
    assert found == expected


def test_a_cycle_is_named():
    loaded = load(
        PLAN,
        with_field("needs: [ops-to-eng]"),
        ("id: ops-to-eng", "id: ops-to-eng\n    needs: [eng-to-ops]"),
    )
    (finding,) = loaded.findings
    assert finding.code == "RB109"
    assert "eng-to-ops -> ops-to-eng -> eng-to-ops" in finding.message


def test_ten_thousand_jobs_in_one_chain_are_no_cycle():
    jobs = "".join(
        f"  - {{id: j{i}, productURL: https://a.atlassian.net, "
        f"destinationURL: https://b.atlassian.net, migratedFrom: https://dc/{i}, "
        f"needs: [{f'j{i + 1}' if i < 9_999 else ''}]}}\n"
        for i in range(10_000)
    )
    text = f"format: 1\nname: chain\nsites: [{{url: https://a.atlassian.net}}]\ninstances:\n{jobs}"
    assert said(load_plan_bytes(text.encode(), "plan.yaml")) == []


@pytest.mark.parametrize(
    ("key", "meant"),
    [
        ("recreateAsRemot", "recreateAsRemote"),
        ("RecreateAsRemote", "recreateAsRemote"),
        ("recreate_as_remote", "recreateAsRemote"),
        ("create-backup", "createBackup"),
        ("migratedFromOveride", "migratedFromOverride"),
    ],
)
def test_an_unknown_key_is_told_what_it_probably_means(key, meant):
    (finding,) = load(PLAN, with_field(f"{key}: true")).findings
    assert f"did you mean `{meant}`?" in finding.message


def test_findings_name_their_instance_and_path():
    (finding,) = load(PLAN, ("id: ops-to-eng", "id: ops-to-eng\n    createBackup: maybe")).findings
    assert (finding.instance, finding.path, finding.file) == (
        "ops-to-eng",
        "instances[1].createBackup",
        "plan.yaml",
    )


def test_a_mapping_is_wanted():
    loaded = load_plan_bytes(b"- a\n- b\n", "plan.yaml")
    assert (loaded.plan, said(loaded)) == (None, [("RB103", 1, 1)])


# ---- secrets

SECRETS = {
    "a token of a site": "    apiToken: {0}\n",
    "a quoted password": '    password: "{0}"\n',
    "a token in a flow mapping": "    appLink2: {{token: {0}, by: me}}\n",
    "a secret of several lines": "    client_secret: |\n      {0}\n      more\n",
    "a list of tokens": "    tokens:\n      - {0}\n",
    "user info of a URL": "    migratedFromOverride: https://me:{0}@jira.example\n",
    "a secret that stands twice": "    token: {0}\n    id2: {0}\n",
}


@pytest.mark.parametrize("line", SECRETS.values(), ids=SECRETS.keys())
def test_a_secret_is_masked_in_every_output(line):
    from runbook.cli.check import finding_text

    secret = "Zx9-hidden-value"
    loaded = load(PLAN, (BACKUP, BACKUP + line.format(secret)))
    assert "RB107" in [finding.code for finding in loaded.findings]
    shown = [finding_text(finding, loaded.source) for finding in loaded.findings]
    shown += [str(finding.as_json()) for finding in loaded.findings]
    shown += [loaded.source.line(number) for number in range(1, 40)]
    assert secret not in "\n".join(shown)
    assert "more" not in loaded.source.line(18).split()


def test_a_secret_is_masked_where_the_text_cannot_be_parsed():
    loaded = load_plan_bytes(b"format: 1\napiToken: hidden-value: x\n", "plan.yaml")
    assert said(loaded)[0][0] == "RB100"
    assert "hidden-value" not in loaded.source.line(2)


def test_a_commented_secret_is_masked_in_a_quoted_line():
    loaded = load(PLAN, with_field("createBackup: maybe   # token: hidden-value"))
    assert "hidden-value" not in loaded.source.line(17)


def test_the_plans_own_token_date_is_no_secret():
    assert (
        said(load(PLAN, ("    projects: [ENG", "    tokenExpires: 2027-03-01\n    projects: [ENG")))
        == []
    )


# ---- places


def test_places_point_at_values_and_keys():
    plan = plan_with()
    location = plan.location("instances[1].appLink.by")
    assert (location.line, location.column) == (22, 37)
    key = plan.locations["instances[1].appLink!key"]
    assert (key.line, key.column) == (22, 5)
    assert plan.location("instances[1].appLink.evidence") == plan.locations["instances[1].appLink"]
    assert plan.location("nowhere[3].at.all").line == 1


def test_every_listed_place_can_be_asked_for():
    plan = plan_with()
    lines = PLAN.splitlines()
    paths = list(plan.locations)
    assert len(paths) == len(plan.locations) > 40
    for path in paths:
        location = plan.locations[path]
        if path.endswith("!key"):
            key = path.removesuffix("!key").rpartition(".")[2]
            assert lines[location.line - 1][location.column - 1 :].startswith(key)


# ---- digest


def test_the_digest_ignores_spelling_and_sees_meaning():
    digest = plan_with().digest
    same = [
        ("name: contoso-split", 'name: "contoso-split"   # a comment'),
        ("format: 1\nname: contoso-split", "name: contoso-split\nformat: 1"),
        ("2026-11-20T20:00:00+01:00", "2026-11-20T19:00:00Z"),
        with_field("recreateAsRemote: 'true'"),
        with_field("createBackup: false"),
        (FIRST_URL, "    productURL: https://CONTOSO-eng.atlassian.net/\n"),
    ]
    assert {plan_with(edit).digest for edit in same} == {digest}
    other = [with_field("createBackup: true"), ("[ENG, PLT]", "[PLT, ENG]"), ("J. Doe", "K. Doe")]
    assert digest not in {plan_with(edit).digest for edit in other}


# ---- doors


def test_read_plan_lists_every_error(tmp_path: Path):
    path = tmp_path / "plan.yaml"
    path.write_text(PLAN.replace("contoso-split", "X").replace("by: J. Doe", "buy: J. Doe"))
    with pytest.raises(PlanError) as caught:
        read_plan(path)
    assert "3 structural errors" in str(caught.value)
    assert f"{path}:2:7: RB103" in str(caught.value)


@pytest.mark.parametrize("name", ["missing.yaml", "no/such/folder.yaml", "nul\0.yaml"])
def test_a_file_that_is_not_there_is_one_error(tmp_path: Path, name):
    loaded = load_plan(tmp_path / name)
    assert said(loaded) == [("RB100", 1, 1)]
    with pytest.raises(PlanError):
        read_plan(tmp_path / name)


@given(st.binary(max_size=300))
def test_any_bytes_give_a_plan_or_findings(data):
    loaded = load_plan_bytes(data, "plan.yaml")
    assert loaded.plan is not None or loaded.findings


@settings(suppress_health_check=[HealthCheck.too_slow], max_examples=300, deadline=None)
@given(st.data())
def test_any_mutation_gives_a_plan_or_findings_with_places_in_the_file(data):
    text = PLAN
    for _ in range(data.draw(st.integers(1, 4))):
        begin = data.draw(st.integers(0, len(text)))
        end = min(len(text), begin + data.draw(st.integers(0, 12)))
        new = data.draw(st.text(alphabet="aTR0:-[]{}&*!|>'\"\n \t#,~", max_size=8))
        text = text[:begin] + new + text[end:]
    loaded = load_plan_bytes(text.encode(), "plan.yaml")
    for finding in loaded.findings:
        assert 1 <= finding.line <= text.count("\n") + 2
        assert finding.column >= 1
        assert finding.message
        assert finding.code.startswith("RB1")
    try:
        plan = loaded.whole_plan()
    except PlanError:
        return
    assert plan.digest
    assert plan.broken == frozenset()


OUTSIDE = ["../shot.png", "a/../../shot.png", "..", "/tmp/shot.png", "C:/shot.png", "C:shot.png"]
OUTSIDE += ["..\\shot.png", "\\\\server\\shot.png", "evidence/.."]
BESIDE = ["shot.png", "evidence/shot.png", "./shot.png", "..shot.png", "a..b/shot.png", "a\\b.png"]


def with_evidence(path: str):
    given = "at: 2026-11-19T09:15:00+01:00"
    return load(PLAN, (given, f"{given}, evidence: '{path}'"))


@pytest.mark.parametrize("path", OUTSIDE)
def test_evidence_outside_the_folder_of_the_plan_is_rb103(path: str) -> None:
    (finding,) = with_evidence(path).findings
    assert (finding.code, finding.path) == ("RB103", "instances[0].appLink.evidence")
    assert "evidence lies beside the plan or below it" in finding.hint


@pytest.mark.parametrize("path", BESIDE)
def test_evidence_beside_the_plan_or_below_it_is_taken(path: str) -> None:
    loaded = with_evidence(path)
    assert loaded.findings == ()
    assert loaded.whole_plan().instances[0].app_link.evidence == path

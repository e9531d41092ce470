"""`runbook init`: a full mesh plan whose only findings are the open checklist and missing dates."""

import json
from pathlib import Path

import pytest

from runbook.plan import load_plan_bytes
from runbook.plan.fields import RECORDS
from tests.cli.ledgers import call

ENG, OPS, SVC = (f"https://contoso-{name}.atlassian.net" for name in ("eng", "ops", "svc"))
DC = "https://jira.contoso.example"


def made(capsys, *sites: str) -> str:
    """Return the plan that `init` prints."""
    argv = [word for site in sites for word in ("--site", site)]
    assert call("init", *argv, "--migrated-from", DC) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("count", [2, 3, 5])
def test_every_direction_of_every_pair_has_a_job(capsys, count):
    sites = [f"https://s{i}.atlassian.net" for i in range(count)]
    plan = load_plan_bytes(made(capsys, *sites).encode(), "plan.yaml").whole_plan()
    pairs = {(one.product_url, one.destination_url) for one in plan.instances}
    assert len(plan.instances) == len(pairs) == count * (count - 1)
    assert {one.migrated_from for one in plan.instances} == {DC}


def test_check_finds_only_the_open_checklist_and_the_missing_dates(capsys, tmp_path):
    path = tmp_path / "plan.yaml"
    path.write_text(made(capsys, ENG, OPS, SVC), encoding="utf-8")
    assert call("check", str(path), "--format", "json") == 3
    (plan,) = json.loads(capsys.readouterr().out)["plans"]
    codes = [one["code"] for one in plan["findings"] if one["severity"] != "note"]
    assert sorted(codes) == ["RB201"] * 6 + ["RB301"] * 6
    assert {one["code"] for one in plan["findings"]} <= {"RB201", "RB301", "RB690"}


def test_every_field_is_explained(capsys):
    text = made(capsys, ENG, OPS)
    for record in RECORDS:
        for field in record.fields:
            assert field.key in text, field.key


def test_the_commented_fields_are_right_where_they_stand(capsys):
    """Uncommenting a field gives a plan that is read."""
    text = made(capsys, ENG, OPS)
    for old in ("customer:", "change:", "cutover:", "booleans:", "requireApproval:", "logs:"):
        assert f"# {old}" in text
        text = text.replace(f"# {old}", old, 1)
    for old in ("siteId:", "account:", "tokenExpires:", "projects: [ENG, {key"):
        text = text.replace(f"    # {old}", f"    {old}", 1)
    for old in ("product:", "migratedFromOverride:", "createBackup:", "needs:"):
        text = text.replace(f"    # {old}", f"    {old}", 1)
    for old in ("as:", "by:", "at:", "evidence:"):
        text = text.replace(f"      # {old}", f"      {old}", 1)
    plan = load_plan_bytes(text.encode(), "plan.yaml").whole_plan()
    assert plan.instances[0].app_link.by == "J. Doe"
    assert plan.sites[0].projects[1].was == "PLATFORM"


def test_sites_may_follow_each_other_and_lack_their_scheme(capsys):
    argv = ["init", "--site", "contoso-eng.atlassian.net", OPS + "/", "--migrated-from", DC + "/"]
    assert call(*argv) == 0
    plan = load_plan_bytes(capsys.readouterr().out.encode(), "plan.yaml").whole_plan()
    assert [site.url for site in plan.sites] == [ENG, OPS]
    assert plan.instances[0].migrated_from == DC


def test_a_file_is_written_and_not_replaced_by_accident(capsys, tmp_path):
    path = tmp_path / "plan.yaml"
    argv = ["init", "--site", ENG, OPS, "--migrated-from", DC, "-o", str(path)]
    assert call(*argv) == 0
    assert "wrote" in capsys.readouterr().err
    path.write_text("mine")
    assert call(*argv) == 2
    assert "is there already" in capsys.readouterr().err
    assert path.read_text() == "mine"
    assert call(*argv, "--force") == 0
    assert "replaced" in capsys.readouterr().err
    assert path.read_text().startswith("# yaml-language-server")


WRONG = {
    "one site": (["--site", ENG, "--migrated-from", DC], "at least two sites"),
    "the same site twice": (["--site", ENG, ENG + "/", "--migrated-from", DC], "given twice"),
    "a page of a site": (["--site", ENG, OPS + "/browse/X-1", "--migrated-from", DC], "browse"),
    "a site that is no cloud site": (["--site", ENG, DC, "--migrated-from", DC], "no Atlassian"),
    "a Data Center that is a cloud site": (["--site", ENG, OPS, "--migrated-from", SVC], "cloud"),
    "a Data Center with a password": (
        ["--site", ENG, OPS, "--migrated-from", "https://me:hidden@jira.example"],
        "user name",
    ),
    "a name in upper case": (
        ["--site", ENG, OPS, "--migrated-from", DC, "--name", "Contoso"],
        "no name for a plan",
    ),
    "no site": (["--migrated-from", DC], "--site"),
}


@pytest.mark.parametrize(("argv", "words"), WRONG.values(), ids=WRONG.keys())
def test_a_wrong_call_is_said_so(capsys, argv, words):
    assert call("init", *argv) == 2
    err = capsys.readouterr().err
    assert words in err
    assert "hidden" not in err


def test_a_folder_that_is_not_there_is_said_so(capsys, tmp_path):
    path = Path(tmp_path) / "no" / "plan.yaml"
    assert call("init", "--site", ENG, OPS, "--migrated-from", DC, "-o", str(path)) == 2
    assert "folder" in capsys.readouterr().err

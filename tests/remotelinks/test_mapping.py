"""From the Data Center's keys to sites and jobs."""

from runbook.plan.model import Instance, Plan, Product, Project, Site, Wave
from runbook.remotelinks.expected import BadRow, ExpectedRow
from runbook.remotelinks.mapping import PlanMap, expected_counts

ENG, OPS, HR = (f"https://{name}.atlassian.net" for name in ("eng", "ops", "hr"))


def job(name: str, source: str, target: str, **more: object) -> Instance:
    values = {"migrated_from": "https://jira.example", **more}
    return Instance(id=name, product_url=source, destination_url=target, **values)


PLAN = Plan(
    name="split",
    sites=(
        Site(
            url=ENG,
            projects=(Project(key="ENG", was="ENG"), Project(key="PLAT", was="PLT")),
            waves=(Wave(name="one", projects=("ENG",)), Wave(name="two", projects=("PLAT",))),
        ),
        Site(
            url=OPS,
            # A new project that took over the key which another one gave up.
            projects=(Project(key="OPS", was="OPS"), Project(key="PLT", was="NET")),
            waves=(Wave(name="all"), Wave(name="again", projects=("OPS",))),
        ),
        Site(url=HR, projects=(Project(key="HR", was="HR"),)),
    ),
    instances=(
        job("local", ENG, ENG, recreate_as_remote=False),
        job("wiki", ENG, HR, product=Product.CONFLUENCE, recreate_as_remote=False),
        job("eng-to-ops", ENG, OPS, migrated_from_override="https://live.example"),
        job("ops-to-eng", OPS, ENG),
    ),
)


def row(source: str, target: str) -> ExpectedRow:
    return ExpectedRow(source, target, "blocks", "outward", 2)


def test_a_renamed_project_keeps_its_numbers() -> None:
    found = PlanMap(PLAN).located("PLT-7")
    assert (found.site.url, found.key) == (ENG, "PLAT-7")


def test_the_data_centers_key_wins_over_a_new_projects_key() -> None:
    assert PlanMap(PLAN).located("NET-3").key == "PLT-3"
    assert PlanMap(PLAN).located("PLAT-3").key == "PLAT-3"


def test_a_row_goes_to_the_job_of_its_direction() -> None:
    plan_map = PlanMap(PLAN)
    assert plan_map.route(row("ENG-1", "OPS-1")).job.id == "eng-to-ops"
    assert plan_map.route(row("OPS-1", "ENG-1")).job.id == "ops-to-eng"


def test_a_row_without_a_job_says_why() -> None:
    plan_map = PlanMap(PLAN)
    reasons = {
        ("ENG-1", "PLT-2"): "both ends are on one site: a local link",
        ("ENG-1", "HR-2"): f"the plan has no job from `{ENG}` to `{HR}`",
        ("XYZ-1", "HR-2"): "project `XYZ` is on no site of the plan",
        ("HR-2", "XYZ-1"): "project `XYZ` is on no site of the plan",
    }
    for ends, why in reasons.items():
        route = plan_map.route(row(*ends))
        assert (route.job, route.why) == (None, why)


def test_counts_per_job_and_pair_of_waves_add_up() -> None:
    rows = [
        row("ENG-1", "OPS-1"),
        row("PLT-1", "OPS-2"),
        row("PLT-1", "NET-2"),
        row("OPS-1", "ENG-1"),
        row("ENG-1", "HR-1"),
        BadRow(line=9, reason="x"),
    ]
    counts = expected_counts(PLAN, rows)
    assert {key: n for key, n in counts.items() if n} == {
        None: 1,
        "eng-to-ops": 3,
        ("eng-to-ops", "one", "again"): 1,
        ("eng-to-ops", "two", "again"): 1,
        ("eng-to-ops", "two", "all"): 1,
        "ops-to-eng": 1,
        ("ops-to-eng", "again", "one"): 1,
    }
    assert counts["ops-to-eng", "all", "two"] == 0


def test_old_bases_are_those_of_every_job_once() -> None:
    assert PlanMap(PLAN).old_bases() == ("https://jira.example", "https://live.example")

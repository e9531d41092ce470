"""A world is what a migration leaves behind: sites, issues, and links that were cut."""

import csv
import io
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook.clock import VirtualClock
from runbook.errors import UsageError
from runbook.plan.model import Instance, Plan, Site
from runbook.simulator.populate import world_of
from runbook.simulator.world import World
from tests.simulator.worlds import DC, ENG, NOW, OPS, two_sites


def made_world(plan: Plan, **more: object) -> World:
    return world_of(plan, clock=VirtualClock(NOW), **more)  # type: ignore[arg-type]


def test_the_same_seed_gives_the_same_world() -> None:
    one, other = made_world(two_sites(), seed=7), made_world(two_sites(), seed=7)
    assert one.expected_csv() == other.expected_csv()
    assert [site.site_id for site in one.sites.values()] == [
        site.site_id for site in other.sites.values()
    ]


def test_another_seed_gives_another_world() -> None:
    one, other = made_world(two_sites(), seed=7), made_world(two_sites(), seed=8)
    assert one.expected_csv() != other.expected_csv()
    assert one.sites[ENG].site_id != other.sites[ENG].site_id


def test_a_site_id_of_the_plan_is_kept() -> None:
    plan = two_sites()
    plan = replace(plan, sites=(replace(plan.sites[0], site_id="b436336f-odd"), plan.sites[1]))
    assert made_world(plan).sites[ENG].site_id == "b436336f-odd"


def test_every_project_has_the_issues_asked_for_and_the_named_ones() -> None:
    world = made_world(two_sites(), issues_per_project=5)
    keys = {issue.key for issue in world.sites[ENG].issues.values()}
    assert keys == {f"{p}-{n}" for p in ("ENG", "PLAT") for n in range(1, 6)} | {"ENG-123"}
    assert world.issue("OPS-77").key == "OPS-77"


def test_issues_of_different_sites_have_different_ids() -> None:
    world = made_world(two_sites())
    assert not set(world.sites[ENG].issues) & set(world.sites[OPS].issues)


def test_a_renamed_project_answers_to_its_key_in_the_data_center() -> None:
    assert made_world(two_sites()).issue("PLT-3").key == "PLAT-3"


def test_sites_without_projects_get_one_of_their_own() -> None:
    plan = Plan(
        name="x",
        sites=(Site(url="https://a-ops.atlassian.net"), Site(url="https://b-ops.atlassian.net")),
    )
    projects = [tuple(site.projects) for site in made_world(plan).sites.values()]
    assert projects == [("OPS",), ("OPS2",)]


def test_a_plan_without_projects_can_be_completed_by_its_world() -> None:
    plan = two_sites()
    bare = replace(plan, sites=(replace(plan.sites[0], projects=()), plan.sites[1]))
    completed = made_world(bare).with_projects(bare)
    assert [project.key for project in completed.sites[0].projects] == ["ENG"]
    assert completed.sites[1] == plan.sites[1]


def test_the_csv_has_two_rows_for_each_link_one_per_end() -> None:
    rows = list(
        csv.DictReader(io.StringIO(made_world(two_sites(), links_per_pair=9).expected_csv()))
    )
    assert len(rows) == 2 * (9 + 1)
    ends = {(row["source_key"], row["destination_key"]) for row in rows}
    assert {(b, a) for a, b in ends} == ends
    assert {row["direction"] for row in rows[0::2]} == {"outward"}
    assert {row["direction"] for row in rows[1::2]} == {"inward"}


def test_the_csv_names_issues_as_the_data_center_did() -> None:
    world = made_world(two_sites(), links_per_pair=40)
    keys = {link.source_key.split("-")[0] for link in world.lost_links}
    assert "PLAT" in keys
    assert "PLAT" not in world.expected_csv()
    assert "PLT-" in world.expected_csv()


def test_a_probe_is_a_lost_link() -> None:
    probes = [link for link in made_world(two_sites()).lost_links if link.probe]
    assert [(link.source_key, link.destination_key) for link in probes] == [("ENG-123", "OPS-77")]


def test_a_plan_that_names_expected_links_has_exactly_those(tmp_path: Path) -> None:
    (tmp_path / "links.csv").write_text(
        "source_key,destination_key,link_type,direction\n"
        "PLT-9,OPS-2,blocks,outward\nOPS-2,PLT-9,is blocked by,inward\n"
        "ENG-1,ENG-2,blocks,outward\nGONE-1,ENG-2,blocks,outward\n"
        "ENG-123,OPS-77,clones,outward\n",
        encoding="utf-8",
    )
    plan = two_sites(expected="links.csv", file=str(tmp_path / "plan.yaml"))
    world = made_world(plan)
    assert [(x.source_key, x.destination_key, x.label, x.probe) for x in world.lost_links] == [
        ("PLAT-9", "OPS-2", "blocks", False),
        ("OPS-2", "PLAT-9", "is blocked by", False),
        ("ENG-123", "OPS-77", "clones", True),
    ]


def test_expected_links_that_are_not_there_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"links\.csv"):
        made_world(two_sites(expected="links.csv", file=str(tmp_path / "plan.yaml")))


@given(share=st.floats(0, 1), many=st.integers(0, 40))
def test_the_share_left_out_is_exact(share: float, many: int) -> None:
    world = made_world(two_sites(), leave_out=share, links_per_pair=many, issues_per_project=8)
    eligible = [link for link in world.lost_links if not link.probe]
    assert sum(link.left_out for link in world.lost_links) == round(share * len(eligible))


def test_users_have_links_of_their_own() -> None:
    world = made_world(two_sites(), own_links=0.5, issues_per_project=10)
    links = [link for issue in world.sites[ENG].issues.values() for link in issue.links.values()]
    assert len(links) == round(0.5 * 21)
    assert {link.record.get("application", {}).get("type") for link in links} == {
        None,
        "com.atlassian.confluence",
    }


def test_some_texts_name_old_addresses() -> None:
    world = made_world(two_sites())
    texts = [t for s in world.sites.values() for i in s.issues.values() for t in i.texts.values()]
    assert any(f"{DC}/browse/" in text for text in texts)
    assert any(f"{DC}/issues/?filter=" in text for text in texts)


def test_a_site_that_only_an_instance_names_exists() -> None:
    plan = Plan(
        name="x",
        sites=(Site(url=ENG),),
        instances=(Instance(id="a", product_url=ENG, destination_url=OPS, migrated_from=DC),),
    )
    assert set(made_world(plan).sites) == {ENG, OPS}


def test_time_is_the_clocks_alone() -> None:
    clock = VirtualClock(NOW)
    world = world_of(two_sites(), clock=clock)
    world.go_dark(60)
    assert world.is_dark()
    clock.advance(60)
    assert not world.is_dark()
    assert clock.now() == NOW + timedelta(seconds=60)

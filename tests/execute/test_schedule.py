"""What a site does next."""

from dataclasses import replace

from runbook.execute.schedule import Brakes, Step, next_step
from runbook.jobs import CmaJob
from runbook.view import JobState, JobView

A, B = "https://a.atlassian.net", "https://b.atlassian.net"
FREE = Brakes()


def job(name: str, site: str = A, *, needs: tuple[str, ...] = (), **known: object) -> JobView:
    sent = CmaJob(
        id=name,
        order=1,
        needs=needs,
        site=site,
        destination=B,
        account="default",
        method="POST",
        url="https://api.atlassian.com/links/v1/x/jobs/cma",
        body={},
        recreate_as_remote=True,
    )
    return replace(JobView(job=sent), **known)


def step(
    *jobs: JobView, todo: set[str] | None = None, site: str = A, brakes: Brakes = FREE
) -> Step:
    views = {view.id: view for view in jobs}
    return next_step(site, views, set(views) if todo is None else todo, brakes)


def test_jobs_go_in_their_order() -> None:
    assert step(job("one"), job("two")) == Step("submit", "one")
    assert step(job("one"), job("two"), todo={"two"}) == Step("submit", "two")


def test_a_job_at_atlassian_is_followed_before_anything_is_sent() -> None:
    under_way = job("two", state=JobState.IN_PROGRESS, uuid="u")
    assert step(job("one"), under_way, todo={"one"}) == Step("follow", "two")


def test_another_sites_jobs_are_not_ours() -> None:
    assert step(job("one", B), site=A) == Step("finish")


def test_a_job_waits_for_a_need_that_is_still_to_come() -> None:
    waiting = job("two", needs=("one",))
    assert step(job("one", B), waiting) == Step("wait", "two", detail="one")
    under_way = job("one", B, state=JobState.PENDING, uuid="u")
    assert step(under_way, waiting, todo={"two"}) == Step("wait", "two", detail="one")


def test_a_job_goes_when_its_need_is_complete() -> None:
    done = job("one", B, state=JobState.COMPLETE)
    assert step(done, job("two", needs=("one",)), todo={"two"}) == Step("submit", "two")


def test_a_job_is_held_when_its_need_cannot_become_complete() -> None:
    for state in (JobState.UNKNOWN, JobState.ERROR, JobState.REFUSED, JobState.NOT_ATTEMPTED):
        held = step(job("one", B, state=state), job("two", needs=("one",)), todo={"two"})
        assert held.action == "hold"
        assert held.why == "need"
        assert "`one`" in held.detail


def test_an_unknown_outcome_does_not_hold_the_sites_other_jobs() -> None:
    assert step(job("one", state=JobState.UNKNOWN), job("two"), todo={"two"}) == Step(
        "submit", "two"
    )


def test_every_brake_holds_and_says_why() -> None:
    stopped = step(job("one"), brakes=Brakes(stopped="no-go"))
    assert stopped == Step("hold", "one", why="stopped", detail="no-go")
    account = step(job("one"), brakes=Brakes(accounts={"default": "401"}))
    assert account == Step("hold", "one", why="account", detail="401")
    site = step(job("one"), brakes=Brakes(sites={A: ("probe", "empty complete")}))
    assert site == Step("hold", "one", why="probe", detail="empty complete")


def test_a_stop_does_not_end_the_following_of_what_is_out() -> None:
    under_way = job("one", state=JobState.PENDING, uuid="u")
    brakes = Brakes(stopped="no-go")
    assert step(under_way, todo=set(), brakes=brakes) == Step("follow", "one")

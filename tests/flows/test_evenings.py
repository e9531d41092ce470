"""Whole evenings on virtual time: what is sent, what is written, what the exit code says."""

import io
import itertools
import json
import signal
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest

from runbook.clock import parse_utc
from runbook.simulator.app import make_app
from runbook.simulator.faults import FaultKind
from tests.flows import watched
from tests.flows.evening import STATUS, SUBMIT, TOKEN, Evening, plan_text, url_of

Maker = Callable[..., Evening]
TWO = ("eng", "ops")


def lost_third(one: Evening) -> None:
    """The server accepts the third POST and drops the connection before answering."""
    one.fault(FaultKind.ANSWER_LOST, SUBMIT, nth=3)


def test_six_jobs_are_sent_once_each_and_end_complete(evening: Maker) -> None:
    one = evening()
    result = one.run()
    assert result.code == 0, result.err
    assert set(one.states().values()) == {"complete"}
    assert one.posts() == dict.fromkeys(one.posts(), 1)
    assert len(one.posts()) == 6
    status = one.status()
    assert status["run"]["state"] == "complete"
    assert status["run"]["verification"] == "none"
    assert all(job["submissions"] == 1 and job["uuid"] for job in status["jobs"])


def test_the_intent_is_on_disk_before_the_request_and_the_answer_before_anything_else(
    evening: Maker,
) -> None:
    """Both are asked of the file while the next request is on its way."""
    one = evening(text=plan_text(TWO))
    early: list[str] = []
    asked: list[str] = []

    def look(request: httpx.Request) -> None:
        if watched.is_status(request):
            uuid = request.url.path.rpartition("/")[2]
            asked.append(uuid)
            answered = [e["payload"] for e in one.events() if e["kind"] == "submit.answered"]
            if uuid not in {payload["uuid"] for payload in answered}:
                early.append(uuid)

    watched.run_hooked(one, before=look)
    assert len(one.watch.announced) == 2
    assert (len(set(asked)), early) == (2, [])
    for job in ("eng-to-ops", "ops-to-eng"):
        kinds = [event["kind"] for event in one.events() if event["job"] == job]
        assert kinds[:3] == ["submit.intended", "submit.answered", "job.polled"]


def test_what_is_sent_is_what_the_preview_showed(evening: Maker) -> None:
    one = evening()
    shown = one.command("preview", str(one.plan), "--format", "json").json()
    one.run()
    sent = [e["payload"]["request"] for e in one.events() if e["kind"] == "submit.intended"]
    by_url = {(request["url"], request["body"]): request for request in sent}
    assert len(by_url) == len(sent) == len(shown["jobs"])
    site_ids = {site.url: site.site_id for site in one.world.sites.values()}
    for job in shown["jobs"]:
        body = job["request"]["body"]
        url = job["request"]["url"].replace("{siteId}", site_ids[body["productURL"]])
        match = [request for request in sent if json.loads(request["body"]) == body]
        assert [request["url"] for request in match] == [url]
        assert match[0]["method"] == job["request"]["method"] == "POST"
    assert one.status()["run"]["jobs_digest"] == shown["plan"]["jobs_digest"]


def test_a_lost_answer_is_unknown_and_the_other_five_go_on(evening: Maker) -> None:
    one = evening()
    lost_third(one)
    result = one.run()
    assert result.code == 7, result.err
    states = one.states()
    assert sorted(states.values()) == ["complete"] * 5 + ["unknown"]
    assert list(one.posts().values()) == [1] * 6
    assert one.status()["run"]["state"] == "needs_person"
    assert "--send-again" in result.err
    assert one.run().code == 7, "it needs a person each time"
    assert list(one.posts().values()) == [1] * 6


def unknown_job(one: Evening) -> str:
    return next(job for job, state in one.states().items() if state == "unknown")


def test_an_accepted_word_with_its_id_is_followed_and_never_sent_again(evening: Maker) -> None:
    one = evening()
    lost_third(one)
    one.run()
    job = unknown_job(one)
    true_uuid = next(s.uuid for s in one.world.submissions if not s.answer_arrived)
    resolved = one.on_ledger("resolve", "latest", job, "--accepted", str(true_uuid), "--by", "Jo")
    assert resolved.code == 0
    assert one.run().code == 0
    assert set(one.states().values()) == {"complete"}
    assert list(one.posts().values()) == [1] * 6


def test_send_again_sends_exactly_one_more(evening: Maker) -> None:
    one = evening()
    lost_third(one)
    one.run()
    job = unknown_job(one)
    assert one.on_ledger("resolve", "latest", job, "--send-again").code == 0
    assert one.run().code == 0
    assert set(one.states().values()) == {"complete"}
    assert sorted(one.posts().values()) == [1] * 5 + [2]
    listed = {job["id"]: job["submissions"] for job in one.status()["jobs"]}
    assert listed[job] == 2


def test_accepted_without_an_id_is_never_shown_as_polled_and_asks_no_more(evening: Maker) -> None:
    one = evening()
    lost_third(one)
    one.run()
    job = unknown_job(one)
    one.on_ledger("resolve", "latest", job, "--accepted-no-id", "--note", "seen in the log")
    assert one.run().code == 0
    known = next(entry for entry in one.status()["jobs"] if entry["id"] == job)
    assert (known["state"], known["last_status"], known["uuid"]) == ("unknown", None, None)
    assert list(one.posts().values()) == [1] * 6


LOST = {
    "an answer that never came": (FaultKind.ANSWER_LOST, {}),
    "a 500": (FaultKind.STATUS_AFTER, {"status": 500}),
    "a 503 before it was read": (FaultKind.STATUS, {"status": 503}),
    "a redirect": (FaultKind.STATUS, {"status": 302}),
    "a 408": (FaultKind.STATUS, {"status": 408}),
    "a web page with 200": (FaultKind.HTML_AFTER, {}),
    "a 200 without an id": (FaultKind.NO_ID, {}),
    "an empty 200": (FaultKind.EMPTY_AFTER, {}),
    "half an answer": (FaultKind.TRUNCATED, {}),
    "a reset connection": (FaultKind.RESET, {}),
}


@pytest.mark.parametrize(("kind", "more"), LOST.values(), ids=LOST.keys())
def test_what_cannot_be_known_is_unknown_and_never_repeated(
    evening: Maker, kind: FaultKind, more: dict[str, Any]
) -> None:
    one = evening(text=plan_text(TWO))
    one.fault(kind, SUBMIT, nth=1, **more)
    assert one.run().code == 7
    assert sorted(one.states().values()) == ["complete", "unknown"]
    intended = [e for e in one.events() if e["kind"] == "submit.intended"]
    assert len(intended) == 2


def submission_times(one: Evening) -> list[float]:
    return [
        parse_utc(event["at"]).timestamp()
        for event in one.events()
        if event["kind"] == "submit.intended"
    ]


LIMITS = {
    "Retry-After in seconds": FaultKind.RETRY_AFTER_SECONDS,
    "Retry-After as a date": FaultKind.RETRY_AFTER_DATE,
    "X-RateLimit-Reset only": FaultKind.RESET_ISO,
    "X-RateLimit-Reset in epoch seconds": FaultKind.RESET_EPOCH,
}


@pytest.mark.parametrize("kind", LIMITS.values(), ids=LIMITS.keys())
def test_after_a_429_the_next_request_comes_no_earlier_than_told(
    evening: Maker, kind: FaultKind
) -> None:
    one = evening(text=plan_text(TWO, pairs=(("eng", "ops"),)))
    one.fault(kind, SUBMIT, nth=1, amount_s=95)
    assert one.run().code == 0
    first, second = submission_times(one)
    assert second - first >= 94, "a date has whole seconds"
    assert one.status()["jobs"][0]["submissions"] == 1
    assert list(one.posts().values()) == [1]


def test_a_429_without_any_header_backs_off(evening: Maker) -> None:
    one = evening(text=plan_text(TWO, pairs=(("eng", "ops"),)))
    one.fault(FaultKind.TOO_MANY_BARE, SUBMIT, nth=1, times=3)
    assert one.run("--submit-interval", "0").code == 0
    times = submission_times(one)
    gaps = [after - before for before, after in itertools.pairwise(times)]
    assert gaps == sorted(gaps)
    assert gaps[0] >= 1


def test_submissions_keep_their_interval_across_sites_and_processes(evening: Maker) -> None:
    one = evening()
    one.run()
    times = submission_times(one)
    assert all(b - a >= 12 for a, b in itertools.pairwise(times))


def test_one_site_works_on_one_job_at_a_time_and_sites_work_side_by_side(evening: Maker) -> None:
    one = evening()
    one.run()
    busy: dict[str, str] = {}
    together = 0
    for event in one.events():
        job = event["job"]
        if event["kind"] == "submit.intended":
            site = job.split("-to-")[0]
            assert site not in busy, f"{job} was sent while {busy[site]} was under way"
            busy[site] = job
            together = max(together, len(busy))
        elif event["kind"] == "job.polled" and event["payload"]["state"] == "complete":
            busy.pop(job.split("-to-")[0])
    assert together == 3


def test_needs_are_complete_before_their_job_is_sent(evening: Maker) -> None:
    one = evening(
        text=plan_text(
            TWO, extra=lambda source, _: "needs: [ops-to-eng]" if source == "eng" else ""
        )
    )
    assert one.run().code == 0
    order = [e["job"] for e in one.events() if e["kind"] == "submit.intended"]
    assert order == ["ops-to-eng", "eng-to-ops"]


def test_a_job_whose_need_is_unknown_is_not_attempted(evening: Maker) -> None:
    one = evening(
        text=plan_text(
            TWO, extra=lambda source, _: "needs: [ops-to-eng]" if source == "eng" else ""
        )
    )
    one.fault(FaultKind.ANSWER_LOST, SUBMIT, nth=1)
    assert one.run().code == 7
    assert one.states() == {"ops-to-eng": "unknown", "eng-to-ops": "not_attempted"}


def test_a_first_403_is_refused_and_a_second_one_holds_the_site(evening: Maker) -> None:
    one = evening(text=plan_text(("eng", "ops", "hr", "it")))
    one.fault(
        FaultKind.STATUS,
        SUBMIT | {"path": f"*{one.world.sites[url_of('eng')].site_id}*"},
        status=403,
        times=9,
    )
    result = one.run()
    assert result.code == 6
    mine = [state for job, state in one.states().items() if job.startswith("eng-")]
    assert mine == ["refused", "refused", "not_attempted"]
    others = {state for job, state in one.states().items() if not job.startswith("eng-")}
    assert others == {"complete"}
    assert "organization admin" in result.err
    one.world.faults.clear()
    assert one.run().code == 0, "after the fix the same command sends what was refused and held"
    assert set(one.states().values()) == {"complete"}


def test_a_401_stops_the_accounts_jobs_and_no_others(evening: Maker) -> None:
    one = evening(
        text=plan_text(accounts={"hr": "people"}),
        env={"RUNBOOK_PEOPLE_EMAIL": "p@contoso.example", "RUNBOOK_PEOPLE_API_TOKEN": TOKEN + "2"},
    )
    one.fault(
        FaultKind.STATUS,
        SUBMIT | {"path": f"*{one.world.sites[url_of('eng')].site_id}*"},
        status=401,
        times=9,
    )
    assert one.run().code == 4
    states = one.states()
    assert states["eng-to-ops"] == "refused"
    assert states["eng-to-hr"] == "not_attempted"
    assert {states["hr-to-eng"], states["hr-to-ops"]} == {"complete"}


def test_a_400_shows_atlassians_words_the_causes_and_the_next_command(evening: Maker) -> None:
    one = evening(text=plan_text(TWO, pairs=(("eng", "ops"),)), settings={})
    one.world.settings.booleans = "string"
    result = one.run()
    assert result.code == 6
    assert "booleans: string" in result.err
    assert f"runbook run {one.plan}" in result.err
    one.write(plan_text(TWO, pairs=(("eng", "ops"),), head="booleans: string"))
    assert one.run().code == 0, "a refused job may be changed and sent"


def test_a_connection_that_cannot_be_made_leaves_the_job_planned(evening: Maker) -> None:
    one = evening(text=plan_text(TWO))
    one.fault(FaultKind.REFUSED, SUBMIT, nth=1, times=10_000)
    result = one.run()
    assert result.code == 5, result.err
    assert set(one.states().values()) == {"planned"}
    assert one.status()["run"]["state"] == "interrupted"
    one.world.faults.clear()
    assert one.run().code == 0
    assert list(one.posts().values()) == [1, 1]


def test_a_short_outage_is_waited_out(evening: Maker) -> None:
    one = evening(text=plan_text(TWO))
    one.fault(FaultKind.REFUSED, SUBMIT, nth=1, times=4)
    one.fault(FaultKind.REFUSED, STATUS, nth=2, times=3)
    assert one.run().code == 0
    assert list(one.posts().values()) == [1, 1]


ODD_STATUS = {
    "an unknown word": FaultKind.UNKNOWN_WORD,
    "plain text": FaultKind.PLAIN_TEXT,
    "a JSON string": FaultKind.JSON_STRING,
    "nested": FaultKind.NESTED,
    "a web page": FaultKind.HTML,
    "an empty body": FaultKind.EMPTY,
    "a rate limit": FaultKind.RETRY_AFTER_SECONDS,
    "a reset": FaultKind.RESET,
}


@pytest.mark.parametrize("kind", ODD_STATUS.values(), ids=ODD_STATUS.keys())
def test_odd_status_answers_do_not_end_a_job(evening: Maker, kind: FaultKind) -> None:
    one = evening(text=plan_text(TWO))
    one.fault(kind, STATUS, nth=1, times=3)
    assert one.run().code == 0
    assert set(one.states().values()) == {"complete"}


def test_a_404_on_status_is_no_failure_of_the_job(evening: Maker) -> None:
    one = evening(text=plan_text(TWO))
    one.fault(FaultKind.STATUS, STATUS, status=404, nth=2, times=3)
    assert one.run().code == 0


def test_a_job_that_ends_in_error_is_not_sent_again(evening: Maker) -> None:
    one = evening(text=plan_text(TWO))
    one.world.fates[url_of("eng"), url_of("ops")] = "error"
    assert one.run().code == 6
    assert one.states() == {"eng-to-ops": "error", "ops-to-eng": "complete"}
    assert one.run().code == 6
    assert list(one.posts().values()) == [1, 1]
    one.world.fates.clear()
    again = one.run("--again", "eng-to-ops", "--reason", "support says try once more")
    assert again.code == 0, again.err
    assert one.posts()[("eng", "ops")] == 2


def test_a_complete_run_without_new_jobs_sends_nothing(evening: Maker) -> None:
    one = evening(text=plan_text(TWO))
    one.run()
    asked = len(one.world.log)
    assert one.run().code == 0
    assert len(one.world.log) == asked


def test_a_stall_is_said_once_and_polling_goes_on(evening: Maker) -> None:
    one = evening(text=plan_text(TWO, pairs=(("eng", "ops"),)), settings={"job_minutes": 60 * 6})
    assert one.run().code == 0
    stalls = [e for e in one.events() if e["kind"] == "job.stalled"]
    assert len(stalls) == len({e["payload"]["since"] for e in stalls})
    assert stalls
    assert one.status()["jobs"][0]["stalled_since"] is None


# Refusals before the first request


def test_before_the_cutover_it_refuses_without_early(evening: Maker) -> None:
    one = evening(text=plan_text(TWO).replace("T20:00:00+01:00", "T21:00:00+01:00", 1))
    result = one.run()
    assert result.code == 3
    assert "before the cutover" in result.err
    assert not one.world.log
    assert one.run("--early").code == 0


def test_without_yes_and_without_a_terminal_it_refuses(evening: Maker) -> None:
    one = evening(text=plan_text(TWO))
    assert one.command("run", str(one.plan)).code == 2
    assert not one.world.log


def test_on_a_terminal_the_plans_name_is_asked_for(
    evening: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = evening(text=plan_text(TWO))
    monkeypatch.setattr("sys.stdin", io.StringIO("contoso\n"))
    wrong = one.command("run", str(one.plan), interactive=True)
    assert wrong.code == 2
    assert not one.world.submissions
    assert not one.ledger.exists() or not one.kinds()
    monkeypatch.setattr("sys.stdin", io.StringIO("contoso-split\n"))
    right = one.command("run", str(one.plan), interactive=True)
    assert right.code == 0
    assert "none: if jobs were sent elsewhere, stop" in right.err


def test_a_digest_binds_the_run_to_the_preview(evening: Maker) -> None:
    one = evening(text=plan_text(TWO))
    digests = one.command("preview", str(one.plan), "--format", "json").json()["plan"]
    assert one.run("--digest", "0" * 64).code == 3
    assert not one.world.log
    one.write(plan_text(TWO).replace("J. Doe", "Jane Doe"))
    assert one.run("--digest", digests["digest"]).code == 3, "the plan's words changed"
    assert one.run("--digest", digests["jobs_digest"]).code == 0, "what is sent did not"


def test_an_error_in_the_plan_sends_nothing(evening: Maker) -> None:
    one = evening(text=plan_text(TWO))
    one.write(plan_text(TWO).replace("authorized: true", "authorized: false"))
    result = one.run()
    assert result.code == 3
    assert "RB301" in result.err
    assert not one.world.log


def test_a_missing_credential_is_named(evening: Maker) -> None:
    one = evening(text=plan_text(TWO))
    one.env = {"RUNBOOK_EMAIL": "x@y.example", "RUNBOOK_API_TOKEN": ""}
    result = one.run()
    assert result.code == 4
    assert "RUNBOOK_API_TOKEN" in result.err


def test_an_endpoint_elsewhere_is_refused(evening: Maker) -> None:
    one = evening(text=plan_text(TWO))
    assert one.run("--endpoint", "http://10.0.0.1:80").code == 2


def test_a_ledger_folder_that_is_not_there_is_usage(evening: Maker) -> None:
    one = evening(text=plan_text(TWO))
    assert one.run("--ledger", str(one.folder / "nowhere" / "x.ledger")).code == 2


def test_another_site_id_than_the_sites_own_is_refused(evening: Maker) -> None:
    one = evening(text=plan_text(TWO))
    one.write(
        plan_text(TWO).replace(
            f"  - url: {url_of('eng')}\n",
            f"  - url: {url_of('eng')}\n    siteId: 6f1c2a52-8a3b-4d3e-9a51-0c1f6e2b7a10\n",
        )
    )
    result = one.run()
    assert result.code == 3
    assert "RB601" in result.err
    assert not one.world.submissions


def test_an_account_that_is_refused_sends_nothing(evening: Maker) -> None:
    one = evening(text=plan_text(TWO), settings={"accounts": {"other@contoso.example": "x"}})
    result = one.run()
    assert result.code == 4, result.err
    assert "expired" in result.err
    assert not one.world.submissions


def test_a_web_page_instead_of_the_api_names_the_proxy(evening: Maker) -> None:
    one = evening(text=plan_text(TWO))
    one.fault(FaultKind.HTML, {"method": "GET", "path": "*/jobs/status/*"}, times=99)
    result = one.run()
    assert result.code == 5
    assert "proxy" in result.err
    assert not one.world.submissions


def test_only_sends_the_named_jobs_and_leaves_the_others_planned(evening: Maker) -> None:
    one = evening()
    result = one.run("--only", "eng-to-ops", "hr-to-eng")
    assert result.code == 0
    states = one.states()
    assert {job for job, state in states.items() if state == "complete"} == {
        "eng-to-ops",
        "hr-to-eng",
    }
    assert {state for job, state in states.items() if job not in ("eng-to-ops", "hr-to-eng")} == {
        "planned"
    }
    assert one.status()["run"]["state"] == "stopped"
    assert one.run().code == 0
    assert set(one.states().values()) == {"complete"}
    assert list(one.posts().values()) == [1] * 6


def test_a_dry_run_touches_nothing(evening: Maker) -> None:
    one = evening(text=plan_text(TWO))
    result = one.command("run", str(one.plan), "--dry-run", "--format", "json")
    assert result.code == 0
    assert len(result.json()["jobs"]) == 2
    assert not one.world.log
    assert not one.ledger.exists()


def test_an_approval_is_required_where_the_plan_says_so(evening: Maker) -> None:
    one = evening(text=plan_text(TWO, head="requireApproval: true"))
    assert one.run().code == 3
    assert one.command("approve", str(one.plan), "--by", "C. Board").code == 0
    assert one.run().code == 0


def test_a_job_is_not_sent_after_its_window_although_the_run_began_in_it(evening: Maker) -> None:
    # The window closes 14 days after the wave ended: at 02:30 on the 22nd, local time.
    text = plan_text(
        TWO, pairs=(("eng", "ops"), ("eng", "ops")), finished="2026-11-08T20:20:00+01:00"
    ).replace("started: 2026-11-19T18:00:00+01:00", "started: 2026-11-08T18:00:00+01:00")
    text = text.replace("id: eng-to-ops", "id: first", 1).replace("id: eng-to-ops", "id: second", 1)
    text = text.replace(
        "migratedFrom: https://jira.contoso.example",
        "migratedFrom: https://jira2.contoso.example",
        1,
    )
    one = evening(text=text, settings={"job_minutes": 60})
    assert one.run().code == 6
    assert one.states() == {"first": "complete", "second": "not_attempted"}
    events = [e for e in one.events() if e["kind"] == "job.not_attempted"]
    assert [e["payload"]["why"] for e in events] == ["window"]


def test_a_wait_that_would_outlast_the_window_is_not_waited_for(evening: Maker) -> None:
    """The window closes at 20:20; at 20:05 Atlassian asks to wait for an hour."""
    text = plan_text(TWO, pairs=(("eng", "ops"),), finished="2026-11-08T20:20:00+01:00").replace(
        "started: 2026-11-19T18:00:00+01:00", "started: 2026-11-08T18:00:00+01:00"
    )
    one = evening(text=text)
    began_s = one.clock.monotonic_s()
    limited = httpx.Response(429, headers={"Retry-After": "3600"})
    done = watched.run_hooked(
        one, before=lambda request: limited if watched.is_post(request) else None
    )
    assert done.code == 6
    assert one.clock.monotonic_s() - began_s < 60
    (held,) = [e["payload"] for e in one.events() if e["kind"] == "job.not_attempted"]
    assert held["why"] == "window"
    assert "rate limited for 3600 s, until after its window" in held["detail"]


def test_what_is_unknown_stays_so_although_the_window_has_closed_since(evening: Maker) -> None:
    one = evening(text=plan_text(TWO))
    one.fault(FaultKind.ANSWER_LOST, SUBMIT, nth=1)
    one.run()
    one.clock.advance(timedelta(days=30).total_seconds())
    assert one.run().code == 7
    job = unknown_job(one)
    uuid = next(s.uuid for s in one.world.submissions if not s.answer_arrived)
    one.on_ledger("resolve", "latest", job, "--accepted", str(uuid))
    assert one.run().code in (0, 3), "it is followed although the plan may not run any more"
    assert set(one.states().values()) == {"complete"}


# Amended plans


def test_a_new_site_and_its_jobs_may_join_a_run(evening: Maker) -> None:
    one = evening(text=plan_text(TWO))
    one.run("--only", "eng-to-ops")
    one.write(plan_text())
    one.world.add_site(url_of("hr"))
    assert one.run().code == 0
    assert len(one.states()) == 6
    assert all(job["siteId"] for job in one.status()["jobs"])


def test_a_plan_changed_in_nothing_that_was_sent_goes_on_and_keeps_the_difference(
    evening: Maker,
) -> None:
    one = evening()
    one.run("--only", "eng-to-ops")
    one.write(plan_text().replace("customer", "customer") + "customer: Contoso Ltd\n")
    assert one.run().code == 0
    amended = [e["payload"]["difference"] for e in one.events() if e["kind"] == "plan.amended"]
    assert len(amended) == 1
    assert any("Contoso Ltd" in line for line in amended[0])


def test_a_plan_changed_in_a_request_that_was_sent_is_refused_with_the_difference(
    evening: Maker,
) -> None:
    one = evening(text=plan_text(TWO))
    one.run("--only", "eng-to-ops")
    one.write(
        plan_text(TWO).replace(
            "migratedFrom: https://jira.contoso.example",
            "migratedFrom: https://other.contoso.example",
        )
    )
    result = one.run()
    assert result.code == 3
    assert "https://jira.contoso.example" in result.err
    assert "https://other.contoso.example" in result.err
    assert sum(one.posts().values()) == 1


# Words given beforehand, rounds, stops


def test_on_unknown_stop_submits_nothing_more(evening: Maker) -> None:
    one = evening(text=plan_text(TWO))
    one.fault(FaultKind.ANSWER_LOST, SUBMIT, nth=1)
    assert one.run("--on-unknown", "stop").code == 7
    assert sorted(one.states().values()) == ["not_attempted", "unknown"]


def test_on_unknown_resubmit_sends_once_more_and_no_oftener(evening: Maker) -> None:
    one = evening(text=plan_text(TWO, pairs=(("eng", "ops"),)))
    one.fault(FaultKind.ANSWER_LOST, SUBMIT, nth=1)
    assert one.run("--on-unknown", "resubmit").code == 0
    assert one.posts() == {("eng", "ops"): 2}
    other = [e for e in one.events() if e["kind"] == "job.resolved"]
    assert other[0]["payload"]["note"].startswith("said beforehand")


def test_on_unknown_resubmit_leaves_a_second_unknown_to_a_person(evening: Maker) -> None:
    one = evening(text=plan_text(TWO, pairs=(("eng", "ops"),)))
    one.fault(FaultKind.ANSWER_LOST, SUBMIT, nth=1, times=99)
    assert one.run("--on-unknown", "resubmit").code == 7
    assert one.posts() == {("eng", "ops"): 2}


def test_again_without_ids_serves_the_pairs_that_no_submission_served(evening: Maker) -> None:
    late = "{name: late, finished: 2026-11-24T10:00:00+01:00}"
    text = plan_text(TWO).replace(
        "migrations: [{started: 2026-11-19T18:00:00+01:00, finished: 2026-11-20T02:30:00+01:00}]",
        "migrations: [{started: 2026-11-19T18:00:00+01:00, finished: 2026-11-20T02:30:00+01:00}]",
    )
    one = evening(text=text)
    assert one.run().code == 0
    refused = one.run("--again", "--reason", "nothing new")
    assert refused.code == 2
    one.clock.advance(timedelta(days=2).total_seconds())
    one.write(
        text.replace(
            "finished: 2026-11-20T02:30:00+01:00}]",
            "finished: 2026-11-20T02:30:00+01:00}, " + late + "]",
            1,
        )
    )
    result = one.run("--again", "--reason", "wave late is in")
    assert result.code == 0, result.err
    assert one.posts() == {("eng", "ops"): 2, ("ops", "eng"): 2}
    assert one.run("--again").code == 2, "a round needs a reason"


class Hooked(httpx.AsyncBaseTransport):
    """Do something when the nth submission has been answered, as another terminal would."""

    def __init__(self, one: Evening, nth: int, then: Callable[[], None]) -> None:
        self._inner = httpx.ASGITransport(app=make_app(one.world))
        self._left, self._then = [nth], then

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await self._inner.handle_async_request(request)
        if request.method == "POST":
            self._left[0] -= 1
            if self._left[0] == 0:
                self._then()
        return response


def run_hooked(one: Evening, nth: int, then: Callable[[], None], *more: str) -> int:
    hooked = Hooked(one, nth, then)
    return one.through(lambda: hooked, "run", str(one.plan), "--yes", *more).code


def test_a_stop_from_another_terminal_submits_nothing_more_and_follows_what_is_out(
    evening: Maker,
) -> None:
    one = evening()
    codes = []
    words = ("stop", "latest", "--reason", "customer says no", "--operator", "Jo")
    code = run_hooked(one, 2, lambda: codes.append(one.on_ledger(*words).code))
    assert codes == [0]
    assert code == 0
    states = list(one.states().values())
    assert sorted(states) == ["complete"] * 2 + ["not_attempted"] * 4
    assert one.status()["run"]["state"] == "stopped"
    result = one.run()
    assert result.code == 3
    assert "customer says no" in result.err
    assert one.run("--again", *one.states(), "--reason", "now it is a go").code == 0


def test_a_stop_without_a_leader_says_it_of_each_job(evening: Maker) -> None:
    one = evening()
    one.run("--only", "eng-to-ops")
    assert one.on_ledger("stop", "latest", "--reason", "no-go").code == 0
    assert sorted(one.states().values()) == ["complete"] + ["not_attempted"] * 5
    assert one.on_ledger("stop", "latest").code == 2


def test_a_second_process_is_told_who_leads(evening: Maker) -> None:
    one = evening()
    results = []
    run_hooked(one, 1, lambda: results.append(one.run()))
    assert results[0].code == 9
    assert "is in use by" in results[0].err
    assert list(one.posts().values()) == [1] * 6


def test_ctrl_c_once_submits_nothing_more_and_the_same_command_goes_on(evening: Maker) -> None:
    one = evening()
    assert run_hooked(one, 2, lambda: signal.raise_signal(signal.SIGINT)) == 130
    assert sum(one.posts().values()) == 2
    assert "unknown" not in one.states().values(), "an answer that is on its way is awaited"
    assert one.status()["run"]["state"] == "interrupted"
    assert one.run().code == 0
    assert list(one.posts().values()) == [1] * 6


def test_the_json_stream_holds_every_event_and_ends_with_the_counts(evening: Maker) -> None:
    one = evening(text=plan_text(TWO))
    result = one.run("--format", "json")
    lines = [json.loads(line) for line in result.out.splitlines()]
    assert [line["seq"] for line in lines] == list(range(1, len(lines) + 1))
    assert lines[-1]["kind"] == "run.ended"
    assert lines[-1]["counts"]["complete"] == 2
    assert [line["hash"] for line in lines] == [event["hash"] for event in one.events()]


def test_practice_against_a_stand_in_is_never_taken_for_the_evening(evening: Maker) -> None:
    one = evening(text=plan_text(TWO))
    assert one.run("--endpoint", "http://127.0.0.1:9").code == 0
    assert one.run().code == 0
    assert len(one.on_ledger("runs", "--format", "json").json()["runs"]) == 2
    assert list(one.posts().values()) == [2, 2]


def test_the_ledger_is_chained_after_every_evening(evening: Maker) -> None:
    one = evening()
    lost_third(one)
    one.run()
    assert one.on_ledger("ledger", "verify").code == 0


def test_a_probe_that_did_not_arrive_takes_a_persons_word_either_way(evening: Maker) -> None:
    def probed(source: str, target: str) -> str:
        return f"probe: [{{issue: {source.upper()}-1, target: {target.upper()}-1}}]"

    one = evening(text=plan_text(TWO, pairs=(("eng", "ops"),), extra=probed))
    one.world.fates[url_of("eng"), url_of("ops")] = "empty"
    assert one.run().code == 7
    assert one.on_ledger("resolve", "latest", "eng-to-ops", "--accepted", "x").code == 2
    one.world.fates.clear()
    assert one.on_ledger("resolve", "latest", "eng-to-ops", "--send-again").code == 0
    assert one.run().code == 0
    assert one.posts() == {("eng", "ops"): 2}
    results = [e["payload"]["result"] for e in one.events() if e["kind"] == "probe.read"]
    assert results == ["absent", "not_arrived", "absent", "arrived"]


def test_the_advice_after_a_probe_that_did_not_arrive_works_when_followed(evening: Maker) -> None:
    """`run --again JOB --reason` sends the job once more, and the link is looked for again."""
    one = evening(
        text=plan_text(
            TWO, pairs=(("eng", "ops"),), extra=lambda *_: "probe: [{issue: ENG-1, target: OPS-1}]"
        )
    )
    one.world.fates[url_of("eng"), url_of("ops")] = "empty"
    told = one.run()
    assert told.code == 7
    assert '--again eng-to-ops --reason "…"' in told.err
    assert '--again eng-to-ops --reason "…"' in one.on_ledger("status").out
    one.world.fates.clear()
    assert one.run("--again", "eng-to-ops", "--reason", "the account was mended").code == 0
    assert one.posts() == {("eng", "ops"): 2}


def test_going_on_without_a_probe_is_a_persons_word_too(evening: Maker) -> None:
    def probed(source: str, target: str) -> str:
        return f"probe: [{{issue: {source.upper()}-1, target: {target.upper()}-1}}]"

    one = evening(text=plan_text(TWO, extra=probed))
    one.world.fates[url_of("eng"), url_of("ops")] = "empty"
    assert one.run().code == 7
    assert one.on_ledger("resolve", "latest", "eng-to-ops", "--accepted-no-id").code == 0
    assert one.run().code == 0


def test_a_stop_without_a_reason_is_told_in_whole_seconds_and_without_a_loose_colon(
    evening: Maker,
) -> None:
    one = evening()
    one.run("--only", "eng-to-ops")
    one.clock.advance(0.123456)
    assert one.on_ledger("stop", "latest", "--operator", "Jo").code == 0
    said = one.run().err.splitlines()[0]
    assert said.endswith("Z)")
    assert "was stopped by Jo (at " in said
    assert "." not in said.rpartition("(at ")[2]

"""Odd nights: what a hostile reviewer thought of. Each claim was broken once."""

import asyncio
import json
import signal
from datetime import timedelta
from typing import Any

import httpx
import pytest

from runbook.errors import LedgerError
from runbook.ledger.lease import LeaseOwner
from runbook.ledger.store import Ledger, create_ledger
from runbook.operations import root as wiring
from runbook.secrets import Mask
from runbook.simulator.app import make_app
from runbook.simulator.faults import FaultKind
from tests.flows.evening import EMAIL, STATUS, SUBMIT, TOKEN, plan_text, url_of
from tests.flows.watched import TWO, bound, is_post, is_status, run_hooked


def needs_eng_first(source: str, target: str) -> str:
    return "needs: [eng-to-ops]" if (source, target) == ("ops", "eng") else ""


def with_probes(sites: tuple[str, ...], only: Any = None, **more: Any) -> str:
    def extra(source: str, target: str) -> str:
        if only and (source, target) not in only:
            return ""
        return f"probe: [{{issue: {source.upper()}-1, target: {target.upper()}-1}}]"

    return plan_text(sites, extra=extra, **more)


def test_probe_not_arrived_holds_the_site_also_in_the_next_process(evening):
    one = evening(
        text=with_probes(
            ("eng", "ops", "hrx", "itx"),
            only=[("eng", "ops")],
            pairs=(("eng", "ops"), ("eng", "hrx"), ("eng", "itx")),
        )
    )
    one.world.fates[url_of("eng"), url_of("ops")] = "empty"
    first = one.run()
    assert first.code == 7
    assert one.states()["eng-to-hrx"] == "not_attempted"
    again = one.run()
    assert sum(one.posts().values()) == 1, one.posts()  # nobody has said a word
    assert again.code == 7


def test_after_probe_is_read_when_the_process_died_after_complete(evening):
    one = evening(
        text=with_probes(
            ("eng", "ops", "hrx"), only=[("eng", "ops")], pairs=(("eng", "ops"), ("eng", "hrx"))
        )
    )
    one.world.fates[url_of("eng"), url_of("ops")] = "empty"
    done = []

    def before(request):
        if sum(one.posts().values()) and "/remotelink" in request.url.path and not done:
            done.append(1)
            raise MemoryError(
                "as good as kill -9, between `job.polled complete` and `probe.read after`"
            )

    run_hooked(one, before=before)
    assert one.states()["eng-to-ops"] == "complete"
    again = one.run()
    assert sum(one.posts().values()) == 1, one.posts()
    assert again.code == 7


def test_ctrl_c_during_the_before_probe_sends_nothing(evening):
    one = evening(text=with_probes(TWO, pairs=(("eng", "ops"),)))
    done = []

    def before(request):
        if "/remotelink" in request.url.path and not done:
            done.append(1)
            signal.raise_signal(signal.SIGINT)

    result = run_hooked(one, before=before)
    assert done
    assert sum(one.posts().values()) == 0, "Ctrl-C once: no new submissions"
    assert result.code == 130


def test_a_stop_during_preflight_of_a_resumed_run_is_heard(evening):
    one = evening(text=plan_text(TWO))
    one.run("--only", "eng-to-ops")
    assert sum(one.posts().values()) == 1
    said = []

    def before(request):
        if "tenant_info" in request.url.path and not said:
            said.append(
                one.on_ledger("stop", "latest", "--reason", "no-go", "--operator", "Jo").code
            )

    run_hooked(one, before=before)
    assert said == [0]
    assert sum(one.posts().values()) == 1, "a formal no-go was given before the first POST"


def test_a_stop_during_a_post_is_heard_with_on_unknown_resubmit(evening):
    one = evening(text=plan_text(TWO, pairs=(("eng", "ops"),)))
    one.fault(FaultKind.ANSWER_LOST, SUBMIT, nth=1)
    said = []

    def before(request):
        if is_post(request) and not said:
            said.append(
                one.on_ledger("stop", "latest", "--reason", "no-go", "--operator", "Jo").code
            )

    run_hooked(one, "--on-unknown", "resubmit", "--submit-interval", "0", before=before)
    assert said == [0]
    assert one.posts() == {("eng", "ops"): 1}, one.posts()


@pytest.mark.parametrize("how", ["unauthorized", "approval", "early"])
def test_resubmit_does_not_send_where_the_plan_may_not_run(evening, how):
    one = evening(text=plan_text(TWO, pairs=(("eng", "ops"),)))
    one.fault(FaultKind.ANSWER_LOST, SUBMIT, nth=1)
    assert one.run().code == 7
    text = plan_text(TWO, pairs=(("eng", "ops"),))
    if how == "unauthorized":
        text = text.replace("authorized: true", "authorized: false")
    if how == "approval":
        text = text.replace("name: contoso-split", "name: contoso-split\nrequireApproval: true")
    if how == "early":
        text = text.replace("cutover: 2026-11-22T20", "cutover: 2026-11-22T23")
    one.write(text)
    one.run("--on-unknown", "resubmit")
    assert one.posts() == {("eng", "ops"): 1}, "said `nothing was sent`, and sent"


def test_only_binds_resubmit_too(evening):
    one = evening(text=plan_text(TWO))
    one.fault(FaultKind.ANSWER_LOST, SUBMIT, nth=1)
    assert one.run("--only", "eng-to-ops").code == 7
    one.run("--only", "ops-to-eng", "--on-unknown", "resubmit")
    assert one.posts() == {("eng", "ops"): 1, ("ops", "eng"): 1}, one.posts()


def test_again_without_ids_leaves_alone_what_a_person_said_was_accepted_elsewhere(evening):
    one = evening(text=plan_text(TWO))
    one.fault(FaultKind.STATUS, SUBMIT, nth=1, status=400)
    assert one.run().code == 6
    refused = next(j for j, s in one.states().items() if s == "refused")
    s, t = refused.split("-to-")

    async def by_hand():
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=make_app(one.world))) as c:
            r = await c.post(
                f"https://api.atlassian.com/links/v1/{one.world.sites[url_of(s)].site_id}/jobs/cma",
                json={
                    "product": "jira",
                    "productURL": url_of(s),
                    "destinationURL": url_of(t),
                    "migratedFrom": "https://jira.contoso.example",
                    "recreateAsRemote": True,
                },
                auth=(EMAIL, TOKEN),
            )
            return r.json()["uuid"]

    uuid = asyncio.run(by_hand())
    assert one.on_ledger("resolve", "latest", refused, "--accepted", uuid, "--by", "Jo").code == 0
    assert one.run().code == 0
    assert set(one.states().values()) == {"complete"}
    before = one.posts()[(s, t)]
    result = one.run("--again", "--reason", "late wave?")
    assert result.code == 2, (result.code, one.posts())
    assert one.posts()[(s, t)] == before


def test_submissions_keep_their_interval_although_a_probe_is_slow(evening):
    one = evening(text=with_probes(TWO, only=[("eng", "ops")]))
    sent = []

    def before(request):
        if "/remotelink" in request.url.path and not sent:
            one.clock.advance(11.5)
        if is_post(request):
            sent.append(one.clock.monotonic_s())

    run_hooked(one, before=before)
    assert len(sent) == 2
    assert sent[1] - sent[0] >= 12, sent


@pytest.mark.parametrize("why", ["401", "outage"])
@pytest.mark.parametrize("profile", ["same account", "another account"])
def test_a_job_that_waits_for_a_need_of_another_site_does_not_hang(evening, why, profile):
    more, env = {}, {}
    if profile == "another account":
        more = {"accounts": {"ops": "people"}}
        env = {"RUNBOOK_PEOPLE_EMAIL": "p@contoso.example", "RUNBOOK_PEOPLE_API_TOKEN": TOKEN + "2"}
    one = evening(text=plan_text(TWO, extra=needs_eng_first, **more), env=env)
    if why == "401":
        one.fault(FaultKind.STATUS, STATUS, nth=2, times=10**6, status=401)
    else:
        one.fault(FaultKind.REFUSED, STATUS, nth=2, times=10**6)
    hung = bound(one, 4)
    result = one.run()
    assert not hung, f"after {hung[0] / 3600:.0f} virtual hours only Ctrl-C ended it"
    assert result.code == (4 if why == "401" else 5)


def test_a_word_given_while_the_run_goes_on_elsewhere_is_acted_on_or_not_called_done(evening):
    """Eng's only job is unknown, its worker is done; ops polls on; the person speaks meanwhile."""
    one = evening(text=plan_text(TWO), settings={"job_minutes": 60})
    one.fault(FaultKind.ANSWER_LOST, SUBMIT, nth=1)
    said, polls = [], []

    def before(request):
        if is_status(request):
            polls.append(1)
            if len(polls) == 5:
                job = next(j for j, s in one.states().items() if s == "unknown")
                said.append(one.on_ledger("resolve", "latest", job, "--send-again").code)

    result = run_hooked(one, before=before)
    assert said == [0]
    assert set(one.states().values()) == {"complete"} or result.code != 0, (
        "exit 0 with a job that is planned"
    )


def test_accepted_word_while_running(evening):
    one = evening(text=plan_text(TWO), settings={"job_minutes": 60})
    one.fault(FaultKind.ANSWER_LOST, SUBMIT, nth=1)
    said, polls = [], []

    def before(request):
        if is_status(request):
            polls.append(1)
            if len(polls) == 5:
                job = next(j for j, s in one.states().items() if s == "unknown")
                u = next(s.uuid for s in one.world.submissions if not s.answer_arrived)
                said.append(one.on_ledger("resolve", "latest", job, "--accepted", str(u)).code)

    result = run_hooked(one, before=before)
    assert said == [0]
    assert set(one.states().values()) == {"complete"} or result.code != 0, (
        "exit 0 with a job that is pending"
    )


def test_a_stopped_run_whose_jobs_are_still_out_can_be_followed(evening):
    one = evening(text=plan_text(TWO, pairs=(("eng", "ops"),)), settings={"job_minutes": 60})
    polls = []

    def before(request):
        if is_status(request):
            polls.append(1)
            if len(polls) == 3:
                signal.raise_signal(signal.SIGINT)

    assert run_hooked(one, before=before).code == 130
    assert one.states()["eng-to-ops"] in ("pending", "in_progress")
    assert one.on_ledger("stop", "latest", "--reason", "no-go").code == 0
    one.run()
    one.run("--again", "--reason", "follow it")
    one.run("--again", "eng-to-ops", "--reason", "follow it")
    assert one.states()["eng-to-ops"] == "complete", "three ways, none follows the job that is out"


def test_a_mistyped_uuid_can_be_corrected(evening):
    one = evening(text=plan_text(TWO, pairs=(("eng", "ops"),)))
    one.fault(FaultKind.ANSWER_LOST, SUBMIT, nth=1)
    one.run()
    wrong = "6f1c2a52-8a3b-4d3e-9a51-0c1f6e2b7a10"
    assert one.on_ledger("resolve", "latest", "eng-to-ops", "--accepted", wrong).code == 0
    bound(one, 6)
    one.run()
    true = next(s.uuid for s in one.world.submissions if not s.answer_arrived)
    second = one.on_ledger("resolve", "latest", "eng-to-ops", "--accepted", str(true))
    one.run("--again", "eng-to-ops", "--reason", "typo")
    assert second.code == 0


def test_a_clock_that_went_back_does_not_hold_the_next_submission_for_hours(evening):
    one = evening(text=plan_text(TWO))
    one.run("--only", "eng-to-ops")
    one.clock._start -= timedelta(hours=6)
    t = one.clock.monotonic_s()
    one.text = plan_text(TWO)
    sent = []
    run_hooked(
        one,
        "--early",
        before=lambda r: sent.append(one.clock.monotonic_s()) if is_post(r) else None,
    )
    assert sent
    assert sent[0] - t <= 60, f"waited {(sent[0] - t) / 3600:.1f} h for a 12 s interval"


def test_a_clock_that_goes_back_does_not_hide_that_a_probe_did_not_arrive(evening):
    one = evening(
        text=plan_text(
            ("eng", "ops", "hrx"),
            pairs=(("eng", "ops"), ("eng", "hrx")),
            extra=lambda s, t: "probe: [{issue: ENG-1, target: OPS-1}]" if t == "ops" else "",
        )
    )
    one.world.fates[url_of("eng"), url_of("ops")] = "empty"
    done = []

    def before(request):
        if sum(one.posts().values()) and "/remotelink" in request.url.path and not done:
            done.append(1)
            one.clock._start -= timedelta(hours=2)

    result = run_hooked(one, "--early", before=before)
    assert [e["payload"]["result"] for e in one.events() if e["kind"] == "probe.read"][
        1
    ] == "not_arrived"
    assert result.code == 7
    assert sum(one.posts().values()) == 1


def test_a_stop_ends_a_long_wait_for_a_rate_limit(evening):
    text = plan_text(TWO, pairs=(("eng", "ops"),))
    one = evening(text=text)
    one.fault(FaultKind.RETRY_AFTER_SECONDS, SUBMIT, nth=1, amount_s=5 * 24 * 3600)
    said = []

    def after(request, response):
        if is_post(request) and not said:
            said.append(one.on_ledger("stop", "latest", "--reason", "no-go").code)

    run_hooked(one, after=after)
    ended = one.clock.monotonic_s()
    assert said == [0]
    assert ended < 3600, (
        f"`stop` says the leader notices within seconds; it went on for {ended / 3600:.0f} h"
    )


def test_a_job_never_sent_and_taken_out_of_the_plan_is_no_failure_for_ever(evening):
    one = evening(text=plan_text())
    one.run("--only", "eng-to-ops")
    one.on_ledger("stop", "latest", "--reason", "no-go")
    one.write(plan_text(TWO))
    result = one.run("--again", "ops-to-eng", "--reason", "only these two")
    assert len(one.states()) == 2
    assert result.code == 0


def test_unknown_stays_unknown_when_resubmit_finds_the_window_closed(evening):
    one = evening(text=plan_text(TWO, pairs=(("eng", "ops"),)))
    one.fault(FaultKind.ANSWER_LOST, SUBMIT, nth=1)
    assert one.run().code == 7
    one.clock.advance(timedelta(days=30).total_seconds())
    result = one.run("--on-unknown", "resubmit")
    assert one.states()["eng-to-ops"] == "unknown", (
        "a job that may be at Atlassian is called not attempted"
    )
    assert result.code in (3, 7)


def test_spoken_without_id_then_with_id_does_not_hide_the_probe(evening):
    one = evening(
        text=plan_text(
            TWO,
            pairs=(("eng", "ops"),),
            extra=lambda s, t: "probe: [{issue: ENG-1, target: OPS-1}]",
        )
    )
    one.world.fates[url_of("eng"), url_of("ops")] = "empty"
    one.fault(FaultKind.ANSWER_LOST, SUBMIT, nth=1)
    assert one.run().code == 7
    assert one.on_ledger("resolve", "latest", "eng-to-ops", "--accepted-no-id").code == 0
    true = next(s.uuid for s in one.world.submissions if not s.answer_arrived)
    assert one.on_ledger("resolve", "latest", "eng-to-ops", "--accepted", str(true)).code == 0
    result = one.run()
    assert result.code == 7


def test_again_without_ids_does_not_settle_an_unknown(evening):
    one = evening(text=plan_text(TWO, pairs=(("eng", "ops"),)))
    one.fault(FaultKind.ANSWER_LOST, SUBMIT, nth=1)
    assert one.run().code == 7
    one.clock.advance(timedelta(days=2).total_seconds())
    one.write(
        plan_text(TWO, pairs=(("eng", "ops"),)).replace(
            "finished: 2026-11-20T02:30:00+01:00}]",
            "finished: 2026-11-20T02:30:00+01:00}, {name: late, finished: 2026-11-24T10:00:00+01:00}]",
            1,
        )
    )
    one.run("--again", "--reason", "late wave")


def test_a_clock_that_steps_back_at_the_start_does_not_hide_who_leads(evening):
    """NTP steps back 3 s between the lease and `run.started`: a stop elsewhere then speaks for the leader."""
    one = evening(text=plan_text(TWO))
    done, seen = [], []

    def before(request):
        if "tenant_info" in request.url.path and not done:
            done.append(1)
            one.clock._start -= timedelta(seconds=3)
        if is_post(request) and not seen:
            seen.append(one.status()["run"]["state"])

    run_hooked(one, before=before)
    assert seen == ["running"]


def test_a_leader_that_has_no_heartbeat_for_a_minute_is_not_spoken_for(evening):
    """The laptop slept (wall clock +5 min) during a POST: `resolve` elsewhere takes the open POST for unknown."""
    one = evening(text=plan_text(TWO, pairs=(("eng", "ops"),)))
    said = []

    def before(request):
        if is_post(request) and not said:
            one.clock._start += timedelta(minutes=5)
            said.append(one.on_ledger("resolve", "latest", "eng-to-ops", "--send-again").code)

    run_hooked(one, before=before)
    assert one.posts() == {("eng", "ops"): 1}


def test_a_leader_that_lost_the_lease_during_a_post_shows_the_answer_and_sends_no_more(
    evening: Any,
) -> None:
    """The laptop slept over a minute in a POST and another process took over."""
    one = evening(text=plan_text(TWO))
    taken: list[int] = []

    def before(request: httpx.Request) -> None:
        if is_post(request) and not taken:
            taken.append(1)
            one.clock._start += timedelta(minutes=5)
            other = create_ledger(one.ledger, clock=one.clock, mask=Mask())
            other.acquire_lease(
                LeaseOwner(token="other", operator="Jo", pid=1, machine="elsewhere")
            )
            other._db.close()

    result = run_hooked(one, "--submit-interval", "0", before=before)
    assert result.code == 9
    assert "keep this line" in result.err, "the answer exists nowhere else"
    assert sum(one.posts().values()) <= 2
    assert set(one.posts().values()) == {1}


def test_a_407_to_a_post_was_not_passed_on_and_is_repeated(evening):
    one = evening(text=plan_text(TWO))
    one.fault(FaultKind.STATUS, SUBMIT, nth=1, times=1, status=407)
    r = one.run()
    assert r.code == 0


def test_five_hundred_of_one_status_url_does_not_end_the_whole_run(evening):
    """Only eng's status answers 503 for 11 minutes; hr and ops are healthy."""
    one = evening(settings={"job_minutes": 5})
    one.fault(
        FaultKind.STATUS,
        STATUS | {"path": f"*{one.world.sites[url_of('eng')].site_id}/jobs/status/*"},
        nth=1,
        times=10**6,
        status=503,
    )
    bound(one, 5)
    one.run()
    others = {s for j, s in one.states().items() if not j.startswith("eng-")}
    assert others == {"complete"}


def test_a_ledger_error_beside_a_waiting_worker_is_exit_9(evening, monkeypatch):
    one = evening(
        text=plan_text(TWO, extra=lambda s, t: "needs: [eng-to-ops]" if s == "ops" else "")
    )
    real = Ledger.append

    def append(self, event, **more):
        if event.KIND == "job.polled":
            raise LedgerError("the ledger cannot be written: disk full")
        return real(self, event, **more)

    monkeypatch.setattr(Ledger, "append", append)
    result = one.run()
    assert result.code == 9, result.err[-700:]


def test_plan_strings(evening):
    one = evening()
    base = plan_text(TWO, pairs=(("eng", "ops"),), head="booleans: string")
    one.write(
        base.replace(
            "migratedFrom: https://jira.contoso.example",
            'migratedFrom: "https://jira.contoso.example/ctx\'s%20%C3%BC/ü"',
        )
    )
    shown = one.command("preview", str(one.plan), "--format", "json")
    one.world.settings.booleans = "string"
    sent = []
    run_hooked(one, before=lambda r: sent.append(r.content) if is_post(r) else None)
    if sent:
        assert json.loads(sent[0]) == shown.json()["jobs"][0]["request"]["body"]
        assert list(json.loads(sent[0])) == list(shown.json()["jobs"][0]["request"]["body"])


def test_the_mask_does_not_change_what_is_sent(evening):
    one = evening(text=plan_text(TWO, pairs=(("eng", "ops"),)))
    one.env["RUNBOOK_API_TOKEN"] = "jira.contoso"  # practice: the simulator takes any token
    before = dict(wiring._PROCESS_MASK._forms)
    sent = []
    try:
        run_hooked(one, before=lambda r: sent.append(r.content) if is_post(r) else None)
    finally:
        wiring._PROCESS_MASK._forms = before
    assert sent
    assert b"***" not in sent[0], sent


def test_the_curl_preview_holds_the_bytes_that_are_sent(evening):
    one = evening(text=plan_text(TWO, pairs=(("eng", "ops"),)))
    shown = one.command("preview", str(one.plan), "--format", "curl").out
    sent = []
    run_hooked(one, before=lambda r: sent.append(r.content.decode()) if is_post(r) else None)
    assert sent[0] in shown, (sent[0], shown)

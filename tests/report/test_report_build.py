"""What the report says: verdicts, sums, clocks, and what is never claimed."""

import dataclasses
import re
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runbook.errors import UsageError
from runbook.ledger.events import PlanAmended, RoundOpened, RunStarted
from runbook.report import build, planned_view, render
from runbook.report.planned import windows_json
from runbook.report.states import KINDS, Chip, sum_of
from runbook.report.translations import words_of
from runbook.view import AdviceKey, JobState, RunState, RunView
from tests.report import evenings
from tests.report.reading import Element, chip_word, name_of, read

ENGLISH, GERMAN = words_of("en").texts, words_of("de").texts

EVENINGS = evenings.evenings()


def page_of_view(view: RunView, lang: str = "en") -> Element:
    return read(render(build(view, lang=lang)))


@cache
def page_of(name: str, lang: str = "en") -> Element:
    return page_of_view(EVENINGS[name].view(), lang)


def section(page: Element, name: str) -> Element:
    return page.first(f"#{name}")


def sentence(page: Element) -> str:
    return page.first("p.sentence").text


def notes(page: Element) -> list[str]:
    return page.first(".verdict").texts("li")


def green(page: Element) -> list[Element]:
    """Return whatever a page shows in green."""
    return [e for e in page.walk() if any(name.endswith("-good") for name in e.classes)]


VERDICTS = {
    "all complete and verified clean": ("clean", "good", "found no differences"),
    "all complete, nobody verified": ("unverified", "info", "has not been verified"),
    "an unknown outcome needs a person": ("mixed", "unknown", "without a person"),
    "a settled evening with an error has failed": (
        "settled",
        "bad",
        "3 of 6 jobs complete; 1 ended in error, 1 refused, 1 not attempted",
    ),
    "a stop is a person's deed": ("stopped", "idle", "stopped by a person"),
    "a run under way": ("running", "busy", "under way"),
    "a stop names every job that is not done": (
        "halted",
        "unknown",
        "0 of 6 jobs complete; 1 job goes on at Atlassian, 1 unknown, 1 refused, 3 not attempted",
    ),
    "a wave to come is open work": (
        "due",
        "warn",
        "but 4 pairs of waves are still to be served by a later round",
    ),
    "a person's word is not Atlassian's": (
        "spoken",
        "info",
        "5 of 6 jobs complete (1 accepted by a person's word, its id not known)",
    ),
    "links not looked for are not fine": (
        "unprobed",
        "warn",
        "5 of 6 jobs complete; 1 whose known links were not looked for yet",
    ),
    "differences are no success": ("differing", "bad", "missing, wrong or old"),
}


@pytest.mark.parametrize(("name", "tone", "words"), VERDICTS.values(), ids=VERDICTS.keys())
def test_the_verdict_is_one_sentence(name: str, tone: str, words: str) -> None:
    """The verdict is one sentence with the tone of what is known."""
    page = page_of(name)
    assert words in sentence(page)
    assert sentence(page).count(". ") == 0
    assert sentence(page).endswith(".")
    assert page.first(".verdict").classes == ["verdict", f"t-{tone}"]


@pytest.mark.parametrize("name", [name for name in EVENINGS if name not in ("clean", "rehearsal")])
def test_nothing_is_green_before_the_verification_is_clean(name: str) -> None:
    """No chip, bar or mark anywhere is green in a run that was not verified clean."""
    assert green(page_of(name)) == []


@pytest.mark.parametrize("name", EVENINGS)
@pytest.mark.parametrize("lang", ["en", "de"])
def test_the_states_of_every_list_add_up(name: str, lang: str) -> None:
    """Each sum that is written out is the sum of its parts, and the jobs are those of the plan."""
    evening = EVENINGS[name]
    page = page_of(name, lang)
    sums = page.texts("p.equation")
    assert sums
    for equation in sums:
        left, right = equation.split(" = ")
        parts = [int(re.sub(r"\D.*", "", part.replace("\u202f", ""))) for part in left.split(" + ")]
        assert sum(parts) == int(re.match(r"[\d\u202f]+", right)[0].replace("\u202f", ""))
    assert f"= {len(evening.jobs)} " in sums[0]
    assert len(page.rows("jobs-table")) == len(evening.jobs)
    assert len(page.all("article.job")) == len(evening.jobs)


@pytest.mark.parametrize("name", EVENINGS)
def test_every_job_that_is_not_done_is_named_with_a_reason(name: str) -> None:
    """Jobs that are not complete stand on the first page with why, and with what settles them."""
    view = EVENINGS[name].view()
    open_ = [
        j.id
        for j in view.jobs
        if j.state is not JobState.COMPLETE or j.needs_person() or j.unprobed()
    ]
    page = page_of(name)
    rows = page.rows("undone") if page.all("#undone") else []
    named = [name_of(row[0]) for row in rows]
    assert set(named) <= set(open_)
    assert len(named) == min(len(open_), 4)
    assert all(name_of(row[2]) and name_of(row[3]) for row in rows)


@pytest.mark.parametrize("name", EVENINGS)
def test_what_was_not_looked_at_is_always_said(name: str) -> None:
    """Text, comments, Confluence, filters, dashboards, automation and app data are always listed."""
    (said,) = section(page_of(name), "not-looked-at").texts("ul.bullets")
    said = said.lower()
    for word in (
        "text",
        "comments",
        "confluence",
        "filters",
        "dashboards",
        "automation",
        "app data",
    ):
        assert word in said


def test_the_sections_stand_in_reading_order() -> None:
    """Management first, evidence last."""
    assert [found.attrs["id"] for found in page_of("clean").all("section")] == [
        "done", "not-looked-at", "deadlines", "matrix", "timeline", "jobs", "findings",
        "app-links", "verification", "logs", "people", "digests", "sign-off",
    ]  # fmt: skip


def test_the_kinds_of_each_job_add_up_to_what_was_expected() -> None:
    """A verification whose kinds do not add up is said so, loudly."""
    words = [
        chip_word(chip)
        for row in page_of("differing").rows("kinds")
        for cell in row
        for chip in cell.all(".chip")
    ]
    assert words == ["adds up"] * 6
    evening = evenings.clean()
    ended = evening.rows[-1].event
    evening.rows[-1] = dataclasses.replace(
        evening.rows[-1],
        event=dataclasses.replace(
            ended, jobs=[{"id": "eng-to-ops", "expected": 9, "recreated": 8}]
        ),
    )
    wrong = page_of_view(evening.view()).rows("kinds")[0]
    assert [chip_word(c) for cell in wrong for c in cell.all(".chip")] == ["kinds add up to 8"]


@pytest.mark.parametrize("count", [3, 1_500, 1_501, 4_000])
def test_every_single_finding_is_named(count: int) -> None:
    """Short lists are tables, long ones are written close together; nothing is left out."""
    evening = evenings.unverified()
    job = evening.jobs[0].id
    found = [evenings.finding_of_link(job, number) for number in range(1, count + 1)]
    evening.verify({job: {"recreated": 1, "missing": count}}, found, "differences")
    page = page_of_view(evening.view())
    words = " ".join(section(page, "verification").strings())
    said = set(re.findall(r"\bENG-\d+\b", words))
    missing = {f["issue"] for f in found} - said
    assert missing == set()


def test_the_deadlines_follow_from_the_ledger() -> None:
    """The audit log of a job is lost 29 days after its end, to the second."""
    view = EVENINGS["clean"].view()
    ended = view.jobs[0].ended_at
    assert ended is not None
    rows = [row for row in page_of("clean").rows("windows") if row[0].text == "eng-to-ops"]
    moment = rows[0][-1].first("time").attrs["datetime"]
    assert moment[:10] == "2026-12-21"
    assert moment[11:19] == f"{ended:%H:%M:%S}"


def clock_names(page: Element) -> list[str]:
    return [name_of(row[0]) for row in page.rows("clocks")]


def test_a_pair_of_waves_that_was_never_served_is_open_work() -> None:
    """It is named with the command that serves it, in the verdict, among what is left, and by its clock."""
    page = page_of("due")
    assert notes(page)[0].endswith("runbook run PLAN --again --reason …")
    said = section(page, "done").texts("p.p-plain")
    assert any("eng-to-ops: wave-2 → wave-1" in text for text in said)
    german = page_of("due", "de")
    assert "4 Paare von Wellen brauchen noch eine spätere Runde" in sentence(german)
    for name in ("due", "long names"):
        assert green(page_of(name)) == []
    states = [row[5].text for row in page.rows("windows") if "wave-2" in row[1].text]
    assert len(states) == 4
    assert all("served by no submission" in state for state in states)


def test_a_round_that_served_its_pair_leaves_nothing_to_do() -> None:
    """Once the wave is over and a submission was accepted in its window, the evening can be green."""
    evening = evenings.due()
    text = evening.text.replace("planned: ", "finished: ")
    plan = evenings.plan_named(text)
    start = next(row.event for row in evening.rows if type(row.event) is RunStarted)
    evening.now += timedelta(days=5)
    evening.add(
        PlanAmended(
            difference=["wave-2 is over"],
            plan_text=text,
            digest=plan.digest,
            jobs_digest=start.jobs_digest,
            jobs=[
                {**job.as_json(), "windows": windows_json(plan, job, use_planned=False)}
                for job in evening.jobs
            ],
            findings=[],
            evidence=[],
        )
    )
    before = page_of_view(evening.view())
    assert "4 pairs of waves are still to be served" in sentence(before)
    assert notes(before)[0].endswith("round: runbook run PLAN --again --reason …")
    late = [job.id for job in evening.jobs if "eng" in job.id]
    evening.add(RoundOpened(jobs=late, reason="wave-2 is over", by="J. Doe"))
    for job in late:
        evening.complete(job)
    page = page_of_view(evening.end().verify({}, [], "clean").view())
    assert page.first(".verdict").classes == ["verdict", "t-good"]
    assert "later round" not in sentence(page)


def test_a_pair_whose_window_closed_unserved_is_said() -> None:
    """No round serves it any more: only repair does, and the report says so without claiming a round."""
    evening = evenings.due()
    text = evening.text.replace("planned: 2026-11-27", "finished: 2026-11-27")
    plan = evenings.plan_named(text)
    start = next(row.event for row in evening.rows if type(row.event) is RunStarted)
    evening.now += timedelta(days=40)
    jobs = [
        {**job.as_json(), "windows": windows_json(plan, job, use_planned=False)}
        for job in evening.jobs
    ]
    evening.add(
        PlanAmended(
            difference=["wave-2 is over"],
            plan_text=text,
            digest=plan.digest,
            jobs_digest=start.jobs_digest,
            jobs=jobs,
            findings=[],
            evidence=[],
        )
    )
    page = page_of_view(evening.view())
    assert "later round" not in sentence(page)
    assert any("4 pairs of waves were never served" in note for note in notes(page))
    assert not any("pairs of waves" in name for name in clock_names(page))


def test_open_clocks_stand_before_settled_ones() -> None:
    """Windows to be served, then logs not kept and tokens; what is kept or over comes last."""
    verified = clock_names(page_of("due"))
    evening = evenings.due()
    evening.rows = evening.rows[:-2]
    names = clock_names(page_of_view(evening.view()))
    assert names[:4] == verified
    assert names[0] == "4 pairs of waves, served by no submission yet"
    assert names[1:3] == ["Audit log of contoso-ops", "Audit log of contoso-svc"]
    assert names[3].startswith("API token")
    assert len(names) == 5
    assert names[-1] == "Audit log of contoso-eng"


def details(page: Element) -> dict[str, Element]:
    return {detail.first("h4").first("span").text: detail for detail in page.all("article.job")}


def detail_of(name: str, job_id: str, lang: str = "en") -> Element:
    return details(page_of(name, lang))[job_id]


def advice_of(name: str, job_id: str) -> str:
    return detail_of(name, job_id).first("p.advice").text.removeprefix("What settles it: ")


def test_a_job_at_atlassian_is_waited_for() -> None:
    """It is never told to be sent again: wait, follow it with the same command, verify."""
    view = EVENINGS["halted"].view()
    moving, unknown, refused, held = (job.id for job in view.jobs[:4])
    advice = advice_of("halted", moving)
    assert advice.startswith("wait: ")
    assert "--again" not in advice
    assert "runbook run PLAN follows it" in advice
    assert f"runbook verify {view.id}" in advice
    assert "runbook resolve" in advice_of("halted", unknown)
    assert f"--again {refused}" in advice_of("halted", refused)
    assert f"--again {held}" in advice_of("halted", held)
    running = [job for job in EVENINGS["running"].view().jobs if job.state is JobState.IN_PROGRESS]
    assert [advice_of("running", job.id) for job in running] == [
        f"wait: Atlassian works on it and this run follows it; then runbook verify {view.id}"
    ]


def test_a_persons_word_without_an_id_is_told_apart_from_a_job_that_needs_one() -> None:
    """The state is unknown in both cases; the words are not the same."""
    job = EVENINGS["spoken"].view().jobs[-1].id
    assert chip_word(detail_of("spoken", job).first(".chip")) == "unknown, taken as accepted"
    assert [name_of(row[2]) for row in page_of("spoken").rows("undone")] == [
        "a person has said: accepted, id not known; only verification can tell"
    ]
    assert "1 unknown, taken as accepted" in page_of("spoken").first("p.equation").text
    assert "gilt als angenommen" in detail_of("spoken", job, "de").first(".chip").text


def test_a_complete_job_whose_links_were_not_looked_for_is_not_fine() -> None:
    """It is not green, not among those that are done, and the report says what looks for them."""
    page = page_of("unprobed")
    assert (
        chip_word(detail_of("unprobed", "eng-to-ops").first(".chip"))
        == "complete, links not looked for"
    )
    assert advice_of("unprobed", "eng-to-ops") == "runbook run PLAN looks for them"
    assert "not looked for yet" in section(page, "not-looked-at").text


def test_one_is_said_as_one_and_many_as_many() -> None:
    """No text puts a number before words of the other number, in either language."""
    wrong = re.compile(
        r"\b1 (jobs|links|findings|pairs|times|Verknüpfungen|Befunde|Paare)\b"
        r"|\b1 (job|link|finding|pair)( of [a-z ]+)? (are|go|have|say|were)\b"
        r"|\b1 (Job|Verknüpfung|Befund|Paar)( [a-z]+ [A-Z]\w+)? (sind|laufen|haben|sagen)\b"
        r"|\b(0|[2-9]|\d\d+) (job|link|finding|pair|Verknüpfung|Befund|Paar)\b"
    )
    for name in EVENINGS:
        for lang in ("en", "de"):
            page = page_of(name, lang)
            told = [part.text for part in page.first(".first").walk()]
            assert [hit[0] for text in told for hit in wrong.finditer(text)] == [], (name, lang)


def timeline_of(name: str, lang: str = "en") -> Element:
    return page_of(name, lang).first("svg.drawing")


def marked(drawing: Element, *tones: str) -> list[Element]:
    """Return the words of a drawing of these tones."""
    return [text for text in drawing.all("text") if text.classes[0].removeprefix("x-") in tones]


@pytest.mark.parametrize("lang", ["en", "de"])
def test_words_in_the_timeline_are_crossed_by_nothing(lang: str) -> None:
    """A window that is not known yet is said in a row of its own, clear of line, bars and dots."""
    drawing = timeline_of("due", lang)
    words = marked(drawing, "mute")
    assert len(words) == 4
    shapes = [(path.classes[0].partition("-")[2], path.attrs["d"]) for path in drawing.all("path")]
    for word in words:
        left, right = float(word.attrs["x"]), float(word.attrs["x"]) + 6.5 * len(word.text)
        top, bottom = float(word.attrs["y"]) - 9, float(word.attrs["y"]) + 2
        assert right < 985
        for tone, points in shapes:
            for x, y in re.findall(r"M([\d.]+) ([\d.]+)", points):
                if tone == "grid":
                    continue
                if tone in ("stripe", "now"):
                    crossed = tone == "now" and left < float(x) < right
                else:
                    crossed = left - 6 < float(x) < right and top - 6 < float(y) < bottom
                assert not crossed, (word.text, tone)


def test_pairs_of_waves_have_rows_of_their_own() -> None:
    """Each pair of a job with several is named beside its own row, and no two rows share a place."""
    pairs = marked(timeline_of("due"), "pair")
    assert len(pairs) == 8
    assert len({mark.attrs["y"] for mark in pairs}) == 8
    assert {mark.text for mark in pairs} == {
        "wave-1 → wave-1",
        "wave-2 → wave-1",
        "wave-1 → wave-2",
    }


def test_long_names_stay_apart_in_the_timeline() -> None:
    """A name too long for one line takes two, so that two jobs never look the same."""
    marks = marked(timeline_of("long names"), "label", "label2")
    said = " ".join(mark.text for mark in marks).replace(" ", "")
    for job in EVENINGS["long names"].jobs:
        assert job.id in said
    assert all(len(mark.text) <= 31 for mark in marks)


def test_times_stand_in_the_plans_own_offset_and_in_utc() -> None:
    """The offset comes from the ledger, not from the machine."""
    head = page_of("clean").first("dl.head")
    begun = dict(zip(head.texts("dt"), head.all("dd"), strict=True))["Begun"]
    assert name_of(begun.first("time")) == "2026-11-22 20:01:30"
    assert begun.first("small").text == "+01:00 · 19:01:30 UTC"
    assert begun.first("time").attrs["datetime"] == "2026-11-22T19:01:30Z"


def test_a_rehearsal_and_a_preview_are_marked() -> None:
    """Nobody takes one for the real thing."""
    assert page_of("rehearsal").first("aside.mark").first("strong").text == "REHEARSAL"
    assert "REHEARSAL" in page_of("rehearsal", "de").first("aside.mark").first("strong").text
    assert page_of("clean").all("aside") == []
    plan = EVENINGS["clean"].plan
    view = planned_view(plan, (), evenings.START)
    page = page_of_view(view)
    assert page.first("aside.mark").first("strong").text == "PREVIEW"
    assert sentence(page) == "Nothing has been sent: 6 jobs are planned, and the plan may run."
    chips = [chip for row in page.rows("jobs-table") for cell in row for chip in cell.all(".chip")]
    assert {chip_word(chip) for chip in chips} == {"planned"}
    assert [len(detail.all("div.raw")) for detail in page.all("article.job")] == [1] * 6


def test_only_a_run_under_way_refreshes_itself() -> None:
    """A final report stays as it is."""
    for name, evening in EVENINGS.items():
        refreshing = "data-refresh" in page_of(name).first("body").attrs
        assert refreshing == (evening.view().state is RunState.RUNNING), name


def test_requests_and_answers_stand_word_for_word() -> None:
    """The body that was sent and the answer that came are in the job's detail, trace id included."""
    evening = EVENINGS["mixed"]
    view = evening.view()
    refused = view.jobs[2]
    sent, answered = detail_of("mixed", refused.id).all("div.raw")
    assert sent.first(".body").text == refused.job.body_bytes().decode()
    assert sent.first(".url").text == refused.job.url
    assert answered.first(".body").text == '{"message":"App link is not authorized","id":"b1"}'
    assert refused.sent[0].trace_id is not None
    assert refused.sent[0].trace_id in answered.first(".headers").text
    unknown = detail_of("mixed", view.jobs[1].id).all("div.raw")
    assert unknown[1].first(".url").text == "no answer"
    assert "resolve" in advice_of("mixed", view.jobs[1].id)


def test_polls_that_say_the_same_are_shown_once_with_their_number() -> None:
    """Hours of an odd status word do not fill the report."""
    evening = evenings.Evening().begin()
    job = evening.jobs[0].id
    evening.answer(job, evening.submit(job))
    for _ in range(300):
        evening.poll(job, "pending", "Queued", warning="a word that is not known: Queued")
    raws = details(page_of_view(evening.view()))[job].all("div.raw")
    assert len(raws) == 3
    assert "300 times" in raws[-1].first(".rawnote").text


def test_the_matrix_has_every_direction_and_few_sites_have_words() -> None:
    """Each cell says the state; many sites are shown by symbol, too many as a list."""
    few = page_of("mixed").first("table.matrix")
    assert sorted(chip_word(chip) for chip in few.all(".chip")) == [
        "complete",
        "complete",
        "error",
        "not attempted",
        "refused",
        "unknown",
    ]
    assert few.classes == ["matrix"]
    many = tuple(f"s{number}" for number in range(9))
    page = page_of_view(evenings.Evening(text=evenings.plan_text(many)).begin().view())
    small = page.first("table.matrix")
    assert small.classes == ["matrix", "small"]
    assert len(small.first("tbody").all("tr")) == 9


def test_both_languages_have_the_same_texts_with_the_same_values() -> None:
    """A key that one language lacks would be a crash in front of a customer."""
    assert set(ENGLISH) == set(GERMAN)
    values = re.compile(r"\{(\w+)\}")
    differing = [
        k for k in ENGLISH if set(values.findall(ENGLISH[k])) != set(values.findall(GERMAN[k]))
    ]
    assert differing == []


def test_every_text_of_the_catalogue_is_used() -> None:
    """No text is kept that nothing places."""
    folder = Path(__file__).parents[2]
    files = [*folder.glob("runbook/report/*.py"), *folder.glob("templates/**/*.j2")]
    source = "".join(file.read_text("utf-8") for file in files)
    quoted = set(re.findall(r"""['"](\w+)(?: wide| end)?['"]""", source))
    # Put together from a name of the code or of the ledger, and in the template of the page from
    # the name of a section.
    prefixes = ("state_", "run_", "verification_", "kind_", "finding_", "window_", "outcome_",
                "why_", "next_", "un_", "np_", "sign_", "word_", "phase_", "purpose_", "action_", "log_",
                "verdict_", "tally_", "head_", "note_verified_", "clock_window_", "clock_round_", "mark_")  # fmt: skip
    sections = {f"{kind}_{name}" for name in quoted for kind in ("h", "s")}
    unused = [
        key
        for key in ENGLISH
        if key not in quoted | sections
        and not key.startswith(prefixes)
        and not key.endswith(("_one", "_many"))
    ]
    assert unused == []


def test_every_advice_has_its_words() -> None:
    """The page words what `view.advice` decides, and nothing besides."""
    worded = {key for key in ENGLISH if key.startswith("next_")}
    assert worded == {f"next_{key}" for key in get_args(AdviceKey)}


def test_a_language_or_logo_that_is_none_is_refused() -> None:
    """The message says what would do."""
    view = EVENINGS["clean"].view()
    with pytest.raises(UsageError, match="not written in `fr`"):
        build(view, lang="fr")
    with pytest.raises(UsageError, match="neither PNG, JPEG nor SVG"):
        build(view, logo=b"GIF89a")
    with pytest.raises(UsageError, match="more than"):
        build(view, logo=b"\x89PNG\r\n\x1a\n" + b"x" * 600_000)
    assert build(view, logo=b"\x89PNG\r\n\x1a\n").logo.startswith("data:image/png;base64,")
    assert build(view, logo=b"<svg xmlns='http://www.w3.org/2000/svg'/>").logo.startswith(
        "data:image/svg"
    )


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(min_value=0, max_value=10**6), min_size=len(KINDS), max_size=len(KINDS))
)
def test_a_sum_fits_its_bar_and_names_all_its_parts(counts: list[int]) -> None:
    """Whatever the counts, the bar holds every part that is there and stays within its thousand."""
    w = words_of("en")
    parts = [
        (Chip(tone="info", symbol="x", word=kind), n) for kind, n in zip(KINDS, counts, strict=True)
    ]
    drawn = sum_of("", parts, noun="link", of="", w=w)
    assert len(drawn.segments) == len(drawn.parts) == sum(1 for n in counts if n)
    assert all(int(s.x) + int(s.width) <= 1001 for s in drawn.segments)


def test_very_many_jobs_are_said_in_fewer_bytes_and_none_is_left_out() -> None:
    """Beyond 150 jobs the same facts stand there shortly: each job, request, answer, look and window."""
    sites = tuple(f"s{number}" for number in range(14))
    evening = evenings.Evening(text=evenings.plan_text(sites)).begin()
    first, second = (job.id for job in evening.jobs[:2])
    evening.complete(first)
    request = evening.submit(second)
    evening.answer(second, request, meaning="rate_limited", status=429, body="slow down")
    evening.answer(second, evening.submit(second))
    page = page_of_view(evening.end().view())
    found = details(page)
    assert list(found) == [job.id for job in evening.jobs]
    assert len(page.rows("windows")) == len(evening.jobs) == 182
    (raw,) = found[first].all("div.raw")
    assert raw.first(".body").text == evening.jobs[0].body_bytes().decode()
    for word in (
        "HTTP  200",
        "accepted",
        '"uuid"',
        "Pending",
        "In_progress",
        "Complete",
        "atl-traceid",
    ):
        assert word in raw.first("pre").text
    refused, accepted = found[second].all("div.raw")
    assert "slow down" in refused.text
    assert "429" in refused.text
    assert '"uuid"' in accepted.text
    assert page.rows("windows")[0][2].text == "2026-11-15 02:30:00 (01:30:00Z)"

"""Atlassian's logs are read in any usual form, and each row goes to the job it can be shown to be of."""

import asyncio
import csv
import gzip
import io
import json
import zipfile
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook.errors import CredentialError, RemoteError, RunbookError, UsageError
from runbook.http import Answer, Lost, NotSent
from runbook.logs import read as logs_module
from runbook.logs.fetch import download, filled
from runbook.logs.read import (
    NO_JOB,
    NOTHING_SAID,
    SEVERAL,
    JobSpan,
    attribute,
    fingerprint,
    moment_of,
    read_log,
)

HEADER = ["Issue key", "Old link", "New link", "Result", "Date"]
ROW = [
    "ENG-1",
    "https://jira/browse/OPS-1",
    "https://b.net/browse/OPS-1",
    "updated",
    "2026-11-22T19:01:00Z",
]
ROLES = {
    "issue": "Issue key",
    "old": "Old link",
    "new": "New link",
    "status": "Result",
    "at": "Date",
}


def csv_of(*rows: list[str], delimiter: str = ",", header: list[str] = HEADER) -> str:
    buffer = io.StringIO()
    writer = csv.writer(buffer, delimiter=delimiter)
    writer.writerows([header, *rows])
    return buffer.getvalue()


def zipped(**members: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return buffer.getvalue()


PLAIN = csv_of(ROW)
OBJECT = dict(zip(HEADER, ROW, strict=True))
FORMS = {
    "CSV": PLAIN.encode(),
    "CSV with a byte order mark": b"\xef\xbb\xbf" + PLAIN.encode(),
    "CSV with semicolons": csv_of(ROW, delimiter=";").encode(),
    "CSV with tabs": csv_of(ROW, delimiter="\t").encode(),
    "CSV with bars": csv_of(ROW, delimiter="|").encode(),
    "CSV that names its delimiter": b"sep=;\r\n" + csv_of(ROW, delimiter=";").encode(),
    "CSV in UTF-16": PLAIN.encode("utf-16"),
    "CSV in UTF-16 without a mark": PLAIN.encode("utf-16-le"),
    "CSV in big UTF-16 without a mark": PLAIN.encode("utf-16-be"),
    "CSV in UTF-32": PLAIN.encode("utf-32"),
    "a list of objects": json.dumps([OBJECT]).encode(),
    "a wrapped list": json.dumps({"total": 1, "data": {"items": [OBJECT]}}).encode(),
    "JSON lines": (json.dumps(OBJECT) + "\n").encode(),
    "gzip": gzip.compress(PLAIN.encode()),
    "zip": zipped(log=PLAIN.encode()),
    "a zip that holds gzip": zipped(log=gzip.compress(PLAIN.encode())),
    "a zip from a Mac": zipped(**{"log.csv": PLAIN.encode(), "__MACOSX/._log.csv": b"\0\1"}),
}


@pytest.mark.parametrize("data", FORMS.values(), ids=FORMS)
def test_every_usual_form_gives_the_same_row_and_roles(data):
    log = read_log(data)
    assert [dict(row) for row in log.rows] == [OBJECT]
    assert dict(log.roles) == ROLES


def test_quotes_line_breaks_and_formulas_stay_as_they_are():
    odd = ["ENG-1", '=cmd|"x"', "a\nb;c,d", "+1", "@x"]
    assert list(read_log(csv_of(odd).encode()).rows[0].values()) == odd


NAMES = {
    "words in camel case": (
        ["issueKey", "fromUrl", "toUrl", "updateStatus", "updatedAt"],
        {"issue": 0, "old": 1, "new": 2, "status": 3, "at": 4},
    ),
    "other words": (
        ["Work item", "Before", "After", "Outcome", "Kind", "Timestamp"],
        {"issue": 0, "old": 1, "new": 2, "status": 3, "type": 4, "at": 5},
    ),
    "an exact name wins over one that contains it": (
        ["Key of status", "Issue", "Status"],
        {"issue": 1, "status": 2},
    ),
    "no known name": (["a", "b"], {}),
}


@pytest.mark.parametrize(("header", "roles"), NAMES.values(), ids=NAMES)
def test_columns_are_known_by_their_names(header, roles):
    text = json.dumps([dict.fromkeys(header, "x")])
    assert dict(read_log(text.encode()).roles) == {role: header[n] for role, n in roles.items()}


def test_a_mapping_wins_and_a_wrong_one_is_refused():
    assert read_log(PLAIN.encode(), {"new": "Result"}).roles["new"] == "Result"
    with pytest.raises(UsageError, match="no column `Nope`"):
        read_log(PLAIN.encode(), {"new": "Nope"})
    with pytest.raises(UsageError, match="`colour` is no role"):
        read_log(PLAIN.encode(), {"colour": "Date"})


def test_a_file_without_a_header_keeps_its_first_row():
    log = read_log((",".join(ROW) + "\n").encode(), {"new": "column 3"})
    assert len(log.rows) == 1
    assert log.rows[0]["column 3"] == ROW[2]
    assert any("no header" in note for note in log.notes)


def test_nested_objects_ragged_lines_and_double_names_lose_nothing():
    nested = json.dumps([{"issue": {"key": "ENG-1", "tags": [1]}, "x": None}])
    assert dict(read_log(nested.encode()).rows[0]) == {
        "issue.key": "ENG-1",
        "issue.tags": "[1]",
        "x": "",
    }
    ragged = read_log(b"key,status,status\nA-1,x,y,z\nA-2\n")
    assert [list(row.values()) for row in ragged.rows] == [
        ["A-1", "x", "y", "z"],
        ["A-2", "", "", ""],
    ]
    assert ragged.columns == ("key", "status", "status (2)", "column 4")


def test_text_that_is_not_utf8_is_read_and_said_so():
    log = read_log("key,status\nA-1,größer\n".encode("cp1252"))
    assert log.rows[0]["status"] == "größer"
    assert "Windows-1252" in log.notes[0]


BAD = {
    "nothing": b"",
    "only spaces": b" \n ",
    "binary": bytes(range(256)) * 4,
    "a damaged zip": zipped(log=PLAIN.encode())[:-30],
    "a zip without files": zipped(),
    "a damaged gzip": gzip.compress(PLAIN.encode())[:-9],
    "JSON without rows": b'{"error": "no", "status": 404, "timestamp": 1}',
    "a list of numbers": b"[1, 2]",
}


@pytest.mark.parametrize("data", BAD.values(), ids=BAD)
def test_what_is_no_log_is_refused(data):
    with pytest.raises(UsageError):
        read_log(data)


BOMBS = {
    "zip": lambda data: zipped(a=data),
    "gzip": gzip.compress,
    "gzip in zip": lambda data: zipped(a=gzip.compress(data)),
    "plain": bytes,
}


@pytest.mark.parametrize("pack", BOMBS.values(), ids=BOMBS)
def test_a_bomb_gets_an_error(pack, monkeypatch):
    monkeypatch.setattr(logs_module, "MOST_BYTES", 1024 * 1024)
    with pytest.raises(UsageError, match="larger than 1 MiB"):
        read_log(pack(b"a,b\n" * 300_000))


@given(data=st.binary(max_size=400))
def test_no_bytes_cause_anything_but_an_error_of_ours(data):
    for packed in (data, gzip.compress(data), zipped(a=data), b"[" + data, b"key,status\n" + data):
        try:
            read_log(packed)
        except RunbookError:
            continue


# Attribution

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def span(job: str, destination: str, start_min: int, end_min: int | None) -> JobSpan:
    end = None if end_min is None else NOON + timedelta(minutes=end_min)
    return JobSpan(
        id=job, destination=destination, submitted=NOON + timedelta(minutes=start_min), ended=end
    )


B, C = span("a-to-b", "https://b.net", 0, 10), span("a-to-c", "https://c.net", 20, 30)


def row(new: str = "", minute: float | None = None) -> list[str]:
    at = "" if minute is None else (NOON + timedelta(minutes=minute)).isoformat()
    return ["ENG-1", "https://jira/x", new, "ok", at]


CASES = {
    "time and target agree": (row("https://b.net/browse/X-1", 5), "a-to-b"),
    "only the time": (row("", 25), "a-to-c"),
    "only the target": (row("https://c.net/browse/X-1"), "a-to-c"),
    "the target of another job at this time": (row("https://c.net/browse/X-1", 5), NO_JOB),
    "a time between the jobs": (row("", 15), NO_JOB),
    "a host that only begins like the destination": (row("https://b.net.evil/browse/X-1"), NO_JOB),
    "a target on no destination": (row("https://jira/browse/X-1", 5), NO_JOB),
    "neither": (row(), NOTHING_SAID),
}


@pytest.mark.parametrize(("cells", "expected"), CASES.values(), ids=CASES)
def test_a_row_goes_to_the_one_job_that_fits(cells, expected):
    found = attribute(read_log(csv_of(cells).encode()), (B, C))
    assert {**found["jobs"], **found["because"]}[expected] == 1
    assert sum(found["jobs"].values()) + sum(found["because"].values()) == 1


def test_two_jobs_that_fit_leave_the_row_unattributed():
    again = span("a-to-b-2", "https://b.net", 5, None)
    found = attribute(read_log(csv_of(row("https://b.net/browse/X-1", 7)).encode()), (B, again))
    assert found["because"] == {SEVERAL: 1}


def test_rows_of_an_earlier_log_are_not_counted_again_and_new_ones_go_to_the_job_between():
    old, new = (
        read_log(csv_of(row()).encode()),
        read_log(csv_of(row(), ["ENG-2", "x", "", "ok", ""]).encode()),
    )
    between = NOON + timedelta(minutes=15)
    found = attribute(new, (B, C), imported_at=between, known=set(map(fingerprint, old.rows)))
    assert (found["seen_before"], found["jobs"]) == (1, {"a-to-b": 0, "a-to-c": 1})


@given(
    minutes=st.lists(st.none() | st.floats(-100, 100), max_size=20),
    targets=st.lists(
        st.sampled_from(["", "https://b.net/x", "https://c.net", "junk"]), max_size=20
    ),
)
def test_the_counts_always_add_up_to_the_rows(minutes, targets):
    rows = [row(target, minute) for minute, target in zip(minutes, targets, strict=False)]
    log = read_log(csv_of(*rows).encode())
    found = attribute(log, (B, C))
    assert sum(found["jobs"].values()) + found["seen_before"] + found["unattributed"] == len(
        log.rows
    )
    assert found["unattributed"] == sum(found["because"].values())


MOMENTS = {
    "2026-11-22T12:00:00Z": NOON,
    "2026-11-22 13:00:00+01:00": NOON,
    "2026-11-22 12:00:00": NOON,
    "1795348800": NOON,
    "1795348800000": NOON,
    "22/Nov/26 12:00 PM": NOON,
    "Sun, 22 Nov 2026 12:00:00 GMT": NOON,
    "11/12/2026": None,
    "yesterday": None,
    "": None,
    "99999999999999999": None,
}


@pytest.mark.parametrize(("text", "moment"), MOMENTS.items())
def test_a_moment_is_read_or_not_guessed_at(text, moment):
    assert moment_of(text) == moment


# Download

HOSTS = frozenset({"a.atlassian.net"})
URL = "https://api.atlassian.com/log"


class Answers:
    """Give the answers in turn and keep what was asked."""

    def __init__(self, *answers) -> None:
        self.left = list(answers)
        self.asked: list[tuple[str, str | None]] = []

    async def __call__(self, request):
        self.asked.append((request.url, request.account))
        return self.left.pop(0)


def answer(status: int = 200, body: bytes = b"a,b\n", **headers: str) -> Answer:
    pairs = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return Answer(status=status, headers=pairs, body=body, at=NOON)


def fetched(send: Answers, url: str = URL) -> bytes:
    return asyncio.run(download(send, url, account="default", hosts=HOSTS))


def test_a_redirect_to_another_host_gets_no_credential():
    send = Answers(
        answer(302, location="/v2"), answer(307, location="https://s3.example/x?sig=1"), answer()
    )
    assert fetched(send) == b"a,b\n"
    assert send.asked == [
        (URL, "default"),
        ("https://api.atlassian.com/v2", "default"),
        ("https://s3.example/x?sig=1", None),
    ]


def test_an_address_that_is_handed_out_is_followed_without_a_credential():
    send = Answers(
        answer(body=b'{"downloadUrl": "https://s3.example/x", "expiresIn": 3600}'), answer()
    )
    assert fetched(send) == b"a,b\n"
    assert send.asked[1] == ("https://s3.example/x", None)


REFUSED = {
    "401": (CredentialError, [answer(401)]),
    "403": (CredentialError, [answer(403)]),
    "404": (RemoteError, [answer(404, b"gone")]),
    "a web page": (RemoteError, [answer(body=b"<!DOCTYPE html><p>login")]),
    "a redirect to nowhere": (RemoteError, [answer(302)]),
    "a redirect out of TLS": (RemoteError, [answer(302, location="http://api.atlassian.com/x")]),
    "a circle": (RemoteError, [answer(302, location=URL)] * 9),
    "no connection": (RemoteError, [NotSent(reason="refused")]),
    "half an answer": (RemoteError, [Lost(reason="reset")]),
}


@pytest.mark.parametrize(("kind", "answers"), REFUSED.values(), ids=REFUSED)
def test_what_is_no_log_is_an_error_with_a_hint(kind, answers):
    with pytest.raises(kind) as caught:
        fetched(Answers(*answers))
    assert caught.value.hint


def test_no_credential_goes_to_a_host_that_is_not_atlassian_or_of_the_plan():
    send = Answers(answer())
    with pytest.raises(UsageError, match="neither Atlassian nor a site") as caught:
        fetched(send, "https://api.atlassian.com.evil.example/log")
    assert send.asked == []
    assert "no credential is sent there" in caught.value.hint


def test_a_template_is_filled_with_encoded_values_and_nothing_is_guessed():
    values = {
        "siteId": "a/b",
        "jobId": "j",
        "product": "jira",
        "productURL": "https://a.atlassian.net",
    }
    assert (
        filled("https://x/{siteId}?p={productURL}", values)
        == "https://x/a%2Fb?p=https%3A%2F%2Fa.atlassian.net"
    )
    for template in ("https://x/{token}", "http://x/{siteId}", "https://u:p@x/", "x"):
        with pytest.raises(UsageError):
            filled(template, values)

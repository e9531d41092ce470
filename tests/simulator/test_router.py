"""The pure handler never fails, whatever it is asked."""

from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runbook.clock import VirtualClock
from runbook.simulator.messages import SimRequest
from runbook.simulator.populate import world_of
from runbook.simulator.router import JIRA_OPERATIONS, LINK_OPERATIONS, answer, template_of
from tests.simulator.worlds import EMAIL, ENG, GATEWAY, NOW, TOKEN, basic, call_of, two_sites

WORLD = world_of(two_sites(), clock=VirtualClock(NOW), issues_per_project=3)
WORLD.limits.enabled = False

FIELDS = [
    "issueIdsOrKeys",
    "fieldIds",
    "fields",
    "jql",
    "maxResults",
    "nextPageToken",
    "globalPermissions",
    "projectPermissions",
    "permissions",
    "projects",
    "issues",
    "object",
    "url",
    "title",
    "globalId",
    "application",
    "product",
    "productURL",
    "destinationURL",
    "migratedFrom",
    "recreateAsRemote",
]
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 2**40),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=8),
    st.sampled_from(["ENG-1", "10000", "LINK_ISSUES", ENG, "jira", "key = ENG-1"]),
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(FIELDS), inner, max_size=4)
    ),
    max_leaves=12,
)
PLACES = {
    "{issueIdOrKey}": ["ENG-1", "eng-2", "10000", "NO-1", "²", "9" * 400],
    "{linkId}": ["10000", "abc", "²", "9" * 400],
    "{siteId}": [WORLD.sites[ENG].site_id, "x"],
    "{jobId}": ["x"],
}
OPERATIONS = [(method, f"{ENG}/rest/api/3/{path}") for method, path in JIRA_OPERATIONS]
OPERATIONS += [(method, f"{GATEWAY}{path}") for method, path in LINK_OPERATIONS]
PARAMETERS = ["globalId", "permissions", "startAt", "maxResults", "jql", "projectKey", "issueId"]


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_every_request_gets_an_answer(data: st.DataObject) -> None:
    method, url = data.draw(st.sampled_from(OPERATIONS))
    for place, choices in PLACES.items():
        if place in url:
            url = url.replace(place, data.draw(st.sampled_from(choices)))
    query = data.draw(st.dictionaries(st.sampled_from(PARAMETERS), LEAVES.map(str), max_size=3))
    url += "?" + "&".join(f"{name}={quote(value, safe='')}" for name, value in query.items())
    value: Any = data.draw(st.one_of(VALUES, st.dictionaries(st.sampled_from(FIELDS), VALUES)))
    reply = answer(WORLD, call_of(method, url, value))[0]
    assert 200 <= reply.status < 500


BODIES = {
    "nested a hundred thousand deep": b"[" * 100_000,
    "with half a surrogate": b'{"object": {"url": "https://x.example", "title": "\\ud800"}}',
    "with a number too large": b'{"object": 1e999}',
    "with a very long number": b'{"maxResults": ' + b"9" * 5000 + b"}",
    "with a byte order mark": b"\xef\xbb\xbf{}",
}


@pytest.mark.parametrize("body", BODIES.values(), ids=list(BODIES))
@pytest.mark.parametrize(("method", "url"), [case for case in OPERATIONS if case[0] == "POST"])
def test_every_body_gets_an_answer(method: str, url: str, body: bytes) -> None:
    for place, choices in PLACES.items():
        url = url.replace(place, choices[0])
    reply = answer(WORLD, call_of(method, url, body=body))[0]
    assert 200 <= reply.status < 500


@given(
    method=st.sampled_from(["GET", "POST", "OPTIONS", ""]),
    host=st.one_of(st.text(max_size=9), st.sampled_from(["api.atlassian.com", ENG[8:]])),
    path=st.text(max_size=20).map(lambda text: "/" + text),
    query=st.text(max_size=12),
    credential=st.one_of(st.text(max_size=12), st.just(basic(EMAIL, TOKEN))),
)
def test_nonsense_gets_an_answer_too(
    method: str, host: str, path: str, query: str, credential: str
) -> None:
    call = SimRequest(
        method=method, host=host, path=path, query=query, headers={"authorization": credential}
    )
    reply, template, _ = answer(WORLD, call)
    assert 400 <= reply.status < 500
    assert template == template_of(WORLD, call)


TEMPLATES = {
    f"{ENG}/rest/api/3/issue/ENG-1": "/rest/api/3/issue/{issueIdOrKey}",
    f"{ENG}/rest/api/2/issue/ENG-1": "/rest/api/3/issue/{issueIdOrKey}",
    f"{GATEWAY}/ex/jira/x/rest/api/2/issue/5/remotelink": "/rest/api/3/issue/{issueIdOrKey}/remotelink",
    f"{GATEWAY}/links/v1/x/jobs/status/y": "/links/v1/{siteId}/jobs/status/{jobId}",
    f"{ENG}/_edge/tenant_info": "/_edge/tenant_info",
    f"{ENG}/rest/api/3/issue/limit/report": "/rest/api/3/issue/limit/report",
}


@pytest.mark.parametrize("url", TEMPLATES)
def test_an_operation_is_named_as_the_documents_name_it(url: str) -> None:
    assert template_of(WORLD, call_of("GET", url)) == TEMPLATES[url]

"""Page -> HTML: one file, no network, nothing that runs but the one script whose hash is named.

Templates only place values. Every value is made visible (controls spelled out) and escaped on its
way in; style and script are inlined under a Content-Security-Policy that names their hashes.
"""

from functools import cache
from typing import Any

import jinja2
from markupsafe import Markup

from runbook.report import facts, provenance, timeline, verdict, verification
from runbook.report.build import Page
from runbook.report.exchanges import as_text, cut_text, exchanges_of
from runbook.report.templates import content_hash, element_source, environment, source
from runbook.report.text import (
    DASH,
    LONG,
    Composed,
    anchor,
    clip,
    sha256,
    shortened,
    site_label,
    thousands,
    visible,
    web_address,
)

# No single value from outside is longer on the page; the templates cut earlier and say so.
LONGEST = 2 * LONG


def render(page: Page) -> str:
    """Return the page as one HTML document; the same page gives the same text."""
    w = page.facts.w
    style = element_source("report.css") + _print_style(page)
    script = element_source("report.js")
    return (
        _environment()
        .get_template("report.html.j2")
        .render(
            page=page,
            facts=page.facts,
            view=page.facts.view,
            plan=page.facts.plan,
            zone=page.facts.zone,
            chips=page.facts.chips,
            w=w,
            # What is always English says so on a page in another language.
            en=Markup("" if w.lang == "en" else ' lang="en"'),  # noqa: S704 - ours
            style=Markup(style),  # noqa: S704 - ours, and its hash is in the policy
            script=Markup(script),  # noqa: S704 - ours, and its hash is in the policy
            data=Markup(page.data),  # noqa: S704 - JSON without `<`, `>` and `&`
            policy=policy(style, script, logo=bool(page.logo)),
        )
    )


@cache
def _environment() -> jinja2.Environment:
    made = environment(finalize=_shown)
    made.filters |= {
        "as_text": as_text,
        "clip": clip,
        "count": thousands,
        "cut": _cut,
        "inner": _inner,
        "sha256": sha256,
        "site": site_label,
        "web": web_address,
    }
    made.globals |= {
        # Recomputes the chain as ledger/codec.py does, with Python's standard library alone.
        "chain_script": source("check_ledger.py.txt"),
        "anchor": anchor,
        "attribution": provenance.attribution,
        "cut_text": cut_text,
        "dash": DASH,
        "differing_of": facts.differing_of,
        "duration_of": timeline.duration_of,
        "evidence_deadline": facts.evidence_deadline,
        "exchanges_of": exchanges_of,
        "names_of": facts.names_of,
        "plan_file_name": provenance.plan_file_name,
        "shortened": shortened,
        "target_of": verification.target_of,
        "total_of": facts.total_of,
        "trace_of": provenance.trace_of,
        "weight_of": verdict.weight_of,
        "what_next": verdict.what_next,
        "why_not": verdict.why_not,
        "write_state": verification.write_state,
    }
    return made


def _cut(text: str, limit: int) -> str:
    return text[:limit]


def _inner(value: str) -> Markup:
    """Escape a text that stands between tags, where quotes need no escaping."""
    text = visible(value).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return Markup(text)  # noqa: S704 - escaped in the line above


def _shown(value: Any) -> Any:
    # Markup is ours: style, script and data. Everything else may come from outside.
    if type(value) is str:
        return visible(value if len(value) <= LONGEST else f"{value[:LONGEST]} …")
    return visible(value) if isinstance(value, Composed) else value


def _print_style(page: Page) -> str:
    """Return what every printed page carries in its margins; all of it is ours or checked."""
    w = page.facts.w
    foot, number = _css(page.footer), _css(w("page"))
    rules = [
        f'@page{{@bottom-left{{content:"{foot}"}}}}',
        f'@page{{@bottom-right{{content:"{number} " counter(page) " / " counter(pages)}}}}',
    ]
    if page.mark:
        mark = _css(f"{w(f'mark_{page.mark}')} / {w(f'mark_{page.mark}_text')}")
        rules.append(f'@page{{@top-center{{content:"{mark}"}}}}')
    return "\n".join(rules) + "\n"


def _css(text: str) -> str:
    return "".join(c if c.isalnum() or c in " .,:;/-()" else f"\\{ord(c):06x}" for c in text)


def policy(style: str, script: str, *, logo: bool) -> str:
    """Return the Content-Security-Policy of a page with exactly this style and script."""
    parts = [
        "default-src 'none'",
        f"style-src '{content_hash(style)}'",
        f"script-src '{content_hash(script)}'",
        *(["img-src data:"] if logo else []),
        "base-uri 'none'",
        "form-action 'none'",
    ]
    return "; ".join(parts)

"""Page -> HTML: one file, no network, nothing that runs but the one script whose hash is named.

Templates only place values. Every value is made visible (controls spelled out) and escaped on its
way in; style and script are inlined under a Content-Security-Policy that names their hashes.
"""

from functools import cache
from typing import Any

import jinja2
from markupsafe import Markup

from runbook.report.page import Page
from runbook.report.templates import content_hash, element_source, environment
from runbook.report.text import LONG, Composed, visible

# No single value from outside is longer on the page; `build` cuts earlier and says so.
LONGEST = 2 * LONG


def render(page: Page) -> str:
    """Return the page as one HTML document; the same page gives the same text."""
    style = element_source("report.css") + _print_style(page)
    script = element_source("report.js")
    return (
        _environment()
        .get_template("report.html.j2")
        .render(
            page=page,
            words={**page.words, "lang_other": page.lang != "en"},
            style=Markup(style),  # noqa: S704 - ours, and its hash is in the policy
            script=Markup(script),  # noqa: S704 - ours, and its hash is in the policy
            data=Markup(page.data),  # noqa: S704 - JSON without `<`, `>` and `&`
            policy=policy(style, script, logo=bool(page.logo)),
        )
    )


@cache
def _environment() -> jinja2.Environment:
    made = environment(finalize=_shown)
    made.filters["inner"] = _inner
    return made


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
    mark = f"{page.mark} / {page.mark_text}" if page.mark else ""
    foot, number = _css(page.footer), _css(page.words["page"])
    rules = [
        f'@page{{@bottom-left{{content:"{foot}"}}}}',
        f'@page{{@bottom-right{{content:"{number} " counter(page) " / " counter(pages)}}}}',
    ]
    if mark:
        rules.append(f'@page{{@top-center{{content:"{_css(mark)}"}}}}')
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

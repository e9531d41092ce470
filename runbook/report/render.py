"""Page -> HTML: one file, no network, nothing that runs but the one script whose hash is named.

Templates only place values. Every value is made visible (controls spelled out) and escaped on its
way in; style and script are inlined under a Content-Security-Policy that names their hashes.
"""

import base64
import hashlib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runbook.errors import UsageError
from runbook.report.page import Page
from runbook.report.text import LONG, Composed, visible

if TYPE_CHECKING:
    import jinja2
    import markupsafe

# No single value from outside is longer on the page; `build` cuts earlier and says so.
LONGEST = 2 * LONG

PACKAGE = Path(__file__).resolve().parent.parent


def template_dir(package: Path = PACKAGE) -> Path:
    """Return where the templates are: inside an installed package, or beside it in a checkout.

    Raises:
        UsageError: they are in neither place; the installation is broken.
    """
    candidates = (package / "templates", package.parent / "templates")
    for candidate in candidates:
        if (candidate / "report.html.j2").is_file():
            return candidate
    looked = " and ".join(f"`{one}`" for one in candidates)
    raise UsageError(
        f"the templates of the report are not installed; looked in {looked}",
        hint="install runbook again from its wheel",
    )


def render(page: Page) -> str:
    """Return the page as one HTML document; the same page gives the same text."""
    from markupsafe import Markup

    folder = template_dir()
    environment = _environment(str(folder))
    style = _source(folder / "report.css") + _print_style(page)
    script = _source(folder / "report.js")
    return environment.get_template("report.html.j2").render(
        page=page,
        words={**page.words, "lang_other": page.lang != "en"},
        style=Markup(style),  # noqa: S704 - ours, and its hash is in the policy
        script=Markup(script),  # noqa: S704 - ours, and its hash is in the policy
        data=Markup(page.data),  # noqa: S704 - JSON without `<`, `>` and `&`
        policy=policy(style, script, logo=bool(page.logo)),
    )


@cache
def _environment(folder: str) -> "jinja2.Environment":
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder, encoding="utf-8"),
        undefined=jinja2.StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=False,
        newline_sequence="\n",
        finalize=_shown,
    )
    environment.filters["inner"] = _inner
    return environment


def _inner(value: str) -> "markupsafe.Markup":
    """Escape a text that stands between tags, where quotes need no escaping."""
    from markupsafe import Markup

    text = visible(value).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return Markup(text)  # noqa: S704 - escaped in the line above


def _shown(value: Any) -> Any:
    # Markup is ours: style, script and data. Everything else may come from outside.
    if type(value) is str:
        return visible(value if len(value) <= LONGEST else f"{value[:LONGEST]} …")
    return visible(value) if isinstance(value, Composed) else value


def _source(path: Path) -> str:
    text = path.read_text(encoding="utf-8").replace("\r\n", "\n")
    if "</" in text:
        raise AssertionError(f"{path.name} would end its own element")
    return text


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
        f"style-src '{_hash(style)}'",
        f"script-src '{_hash(script)}'",
        *(["img-src data:"] if logo else []),
        "base-uri 'none'",
        "form-action 'none'",
    ]
    return "; ".join(parts)


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode("utf-8")).digest()
    return f"sha256-{base64.b64encode(digest).decode('ascii')}"

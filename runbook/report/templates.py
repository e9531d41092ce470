"""The templates: where they are, and the two environments that fill them in.

Templates place values, never compute them. Everything that is not ours is escaped on its way in.
"""

import base64
import hashlib
from functools import cache
from pathlib import Path
from typing import Any

import jinja2

from runbook.errors import UsageError

PACKAGE = Path(__file__).resolve().parent.parent


@cache
def template_dir(package: Path = PACKAGE) -> Path:
    """Return where the templates are: inside an installed package, or beside it in a checkout.

    Raises:
        UsageError: they are in neither place; the installation is broken.
    """
    candidates = (package / "templates", package.parent / "templates")
    for candidate in candidates:
        if (candidate / "report.html.j2").is_file():
            return candidate
    looked = " and ".join(f"`{candidate}`" for candidate in candidates)
    raise UsageError(
        f"the templates of the report are not installed; looked in {looked}",
        hint="install runbook again from its wheel",
    )


def source(name: str) -> str:
    """Return the text of a file beside the templates, lines ended by LF."""
    return (template_dir() / name).read_text(encoding="utf-8").replace("\r\n", "\n")


def element_source(name: str) -> str:
    """Return a style sheet or script that is inlined: it must not end its own element."""
    text = source(name)
    if "</" in text:
        raise AssertionError(f"{name} would end its own element")
    return text


def environment(**settings: Any) -> jinja2.Environment:
    """Return an environment over the templates, with escaping and without undefined names."""
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(template_dir(), encoding="utf-8"),
        undefined=jinja2.StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        newline_sequence="\n",
        # An included section ends its last line itself.
        keep_trailing_newline=True,
        **settings,
    )


def content_hash(text: str) -> str:
    """Return what a Content-Security-Policy calls an inlined style or script."""
    digest = hashlib.sha256(text.encode("utf-8")).digest()
    return f"sha256-{base64.b64encode(digest).decode('ascii')}"

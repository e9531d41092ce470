"""The documentation of the checks: `docs/checks.md`, which a wheel carries as `checks/catalog.md`."""

from pathlib import Path

_SHIPPED = Path(__file__).with_name("catalog.md")
_IN_CHECKOUT = Path(__file__).parents[2] / "docs" / "checks.md"


def catalog() -> str:
    """Return the whole document, in Markdown."""
    path = _SHIPPED if _SHIPPED.is_file() else _IN_CHECKOUT
    return path.read_text(encoding="utf-8")


def sections() -> dict[str, str]:
    """Return the section of every code, with its heading."""
    result: dict[str, list[str]] = {}
    current: list[str] | None = None
    fenced = False
    for line in catalog().splitlines():
        fenced ^= line.startswith("```")
        if line.startswith("## ") and not fenced:
            current = None
        if line.startswith("### RB") and not fenced:
            current = result.setdefault(line[4:9], [])
        if current is not None:
            current.append(line)
    return {code: "\n".join(lines).strip() for code, lines in result.items()}

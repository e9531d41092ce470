"""The documentation of the checks, shipped with the package and equal to `docs/checks.md`."""

from importlib.resources import files

_NAME = "catalog.md"


def catalog() -> str:
    """Return the whole document, in Markdown."""
    return files("runbook.checks").joinpath(_NAME).read_text(encoding="utf-8")


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

"""Whether the table of mutants fits the tree, and where code that moved stands now."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from tests.mutants.table import Edit, Mutant

ROOT = Path(__file__).parents[2]


def problems(mutant: Mutant) -> Iterator[str]:
    """Yield why a mutant cannot be applied to this tree."""
    for path in mutant.tests:
        if not (ROOT / path).is_file():
            yield f"{mutant.id}: the test file `{path}` is not there"
    for edit in mutant.edits:
        times = _times(ROOT / edit.file, edit.old)
        if times != 1:
            now = _places(edit)
            moved = f"; it stands in `{now[0]}` now" if len(now) == 1 else ""
            yield f"{mutant.id}: `{edit.file}` holds {edit.old!r} {times} times, not once{moved}"


def repointed(table: str, mutants: Iterable[Mutant]) -> str:
    """Return the text of the table with the paths of code that has moved."""
    for mutant in mutants:
        for edit in mutant.edits:
            now = _places(edit)
            if _times(ROOT / edit.file, edit.old) != 1 and len(now) == 1:
                table = table.replace(f'"{edit.file}"', f'"{now[0]}"')
    return table


def _places(edit: Edit) -> list[str]:
    """Return the files of the package that hold an edit's text exactly once."""
    modules = sorted((ROOT / "runbook").rglob("*.py"))
    found = [path for path in modules if _times(path, edit.old) == 1]
    return [path.relative_to(ROOT).as_posix() for path in found]


def _times(path: Path, text: str) -> int:
    return path.read_text(encoding="utf-8").count(text) if path.is_file() else 0

"""What the package promises as a package: layers, a quick start, no POSIX-only module, no index named."""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from runbook import __version__

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
MODULES = sorted((ROOT / "runbook").rglob("*.py"))
NOT_ON_WINDOWS = {
    "crypt", "fcntl", "grp", "nis", "ossaudiodev", "posix", "pty", "pwd", "resource", "spwd",
    "syslog", "termios", "tty",
}  # fmt: skip


def test_imports_point_down_the_layers() -> None:
    """Every contract of import-linter is kept."""
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "from importlinter.cli import lint_imports; raise SystemExit(lint_imports(no_cache=True))",
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr


def test_every_module_has_a_layer() -> None:
    """A new module has to be placed before it is used."""
    layers = next(
        contract["layers"]
        for contract in PROJECT["tool"]["importlinter"]["contracts"]
        if contract["type"] == "layers"
    )
    placed = {name.strip() for layer in layers for name in layer.split("|")}
    present = {
        f"runbook.{path.stem}"
        for path in (ROOT / "runbook").iterdir()
        if path.suffix == ".py" or (path.is_dir() and (path / "__init__.py").exists())
    }
    assert present - placed <= {"runbook.__init__", "runbook.__main__"}


def loaded_by(*argv: str) -> set[str]:
    """Return the top-level modules that a command imports in a process of its own."""
    code = (
        "import sys\n"
        "from runbook.cli.app import main\n"
        f"code = main({list(argv)!r})\n"
        "print('\\n' + ' '.join(sorted({name.split('.')[0] for name in sys.modules})))\n"
        "raise SystemExit(code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return set(done.stdout.splitlines()[-1].split())


HEAVY = {"httpx", "rich", "jinja2", "starlette", "uvicorn", "anyio", "sqlite3"}


@pytest.mark.parametrize(
    ("argv", "kept_out"),
    [
        (["--help"], HEAVY | {"asyncio", "logging", "yaml"}),
        (["--version"], HEAVY | {"asyncio", "yaml"}),
        (["check", "plans/two-sites.yaml"], HEAVY - {"sqlite3"}),
        (["explain", "RB205"], HEAVY),
        (["schema"], HEAVY),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_quick_command_imports_nothing_heavy(argv: list[str], kept_out: set[str]) -> None:
    """So that `--help` costs little more than click, and `check` can be called by an editor."""
    assert not loaded_by(*argv) & kept_out


def imported(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module)
    return {name.split(".")[0] for name in names}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_module_needs_posix(path: Path) -> None:
    """Consultants sit on Windows jump hosts."""
    assert not imported(path) & NOT_ON_WINDOWS


def test_what_is_imported_is_declared() -> None:
    """Every package that is imported is a dependency, an extra, or of the standard library."""
    declared = {"runbook", "click", "httpcore", "httpx", "jinja2", "markupsafe", "yaml", "rich"}
    optional = {"starlette", "uvicorn", "keyring"}
    used = {name for path in MODULES for name in imported(path)} - set(sys.stdlib_module_names)
    assert used - optional <= declared


def test_the_version_is_the_same_everywhere() -> None:
    """In the project's metadata and in the package."""
    assert PROJECT["project"]["version"] == __version__


def test_every_runtime_dependency_has_its_line_in_the_decisions() -> None:
    """Also those of the extras."""
    text = next((ROOT / "docs" / "decisions").glob("*-runtime-dependencies.md")).read_text("utf-8")
    extras = PROJECT["project"]["optional-dependencies"]
    required = [
        *PROJECT["project"]["dependencies"],
        *(one for each in extras.values() for one in each),
    ]
    for requirement in required:
        name = re.split(r"[<>=!~;\[ ]", requirement)[0]
        assert name in text, f"`{name}` needs a line in docs/decisions/0007-runtime-dependencies.md"


@pytest.mark.parametrize("name", ["pyproject.toml", "Makefile", ".ci/run"])
def test_no_file_names_a_package_index(name: str) -> None:
    """Whoever installs decides where from."""
    path = ROOT / name
    if not path.exists():
        pytest.skip(f"`{name}` is not part of this distribution")
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"index-url|find-links|pypi\.org|registry\.npmjs|trusted-host", text)


def test_templates_and_checks_travel_in_the_wheel() -> None:
    """At the places where the report and `explain` look first."""
    included = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    assert included["templates"] == "runbook/templates"
    assert included["docs/checks.md"] == "runbook/checks/catalog.md"

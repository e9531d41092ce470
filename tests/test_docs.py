"""The documents are tested: commands, options, variables, links and examples are those of the program."""

import re
import shlex
import tomllib
from importlib import import_module
from pathlib import Path

import click
import pytest

from runbook.checks import examine
from runbook.checks.codes import Facts
from runbook.cli.app import COMMANDS
from runbook.encoded_forms import SHORTEST
from runbook.findings import may_run
from runbook.jobs import SUBMIT_INTERVAL_S
from runbook.ledger.lease import LEASE_LIFE
from runbook.plan import load_plan_bytes
from runbook.plan.document import DEPTH_LIMIT, SIZE_LIMIT_BYTES

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = sorted(
    [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "benchmarks").glob("*.md")]
)


def test_the_readme_lists_every_command_with_its_line() -> None:
    """The table of `cli/app.py`, word for word, in its order."""
    rows = [f"| `runbook {name}` | {text} |" for name, (_, text) in COMMANDS.items()]
    assert "\n".join(rows) in README


def test_the_readme_begins_with_what_it_is_and_the_two_commands() -> None:
    """What it is, what it is not, `make rehearse`, `make test`, then the plain install line."""
    order = ["# runbook", "**What it is not.**", "make rehearse", "make test", "pip install"]
    positions = [README.index(words) for words in order]
    assert positions == sorted(positions)
    assert "pip install 'link-runbook[rehearsal]'" in README


def test_every_environment_variable_is_in_the_readme() -> None:
    """Whatever the code reads."""
    source = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "runbook").rglob("*.py"))
    for name in sorted(set(re.findall(r"\bRUNBOOK_[A-Z_]+[A-Z]\b", source))):
        # Names of one profile are documented by their pattern.
        if not re.fullmatch(r"RUNBOOK_[A-Z_]+_(EMAIL|API_TOKEN)|RUNBOOK_REQUIRE_.*", name):
            assert f"`{name}`" in README


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page, re.MULTILINE | re.DOTALL)


def test_the_plan_of_the_readme_may_run() -> None:
    """The full example passes `check` at its own cutover."""
    (text,) = blocks(README, "yaml")
    loaded = load_plan_bytes(text.encode(), "README.yaml")
    assert loaded.plan is not None
    assert loaded.plan.cutover is not None
    findings = examine(loaded.plan, Facts(at=loaded.plan.cutover), loaded.findings)
    assert may_run(findings), [finding.message for finding in findings]


def shown_commands() -> list[tuple[str, str]]:
    """Return every command line of runbook that a document shows: in shell blocks and in backticks."""
    found = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        lines = []
        for block in blocks(text, "sh") + blocks(text, "console"):
            lines += block.replace("\\\n", " ").splitlines()
        outside = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
        lines += re.findall(r"`([^`\n]+(?:\n[^`\n]+)?)`", outside)
        joined = (" ".join(line.split()).removeprefix("$ ") for line in lines)
        found += [(page.name, line) for line in joined if re.match(r"runbook [a-z]", line)]
    return sorted(set(found))


@pytest.mark.parametrize(
    "shown", shown_commands(), ids=lambda shown: f"{shown[0]}: {shown[1][:60]}"
)
def test_a_shown_command_exists_with_its_options(shown: tuple[str, str]) -> None:
    """No document shows an option that the command does not have."""
    _, line = shown
    words = shlex.split(re.split(r"\s+#|\s*[|>]\s", line)[0].replace("…", ""))[1:]
    assert words[0] in COMMANDS, f"`{words[0]}` is no command"
    module = import_module(f"runbook.cli.{COMMANDS[words[0]][0]}")
    command: click.Command = getattr(module, words[0])
    rest = words[1:]
    choices = [command]
    if isinstance(command, click.Group) and rest:
        chosen = command.resolve_command(click.Context(command), list(rest))[1]
        choices += [chosen] if chosen is not None else []
    known = {option for each in choices for parameter in each.params for option in parameter.opts}
    known.add("--help")
    for word in rest:
        if word.startswith("--"):
            assert word.split("=")[0] in known, f"`{words[0]}` has no `{word}`"


def relative_links() -> list[tuple[Path, str]]:
    found = []
    for page in PAGES:
        text = re.sub(r"^```.*?^```", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
        targets = re.findall(r"\]\(([^)\s]+)\)", text)
        found += [(page, to.split("#")[0]) for to in targets if not re.match(r"[a-z]+:|#", to)]
    return sorted(set(found))


@pytest.mark.parametrize("link", relative_links(), ids=lambda link: f"{link[0].name}: {link[1]}")
def test_a_relative_link_leads_to_a_file(link: tuple[Path, str]) -> None:
    """In every document."""
    page, target = link
    assert (page.parent / target).exists()


def in_words(page: str) -> str:
    """Return a document with its line breaks and columns as blanks."""
    return " ".join(page.split())


GUIDE = "docs/cutover-guide.md"
FORMAT = "docs/plan-format.md"
FIGURES = [
    (GUIDE, f"never more than one in {SUBMIT_INTERVAL_S:.0f} s"),
    (GUIDE, f"a copy of the folder elsewhere (after {LEASE_LIFE.total_seconds():.0f} s)"),
    ("README.md", f"free at once on the same machine, after {LEASE_LIFE.total_seconds():.0f} s on"),
    ("README.md", f"A token of fewer than {SHORTEST} characters"),
    (FORMAT, f"at most {SIZE_LIMIT_BYTES >> 20} MiB, {DEPTH_LIMIT} levels and a million values"),
]


@pytest.mark.parametrize(("page", "words"), FIGURES, ids=lambda text: text)
def test_a_figure_of_a_document_is_the_one_of_the_code(page: str, words: str) -> None:
    """Figures come from the constants that the code keeps to."""
    assert words in in_words((ROOT / page).read_text(encoding="utf-8"))


ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


def named_paths(page: str) -> set[str]:
    """Return every file and folder in backticks, without what stands for a name (`NAME`, `CODE`)."""
    outside = re.sub(r"^```.*?^```", "", page, flags=re.MULTILINE | re.DOTALL)
    paths = re.findall(r"`([\w./-]+(?:/|\.(?:py|md|toml|css|j2|yaml)))`", outside)
    return {path for path in paths if "NAME" not in path and "CODE" not in path}


@pytest.mark.parametrize("path", sorted(named_paths(ARCHITECTURE)))
def test_a_module_of_the_map_exists(path: str) -> None:
    """Paths are relative to the package, or to the checkout where they name another folder."""
    assert (ROOT / "runbook" / path).exists() or (ROOT / path).exists()


@pytest.mark.parametrize("path", sorted(named_paths(CONTRIBUTING)))
def test_a_file_of_a_recipe_exists(path: str) -> None:
    """Paths are relative to the checkout."""
    assert (ROOT / path).exists()


def test_the_layers_of_the_map_are_those_of_the_import_contract() -> None:
    """The same lines in the same order."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    (layers,) = [
        contract["layers"]
        for contract in contracts["tool"]["importlinter"]["contracts"]
        if contract["type"] == "layers"
    ]
    (block,) = blocks(ARCHITECTURE, "text layers")
    assert block.splitlines() == [line.replace("runbook.", "") for line in layers]


@pytest.mark.parametrize("trip", ["A plan, from file to POST", "A row of expected links"])
def test_a_trip_has_ten_steps_and_never_returns_to_a_package_it_has_left(trip: str) -> None:
    """The path of a plan to its POST, and of a CSV row to a repair's write."""
    (text,) = re.findall(rf"^## {trip}.*?(?=^## |\Z)", ARCHITECTURE, re.MULTILINE | re.DOTALL)
    steps = re.findall(r"^(\d+)\. (.*(?:\n +.*)*)", text, re.MULTILINE)
    assert [int(number) for number, _ in steps] == list(range(1, 11))
    rooms = [
        path.split("/")[0] for _, step in steps for path in re.findall(r"`([\w/]+\.py)`", step)
    ]
    entered = [room for room, before in zip(rooms, ["", *rooms], strict=False) if room != before]
    assert len(entered) == len(set(entered)), entered


def test_decisions_are_numbered_without_gaps() -> None:
    """Half a page each, with what was decided and what came of it."""
    pages = sorted((ROOT / "docs" / "decisions").glob("*.md"))
    assert [int(page.name[:4]) for page in pages] == list(range(1, len(pages) + 1))
    for page in pages:
        text = page.read_text(encoding="utf-8")
        assert text.startswith(f"# {int(page.name[:4])}. ")
        assert "Status: " in text
        assert len(text.splitlines()) < 45


def test_the_changelog_has_its_form() -> None:
    """Unreleased on top, known headings below."""
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.findall(r"^## .*", text, re.MULTILINE)[0] == "## [Unreleased]"
    headings = set(re.findall(r"^### (.*)", text, re.MULTILINE))
    assert headings <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


def test_no_document_names_a_place_of_one_machine() -> None:
    """Documents are for every machine."""
    for page in PAGES:
        assert not re.search(r"/(work|tmp|root|home)/", page.read_text(encoding="utf-8")), page.name

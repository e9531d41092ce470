"""The command group and the error boundary: codes, hints, masks, and no traceback for a user's mistake."""

import errno
import inspect
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields
from importlib import import_module
from pathlib import Path
from typing import get_type_hints

import click
import pytest

from runbook import __version__
from runbook.cli import app
from runbook.cli.app import COMMANDS, main
from runbook.cli.console import reader_gone
from runbook.clock import VirtualClock
from runbook.errors import (
    CredentialError,
    LedgerError,
    PlanError,
    RemoteError,
    RunbookError,
    UsageError,
)
from runbook.operations.root import Root, process_mask
from runbook.secrets import Account, Secret
from tests.cli.ledgers import call
from tests.evening import START

ROOT = Path(__file__).parents[2]
CANARY = "canary-T0ken/with+odd=chars"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_there_and_named_as_listed(name: str) -> None:
    """The lazy table and the commands themselves agree."""
    command = getattr(import_module(f"runbook.cli.{COMMANDS[name][0]}"), name)
    assert isinstance(command, click.Command)
    assert command.name == name


def command_and_those_below(command: click.Command) -> Iterator[click.Command]:
    """Yield the command and, of a group, every command below it."""
    yield command
    if isinstance(command, click.Group):
        for below in command.commands.values():
            yield from command_and_those_below(below)


@pytest.mark.parametrize("name", COMMANDS)
def test_the_fields_of_the_options_are_the_parameters_of_the_command(name: str) -> None:
    """`with_options` hands over every parameter by its name, and no field is left without one."""
    named = getattr(import_module(f"runbook.cli.{COMMANDS[name][0]}"), name)
    for command in command_and_those_below(named):
        hints = get_type_hints(inspect.unwrap(command.callback or (lambda: None)))
        kind = hints.get("options")
        if kind is None:
            continue
        parameters = {parameter.name for parameter in command.params if parameter.expose_value}
        # `rehearsal` is no option of `run`: the rehearsal sets it.
        assert parameters == {field.name for field in fields(kind)} - {"rehearsal"}


def every_command() -> list[tuple[str, ...]]:
    found: list[tuple[str, ...]] = []
    for name, (module, _) in COMMANDS.items():
        command = getattr(import_module(f"runbook.cli.{module}"), name)
        found.append((name,))
        if isinstance(command, click.Group):
            found += [(name, sub) for sub in command.list_commands(click.Context(command))]
    return found


@pytest.mark.parametrize("words", every_command(), ids=" ".join)
def test_every_command_explains_itself(
    words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    """`--help` and `-h` end with 0 and say more than the usage."""
    for flag in ("--help", "-h"):
        assert call(*words, flag) == 0
        shown = capsys.readouterr().out
        assert shown.startswith("Usage: runbook")
        assert len(shown.splitlines()) > 4


@pytest.mark.parametrize("words", every_command(), ids=" ".join)
def test_an_unknown_option_is_a_usage_error(
    words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit 2, on stderr."""
    assert call(*words, "--no-such-option") == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "--no-such-option" in shown.err or "Usage" in shown.err


@pytest.mark.parametrize("words", every_command(), ids=" ".join)
def test_every_command_takes_a_ledger(
    words: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A script may give `--ledger` to each, also to those that need none."""
    main([*words, "--ledger", str(tmp_path / "x.ledger"), "--help-is-no-option"])
    assert "No such option: '--ledger'" not in capsys.readouterr().err.replace('"', "'")


def test_a_plan_is_checked_with_a_ledger_that_is_not_there_yet(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["schema", "--ledger", str(tmp_path / "x.ledger")]) == 0
    assert main(["explain", "RB205", "--ledger", str(tmp_path / "x.ledger")]) == 0
    assert not list(tmp_path.iterdir())


def test_the_help_lists_every_command_with_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    """In the order of an evening, without importing any."""
    assert call("--help") == 0
    shown = capsys.readouterr().out
    positions = [shown.index(f"\n  {name} ") for name in COMMANDS]
    assert positions == sorted(positions)


def test_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    """As the package says."""
    assert call("--version") == 0
    assert capsys.readouterr().out == f"runbook, version {__version__}\n"


def test_a_misspelt_command_gets_a_suggestion(capsys: pytest.CaptureFixture[str]) -> None:
    """Did you mean."""
    assert call("chekc") == 2
    assert "Did you mean `check`?" in capsys.readouterr().err


def failing(monkeypatch: pytest.MonkeyPatch, problem: BaseException) -> None:
    @click.command("runs")
    def broken() -> None:
        raise problem

    monkeypatch.setattr(app.LazyGroup, "get_command", lambda *_: broken)


FAMILIES = {
    UsageError: 2,
    PlanError: 3,
    CredentialError: 4,
    RemoteError: 5,
    LedgerError: 9,
    RunbookError: 1,
}


@pytest.mark.parametrize("kind", FAMILIES, ids=lambda kind: kind.__name__)
def test_an_error_becomes_its_exit_code_with_its_hint(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], kind: type[RunbookError]
) -> None:
    """On stderr, without a traceback; with `--verbose` the traceback comes first."""
    failing(monkeypatch, kind("it broke", hint="mend it"))
    assert call("runs") == FAMILIES[kind]
    shown = capsys.readouterr()
    assert (shown.out, shown.err) == ("", "error: it broke\n\nhint: mend it\n")
    assert call("--verbose", "runs") == FAMILIES[kind]
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize("problem", [KeyboardInterrupt(), click.Abort()], ids=["Ctrl-C", "abort"])
def test_an_interrupt_is_130(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], problem: BaseException
) -> None:
    """And says that it can be resumed."""
    failing(monkeypatch, problem)
    assert call("runs") == 130
    assert "resumes" in capsys.readouterr().err


def test_a_bug_is_shown_with_its_traceback_and_code_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Bugs are not hidden, but what is secret in them is."""
    process_mask().add(Account("default", "j@x.example", Secret(CANARY)))
    failing(monkeypatch, ZeroDivisionError(f"with {CANARY}"))
    assert call("runs") == 1
    shown = capsys.readouterr()
    assert "Traceback" in shown.err
    assert "this is a bug of runbook" in shown.err
    assert CANARY not in shown.out + shown.err


def test_an_error_that_holds_a_credential_is_masked(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever the message says."""
    process_mask().add(Account("default", "j@x.example", Secret(CANARY)))
    failing(monkeypatch, RemoteError(f"the server said {CANARY}", hint=f"not {CANARY}"))
    assert call("--verbose", "runs") == 5
    shown = capsys.readouterr()
    assert CANARY not in shown.out + shown.err
    assert "***" in shown.err


def test_an_error_is_printed_without_controls(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Words of a server may be part of a message; its lines stay lines."""
    failing(monkeypatch, RemoteError("first\n  second \x1b[2J\r\u202e", hint="\x07bell"))
    assert call("runs") == 5
    shown = capsys.readouterr().err
    assert "first\n  second" in shown
    assert not set(shown) & set("\x1b\r\x07\u202e")


def test_no_color_is_honoured() -> None:
    """By option and by environment."""
    for argv, environ, expected in (
        (["--no-color", "runs"], {}, True),
        (["runs"], {"NO_COLOR": "1"}, True),
        (["runs"], {"NO_COLOR": ""}, False),
        (["runs"], {}, False),
    ):
        root = Root(environ=environ, clock=VirtualClock(START), interactive=False)
        main([*argv, "--ledger", "/nonexistent/x"], root=root)
        assert root.no_color is expected


def in_a_process(*argv: str, **environ: str) -> "subprocess.CompletedProcess[bytes]":
    return subprocess.run(
        [sys.executable, "-m", "runbook", *argv],
        capture_output=True,
        check=False,
        cwd=ROOT,
        timeout=60,
        env={**os.environ, **environ},
    )


def test_a_terminal_that_cannot_show_a_character_ends_nothing(tmp_path: Path) -> None:
    """An old code page gets escapes instead of an error."""
    plan = tmp_path / "plan.yaml"
    plan.write_text(
        "format: 1\nname: n\ncustomer: Größe → 大\nsites: [{url: https://a.atlassian.net}]\n"
        "instances:\n  - productURL: https://a.atlassian.net\n    destinationURL: https://a.atlassian.net\n"
        "    migratedFrom: https://jira.example\n    recreateAsRemote: false\n",
        encoding="utf-8",
    )
    done = in_a_process("preview", str(plan), PYTHONIOENCODING="cp1252")
    assert done.returncode == 0, done.stderr
    assert b"Gr\xf6\xdfe \\u2192 \\u5927" in done.stdout
    done = in_a_process("check", "grün.yaml", PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert done.returncode == 3
    assert b"Traceback" not in done.stderr


def test_a_reader_that_goes_away_is_no_error() -> None:
    """`| head` ends quietly."""
    with subprocess.Popen(
        [sys.executable, "-m", "runbook", "schema"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=ROOT,
    ) as child:
        assert child.stdout is not None
        assert child.stderr is not None
        child.stdout.close()
        assert b"Traceback" not in child.stderr.read()
    assert child.returncode == 0


def test_a_listener_that_goes_away_changes_no_exit_code(tmp_path: Path) -> None:
    """Talk on stderr may be lost; what became of the command may not."""
    with subprocess.Popen(
        [sys.executable, "-m", "runbook", "status", "--ledger", str(tmp_path / "none.ledger")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=ROOT,
    ) as child:
        assert child.stdout is not None
        assert child.stderr is not None
        child.stderr.close()
        assert child.stdout.read() == b""
    assert child.returncode == 9


GONE = {
    "a broken pipe": (BrokenPipeError(errno.EPIPE, "Broken pipe"), True),
    "a stream that was closed": (ValueError("I/O operation on closed file."), True),
    "a full disk": (OSError(errno.ENOSPC, "No space left on device"), False),
    "another value": (ValueError("not that"), False),
}


@pytest.mark.parametrize(("problem", "gone"), GONE.values(), ids=GONE.keys())
def test_a_reader_that_went_away_is_told_from_other_trouble(
    problem: Exception, gone: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    assert reader_gone(problem) is gone
    assert not capsys.readouterr().out


def test_windows_calls_a_closed_pipe_an_invalid_argument(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = OSError(errno.EINVAL, "Invalid argument")
    assert not reader_gone(problem)
    monkeypatch.setattr("runbook.cli.console.os.name", "nt")
    gone = reader_gone(problem)
    monkeypatch.undo()
    assert gone


def test_verbose_shows_the_traceback_in_a_process_of_its_own(tmp_path: Path) -> None:
    """Where nobody hands in a composition root."""
    plan = tmp_path / "plan.yaml"
    plan.write_text("format: 9\n", encoding="utf-8")
    verbose = in_a_process("--verbose", "run", str(plan), "--yes")
    assert verbose.returncode == 3
    assert b"Traceback" in verbose.stderr
    quiet = in_a_process("run", str(plan), "--yes")
    assert quiet.returncode == 3
    assert b"Traceback" not in quiet.stderr
    assert verbose.stderr.endswith(quiet.stderr)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_shell_completes_commands(shell: str) -> None:
    """Click's own completion works over the lazy table."""
    done = in_a_process(_RUNBOOK_COMPLETE=f"{shell}_source")
    assert done.returncode == 0, done.stderr
    assert b"_RUNBOOK_COMPLETE" in done.stdout
    done = in_a_process(_RUNBOOK_COMPLETE="bash_complete", COMP_WORDS="runbook ver", COMP_CWORD="1")
    assert b"verify" in done.stdout

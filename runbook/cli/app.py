"""The command group and the error boundary: the only place that prints an error or ends a process.

Commands are named here with their one-line help and imported when they are called, so that
`runbook --help` costs little more than importing click.
"""

import sys
from collections.abc import Sequence
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any

import click

from runbook import __version__
from runbook.errors import ExitCode, RunbookError

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

# name -> (module below `runbook.cli` that defines a command of this name, short help). A test holds
# the help equal to the commands' own.
COMMANDS: dict[str, tuple[str, str]] = {
    "init": ("init", "Write a full mesh plan with every field explained."),
    "check": ("check", "Check plans and list every finding."),
    "explain": ("check", "Say why a check matters and how to fix it."),
    "schema": ("init", "Print the JSON Schema of the plan."),
    "checklist": ("checklist", "Walk through the app-link authorization."),
    "preview": ("preview", "Show exactly what would be sent, without any network."),
    "rehearse": ("rehearse", "Play the whole evening against the built-in simulator."),
    "approve": ("decide", "Bind a person's approval to what will be sent."),
    "run": ("run", "Submit the jobs of a plan, or resume its run."),
    "stop": ("decide", "Declare the no-go: nothing more is submitted."),
    "resolve": ("decide", "Decide what happened to a job whose outcome is unknown."),
    "status": ("status", "Show the state of a run."),
    "runs": ("status", "List all runs of the ledger."),
    "snapshot": ("snapshot", "Read every remote link in scope into a file."),
    "verify": ("verify", "Compare what arrived with what was expected."),
    "repair": ("repair", "Create the links that are missing, nothing else."),
    "rollback": ("rollback", "Remove the links this tool created."),
    "leftovers": ("leftovers", "List issues that still mention an old base URL."),
    "links": ("links", "Read and write the remote links of one issue."),
    "logs": ("logs", "Keep Atlassian's own logs in the ledger."),
    "report": ("report", "Write the report of a run."),
    "bundle": ("report", "Pack or verify the evidence for an auditor."),
    "ledger": ("ledger", "Verify or export the ledger."),
    "calendar": ("init", "Write the deadlines as a calendar file."),
    "auth": ("auth", "Keep credentials in the system keyring."),
}


class _ReaderGoneError(Exception):
    """Nobody reads our output any more."""


class _ProcessRoot:
    """The composition root of a process, which the boundary knows too once a command needs it."""

    def __init__(self, root: Any) -> None:
        self.root = root


def _accept_ledger(command: click.Command) -> None:
    """Let a command that keeps no ledger take `--ledger` all the same, so that scripts may always give it."""
    if isinstance(command, click.Group):
        for below in command.commands.values():
            _accept_ledger(below)
        return
    if not any("--ledger" in option.opts for option in command.params):
        command.params.append(
            click.Option(["--ledger"], expose_value=False, hidden=True, metavar="FILE")
        )


class LazyGroup(click.Group):
    """A group that imports a command when it is called, not when it is listed."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Return the command names in the order of an evening."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Return the imported command, None for an unknown name."""
        entry = COMMANDS.get(cmd_name)
        if entry is None:
            return None
        command: click.Command = getattr(import_module(f"runbook.cli.{entry[0]}"), cmd_name)
        _accept_ledger(command)
        return command

    def invoke(self, ctx: click.Context) -> Any:
        """Call the command; a reader of our output that went away (`| head`) is no error of ours."""
        try:
            return super().invoke(ctx)
        except OSError as problem:
            from runbook.cli.console import reader_gone, silence

            if not reader_gone(problem):
                raise
            silence()
            raise _ReaderGoneError from None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Say what was probably meant where a command does not exist."""
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            from difflib import get_close_matches

            near = get_close_matches(args[0], COMMANDS, n=1)
            meant = f" Did you mean `{near[0]}`?" if near else ""
            raise click.UsageError(f"No such command `{args[0]}`.{meant}", ctx)
        return super().resolve_command(ctx, args)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list["CompletionItem"]:
        """Complete command names from the table above, without importing a command."""
        from click.shell_completion import CompletionItem

        names = [
            CompletionItem(name, help=text)
            for name, (_, text) in COMMANDS.items()
            if name.startswith(incomplete)
        ]
        return [*names, *click.Command.shell_complete(self, ctx, incomplete)]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """List the commands with the short help of the table above."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="runbook")
@click.option("--no-color", is_flag=True, help="Print without colour; NO_COLOR does the same.")
@click.option("--verbose", is_flag=True, help="Say more on stderr, and show tracebacks of errors.")
@click.pass_context
def cli(ctx: click.Context, no_color: bool, verbose: bool) -> None:
    """Recreate issue links between Jira Cloud sites: planned, rehearsed, run once, verified."""
    if isinstance(ctx.obj, _ProcessRoot):
        held = ctx.obj
        if held.root is None:
            # Only here: `--help` and `--version` do without.
            from runbook.operations.root import Root

            held.root = Root.of_this_process()
        ctx.obj = held.root
    ctx.obj.verbose = verbose
    ctx.obj.ask, ctx.obj.warn = _ask, partial(click.echo, err=True)
    if verbose:
        # Only here: a quick start does without the log.
        from runbook.cli.verbose import hide_log, show_log

        show_log()
        ctx.call_on_close(hide_log)
    ctx.obj.no_color = no_color or bool(ctx.obj.environ.get("NO_COLOR"))
    if ctx.obj.no_color:
        ctx.color = False


def _ask(question: str, *, hidden: bool = False) -> str:
    return str(click.prompt(question, hide_input=hidden, err=True))


def main(argv: Sequence[str] | None = None, root: Any = None) -> int:
    """Run one command and return its exit code.

    `root` is the composition root; tests hand in one with another clock and network.
    """
    if root is None:
        _let_any_code_page_do()
    held = _ProcessRoot(root)
    try:
        result = cli.main(
            args=None if argv is None else list(argv),
            prog_name="runbook",
            standalone_mode=False,
            obj=held,
        )
        return int(result or 0)
    except click.exceptions.Exit as ended:
        return int(ended.exit_code)
    except click.ClickException as problem:
        from runbook.cli.console import unheard_is_fine

        with unheard_is_fine(err=True):
            problem.show()
        return int(ExitCode.USAGE)
    except RunbookError as problem:
        _show_error(problem, verbose=held.root is not None and held.root.verbose)
        return int(problem.exit_code)
    except (click.Abort, KeyboardInterrupt):
        from runbook.cli.console import say

        say("interrupted; the same command resumes")
        return int(ExitCode.INTERRUPTED)
    except _ReaderGoneError:
        return int(ExitCode.DONE)
    except Exception:  # noqa: BLE001 - the boundary: a bug is shown, masked, with exit code 1
        _show_bug()
        return int(ExitCode.INTERNAL)


def _show_error(problem: RunbookError, *, verbose: bool) -> None:
    from runbook.cli.console import say

    if verbose:
        import traceback

        say(traceback.format_exc())
    say(_lines(f"error: {problem}"))
    if problem.hint:
        say(_lines(f"\nhint: {problem.hint}"))


def _lines(text: str) -> str:
    from runbook.text import printable

    return "\n".join(printable(line) for line in text.split("\n"))


def _let_any_code_page_do() -> None:
    """Show a character that the terminal's code page lacks as an escape instead of ending in an error."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")


def _show_bug() -> None:
    import traceback

    from runbook.cli.console import say

    say(traceback.format_exc())
    say(
        "error: this is a bug of runbook; what was written to the ledger is safe\n\n"
        "hint: `runbook status` shows where the run stands; please report the lines above"
    )

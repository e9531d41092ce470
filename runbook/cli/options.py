"""Options that several commands share, each declared once."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])
Options = TypeVar("Options")


def _option(*names: str, **settings: Any) -> Callable[[Command], Command]:
    return click.option(*names, **settings)


ledger_option = _option(
    "--ledger",
    "ledger_file",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="The ledger; default RUNBOOK_LEDGER, else runbook.ledger beside the plan.",
)
endpoint_option = _option(
    "--endpoint",
    metavar="URL",
    help="Send every request to this loopback address instead; default RUNBOOK_ENDPOINT.",
)
ca_bundle_option = _option(
    "--ca-bundle",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    metavar="FILE",
    help="Certificates (PEM) to trust besides the usual ones, for a proxy that opens TLS.",
)
operator_option = _option(
    "--operator",
    metavar="NAME",
    help="Who is at the keyboard; default RUNBOOK_OPERATOR, else the account's e-mail.",
)
expected_option = _option(
    "--expected",
    "expected_file",
    type=click.Path(path_type=Path),
    metavar="CSV",
    help="The Data Center's issue links; default the plan's `expected`.",
)
yes_option = _option("--yes", is_flag=True, help="Do not ask.")


def network_options(command: Command) -> Command:
    """Add `--endpoint` and `--ca-bundle`."""
    return endpoint_option(ca_bundle_option(command))


def format_option(
    *choices: str, help_text: str = "How to print the result."
) -> Callable[[Command], Command]:
    """Add `--format`, with the first choice as its default."""
    return _option(
        "--format",
        "output_format",
        type=click.Choice(choices),
        default=choices[0],
        show_default=True,
        help=help_text,
    )


def plan_argument(command: Command) -> Command:
    """Add the argument PLAN."""
    return click.argument("plan", type=click.Path(path_type=Path))(command)


def run_argument(command: Command) -> Command:
    """Add the argument RUN: a run id, a unique prefix of one, or `latest`."""
    return click.argument("run", metavar="RUN")(command)


def with_options(
    kind: type[Options],
) -> Callable[[Callable[[Any, Options], Any]], Callable[..., None]]:
    """Hand the options of a command over as one frozen value of `kind`, after the composition root.

    The fields of `kind` are named like the command's parameters (held equal by a test). What the
    command returns is its exit code; None is 0.
    """

    def wrap(command: Callable[[Any, Options], Any]) -> Callable[..., None]:
        @click.pass_context
        @functools.wraps(command)
        def call(ctx: click.Context, /, **given: Any) -> None:
            code = command(ctx.obj, kind(**given))
            ctx.exit(0 if code is None else int(code))

        return call

    return wrap

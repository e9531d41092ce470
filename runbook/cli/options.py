"""Options that several commands share, each declared once."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])


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
yes_option = _option("--yes", is_flag=True, help="Do not ask.")


def network_options(command: Command) -> Command:
    """Add `--endpoint` and `--ca-bundle`."""
    return endpoint_option(ca_bundle_option(command))


def format_option(*choices: str) -> Callable[[Command], Command]:
    """Add `--format`, with the first choice as its default."""
    return _option(
        "--format",
        "output_format",
        type=click.Choice(choices),
        default=choices[0],
        show_default=True,
        help="How to print the result.",
    )


def plan_argument(command: Command) -> Command:
    """Add the argument PLAN."""
    return click.argument("plan", type=click.Path(path_type=Path))(command)


def run_argument(command: Command) -> Command:
    """Add the argument RUN: a run id, a unique prefix of one, or `latest`."""
    return click.argument("run", metavar="RUN")(command)

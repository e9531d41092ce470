"""Options that several commands share, each declared once."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])
Options = TypeVar("Options")


def path_option(
    *names: str,
    help: str,  # noqa: A002 - click's own name
    metavar: str = "FILE",
    required: bool = False,
    **kind: bool,
) -> Callable[[Command], Command]:
    """Add an option that names a file or a folder; `kind` is what `click.Path` takes."""
    path = click.Path(path_type=Path, **kind)
    return click.option(*names, type=path, metavar=metavar, required=required, help=help)


ledger_option = path_option(
    "--ledger",
    "ledger_file",
    dir_okay=False,
    help="The ledger; default RUNBOOK_LEDGER, else runbook.ledger beside the plan.",
)
endpoint_option = click.option(
    "--endpoint",
    metavar="URL",
    help="Send every request to this loopback address instead; default RUNBOOK_ENDPOINT.",
)
ca_bundle_option = path_option(
    "--ca-bundle",
    exists=True,
    dir_okay=False,
    help="Certificates (PEM) to trust besides the usual ones, for a proxy that opens TLS.",
)
operator_option = click.option(
    "--operator",
    metavar="NAME",
    help="Who is at the keyboard; default RUNBOOK_OPERATOR, else the account's e-mail.",
)
expected_option = path_option(
    "--expected",
    "expected_file",
    metavar="CSV",
    help="The Data Center's issue links; default the plan's `expected`.",
)
plan_argument = click.argument("plan", type=click.Path(path_type=Path))
# An id, a unique prefix of one, or `latest`.
run_argument = click.argument("run", metavar="RUN")
yes_option = click.option("--yes", is_flag=True, help="Do not ask.")


def network_options(command: Command) -> Command:
    """Add `--endpoint` and `--ca-bundle`."""
    return endpoint_option(ca_bundle_option(command))


def lang_option(help_text: str) -> Callable[[Command], Command]:
    """Add `--lang`, the language of the report."""
    languages = click.Choice(("en", "de"))
    return click.option("--lang", type=languages, default="en", show_default=True, help=help_text)


def format_option(
    *choices: str, help_text: str = "How to print the result."
) -> Callable[[Command], Command]:
    """Add `--format`, with the first choice as its default."""
    return click.option(
        "--format",
        "output_format",
        type=click.Choice(choices),
        default=choices[0],
        show_default=True,
        help=help_text,
    )


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

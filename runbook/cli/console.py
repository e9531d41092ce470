"""How commands speak: data to stdout, talk to stderr, JSON with a format, text without controls."""

import contextlib
import errno
import json
import os
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import click

from runbook.operations.root import process_mask


def masked(text: str) -> str:
    """Return text without any credential that this process has read."""
    return process_mask().text(text)


def show(text: str) -> None:
    """Print data to stdout, with every known credential masked."""
    click.echo(process_mask().text(text))


def say(text: str) -> None:
    """Print talk to stderr, with every known credential masked; nobody has to listen."""
    with unheard_is_fine(err=True):
        click.echo(process_mask().text(text), err=True)


@contextlib.contextmanager
def unheard_is_fine(*, err: bool = False) -> Iterator[None]:
    """Let work go on when the reader of stdout, or of stderr, went away; the rest goes nowhere."""
    try:
        yield
    except (OSError, ValueError) as problem:
        if not reader_gone(problem):
            raise
        silence(err=err)


def reader_gone(problem: BaseException) -> bool:
    """Return whether an error says that nobody reads our output any more.

    Windows calls a closed pipe an invalid argument; a stream that was closed is a ValueError.
    """
    if isinstance(problem, ValueError):
        return "closed file" in str(problem)
    windows = os.name == "nt" and getattr(problem, "errno", None) == errno.EINVAL
    return isinstance(problem, BrokenPipeError) or windows


def silence(*, err: bool = False) -> None:
    """Send what still goes to stdout, or to stderr, nowhere: flushing must not fail at the end."""
    with contextlib.suppress(OSError, ValueError):
        stream = sys.stderr if err else sys.stdout
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


def show_json(document: Mapping[str, Any], *, indent: int | None = 2) -> None:
    """Print one JSON document to stdout, in ASCII, so that any code page can carry it.

    Its texts are masked, its names are not: programs look for them. `indent=None` is one line.
    """
    click.echo(json.dumps(process_mask().value(document), indent=indent))


def show_utf8(line: str) -> None:
    """Print one line to stdout as UTF-8 whatever the code page, for files that are hashed or compared."""
    click.echo(process_mask().text(line).encode())

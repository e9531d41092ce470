"""How commands speak: data to stdout, talk to stderr, JSON with a format, text without controls."""

import json
from collections.abc import Mapping
from typing import Any

import click

from runbook.cli.wiring import process_mask


def show(text: str) -> None:
    """Print data to stdout, with every known credential masked."""
    click.echo(process_mask().text(text))


def say(text: str) -> None:
    """Print talk to stderr, with every known credential masked."""
    click.echo(process_mask().text(text), err=True)


def show_json(document: Mapping[str, Any]) -> None:
    """Print one JSON document to stdout: indented, in ASCII, so that any code page can carry it."""
    show(json.dumps(document, indent=2))


def show_utf8(line: str) -> None:
    """Print one line to stdout as UTF-8 whatever the code page, for files that are hashed or compared."""
    click.echo(process_mask().text(line).encode())

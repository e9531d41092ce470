"""`runbook auth`: keep credentials in the system keyring, and say where each one would come from."""

import json
import re
import sys
from pathlib import Path

import click

from runbook.cli.console import say
from runbook.cli.options import format_option, path_option
from runbook.errors import UsageError
from runbook.operations.credentials import (
    in_environment,
    known_profiles,
    variable_names,
    where_kept,
)
from runbook.operations.keyring import delete_keyring, describe_keyring, write_keyring
from runbook.operations.root import Root, process_mask, read_plan_for
from runbook.secrets import Account, Secret

_PROFILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}\Z")


@click.group()
def auth() -> None:
    """Keep credentials in the system keyring.

    A credential is looked for in the environment first, then in the keyring, then asked for.
    """


@auth.command("set")
@click.argument("profile", default="default", metavar="[PROFILE]")
@click.option("--email", metavar="EMAIL", help="The account's e-mail; asked for where not given.")
@click.pass_obj
def set_(root: Root, profile: str, email: str | None) -> None:
    """Keep e-mail and API token of PROFILE (default: `default`).

    The token is asked for and not shown. Without a terminal it is read from stdin: one line with the
    e-mail (unless `--email` is given), one with the token.
    """
    _checked(profile)
    lines = [] if root.interactive else _piped()
    if email is None:
        email = lines.pop(0) if lines else _prompted(root, f"e-mail of account `{profile}`")
    email = email.strip()
    if "@" not in email or any(character.isspace() or character == ":" for character in email):
        raise UsageError(
            "that is no e-mail address (it is not repeated here: it may be a token)",
            hint="basic auth takes the account's e-mail; nothing was kept",
        )
    token = lines.pop(0) if lines else _prompted(root, "API token (not shown)", hidden=True)
    token = token.strip()
    if not token:
        raise UsageError("the API token is empty", hint="nothing was kept")
    process_mask().add(Account(profile, email, Secret(token)))
    where = write_keyring(profile, email, token)
    say(f"credential of `{profile}` kept in {where}")
    if in_environment(root.environ, profile) == "environment":
        names = " and ".join(f"`{name}`" for name in variable_names(profile))
        say(f"note: {names} are set and win over the keyring")


@auth.command()
@click.argument("profile", required=False, metavar="[PROFILE]")
@path_option("--plan", metavar="PLAN", help="Also list the accounts that this plan names.")
@format_option("text", "json")
@click.pass_obj
def status(root: Root, profile: str | None, plan: Path | None, output_format: str) -> None:
    """Say for each profile where its credential would come from, never its value."""
    profiles = [_checked(profile)] if profile else _profiles(root, plan)
    listed = [where_kept(root.environ, name, root.warn) for name in profiles]
    keyring = describe_keyring()
    if output_format == "json":
        click.echo(json.dumps({"format": 1, "keyring": keyring, "profiles": listed}, indent=2))
        return
    width = max(len(kept["profile"]) for kept in listed)
    for kept in listed:
        click.echo(
            f"{kept['profile']:<{width}}  {kept['source']}{kept['detail'] and ': '}{kept['detail']}"
        )
    say(f"\nkeyring: {keyring}")


@auth.command()
@click.argument("profile", default="default", metavar="[PROFILE]")
@click.pass_obj
def delete(root: Root, profile: str) -> None:
    """Remove the credential of PROFILE from the keyring."""
    there = delete_keyring(_checked(profile))
    said = "removed from the keyring" if there else "was not in the keyring, nothing to remove"
    say(f"credential of `{profile}` {said}")
    if in_environment(root.environ, profile):
        say("note: the environment still has one")


def _profiles(root: Root, plan: Path | None) -> list[str]:
    sites = () if plan is None else read_plan_for(plan).sites
    return known_profiles(root.environ, [site.account for site in sites])


def _checked(profile: str) -> str:
    if not _PROFILE.match(profile):
        raise UsageError(
            "the argument is no name of a profile (it is not repeated here: it may be a token)",
            hint="letters, digits, `-` and `_`, as in `account: contoso` of the plan",
        )
    return profile


def _prompted(root: Root, text: str, *, hidden: bool = False) -> str:
    if not root.interactive:
        raise UsageError(
            "there is no terminal to ask on and stdin holds too few lines",
            hint="pipe two lines into `runbook auth set`: the e-mail and the token",
        )
    return str(click.prompt(text, hide_input=hidden, err=True))


def _piped() -> list[str]:
    # A terminal that echoes (stderr was redirected) is no place to type a token.
    return [] if sys.stdin.isatty() else sys.stdin.read(65536).splitlines()

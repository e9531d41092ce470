"""`runbook auth`: keep credentials in the system keyring, and say where each one would come from."""

import json
import re
import sys
from pathlib import Path
from typing import Any

import click

from runbook.cli.options import format_option
from runbook.errors import UsageError
from runbook.operations.credentials import variable_names
from runbook.operations.keyring import (
    delete_keyring,
    describe_keyring,
    kept_profiles,
    read_keyring,
    write_keyring,
)
from runbook.operations.root import Root, process_mask, read_plan_for
from runbook.secrets import Account, Secret

_PROFILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}\Z")
_VARIABLE = re.compile(r"RUNBOOK_(?:(?P<profile>[A-Z0-9_]+)_)?(?:EMAIL|API_TOKEN)\Z")


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
    click.echo(f"credential of `{profile}` kept in {where}", err=True)
    if _from_environment(root, profile) == "environment":
        names = " and ".join(f"`{name}`" for name in variable_names(profile))
        click.echo(f"note: {names} are set and win over the keyring", err=True)


@auth.command()
@click.argument("profile", required=False, metavar="[PROFILE]")
@click.option(
    "--plan",
    type=click.Path(path_type=Path),
    metavar="PLAN",
    help="Also list the accounts that this plan names.",
)
@format_option("text", "json")
@click.pass_obj
def status(root: Root, profile: str | None, plan: Path | None, output_format: str) -> None:
    """Say for each profile where its credential would come from, never its value."""
    profiles = [_checked(profile)] if profile else _known_profiles(root, plan)
    listed = [_status(root, name) for name in profiles]
    keyring = describe_keyring()
    if output_format == "json":
        click.echo(json.dumps({"format": 1, "keyring": keyring, "profiles": listed}, indent=2))
        return
    width = max(len(one["profile"]) for one in listed)
    for one in listed:
        click.echo(
            f"{one['profile']:<{width}}  {one['source']}{one['detail'] and ': '}{one['detail']}"
        )
    click.echo(f"\nkeyring: {keyring}", err=True)


@auth.command()
@click.argument("profile", default="default", metavar="[PROFILE]")
@click.pass_obj
def delete(root: Root, profile: str) -> None:
    """Remove the credential of PROFILE from the keyring."""
    there = delete_keyring(_checked(profile))
    said = "removed from the keyring" if there else "was not in the keyring, nothing to remove"
    click.echo(f"credential of `{profile}` {said}", err=True)
    if _from_environment(root, profile):
        click.echo("note: the environment still has one", err=True)


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


def _known_profiles(root: Root, plan: Path | None) -> list[str]:
    names: dict[str, None] = {"default": None}
    if plan is not None:
        names.update(dict.fromkeys(site.account for site in read_plan_for(plan).sites))
    kept = kept_profiles()
    names.update(dict.fromkeys(kept))
    covered = {variable_names(name)[0] for name in names}
    for variable in sorted(root.environ):
        found = _VARIABLE.match(variable)
        if found and found["profile"] and f"RUNBOOK_{found['profile']}_EMAIL" not in covered:
            names[found["profile"].lower().replace("_", "-")] = None
    return list(names)


def _from_environment(root: Root, profile: str) -> str:
    present = [name for name in variable_names(profile) if root.environ.get(name, "").strip()]
    return {0: "", 1: "part", 2: "environment"}[len(present)]


def _status(root: Root, profile: str) -> dict[str, Any]:
    email_name, token_name = variable_names(profile)
    found = _from_environment(root, profile)
    if found == "environment":
        source, detail = "environment", f"`{email_name}` and `{token_name}`"
    elif read_keyring(profile, root.warn) is not None:
        source, detail = "keyring", ""
        if found == "part":
            have = email_name if root.environ.get(email_name, "").strip() else token_name
            source, detail = (
                "environment and keyring",
                f"`{have}` is set, the rest is in the keyring",
            )
    else:
        source = "nowhere"
        missing = [n for n in (email_name, token_name) if not root.environ.get(n, "").strip()]
        detail = " and ".join(f"`{name}`" for name in missing) + " not set, not in the keyring"
    return {"profile": profile, "source": source, "detail": detail}

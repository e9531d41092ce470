"""Find the credential of a profile: environment, then system keyring, then a hidden prompt.

Profile `default` reads `RUNBOOK_EMAIL` and `RUNBOOK_API_TOKEN`, profile `contoso`
`RUNBOOK_CONTOSO_EMAIL` and `RUNBOOK_CONTOSO_API_TOKEN`. A profile never falls back to another one.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

from runbook.errors import CredentialError
from runbook.operations.keyring import kept_profiles, read_keyring
from runbook.secrets import Account, Secret

_VARIABLE = re.compile(r"RUNBOOK_(?:(?P<profile>[A-Z0-9_]+)_)?(?:EMAIL|API_TOKEN)\Z")


def variable_names(profile: str) -> tuple[str, str]:
    """Return the names of the environment variables of a profile: e-mail and token."""
    middle = "" if profile == "default" else f"{profile.upper().replace('-', '_')}_"
    return f"RUNBOOK_{middle}EMAIL", f"RUNBOOK_{middle}API_TOKEN"


class Ask(Protocol):
    """Asks the person at the terminal; what is typed is shown unless `hidden`."""

    def __call__(self, question: str, *, hidden: bool = False) -> str:
        """Return what was typed."""


def find_account(
    profile: str, environ: Mapping[str, str], *, ask: Ask | None, warn: Callable[[str], None]
) -> Account:
    """Return the account of a profile; `ask` is None where there is no terminal.

    Raises:
        CredentialError: no complete credential was found and nobody can be asked.
    """
    email_name, token_name = variable_names(profile)
    email, token = environ.get(email_name, "").strip(), environ.get(token_name, "").strip()
    if not (email and token):
        kept = read_keyring(profile, warn)
        if kept is not None:
            email, token = email or kept[0], token or kept[1]
    if not (email and token) and ask is not None:
        email = email or ask(f"e-mail of account `{profile}`")
        token = token or ask(f"API token of `{email}` (not shown)", hidden=True)
    missing = [name for name, value in ((email_name, email), (token_name, token)) if not value]
    if missing:
        raise CredentialError(
            f"no credential for account `{profile}`: {' and '.join(f'`{name}`' for name in missing)} not set",
            hint="set the environment variables, or keep the credential with `runbook auth set"
            + ("`" if profile == "default" else f" {profile}`"),
        )
    return Account(profile, email, Secret(token))


def known_profiles(environ: Mapping[str, str], of_plan: Iterable[str]) -> list[str]:
    """Return the profiles of a plan, the keyring and the environment, `default` first."""
    names: dict[str, None] = dict.fromkeys(("default", *of_plan, *kept_profiles()))
    covered = {variable_names(name)[0] for name in names}
    for variable in sorted(environ):
        found = _VARIABLE.match(variable)
        if found and found["profile"] and f"RUNBOOK_{found['profile']}_EMAIL" not in covered:
            names[found["profile"].lower().replace("_", "-")] = None
    return list(names)


def in_environment(environ: Mapping[str, str], profile: str) -> str:
    """Return how much of a credential the environment holds: empty, `part` or `environment`."""
    return ("environment", "part", "")[len(_not_set(environ, profile))]


def where_kept(
    environ: Mapping[str, str], profile: str, warn: Callable[[str], None]
) -> dict[str, Any]:
    """Return `{profile, source, detail}`: where the credential would come from, never its value."""
    names, missing = variable_names(profile), _not_set(environ, profile)
    if not missing:
        source, detail = "environment", f"`{names[0]}` and `{names[1]}`"
    elif read_keyring(profile, warn) is None:
        source = "nowhere"
        detail = " and ".join(f"`{name}`" for name in missing) + " not set, not in the keyring"
    elif len(missing) == 2:
        source, detail = "keyring", ""
    else:
        (have,) = set(names) - set(missing)
        source, detail = "environment and keyring", f"`{have}` is set, the rest is in the keyring"
    return {"profile": profile, "source": source, "detail": detail}


def _not_set(environ: Mapping[str, str], profile: str) -> list[str]:
    names = variable_names(profile)
    return [name for name in names if not environ.get(name, "").strip()]

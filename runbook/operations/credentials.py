"""Find the credential of a profile: environment, then system keyring, then a hidden prompt.

Profile `default` reads `RUNBOOK_EMAIL` and `RUNBOOK_API_TOKEN`, profile `contoso`
`RUNBOOK_CONTOSO_EMAIL` and `RUNBOOK_CONTOSO_API_TOKEN`. A profile never falls back to another one.
"""

from collections.abc import Callable, Mapping
from typing import Protocol

from runbook.errors import CredentialError
from runbook.secrets import Account, Secret


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
        from runbook.operations.keyring import read_keyring

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

"""Credentials in the system keyring: kept as one entry per profile, never shown.

The package `keyring` is an optional extra; without it nothing is found and nothing can be kept. A
backend that would store clear text is refused: `keyring` itself picks one silently where it is the
only backend installed.
"""

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from runbook.errors import CredentialError

if TYPE_CHECKING:
    from keyring.backend import KeyringBackend


SERVICE = "runbook"
INDEX_SERVICE = "runbook profiles"
INDEX_NAME = "index"

# Backends that keep nothing, keep clear text, or keep it in a way that is no better
# (keyring's documentation names keyrings.alt as unfit for anything but tests).
_KEEPS_NOTHING = ("keyring.backends.fail", "keyring.backends.null")
_UNSAFE_MODULES = ("keyrings.alt", "keyring.backends.file")
NO_KEYRING = "no system keyring is available here"
_UNSAFE_WORDS = ("plaintext", "cleartext", "unencrypted")


def read_keyring(profile: str, warn: Callable[[str], None]) -> tuple[str, str] | None:
    """Return e-mail and token of a profile; None where none is kept or no safe keyring is there.

    A keyring that is there and cannot be read (locked, no session) is a warning.
    """
    backend = _backend()
    if backend is None or unfit(backend):
        return None
    from keyring.errors import KeyringError

    try:
        kept = backend.get_password(SERVICE, profile)
    except (KeyringError, OSError, RuntimeError) as problem:
        warn(f"the system keyring cannot be read: {str(problem) or type(problem).__name__}")
        return None
    return _credential(kept, warn)


def write_keyring(profile: str, email: str, token: str) -> str:
    """Keep a credential and return the name of the keyring that holds it now.

    Raises:
        CredentialError: there is no keyring, it would store clear text, or it refused.
    """
    backend = _safe_backend()
    value = json.dumps({"email": email, "token": token})
    _ask(backend, "keep", backend.set_password, SERVICE, profile, value)
    if _ask(backend, "read back", backend.get_password, SERVICE, profile) != value:
        raise CredentialError(
            f"the keyring `{name_of(backend)}` did not keep the credential",
            hint="use the environment variables, or another keyring backend",
        )
    _keep_index(backend, {*_index(backend), profile})
    return name_of(backend)


def delete_keyring(profile: str) -> bool:
    """Remove a credential and return whether there was one.

    Raises:
        CredentialError: there is no keyring, or it refused.
    """
    backend = _safe_backend()
    there = _ask(backend, "read", backend.get_password, SERVICE, profile) is not None
    if there:
        _ask(backend, "delete", backend.delete_password, SERVICE, profile)
    _keep_index(backend, _index(backend) - {profile})
    return there


def kept_profiles() -> tuple[str, ...]:
    """Return the profiles that `auth set` has kept here, sorted; none without a safe keyring."""
    backend = _backend()
    if backend is None or unfit(backend):
        return ()
    try:
        return tuple(sorted(_index(backend)))
    except CredentialError:
        return ()


def describe_keyring() -> str:
    """Return one sentence on the keyring of this machine: its name, or why it is not used."""
    backend = _backend()
    if backend is None:
        return "no keyring: the package `keyring` is not installed"
    reason = unfit(backend)
    return f"not used: {reason}" if reason else name_of(backend)


def unfit(backend: "KeyringBackend") -> str:
    """Return why a backend is refused, empty for a fit one.

    A chain of backends is as unfit as the worst of its members: which one stores is not ours to say.
    """
    for member in getattr(backend, "backends", ()):
        reason = unfit(member)
        if reason and not _keeps_nothing(member):
            return reason
    if _keeps_nothing(backend):
        return NO_KEYRING
    for kind in type(backend).__mro__:
        module, name = kind.__module__, kind.__qualname__
        if module.startswith(_UNSAFE_MODULES) or any(
            word in name.lower().replace("_", "") for word in _UNSAFE_WORDS
        ):
            return f"the keyring backend `{module}.{name}` would store clear text"
    return ""


def name_of(backend: "KeyringBackend") -> str:
    """Return the backend's own name."""
    return str(getattr(backend, "name", "") or type(backend).__name__)


def _keeps_nothing(backend: "KeyringBackend") -> bool:
    return type(backend).__module__.startswith(_KEEPS_NOTHING)


def _backend() -> "KeyringBackend | None":
    try:
        import keyring
    except ImportError:
        return None
    return keyring.get_keyring()


def _safe_backend() -> "KeyringBackend":
    backend = _backend()
    if backend is None:
        raise CredentialError(
            "the package `keyring` is not installed",
            hint='install it with `pip install "link-runbook[keyring]"`, or set the environment variables',
        )
    reason = unfit(backend)
    if reason:
        raise CredentialError(
            reason if reason == NO_KEYRING else f"{reason}: it is refused",
            hint="set the environment variables instead, or choose a system keyring with PYTHON_KEYRING_BACKEND",
        )
    return backend


def _ask(backend: "KeyringBackend", what: str, call: Any, *values: str) -> Any:
    from keyring.errors import KeyringError

    try:
        return call(*values)
    except (KeyringError, OSError, RuntimeError) as problem:
        raise CredentialError(
            f"the keyring `{name_of(backend)}` did not {what} the credential: {str(problem) or type(problem).__name__}",
            hint="unlock the keyring and try again, or set the environment variables",
        ) from problem


def _credential(kept: str | None, warn: Callable[[str], None]) -> tuple[str, str] | None:
    if not kept:
        return None
    try:
        value = json.loads(kept)
        email, token = value["email"], value["token"]
    except (ValueError, KeyError, TypeError):
        warn(
            "the system keyring holds an entry of runbook that cannot be read; "
            "`runbook auth set` writes it anew"
        )
        return None
    return (str(email), str(token)) if email and token else None


def _index(backend: "KeyringBackend") -> set[str]:
    kept = _ask(backend, "read", backend.get_password, INDEX_SERVICE, INDEX_NAME)
    return {name for name in (kept or "").split("\n") if name}


def _keep_index(backend: "KeyringBackend", names: set[str]) -> None:
    # A keyring cannot be listed, so the names of the profiles are an entry of their own.
    _ask(backend, "keep", backend.set_password, INDEX_SERVICE, INDEX_NAME, "\n".join(sorted(names)))

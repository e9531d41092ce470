"""The credential profiles of this machine, and where each would come from."""

import re
from pathlib import Path
from typing import Any

from runbook.operations.credentials import variable_names
from runbook.operations.keyring import kept_profiles, read_keyring
from runbook.operations.root import Root, read_plan_for

_VARIABLE = re.compile(r"RUNBOOK_(?:(?P<profile>[A-Z0-9_]+)_)?(?:EMAIL|API_TOKEN)\Z")


def known_profiles(root: Root, plan: Path | None) -> list[str]:
    """Return the profiles of the plan, the keyring and the environment, `default` first."""
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


def in_environment(root: Root, profile: str) -> str:
    """Return how much of a credential the environment holds: empty, `part` or `environment`."""
    present = [name for name in variable_names(profile) if root.environ.get(name, "").strip()]
    return {0: "", 1: "part", 2: "environment"}[len(present)]


def where_kept(root: Root, profile: str) -> dict[str, Any]:
    """Return `{profile, source, detail}`: where the credential would come from, never its value."""
    email_name, token_name = variable_names(profile)
    found = in_environment(root, profile)
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

"""Evidence files: found beside the plan, named relative to it, hashed."""

import hashlib
from pathlib import Path
from typing import Any

from runbook.errors import UsageError

LIMIT_BYTES = 64 * 1024 * 1024


def evidence_name(
    plan: Path, given: Path, *, such_as: str = "a screenshot of the authorization"
) -> str:
    """Return how the plan names an evidence file: relative to its folder, with `/`.

    `given` may be relative to the working directory or to the plan's folder; `such_as` says for the
    hint what it would show.

    Raises:
        UsageError: it is no file, or it lies outside the plan's folder.
    """
    folder = plan.resolve().parent
    candidates = [given.resolve(), (folder / given).resolve()]
    found = next((path for path in candidates if path.is_file()), None)
    if found is None:
        raise UsageError(
            f"no evidence file `{given}`",
            hint=f"name a file that is there, such as {such_as}",
        )
    if not found.is_relative_to(folder):
        raise UsageError(
            f"the evidence file `{given}` lies outside the plan's folder",
            hint=f"copy it below `{folder}`, so that plan and evidence travel together",
        )
    return found.relative_to(folder).as_posix()


def read_evidence(plan: Path, name: str) -> dict[str, Any]:
    """Return `{path, sha256, bytes}` of an evidence file that a plan names.

    Raises:
        UsageError: it cannot be read, or is larger than 64 MiB.
    """
    path = plan.resolve().parent / name
    try:
        if path.stat().st_size > LIMIT_BYTES:
            raise UsageError(
                f"the evidence file `{name}` is larger than 64 MiB",
                hint="a screenshot or a signed PDF is enough",
            )
        data = path.read_bytes()
    except OSError as problem:
        raise UsageError(
            f"cannot read the evidence file `{name}`: {problem.strerror or problem}"
        ) from problem
    return {"path": name, "sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}

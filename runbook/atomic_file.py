"""Files that are written whole or not at all."""

import contextlib
import os
import tempfile
from pathlib import Path

from runbook.errors import UsageError

USUAL = 0o666
PRIVATE = 0o600
"""For what holds titles of issues or raw answers: the owner's alone, like the ledger."""


def write_atomically(path: Path, content: str | bytes, *, mode: int = USUAL) -> None:
    """Put `content` (text as UTF-8) at `path`: a reader sees the old file or the new one, whole.

    A new file gets the rights of `mode`, less the umask; one that is there keeps its own. A link is
    followed, not replaced.

    Raises:
        UsageError: the folder is not there, or the file cannot be written.
    """
    data = content.encode("utf-8") if isinstance(content, str) else content
    target = path.resolve() if path.is_symlink() else path
    if target.is_dir():
        raise UsageError(f"`{path}` is a folder", hint="name a file inside it")
    if not target.parent.is_dir():
        raise UsageError(
            f"the folder of `{path}` is not there", hint="create it, or name another file"
        )
    try:
        handle, name = tempfile.mkstemp(
            prefix=f".{target.name[:40]}.", suffix=".part", dir=target.parent
        )
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
            with contextlib.suppress(OSError):
                Path(name).chmod(_mode_for(target, mode))
            Path(name).replace(target)
        except BaseException:
            with contextlib.suppress(OSError):
                Path(name).unlink()
            raise
    except OSError as problem:
        raise UsageError(
            f"cannot write `{path}`: {problem.strerror or problem}",
            hint="free disk space, or choose a folder that you may write to; what was there is unchanged",
        ) from problem


def _mode_for(target: Path, mode: int) -> int:
    """Return the rights of the file that is replaced, else those of a new file."""
    try:
        return target.stat().st_mode & 0o777
    except OSError:
        mask = os.umask(0)
        os.umask(mask)
        return mode & ~mask

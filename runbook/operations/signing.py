"""SSH signatures over a bundle's checksums, made and checked by `ssh-keygen` itself."""

import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from runbook.errors import UsageError
from runbook.text import printable

NAMESPACE = "runbook"


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What became of checking a signature.

    `state` is `good` (a key that was given), `valid` (some key, nobody said whose) or `bad`.
    """

    state: str
    words: str


def sign(sums: bytes, key: Path) -> bytes:
    """Return the signature of a private key, or of a key in the SSH agent, over the checksums.

    A passphrase is asked for by `ssh-keygen` on the terminal.

    Raises:
        UsageError: there is no such key or no `ssh-keygen`, or it refused.
    """
    key = key.expanduser()
    if not key.is_file():
        raise UsageError(
            f"no key `{key}`", hint="name an SSH private key, such as ~/.ssh/id_ed25519"
        )
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "SHA256SUMS"
        target.write_bytes(sums)
        done = subprocess.run(  # noqa: S603 - no shell, and the program that the user installed
            [_ssh_keygen(), "-Y", "sign", "-f", str(key), "-n", NAMESPACE, str(target)],
            capture_output=True,
            check=False,
        )
        signature = target.with_name("SHA256SUMS.sig")
        if done.returncode != 0 or not signature.is_file():
            raise UsageError(
                f"`ssh-keygen` did not sign with `{key}`: {_words(done.stderr or done.stdout)}",
                hint="it needs a private key that only you can read, and OpenSSH 8.1 or newer",
            )
        return signature.read_bytes()


def check(sums: bytes, signature: bytes, *, allowed: Path | None, identity: str | None) -> Checked:
    """Return whether a signature fits the checksums, and an allowed signer where a list is given.

    Without `identity` the one that the list has for the signing key is taken.

    Raises:
        UsageError: there is no `ssh-keygen`, or no such list.
    """
    if allowed is not None and not allowed.is_file():
        raise UsageError(
            f"no list of allowed signers `{allowed}`",
            hint="a line of it: `NAME ssh-ed25519 AAAA...`, see `man ssh-keygen`",
        )
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "SHA256SUMS.sig"
        file.write_bytes(signature)
        common = ["-n", NAMESPACE, "-s", str(file)]
        if allowed is None:
            good, words = _ask(["-Y", "check-novalidate", *common], sums)
            return Checked(state="valid" if good else "bad", words=words)
        if identity is None:
            good, words = _ask(["-Y", "find-principals", "-f", str(allowed), "-s", str(file)], b"")
            if not good:
                return Checked(state="bad", words="no allowed signer has the signing key")
            identity = words.split(",")[0].split()[0]
        good, words = _ask(["-Y", "verify", "-f", str(allowed), "-I", identity, *common], sums)
        return Checked(state="good" if good else "bad", words=words)


def _ask(arguments: list[str], stdin: bytes) -> tuple[bool, str]:
    done = subprocess.run(  # noqa: S603 - no shell, and the program that the user installed
        [_ssh_keygen(), *arguments], input=stdin, capture_output=True, check=False
    )
    return done.returncode == 0, _words(done.stdout.strip() or done.stderr)


def _ssh_keygen() -> str:
    found = shutil.which("ssh-keygen")
    if found is None:
        raise UsageError(
            "`ssh-keygen` is not on the search path",
            hint="it belongs to OpenSSH, on Windows an optional feature of the system",
        )
    return found


def _words(output: bytes) -> str:
    return printable(output.decode("utf-8", "replace").strip()) or "it gave no reason"

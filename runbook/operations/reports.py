"""Write the report of a run, pack its evidence into a bundle, and check a bundle."""

import hashlib
import io
import json
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from runbook.atomic_file import PRIVATE, write_atomically
from runbook.errors import LedgerError, UsageError
from runbook.ledger.store import Ledger
from runbook.operations.find_run import find_run, read_runs, runs_in
from runbook.operations.root import Root, read_whole
from runbook.report import build, render
from runbook.report.build import LOGO_LIMIT_BYTES, logo_uri
from runbook.report.bundle import (
    SIGNATURE,
    SUMS,
    Choices,
    Evidence,
    files_of,
    named_evidence,
    sums_text,
    view_of,
    zip_bytes,
)
from runbook.report.bundle_open import MOST_BYTES, Problem, open_bundle
from runbook.report.bundle_verify import Verdict, verify
from runbook.report.data import report_json
from runbook.report.redact import redact_rows
from runbook.text import printable
from runbook.view import RunState, RunView, run_of

EVIDENCE_LIMIT_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class PackOptions:
    """What goes into which bundle."""

    run: str
    output: Path
    key: Path | None
    redact: bool
    lang: str
    evidence_folder: Path | None
    ledger_file: Path | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PackedBundle:
    """What was packed: how many files, the zip's size and hash, rows redacted, evidence left out."""

    files: int
    size_bytes: int
    sha256: str
    redacted_rows: int
    left_out: tuple[Evidence, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SignatureState:
    """What is known of a bundle's signature.

    `good` is that of a key that was given, `valid` that of some key, nobody said whose.
    """

    state: Literal["none", "not_checked", "good", "valid", "bad"]
    detail: str


def pack_bundle(root: Root, options: PackOptions) -> PackedBundle:
    """Write the bundle of a run; the same ledger gives the same bytes.

    Raises:
        UsageError: the run is unknown or still going on, the key does not sign, or FILE cannot be written.
        LedgerError: the ledger cannot be read, or an evidence file is not the one it recorded.
    """
    path = root.ledger_path(options.ledger_file)
    with root.open_ledger(path) as ledger:
        rows = tuple(ledger.rows())
        view = find_run(runs_in(root, ledger), options.run)
    if view.state is RunState.RUNNING:
        raise UsageError(
            f"run `{view.id}` is still going on", hint="pack it when it has ended or was stopped"
        )
    last_at = rows[-1].at
    changed: frozenset[int] = frozenset()
    if options.redact:
        rows, changed = redact_rows(rows)
        why = "left out by redaction"
        evidence = [
            Evidence(path=file["path"], sha256=file["sha256"], data=None, why_left_out=why)
            for file in named_evidence(view_of(rows, view.id))
        ]
    else:
        beside = [path.parent, Path(view.started.plan_file).parent]
        folders = [options.evidence_folder] if options.evidence_folder else beside
        evidence = _read_evidence(view, folders)
    choices = Choices(lang=options.lang, redacted=options.redact, redacted_rows=changed)
    files = files_of(rows, view.id, evidence, choices)
    files[SUMS] = sums_text(files).encode("ascii")
    if options.key is not None:
        files[SIGNATURE] = _sign(files[SUMS], options.key)
    data = zip_bytes(files, last_at)
    write_atomically(options.output, data, mode=PRIVATE)
    return PackedBundle(
        files=len(files),
        size_bytes=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        redacted_rows=len(changed),
        left_out=tuple(file for file in evidence if file.data is None),
    )


def check_bundle(
    file: Path, *, allowed_signers: Path | None, identity: str | None
) -> tuple[Verdict, SignatureState]:
    """Return what holds of a bundle, also of a foreign or damaged one, and of its signature.

    Raises:
        UsageError: the file cannot be read, or the signature cannot be checked as asked.
    """
    too_large = UsageError(f"`{file}` is larger than {MOST_BYTES} bytes, which no bundle is")
    hint = "name a bundle that `runbook bundle RUN -o FILE` wrote"
    packed = read_whole(file, f"`{file}`", limit=MOST_BYTES, too_large=too_large, hint=hint)
    opened = open_bundle(io.BytesIO(packed))
    verdict = verify(opened, packed)
    return verdict, _signature(opened.files, verdict, allowed_signers, identity)


def _read_evidence(view: RunView, folders: Sequence[Path]) -> list[Evidence]:
    """Return the evidence files, each held against the hash that the ledger has."""
    found = []
    for file in named_evidence(view):
        path, sha256 = file["path"], file["sha256"]
        if sha256 is None:
            why = "it was not there when the run began"
            found.append(Evidence(path=path, sha256=None, data=None, why_left_out=why))
        else:
            found.append(Evidence(path=path, sha256=sha256, data=_matching(path, sha256, folders)))
    return found


def _matching(name: str, sha256: str, folders: Sequence[Path]) -> bytes:
    seen: list[Path] = []
    for folder in folders:
        path = (folder / name).resolve()
        # A plan may come from somebody else: it must not pull in files from anywhere.
        if not path.is_relative_to(folder.resolve()) or not path.is_file():
            continue
        seen.append(path)
        if path.stat().st_size <= EVIDENCE_LIMIT_BYTES:
            data = path.read_bytes()
            if hashlib.sha256(data).hexdigest() == sha256:
                return data
    shown = printable(name)
    if seen:
        raise LedgerError(
            f"the evidence file `{shown}` is not the one that the ledger recorded (SHA-256 {sha256})",
            hint=f"`{seen[0]}` was changed since; put the recorded file back, or name its folder with `--evidence-folder`",
        )
    raise LedgerError(
        f"the evidence file `{shown}` is not there, the ledger recorded SHA-256 {sha256}",
        hint="name the folder that holds it with `--evidence-folder FOLDER`",
    )


def _signature(
    files: dict[str, bytes], verdict: Verdict, allowed_signers: Path | None, identity: str | None
) -> SignatureState:
    if SUMS not in files or SIGNATURE not in files:
        if allowed_signers is not None and files:
            verdict.problems.append(Problem(SIGNATURE, "the bundle is not signed"))
        return SignatureState(state="none", detail="not signed: nothing shows who made it")
    try:
        checked = _check(files[SUMS], files[SIGNATURE], allowed=allowed_signers, identity=identity)
    except UsageError as problem:
        if allowed_signers is not None:
            raise
        return SignatureState(state="not_checked", detail=str(problem))
    if checked.state == "bad":
        why = f"the signature does not hold: {checked.detail}"
        verdict.problems.append(Problem(SIGNATURE, why))
    return checked


NAMESPACE = "runbook"


def _sign(sums: bytes, key: Path) -> bytes:
    """Return the signature of a key over the checksums; `ssh-keygen` asks for a passphrase itself."""
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


def _check(
    sums: bytes, signature: bytes, *, allowed: Path | None, identity: str | None
) -> SignatureState:
    """Return whether a signature fits the checksums, and an allowed signer where a list is given.

    Without `identity` the one that the list has for the signing key is taken.
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
            return SignatureState(state="valid" if good else "bad", detail=words)
        if identity is None:
            good, words = _ask(["-Y", "find-principals", "-f", str(allowed), "-s", str(file)], b"")
            if not good:
                return SignatureState(state="bad", detail="no allowed signer has the signing key")
            identity = words.split(",")[0].split()[0]
        good, words = _ask(["-Y", "verify", "-f", str(allowed), "-I", identity, *common], sums)
        return SignatureState(state="good" if good else "bad", detail=words)


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


def write_report(file: Path, ledger: Ledger, run: str, *, running: bool = False) -> None:
    """Write the HTML report of a run as the ledger knows it now."""
    view = run_of(ledger.events(), run, leased_run=run if running else None)
    if view is not None:
        write_atomically(file, render(build(view)), mode=PRIVATE)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportOptions:
    """Which run is reported how; `output` is a file, or `-`."""

    run: str
    output: str
    output_format: str
    lang: str
    logo: Path | None
    ledger_file: Path | None


def report_of(root: Root, options: ReportOptions) -> tuple[RunView, str]:
    """Return a run and its report as HTML or JSON; the same ledger gives the same text.

    Raises:
        UsageError: the run is unknown, or the logo is no picture for a page's head.
        LedgerError: the ledger is not there, locked, damaged or altered.
    """
    as_json = options.output_format == "json"
    if options.logo is not None and as_json:
        raise UsageError("JSON has no logo", hint="leave out `--logo`, or use `--format html`")
    logo = None if options.logo is None else _read_logo(options.logo)
    view = find_run(read_runs(root, root.ledger_path(options.ledger_file)), options.run)
    if as_json:
        return view, json.dumps(report_json(view), ensure_ascii=True, indent=2) + "\n"
    return view, render(build(view, lang=options.lang, logo=logo))


def _read_logo(path: Path) -> bytes:
    too_large = UsageError(
        f"the logo `{path}` is larger than {LOGO_LIMIT_BYTES // 1000} kB",
        hint="save it smaller: 600 pixels wide is plenty",
    )
    hint = "name a PNG, JPEG or SVG file that is there"
    what = f"the logo `{path}`"
    data = read_whole(path, what, limit=LOGO_LIMIT_BYTES, too_large=too_large, hint=hint)
    # Refuses what is no picture.
    logo_uri(data)
    return data

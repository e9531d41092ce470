"""`runbook bundle RUN` and `runbook bundle verify FILE`: the evidence of a run, and its check."""

import hashlib
import io
from pathlib import Path
from typing import Any

import click

from runbook.atomic_file import PRIVATE, write_atomically
from runbook.cli.console import say, show, show_json
from runbook.cli.options import format_option, ledger_option, run_argument
from runbook.errors import ExitCode, LedgerError, UsageError
from runbook.operations.find_run import find_run, runs_in
from runbook.operations.root import Root
from runbook.operations.signing import check, sign
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
from runbook.report.bundle_verify import verify as verify_contents
from runbook.report.redact import redact_rows
from runbook.text import plural, printable
from runbook.view import RunState

_EVIDENCE_LIMIT_BYTES = 64 * 1024 * 1024


class BundleGroup(click.Group):
    """`verify` as the first word is the subcommand, anything else is packed."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the subcommand, or packing with all words as its own."""
        if args and args[0] == "verify":
            return super().resolve_command(ctx, args)
        return "", pack, args

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Show both forms in the usage line."""
        return ["RUN -o FILE [OPTIONS] | verify FILE [OPTIONS]"]


@click.group(
    cls=BundleGroup,
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
)
def bundle() -> None:
    """Pack or verify the evidence for an auditor.

    `runbook bundle RUN -o FILE` packs (its options: `runbook bundle RUN --help`);
    `runbook bundle verify FILE` checks a bundle, also a foreign or damaged one.
    """


@click.command("")
@run_argument
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="The zip to write.",
)
@click.option(
    "--sign",
    "key",
    type=click.Path(path_type=Path),
    metavar="KEY",
    help="Sign the checksums with this SSH key (`ssh-keygen -Y sign`).",
)
@click.option(
    "--redact", is_flag=True, help="Replace e-mails, account ids and titles by stand-ins."
)
@click.option(
    "--lang",
    type=click.Choice(["en", "de"]),
    default="en",
    show_default=True,
    help="Language of the report.",
)
@click.option(
    "--evidence-folder",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    metavar="FOLDER",
    help="Where the evidence files are; default beside the ledger, else beside the plan.",
)
@ledger_option
@click.pass_obj
def pack(
    root: Root,
    run: str,
    output: Path,
    key: Path | None,
    redact: bool,
    lang: str,
    evidence_folder: Path | None,
    ledger_file: Path | None,
) -> None:
    """Pack report, plan, ledger, raw answers, logs and evidence of RUN into one zip.

    The same ledger gives the same bytes; a signature of an ed25519 key does not change that.
    """
    path = root.ledger_path(ledger_file)
    with root.open_ledger(path) as ledger:
        rows = tuple(ledger.rows())
        view = find_run(runs_in(root, ledger), run)
    if view.state is RunState.RUNNING:
        raise UsageError(
            f"run `{view.id}` is still going on", hint="pack it when it has ended or was stopped"
        )
    last_at = rows[-1].at
    changed: frozenset[int] = frozenset()
    if redact:
        rows, changed = redact_rows(rows)
        evidence = _left_out(rows, view.id)
    else:
        folders = [evidence_folder] if evidence_folder else [path.parent, _plan_folder(view)]
        evidence = _read_evidence(view, folders)
    choices = Choices(lang=lang, redacted=redact, redacted_rows=changed)
    files = files_of(rows, view.id, evidence, choices)
    files[SUMS] = sums_text(files).encode("ascii")
    if key is not None:
        files[SIGNATURE] = sign(files[SUMS], key)
    data = zip_bytes(files, last_at)
    write_atomically(output, data, mode=PRIVATE)
    say(f"{plural(len(files), 'file')} packed into `{output}`, {len(data)} bytes")
    say(f"SHA-256 of the zip: {hashlib.sha256(data).hexdigest()}")
    if redact:
        say(
            f"redacted: {plural(len(changed), 'row')} changed; evidence files and raw logs left out"
        )
    for one in evidence:
        if one.data is None and not redact:
            say(f"note: evidence `{printable(one.path)}` is not in it: {one.why_left_out}")


def _plan_folder(view: Any) -> Path:
    return Path(view.started.plan_file).parent


def _left_out(rows: Any, run: str) -> list[Any]:

    return [
        Evidence(
            path=one["path"], sha256=one["sha256"], data=None, why_left_out="left out by redaction"
        )
        for one in named_evidence(view_of(rows, run))
    ]


def _read_evidence(view: Any, folders: list[Path]) -> list[Any]:
    """Return the evidence files, each held against the hash that the ledger has.

    Raises:
        LedgerError: a file is gone or is another one than was recorded.
    """
    found = []
    for one in named_evidence(view):
        if one["sha256"] is None:
            why = "it was not there when the run began"
            found.append(Evidence(path=one["path"], sha256=None, data=None, why_left_out=why))
            continue
        data = _matching(one["path"], one["sha256"], folders)
        found.append(Evidence(path=one["path"], sha256=one["sha256"], data=data))
    return found


def _matching(name: str, sha256: str, folders: list[Path]) -> bytes:
    seen: list[Path] = []
    for folder in folders:
        path = (folder / name).resolve()
        # A plan may come from somebody else: it must not pull in files from anywhere.
        if not path.is_relative_to(folder.resolve()) or not path.is_file():
            continue
        seen.append(path)
        if path.stat().st_size <= _EVIDENCE_LIMIT_BYTES:
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


@bundle.command("verify")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--allowed-signers",
    "allowed",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Who may have signed: lines of `NAME ssh-ed25519 AAAA...`.",
)
@click.option("--identity", metavar="NAME", help="Which of them has to have signed.")
@format_option("text", "json")
@click.pass_context
def verify(
    ctx: click.Context, file: Path, allowed: Path | None, identity: str | None, output_format: str
) -> None:
    """Check a bundle: archive, checksums, chain of the ledger, files against ledger, signature."""
    if identity and allowed is None:
        raise UsageError(
            "`--identity` needs `--allowed-signers`",
            hint="a name says nothing without the key that belongs to it",
        )
    packed = _packed(file)
    opened = open_bundle(io.BytesIO(packed))
    verdict = verify_contents(opened, packed)
    signature = _signature(opened.files, verdict, allowed, identity)
    if output_format == "json":
        show_json(_verdict_json(file, verdict, signature))
    else:
        _show_verdict(file, verdict, signature)
    ctx.exit(ExitCode.LEDGER if verdict.problems else ExitCode.DONE)


def _packed(file: Path) -> bytes:

    try:
        if file.stat().st_size > MOST_BYTES:
            raise UsageError(f"`{file}` is larger than {MOST_BYTES} bytes, which no bundle is")
        return file.read_bytes()
    except OSError as problem:
        raise UsageError(
            f"cannot read `{file}`: {problem.strerror or problem}",
            hint="name a bundle that `runbook bundle RUN -o FILE` wrote",
        ) from problem


def _signature(
    files: dict[str, bytes], verdict: Any, allowed: Path | None, identity: str | None
) -> dict[str, str]:

    if SUMS not in files or SIGNATURE not in files:
        if allowed is not None and files:
            verdict.problems.append(Problem(SIGNATURE, "the bundle is not signed"))
        return {"state": "none", "detail": "not signed: nothing shows who made it"}
    try:
        checked = check(files[SUMS], files[SIGNATURE], allowed=allowed, identity=identity)
    except UsageError as problem:
        if allowed is not None:
            raise
        return {"state": "not_checked", "detail": str(problem)}
    if checked.state == "bad":
        verdict.problems.append(Problem(SIGNATURE, f"the signature does not hold: {checked.words}"))
    return {"state": checked.state, "detail": checked.words}


def _verdict_json(file: Path, verdict: Any, signature: dict[str, str]) -> dict[str, Any]:
    manifest = verdict.manifest
    return {
        "format": 1,
        "file": str(file),
        "whole": not verdict.problems,
        "run": manifest.get("run"),
        "plan": manifest.get("plan"),
        "redacted": manifest.get("redacted"),
        "files": verdict.files,
        "ledger": {"rows": verdict.rows, "head": verdict.head},
        "signature": signature,
        "unproven_rows": [{"seq": seq, "kind": kind} for seq, kind in verdict.unproven],
        "problems": [{"file": one.file, "problem": one.problem} for one in verdict.problems],
        "notes": verdict.notes,
    }


def _show_verdict(file: Path, verdict: Any, signature: dict[str, str]) -> None:
    for one in verdict.problems:
        show(f"{printable(one.file) or file}: {printable(one.problem)}")
    if verdict.problems:
        say(
            f"error: `{file}` is not as it was packed: {plural(len(verdict.problems), 'problem')}\n\n"
            "hint: ask for the bundle again, and compare the head of the chain with the report you know"
        )
        return
    manifest = verdict.manifest
    show(f"run: {printable(str(manifest.get('run')))}")
    show(f"plan: {printable(str(manifest.get('plan')))}")
    show(f"files: {verdict.files}")
    show(f"ledger: {verdict.rows} rows, head {verdict.head}")
    show(f"signature: {signature['detail']}")
    for note in verdict.notes:
        show(f"note: {printable(note)}")
    if verdict.unproven:
        for seq, kind in verdict.unproven:
            show(f"not proven: row {seq} ({printable(kind)}), redacted")
        say(
            f"the bundle is whole except {plural(len(verdict.unproven), 'redacted row')} that this bundle cannot prove: compare them with the unredacted ledger"
        )
    else:
        say("the bundle is whole: every file is as it was packed, and says what its ledger says")
    if signature["state"] == "valid":
        say("whose key that is was not checked: name it with `--allowed-signers FILE`")

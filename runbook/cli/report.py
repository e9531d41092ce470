"""`runbook report`: one run of the ledger as a file for people, or as JSON for programs."""

from pathlib import Path
from typing import Any

import click

from runbook.atomic_file import PRIVATE, write_atomically
from runbook.cli.console import say, show, show_json
from runbook.cli.options import (
    format_option,
    lang_option,
    ledger_option,
    path_option,
    run_argument,
    with_options,
)
from runbook.errors import ExitCode, UsageError
from runbook.operations.reports import (
    PackOptions,
    ReportOptions,
    SignatureState,
    check_bundle,
    pack_bundle,
    report_of,
)
from runbook.operations.root import Root
from runbook.report.bundle_verify import Verdict
from runbook.text import plural, printable

STDOUT = "-"


@click.command("report")
@run_argument
@click.option(
    "-o",
    "--output",
    required=True,
    metavar="FILE",
    help="The file to write; it is replaced whole or not at all. `-` prints it.",
)
@format_option("html", "json")
@lang_option("The language of the fixed texts.")
@path_option("--logo", help="A PNG, JPEG or SVG picture for the head of the report.")
@ledger_option
@with_options(ReportOptions)
def report(root: Root, options: ReportOptions) -> None:
    """Write the report of RUN: an id, a unique beginning of one, or `latest`.

    The same ledger gives the same file, byte for byte. Nothing is written to the ledger.
    """
    view, text = report_of(root, options)
    if options.output == STDOUT:
        click.echo(text.encode(), nl=False)
        return
    write_atomically(Path(options.output), text, mode=PRIVATE)
    say(f"wrote `{options.output}`: run `{view.id}`, {view.state.value}")


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
@path_option("-o", "--output", required=True, help="The zip to write.", dir_okay=False)
@path_option(
    "--sign",
    "key",
    metavar="KEY",
    help="Sign the checksums with this SSH key (`ssh-keygen -Y sign`).",
)
@click.option(
    "--redact", is_flag=True, help="Replace e-mails, account ids and titles by stand-ins."
)
@lang_option("Language of the report.")
@path_option(
    "--evidence-folder",
    metavar="FOLDER",
    help="Where the evidence files are; default beside the ledger, else beside the plan.",
    exists=True,
    file_okay=False,
)
@ledger_option
@with_options(PackOptions)
def pack(root: Root, options: PackOptions) -> None:
    """Pack report, plan, ledger, raw answers, logs and evidence of RUN into one zip.

    The same ledger gives the same bytes; a signature of an ed25519 key does not change that.
    """
    packed = pack_bundle(root, options)
    say(f"{plural(packed.files, 'file')} packed into `{options.output}`, {packed.size_bytes} bytes")
    say(f"SHA-256 of the zip: {packed.sha256}")
    if options.redact:
        say(
            f"redacted: {plural(packed.redacted_rows, 'row')} changed; evidence files and raw logs left out"
        )
        return
    for file in packed.left_out:
        say(f"note: evidence `{printable(file.path)}` is not in it: {file.why_left_out}")


@bundle.command("verify")
@click.argument("file", type=click.Path(path_type=Path))
@path_option("--allowed-signers", help="Who may have signed: lines of `NAME ssh-ed25519 AAAA...`.")
@click.option("--identity", metavar="NAME", help="Which of them has to have signed.")
@format_option("text", "json")
@click.pass_context
def verify(
    ctx: click.Context,
    file: Path,
    allowed_signers: Path | None,
    identity: str | None,
    output_format: str,
) -> None:
    """Check a bundle: archive, checksums, chain of the ledger, files against ledger, signature."""
    if identity and allowed_signers is None:
        raise UsageError(
            "`--identity` needs `--allowed-signers`",
            hint="a name says nothing without the key that belongs to it",
        )
    verdict, signature = check_bundle(file, allowed_signers=allowed_signers, identity=identity)
    if output_format == "json":
        show_json(_verdict_json(file, verdict, signature))
    else:
        _show_verdict(file, verdict, signature)
    ctx.exit(ExitCode.LEDGER if verdict.problems else ExitCode.DONE)


def _verdict_json(file: Path, verdict: Verdict, signature: SignatureState) -> dict[str, Any]:
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
        "signature": {"state": signature.state, "detail": signature.detail},
        "unproven_rows": [{"seq": seq, "kind": kind} for seq, kind in verdict.unproven],
        "problems": [
            {"file": problem.file, "problem": problem.problem} for problem in verdict.problems
        ],
        "notes": verdict.notes,
    }


def _show_verdict(file: Path, verdict: Verdict, signature: SignatureState) -> None:
    for problem in verdict.problems:
        show(f"{printable(problem.file) or file}: {printable(problem.problem)}")
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
    show(f"signature: {signature.detail}")
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
    if signature.state == "valid":
        say("whose key that is was not checked: name it with `--allowed-signers FILE`")

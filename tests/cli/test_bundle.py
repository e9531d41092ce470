"""`bundle` packs a run the same way each time; `bundle verify` names what is wrong with one."""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from runbook.cli.app import main
from runbook.clock import VirtualClock
from runbook.operations.root import Root
from tests.report.bundle_world import RUN, START, make_ledger

needs_ssh = pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="no ssh-keygen here")
needs_sha256sum = pytest.mark.skipif(shutil.which("sha256sum") is None, reason="no sha256sum here")


@pytest.fixture
def ledger(tmp_path) -> Path:
    return make_ledger(tmp_path)


def bundle(*argv: object) -> int:
    root = Root(environ={}, clock=VirtualClock(START), interactive=False)
    return main(["bundle", *map(str, argv)], root=root)


@pytest.fixture
def packed(ledger, tmp_path) -> Path:
    target = tmp_path / "run.zip"
    assert bundle("latest", "-o", target, "--ledger", ledger) == 0
    return target


def test_packing_twice_gives_the_same_bytes_and_leaves_the_ledger_alone(ledger, packed, tmp_path):
    before = ledger.read_bytes()
    assert bundle("-o", tmp_path / "again.zip", "--ledger", ledger, RUN[:5]) == 0
    assert (tmp_path / "again.zip").read_bytes() == packed.read_bytes()
    assert ledger.read_bytes() == before


def test_another_time_zone_and_locale_give_the_same_bytes(ledger, packed, tmp_path):
    other = tmp_path / "other.zip"
    environ = {**os.environ, "TZ": "Pacific/Kiritimati", "LC_ALL": "C", "PYTHONHASHSEED": "7"}
    call = [sys.executable, "-m", "runbook", "bundle", "latest", "-o", other, "--ledger", ledger]
    done = subprocess.run(
        call, env=environ, cwd=Path(__file__).parents[2], capture_output=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, b"")
    assert other.read_bytes() == packed.read_bytes()


@pytest.mark.skipif(os.name == "nt", reason="Windows knows no modes")
def test_a_bundle_is_the_owners_alone(packed):
    assert packed.stat().st_mode & 0o777 == 0o600


def test_verify_says_what_the_bundle_holds(packed, capsys):
    assert bundle("verify", packed) == 0
    said = capsys.readouterr()
    assert f"run: {RUN}" in said.out
    assert "nothing shows who made it" in said.out
    assert "the bundle is whole" in said.err
    assert bundle("verify", packed, "--format", "json") == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["format"], document["whole"], document["problems"]) == (1, True, [])
    assert document["signature"]["state"] == "none"


def test_a_changed_file_is_named_with_exit_code_9(packed, tmp_path, capsys):
    changed = tmp_path / "changed.zip"
    with zipfile.ZipFile(packed) as old, zipfile.ZipFile(changed, "w") as new:
        for name in old.namelist():
            new.writestr(name, old.read(name).replace(b"J. Doe", b"J. Dee"))
    assert bundle("verify", changed) == 9
    said = capsys.readouterr()
    assert "plan.yaml: it was changed" in said.out
    assert "ledger.ndjson: row " in said.out
    assert "hint:" in said.err


@needs_sha256sum
def test_sha256sum_checks_it_alone(packed, tmp_path):
    with zipfile.ZipFile(packed) as archive:
        archive.extractall(tmp_path / "out")
    call = ["sha256sum", "--strict", "-c", "SHA256SUMS"]
    assert (
        subprocess.run(call, cwd=tmp_path / "out", capture_output=True, check=False).returncode == 0
    )


# Signatures


@pytest.fixture
def key(tmp_path) -> Path:
    path = tmp_path / "key"
    call = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(path)]
    subprocess.run(call, check=True)
    public = (tmp_path / "key.pub").read_text().strip()
    (tmp_path / "allowed").write_text(f"jane@roe.example {public}\n")
    return path


@needs_ssh
def test_a_signature_is_verified_by_ssh_keygen_and_does_not_change_the_bytes(
    ledger, key, tmp_path, capsys
):
    first, second = tmp_path / "1.zip", tmp_path / "2.zip"
    for target in (first, second):
        assert bundle("latest", "-o", target, "--sign", key, "--ledger", ledger) == 0
    assert first.read_bytes() == second.read_bytes()
    allowed = tmp_path / "allowed"
    assert (
        bundle("verify", first, "--allowed-signers", allowed, "--identity", "jane@roe.example") == 0
    )
    assert bundle("verify", first, "--allowed-signers", allowed) == 0
    assert "jane@roe.example" in capsys.readouterr().out
    assert bundle("verify", first) == 0
    assert "whose key that is was not checked" in capsys.readouterr().err
    with zipfile.ZipFile(first) as archive:
        archive.extractall(tmp_path / "out")
    call = ["ssh-keygen", "-Y", "verify", "-f", allowed, "-I", "jane@roe.example", "-n", "runbook"]
    sums = (tmp_path / "out" / "SHA256SUMS").read_bytes()
    done = subprocess.run(
        [*call, "-s", tmp_path / "out" / "SHA256SUMS.sig"],
        input=sums,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0


def with_another(data: bytes, position: int) -> bytes:
    """Return data with another base64 character at a position, whichever was there."""
    position %= len(data)
    other = b"B" if data[position : position + 1] == b"A" else b"A"
    return data[:position] + other + data[position + 1 :]


@needs_ssh
def test_a_wrong_signer_a_changed_signature_and_none_at_all_are_damage(
    ledger, packed, key, tmp_path, capsys
):
    signed, allowed = tmp_path / "signed.zip", tmp_path / "allowed"
    bundle("latest", "-o", signed, "--sign", key, "--ledger", ledger)
    assert bundle("verify", signed, "--allowed-signers", allowed, "--identity", "john") == 9
    assert bundle("verify", packed, "--allowed-signers", allowed) == 9
    assert "the bundle is not signed" in capsys.readouterr().out
    stranger = allowed.read_text().split()
    (tmp_path / "strangers").write_text(
        f"x {stranger[1]} {with_another(stranger[2].encode(), -2).decode()}\n"
    )
    assert bundle("verify", signed, "--allowed-signers", tmp_path / "strangers") == 9
    forged = tmp_path / "forged.zip"
    with zipfile.ZipFile(signed) as old, zipfile.ZipFile(forged, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            new.writestr(name, with_another(data, 90) if name.endswith(".sig") else data)
    assert bundle("verify", forged) == 9
    assert "SHA256SUMS.sig: " in capsys.readouterr().out


# What is refused


def test_evidence_that_was_changed_or_is_gone_is_refused(ledger, tmp_path, capsys):
    shot = tmp_path / "evidence" / "shot.png"
    shot.write_bytes(b"another picture")
    assert bundle("latest", "-o", tmp_path / "x.zip", "--ledger", ledger) == 9
    assert "is not the one that the ledger recorded" in capsys.readouterr().err
    shot.unlink()
    assert bundle("latest", "-o", tmp_path / "x.zip", "--ledger", ledger) == 9
    assert "--evidence-folder" in capsys.readouterr().err
    assert not (tmp_path / "x.zip").exists()
    assert bundle("latest", "-o", tmp_path / "x.zip", "--ledger", ledger, "--redact") == 0


def test_a_redacted_bundle_is_never_called_whole_without_its_redacted_rows(
    ledger, tmp_path, capsys
):
    file = tmp_path / "x.zip"
    assert bundle("latest", "-o", file, "--ledger", ledger, "--redact") == 0
    capsys.readouterr()
    assert bundle("verify", file) == 0
    said = capsys.readouterr()
    assert "redacted rows that this bundle cannot prove" in said.err
    assert "says what its ledger says" not in said.err
    assert "(run.started), redacted" in said.out
    assert bundle("verify", file, "--format", "json") == 0
    document = json.loads(capsys.readouterr().out)
    assert "run.started" in {one["kind"] for one in document["unproven_rows"]}


BAD_CALLS = {
    "no run of that name": (2, ["nope", "-o", "x.zip"]),
    "no -o": (2, ["latest"]),
    "no key": (2, ["latest", "-o", "x.zip", "--sign", "absent"]),
    "a key that is none": (2, ["latest", "-o", "x.zip", "--sign", "plan.yaml"]),
    "a folder that is not there": (2, ["latest", "-o", "no/where.zip"]),
    "no ledger": (9, ["latest", "-o", "x.zip", "--ledger", "absent.ledger"]),
    "no file to verify": (2, ["verify", "absent.zip"]),
    "no name to verify": (2, ["verify"]),
    "an identity without signers": (2, ["verify", "plan.yaml", "--identity", "x"]),
    "no zip": (9, ["verify", "plan.yaml"]),
    "an unknown option": (2, ["latest", "-o", "x.zip", "--nope"]),
}


@needs_ssh
@pytest.mark.parametrize(("code", "argv"), BAD_CALLS.values(), ids=BAD_CALLS)
def test_what_is_refused_has_its_exit_code_and_writes_nothing(
    code, argv, ledger, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    assert bundle(*argv) == code
    assert "Traceback" not in capsys.readouterr().err
    assert not (tmp_path / "x.zip").exists()


def test_help_shows_both_forms(capsys):
    assert bundle("--help") == 0
    assert "RUN -o FILE [OPTIONS] | verify FILE" in capsys.readouterr().out
    assert bundle("latest", "--help") == 0
    assert "--redact" in capsys.readouterr().out

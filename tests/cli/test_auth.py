"""`auth` keeps credentials in a safe keyring, names where they come from, and never shows one."""

import importlib
import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from runbook.cli.app import main
from runbook.clock import VirtualClock
from runbook.operations.keyring import read_keyring, unfit
from runbook.operations.root import Root

keyring = pytest.importorskip("keyring", reason="the extra `keyring` is not installed")
backend = pytest.importorskip("keyring.backend")
errors = pytest.importorskip("keyring.errors")

CANARY = "canary-T0ken/with+odd=chars"


class MemoryKeyring(backend.KeyringBackend):
    """A fit keyring that forgets."""

    priority = 1
    name = "memory of the test"

    def __init__(self) -> None:
        super().__init__()
        self.kept: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.kept[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        del self.kept[service, username]


class PlaintextKeyring(MemoryKeyring):
    """What keyrings.alt calls its clear-text file."""


class LockedKeyring(MemoryKeyring):
    def get_password(self, service: str, username: str) -> str | None:
        raise errors.KeyringLocked("the collection is locked")


class Chain(MemoryKeyring):
    def __init__(self, *members: MemoryKeyring) -> None:
        super().__init__()
        self.backends = members


@pytest.fixture
def use() -> Iterator[object]:
    before = keyring.get_keyring()

    def use_backend(one: MemoryKeyring) -> MemoryKeyring:
        keyring.set_keyring(one)
        return one

    yield use_backend
    keyring.set_keyring(before)


def root(**environ: str) -> Root:
    clock = VirtualClock(datetime(2026, 11, 22, 19, tzinfo=UTC))
    return Root(environ=environ, clock=clock, interactive=False)


def keep(monkeypatch: pytest.MonkeyPatch, *argv: str, lines: str) -> int:
    monkeypatch.setattr("sys.stdin", io.StringIO(lines))
    return main(["auth", "set", *argv], root=root())


def test_a_kept_credential_is_found_again_and_never_printed(use, monkeypatch, capsys):
    use(MemoryKeyring())
    assert keep(monkeypatch, "contoso", lines=f"a@contoso.example\n{CANARY}\n") == 0
    assert read_keyring("contoso", print) == ("a@contoso.example", CANARY)
    assert read_keyring("default", print) is None
    assert main(["auth", "status"], root=root()) == 0
    said = capsys.readouterr()
    assert CANARY not in said.out + said.err
    assert "contoso  keyring" in said.out
    assert "default  nowhere" in said.out


def test_deleting_removes_it_and_says_when_there_was_nothing(use, monkeypatch, capsys):
    use(MemoryKeyring())
    keep(monkeypatch, "contoso", "--email", "a@contoso.example", lines=f"{CANARY}\n")
    assert main(["auth", "delete", "contoso"], root=root()) == 0
    assert read_keyring("contoso", print) is None
    assert main(["auth", "delete", "contoso"], root=root()) == 0
    assert "nothing to remove" in capsys.readouterr().err


def test_status_as_json_names_the_source_of_each_profile(use, monkeypatch, capsys):
    use(MemoryKeyring())
    keep(monkeypatch, "kept", "--email", "a@contoso.example", lines=CANARY)
    environ = {
        "RUNBOOK_EMAIL": "e@x.example",
        "RUNBOOK_API_TOKEN": CANARY,
        "RUNBOOK_HALF_EMAIL": "h",
    }
    assert main(["auth", "status", "--format", "json"], root=root(**environ)) == 0
    said = capsys.readouterr().out
    listed = {one["profile"]: one["source"] for one in json.loads(said)["profiles"]}
    assert listed == {"default": "environment", "kept": "keyring", "half": "nowhere"}
    assert CANARY not in said
    assert "e@x.example" not in said


REFUSED = {
    "a clear-text backend": PlaintextKeyring,
    "a chain that contains one": lambda: Chain(MemoryKeyring(), PlaintextKeyring()),
    "no backend at all": importlib.import_module("keyring.backends.fail").Keyring,
    "the backend that forgets everything": importlib.import_module("keyring.backends.null").Keyring,
}


@pytest.mark.parametrize("make", REFUSED.values(), ids=REFUSED)
def test_an_unfit_keyring_is_refused_and_read_as_empty(make, use, monkeypatch, capsys):
    use(make())
    assert keep(monkeypatch, lines=f"a@contoso.example\n{CANARY}\n") == 4
    said = capsys.readouterr()
    assert "hint:" in said.err
    assert CANARY not in said.out + said.err
    assert read_keyring("default", print) is None


def test_a_chain_of_fit_backends_is_fit():
    assert unfit(Chain(MemoryKeyring())) == ""


def test_a_locked_keyring_is_mentioned_and_the_search_goes_on(use):
    use(LockedKeyring())
    warnings = []
    assert read_keyring("default", warnings.append) is None
    assert "the collection is locked" in warnings[0]


def test_an_entry_of_another_shape_is_mentioned_and_not_used(use):
    use(MemoryKeyring()).set_password("runbook", "default", "no json")
    warnings = []
    assert read_keyring("default", warnings.append) is None
    assert "cannot be read" in warnings[0]


BAD_INPUT = {
    "no token": ([], "a@contoso.example\n"),
    "an empty token": ([], "a@contoso.example\n  \n"),
    "an e-mail that is none": ([], f"nobody\n{CANARY}\n"),
    "a token where the e-mail belongs": ([], f"{CANARY}\n{CANARY}\n"),
    "nothing at all": ([], ""),
    "a token as the argument": ([CANARY], f"a@contoso.example\n{CANARY}\n"),
}


@pytest.mark.parametrize(("argv", "lines"), BAD_INPUT.values(), ids=BAD_INPUT)
def test_bad_input_keeps_nothing_and_repeats_no_token(argv, lines, use, monkeypatch, capsys):
    kept = use(MemoryKeyring())
    assert keep(monkeypatch, *argv, lines=lines) == 2
    assert kept.kept == {}
    said = capsys.readouterr()
    assert CANARY not in said.out + said.err

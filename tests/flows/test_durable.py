"""Whatever a command writes down is on the disk before it goes on: asked of its own connection."""

from collections.abc import Callable
from typing import Any

import pytest

from runbook.ledger.store import Ledger
from tests.remotelinks.nights import ENG, Night, night

__all__ = ["night"]
LINK = '{"globalId": "g", "object": {"url": "https://x.example", "title": "x"}}'


def set_a_link(one: Night) -> Any:
    (one.folder / "link.json").write_text(LINK, encoding="utf-8")
    link = str(one.folder / "link.json")
    return one.on_ledger("links", "set", ENG, "ENG-1", "--file", link, "--yes")


def delete_a_link(one: Night) -> Any:
    set_a_link(one)
    return one.on_ledger("links", "delete", ENG, "ENG-1", "--global-id", "g", "--yes")


COMMANDS: dict[str, Callable[[Night], Any]] = {
    "run": lambda one: one.run("--again", "eng-to-ops", "--reason", "once more"),
    "verify": lambda one: one.verify("--before", str(one.before)),
    "repair": lambda one: one.repair("--yes"),
    "rollback": lambda one: (one.verify(), one.rollback("--yes"))[1],
    "links set": set_a_link,
    "links delete": delete_a_link,
    "stop": lambda one: one.on_ledger("stop", "latest", "--reason", "enough"),
}


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS.keys())
def test_every_command_that_writes_waits_for_the_disk(
    command: Callable[[Night], Any], night: Callable[..., Night], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`synchronous` is EXTRA (3), which also waits for the folder that held the journal."""
    one = night(leave_out=0.25)
    append, seen = Ledger.append, []

    def looked_at(self: Ledger, *given: Any, **named: Any) -> Any:
        pragmas = ("synchronous", "journal_mode")
        seen.extend(self._db.execute(f"PRAGMA {pragma}").fetchone()[0] for pragma in pragmas)
        return append(self, *given, **named)

    monkeypatch.setattr(Ledger, "append", looked_at)
    assert command(one).code in (0, 8)
    assert set(seen) == {3, "delete"}

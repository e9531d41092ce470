"""What every command prints, byte for byte, over whole nights with a simulated Atlassian.

`python -m tests.cli.golden_commands` writes the files anew; that module says what each step is.
"""

from collections.abc import Callable
from difflib import unified_diff
from functools import cache
from itertools import islice

import pytest

from tests.cli.golden_commands import COMMAND_FILES, SCENES, Scene, play

KEPT = sorted(file.relative_to(COMMAND_FILES).as_posix() for file in COMMAND_FILES.glob("*/*.txt"))
BY_NAME = {scene.__name__: scene for scene in SCENES}


@cache
def steps_of(scene: Callable[[Scene], None]) -> dict[str, str]:
    """Return what a scene prints; it is played once for all of its steps."""
    return play(scene)


@pytest.mark.parametrize("name", KEPT)
def test_a_command_prints_the_same_byte_for_byte(name: str) -> None:
    scene, _, step = name.removesuffix(".txt").partition("/")
    kept = (COMMAND_FILES / name).read_text(encoding="utf-8")
    printed = steps_of(BY_NAME[scene])[step]
    changes = unified_diff(kept.splitlines(), printed.splitlines(), "kept", "now", lineterm="", n=1)
    assert kept == printed, "\n".join(line[:300] for line in islice(changes, 60))


@pytest.mark.parametrize("scene", SCENES, ids=BY_NAME)
def test_every_step_is_kept(scene: Callable[[Scene], None]) -> None:
    steps = {f"{scene.__name__}/{step}.txt" for step in steps_of(scene)}
    assert steps == {name for name in KEPT if name.startswith(f"{scene.__name__}/")}

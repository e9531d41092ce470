"""Fixtures of the evenings."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.flows.evening import Evening


@pytest.fixture
def evening(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., Evening]:
    """Return a maker of evenings: `evening(text=…, settings={…}, env={…})`."""

    def make(**given: Any) -> Evening:
        return Evening(tmp_path, capsys, **given)

    return make

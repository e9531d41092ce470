"""Plans: the document a consultant writes, read and typed."""

from typing import TYPE_CHECKING, Any

from runbook.plan.model import Plan

if TYPE_CHECKING:
    from runbook.plan.parse import Loaded, load_plan, load_plan_bytes, read_plan

__all__ = ["Loaded", "Plan", "load_plan", "load_plan_bytes", "read_plan"]


def __getattr__(name: str) -> Any:
    """Import the reader on first use: most modules need only the model."""
    if name in __all__:
        from runbook.plan import parse

        return getattr(parse, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

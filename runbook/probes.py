"""What was seen of a probe link: the value that those who look and those who run share."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeReading:
    """Whether a known link is there: `present`, `absent` or `not_asked`, with the reason in `detail`."""

    result: str
    detail: str = ""
    exchanges: tuple[dict[str, Any], ...] = ()

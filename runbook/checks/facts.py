"""What a check may know besides the plan: moments, files, earlier runs, and answers of the sites.

Facts are values, gathered by the composition root; checks stay pure and run offline on saved facts.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """The moment a plan is judged at, and what was found around it.

    `at` is the planned moment (`--at`, else `cutover`, else the present; in `run` the real present).
    `running` says that only finished waves count. `missing_files` are evidence files that are named
    and not there, as the plan writes them. `earlier_backups` are (site URL, moment) of backups that
    earlier runs asked for. `submitters` maps a credential profile to its e-mail where known.
    `online` holds what the sites answered, None where nobody asked; `not_asked` says why.
    """

    at: datetime
    running: bool = False
    missing_files: frozenset[str] = frozenset()
    earlier_backups: tuple[tuple[str, datetime], ...] = ()
    submitters: Mapping[str, str] = field(default_factory=dict)
    online: Any = None
    not_asked: str = "`--online` was not given"

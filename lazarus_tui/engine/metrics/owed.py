"""What is owed and does not come: by policies, as far as this engine looks after them, and by Velero's Schedules.

What nobody could look at is not there: it has no sample, instead of a 0 that says that all is well.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

# What can be lacking (model.arrivals): no point came in time, the newest backup failed, there is nothing to prove.
LACKS = ("point", "backup", "nothing")


@dataclass(frozen=True, slots=True)
class Owed:
    """By one policy, or by several together. ``overdue``: policies whose runs did not take place, or failed;
    ``late``: what was told as lacking and still is, by ``LACKS``; ``expected``: points that still have time to come;
    ``unknown``: of how many things nobody knows when one is due. None: that was not looked at."""

    overdue: int = 0
    late: Mapping[str, int] = field(default_factory=dict)
    expected: int | None = None
    unknown: int | None = None


def together(every: Iterable[Owed]) -> Owed:
    """Their sum; of what was looked at, where it was."""
    found = list(every)
    late: Counter[str] = Counter()
    for one in found:
        late.update(one.late)
    expected = [one.expected for one in found if one.expected is not None]
    unknown = [one.unknown for one in found if one.unknown is not None]
    return Owed(
        sum(one.overdue for one in found), late, sum(expected) if expected else None, sum(unknown) if unknown else None
    )

"""How long something may take: the spread of the last runs of its kind, or no estimate at all."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from lazarus_tui.model.plan import Estimate

_RUNS = 5


def from_runs(lengths: Sequence[float], what: str) -> Estimate | None:
    """The spread around the median of the last runs (seconds, newest first); None without any."""
    if not lengths:
        return None
    last = lengths[:_RUNS]
    middle = median(last)
    runs = "run" if len(last) == 1 else f"{len(last)} runs"
    low, high = (min(last), max(last)) if len(last) > 1 else (middle, middle)
    return Estimate(low, high, f"median {middle:.0f} s of the last {runs} of {what}")

"""Two looks in a row that agree: how a phase that can still flip is told from one that stays."""

from __future__ import annotations

from collections.abc import Hashable


class Twice:
    """``gap`` is the least number of seconds between the two looks. After a crash both are taken again."""

    def __init__(self, gap: float) -> None:
        self.gap = gap
        self._seen: Hashable = None
        self._since: float | None = None

    def agreed(self, seen: Hashable, now: float) -> bool:
        """Whether ``seen`` was the same ``gap`` seconds ago or earlier, and at every look since."""
        if self._since is None or seen != self._seen:
            self._seen, self._since = seen, now
            return False
        return now - self._since >= self.gap

    def reset(self) -> None:
        self._since = None

"""Where one has been: the places in the order they were visited, as a browser keeps them."""

from __future__ import annotations

# More steps back than this nobody means.
KEPT = 50


class History:
    """``went`` records a visit; ``step`` goes along what was recorded and says where to, or None at the end."""

    def __init__(self, start: str) -> None:
        self._been = [start]
        self._at = 0

    def went(self, place: str) -> None:
        """A visit of its own: what lay ahead is forgotten."""
        if place != self._been[self._at]:
            self._been = [*self._been[: self._at + 1], place][-KEPT:]
            self._at = len(self._been) - 1

    def step(self, by: int) -> str | None:
        at = self._at + by
        if not 0 <= at < len(self._been):
            return None
        self._at = at
        return self._been[at]

"""What one run of a step has tried, and how long it goes on trying."""

from __future__ import annotations

from dataclasses import dataclass

# A step acts again when its effect is absent, but not for ever.
MAX_ACTS = 5
# Seconds an operation waits for an API that does not answer before it parks (at least the step's own limit).
API_PATIENCE = 600.0
LONGEST_PAUSE = 15.0


@dataclass
class Effort:
    """Times in seconds on the monotonic clock. ``away``: spent on an API that is silent or answers nothing usable."""

    began: float
    acts: int = 0
    looked_twice: bool = False
    pause: float = 0.0
    away: float = 0.0
    silent_since: float | None = None
    backoff: float = 1.0
    doubted_since: float | None = None
    lull: float = 0.0

    def look_again(self, absent: bool, poll: float) -> None:
        """Wait before the next look, longer while writes end in the dark."""
        self.looked_twice, self.pause = absent, poll + self.lull
        self.away += self.lull

    def known(self, waited: float) -> None:
        """Writes ended with known outcomes, for which the API let them wait so many seconds."""
        self.doubted_since, self.lull = None, 0.0
        self.away += waited

    def doubt(self, sent: float, now: float) -> float:
        """A write sent at ``sent`` ended in the dark: no try that failed, but one to be repeated ever more slowly.

        Returns the seconds since the first of these in a row.
        """
        self.doubted_since = sent if self.doubted_since is None else self.doubted_since
        self.away += now - sent
        self.acts, self.lull = 1, min(LONGEST_PAUSE, max(1.0, self.lull * 2))
        return now - self.doubted_since

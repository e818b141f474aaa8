"""How the parts of the engine that work in the background stand: what the topic ``engine`` tells."""

from __future__ import annotations

import msgspec

# It runs, and has for a while · it was started again a short while ago · it has failed, and waits to be started again.
RUNNING, SHAKY, DOWN = "running", "started again", "down"


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """``failures`` in a row, ``total`` since the engine started. Times are RFC 3339; ``again``: of one that is down.

    ``why`` is what went wrong last, "" once it has run undisturbed for a while.
    """

    name: str
    state: str
    since: str
    failures: int = 0
    total: int = 0
    why: str = ""
    again: str = ""

    @property
    def words(self) -> str:
        """One sentence without its end."""
        if self.state == RUNNING:
            return f"{self.name} runs"
        often = f", {self.failures} times in a row" if self.failures > 1 else ""
        if self.state == DOWN:
            return f"{self.name} is down since {self.since}{often}: {self.why}; started again at {self.again}"
        return f"{self.name} was started again at {self.since}, after it failed{often}: {self.why}"

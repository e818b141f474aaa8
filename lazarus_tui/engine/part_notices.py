"""That a part of the engine fails again and again is told like any other trouble, and that it runs again too."""

from __future__ import annotations

from collections.abc import Callable, Collection

from lazarus_tui.model.clock import Clock, rfc3339
from lazarus_tui.model.parts import Part
from lazarus_tui.notify.desk import Desk
from lazarus_tui.notify.notice import Action, Notice, Severity, Told, commands, made

# How the keys of their notices begin.
_KEY = "engine/"


class PartNotices:
    """``failing`` and ``steady`` are what the supervisor calls. ``sandbox``: how Lazarus is called in commands.

    Told once for as long as it lasts: what was told stands in the journal, so the next engine tells when it is over.
    ``could_run``: the parts that this engine has; what an older Lazarus, or one with other settings, told of a part
    that there is none of any more is over too, and nobody else would say so. None: that is not known.
    """

    def __init__(
        self, desk: Desk, clock: Clock, *, sandbox: bool, could_run: Callable[[], Collection[str]] | None = None
    ) -> None:
        self._desk, self._clock, self._sandbox, self._could_run = desk, clock, sandbox, could_run

    async def failing(self, part: Part) -> None:
        """Raises ``JournalError``."""
        if part.name in self._standing():
            return
        text = f"{part.words}. What it does is not done meanwhile; everything else goes on."
        await self._desk.tell([self._notice(Told.PART_FAILS, part.name, "fails again and again", text)])

    async def steady(self, name: str) -> None:
        """One has run for a while, and all others have begun by then. Raises ``JournalError``."""
        standing = self._standing()
        over = [self._notice(Told.PART_RUNS, name, "runs again", f"{name} runs again.")] if name in standing else []
        there = standing if self._could_run is None else {name, *self._could_run()}
        for gone in sorted(standing - set(there)):
            text = f"{gone} is no part of this engine, which another version or other settings had."
            over.append(self._notice(Told.PART_RUNS, gone, "is not run any more", text))
        if over:
            await self._desk.tell(over)

    def _standing(self) -> set[str]:
        """Names of the parts of which it was told that they fail."""
        if not self._desk.sinks:
            return set()
        return {key.removeprefix(_KEY) for key in self._desk.outbox.standing if key.startswith(_KEY)}

    def _notice(self, told: Told, name: str, verb: str, text: str) -> Notice:
        fails = told is Told.PART_FAILS
        return made(
            told, Action.TRIGGER if fails else Action.RESOLVE, Severity.ERROR if fails else Severity.INFO,
            f"{_KEY}{name}", rfc3339(self._clock.now(), micro=True), f"Lazarus: {name} {verb}", text, subject=name,
            commands=commands("", ["doctor"], ["engine", "status"], sandbox=self._sandbox),
        )  # fmt: skip

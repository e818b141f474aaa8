"""That a part of the engine fails again and again is told like any other trouble, and that it runs again too."""

from __future__ import annotations

from lazarus_tui.model.clock import Clock, rfc3339
from lazarus_tui.model.parts import Part
from lazarus_tui.notify.desk import Desk
from lazarus_tui.notify.notice import Action, Notice, Severity, Told, commands, made


class PartNotices:
    """``failing`` and ``steady`` are what the supervisor calls. ``sandbox``: how Lazarus is called in commands.

    Told once for as long as it lasts: what was told stands in the journal, so the next engine tells when it is over.
    """

    def __init__(self, desk: Desk, clock: Clock, *, sandbox: bool) -> None:
        self._desk, self._clock, self._sandbox = desk, clock, sandbox

    async def failing(self, part: Part) -> None:
        """Raises ``JournalError``."""
        if self._stands(part.name):
            return
        text = f"{part.words}. What it does is not done meanwhile; everything else goes on."
        await self._desk.tell([self._notice(Told.PART_FAILS, Action.TRIGGER, part.name, text)])

    async def steady(self, name: str) -> None:
        """Raises ``JournalError``."""
        if self._stands(name):
            await self._desk.tell([self._notice(Told.PART_RUNS, Action.RESOLVE, name, f"{name} runs again.")])

    def _stands(self, name: str) -> bool:
        return bool(self._desk.sinks) and _key(name) in self._desk.outbox.standing

    def _notice(self, told: Told, action: Action, name: str, text: str) -> Notice:
        severity = Severity.ERROR if action is Action.TRIGGER else Severity.INFO
        verb = "fails again and again" if action is Action.TRIGGER else "runs again"
        return made(
            told, action, severity, _key(name), rfc3339(self._clock.now(), micro=True),
            f"Lazarus: {name} {verb}", text, subject=name,
            commands=commands("", ["doctor"], ["engine", "status"], sandbox=self._sandbox),
        )  # fmt: skip


def _key(name: str) -> str:
    return f"engine/{name}"

"""The living record of one operation: changed in memory, kept in the journal, published when it has changed."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from lazarus_tui.engine.connection import Meter
from lazarus_tui.journal import Journal, JournalError
from lazarus_tui.journal.records import Then, log_line
from lazarus_tui.model.clock import Clock, rfc3339
from lazarus_tui.model.operation import Figures, Operation, OpState, StepView
from lazarus_tui.model.topics import LogLine

OnChange = Callable[[Operation], None]
OnLines = Callable[[str, Sequence[LogLine]], None]

# Lines are kept with the next record; this many are not held back longer.
_LINES_HELD = 100


class Ledger:
    """``operation`` is the newest state. Several changes in one turn of the loop are published as one."""

    def __init__(
        self, operation: Operation, journal: Journal, clock: Clock, on_change: OnChange, on_lines: OnLines
    ) -> None:
        self.operation = operation
        self.meter = Meter(clock)
        self._journal, self._clock, self._on_change, self._on_lines = journal, clock, on_change, on_lines
        self._before = operation.seconds
        self._share_before = (operation.figures.engine_seconds if operation.figures else None) or 0.0
        self._began = clock.monotonic()
        self._pending: asyncio.Handle | None = None
        self._held: list[LogLine] = []
        self._new_lines: list[LogLine] = []
        self._lines = operation.log_lines

    @property
    def running_seconds(self) -> float:
        return self._clock.monotonic() - self._began

    def add_seconds(self, seconds: float) -> None:
        """Time that passed while no engine ran; it belongs to the operation but is not in the engine's share."""
        self._before += max(0.0, seconds)

    def change(self, **fields: Any) -> None:
        self.operation = msgspec.structs.replace(self.operation, **fields)
        self.publish()

    def step(self, n: int, **fields: Any) -> None:
        """Change one step's view. Anything but its seconds is a change of the operation too: its age starts anew."""
        steps = list(self.operation.steps)
        before, found = steps[n], msgspec.structs.replace(steps[n], **fields)
        if found == before:
            return
        steps[n] = found
        if msgspec.structs.replace(found, seconds=before.seconds) == before:
            self.change(steps=tuple(steps))
        else:
            self.change(steps=tuple(steps), changed=rfc3339(self._clock.now(), micro=True))

    def step_view(self, n: int) -> StepView:
        return self.operation.steps[n]

    def remember(self, facts: Mapping[str, Any]) -> None:
        if facts:
            self.change(facts={**self.operation.facts, **facts})

    def say(self, text: str) -> None:
        """Lines for the log; kept with the next record of the operation."""
        at = rfc3339(self._clock.now())
        for part in text.splitlines() or [""]:
            self._lines += 1
            line = log_line(self._lines, at, part)
            self._held.append(line)
            self._new_lines.append(line)
        self.change(log_lines=self._lines)

    async def flush(self, *, all: bool = True) -> None:
        """Keep the lines that are held back."""
        if self._held and (all or len(self._held) >= _LINES_HELD):
            held, self._held = self._held, []
            try:
                await self._journal.add_lines(self.operation.id, held)
            except BaseException:
                self._held = held + self._held
                raise

    async def save(self, *entries: tuple[str, Mapping[str, Any]]) -> None:
        """Events and the record as it is now, in one transaction; raises ``JournalError``."""
        self.stamp()
        await self._keep(self.operation, *entries)

    async def conclude(self, entry: tuple[str, Mapping[str, Any]], **fields: Any) -> None:
        """The same for an end: nobody is told one that the journal does not have."""
        self.stamp()
        ended = msgspec.structs.replace(self.operation, **fields)
        await self._keep(ended, entry, then=lambda: self.change(**fields))

    async def _keep(
        self, operation: Operation, *entries: tuple[str, Mapping[str, Any]], then: Then | None = None
    ) -> None:
        held, self._held = self._held, []
        try:
            await self._journal.save(operation, *entries, lines=held, then=then)
        except BaseException:
            self._held = held + self._held
            raise

    async def park_by_defect(self, what: str) -> None:
        """After an error of our own: it stands where it was, and goes on from there in the direction it had."""
        was = self.operation.state
        self.change(state=OpState.PARKED, message=what, hint="look into the engine's log, then resume")
        with contextlib.suppress(JournalError):
            await self.save(("op.parked", {"was": was.value, "message": what}))
        self.publish_now()

    def stamp(self) -> None:
        """Bring the durations up to now; the engine's share is what was not spent waiting."""
        running = self.running_seconds
        share = self._share_before + max(0.0, running - self.meter.seconds)
        figures = msgspec.structs.replace(self.operation.figures or Figures(), engine_seconds=round(share, 3))
        self.change(
            seconds=round(self._before + running, 3), changed=rfc3339(self._clock.now(), micro=True), figures=figures
        )

    def publish(self) -> None:
        if self._pending is None:
            self._pending = asyncio.get_running_loop().call_soon(self.publish_now)

    def publish_now(self) -> None:
        if self._pending is not None:
            self._pending.cancel()
            self._pending = None
        lines, self._new_lines = self._new_lines, []
        if lines:
            self._on_lines(self.operation.id, lines)
        self._on_change(self.operation)

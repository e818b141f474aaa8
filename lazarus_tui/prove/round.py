"""Rounds of checks: which are due, many at a time, what changed told at once, and what all of it says so far."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from lazarus_tui.model.clock import rfc3339
from lazarus_tui.model.operation import CheckResult
from lazarus_tui.model.steps import Halted, StepContext
from lazarus_tui.model.verdict import Verdict, worst
from lazarus_tui.prove.checks.outcome import Look, judged, not_run
from lazarus_tui.prove.wanted import HEALTHY, Check

# Seconds until a check that did not hold is asked again: the first pause, what each further one grows by, the longest.
_PAUSE, _GROWTH, _LONGEST = 0.5, 1.5, 5.0


@dataclass(slots=True)
class Row:
    """One check and what came of it so far."""

    check: Check
    look: Look
    result: CheckResult | None = None
    tries: int = 0
    failures: int = 0
    due: float = 0.0

    @property
    def passed(self) -> bool:
        return self.result is not None and self.result.verdict is Verdict.PASSED

    @property
    def final(self) -> bool:
        return self.result is not None and bool(self.result.evidence.get("final"))

    @property
    def again(self) -> bool:
        """Whether it is asked although it held: what is healthy has to stay so, data does not change by itself."""
        return self.check.rung == HEALTHY and self.check.kind not in ("pod", "job")


class Rounds:
    """All checks of one step, over its rounds."""

    def __init__(self, rows: Iterable[Row], parallel: int) -> None:
        self.rows = sorted(rows, key=lambda row: row.check.tier)
        self._room = asyncio.Semaphore(parallel)
        self.first = ""  # when the first needed check held (RFC 3339)

    async def go(self, context: StepContext) -> None:
        """Ask everything that is due, up to the first tier of which a needed check does not hold."""
        for tier in sorted({row.check.tier for row in self.rows}):
            rows = [row for row in self.rows if row.check.tier == tier]
            now = context.clock.monotonic()
            due = [row for row in rows if (row.again if row.passed else row.due <= now and not row.final)]
            await self._all(context, due)
            if not all(row.passed for row in rows if row.check.needed):
                return

    async def _all(self, context: StepContext, due: Iterable[Row]) -> None:
        """Raises what one of them did as it is: the gate that closes meanwhile is nothing that a check found."""
        try:
            async with asyncio.TaskGroup() as group:
                for row in due:
                    group.create_task(self._ask(context, row))
        except ExceptionGroup as raised:
            raise next((one for one in raised.exceptions if isinstance(one, Halted)), raised.exceptions[0]) from raised

    async def _ask(self, context: StepContext, row: Row) -> None:
        async with self._room:
            found = await judged(row.check, context.clock, row.look)
        if row.check.needed and found.verdict is Verdict.PASSED:
            self.first = self.first or rfc3339(context.clock.now(), micro=True)
        row.tries += 1
        row.failures = 0 if found.verdict is Verdict.PASSED else row.failures + 1
        row.due = context.clock.monotonic() + min(_LONGEST, _PAUSE * _GROWTH ** max(0, row.failures - 1))
        found = msgspec.structs.replace(found, evidence={**found.evidence, "attempts": row.tries})
        told, row.result = row.result, found
        if told is None or told.verdict is not found.verdict or (not row.passed and told.summary != found.summary):
            await context.checked(found)

    def results(self) -> list[CheckResult]:
        """A row for each check; one whose turn never came was not tested."""
        waiting = "not run: a needed check of an earlier tier does not hold"
        return [row.result or not_run(row.check, waiting) for row in self.rows]

    def needed(self) -> list[CheckResult]:
        return [result for result in self.results() if result.evidence.get("needed", True)]

    def settled(self) -> bool:
        """Whether asking again can change nothing: what is open has told that it never will."""
        waiting = [row for row in self.rows if not row.passed and row.result is not None]
        return bool(waiting) and all(row.final for row in waiting if row.check.needed)

    def rungs(self) -> dict[str, str]:
        """The worst of the needed checks of each rung; a rung without any is not in it."""
        found: dict[str, list[Verdict]] = {}
        for result in self.needed():
            found.setdefault(str(result.evidence.get("rung", HEALTHY)), []).append(result.verdict)
        return {rung: str(worst(verdicts)) for rung, verdicts in found.items()}

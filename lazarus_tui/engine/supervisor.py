"""What the engine does in the background: each part is started again when it fails, and never fails in silence."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from datetime import timedelta
from typing import Any

import msgspec

from lazarus_tui.model.clock import Clock, rfc3339
from lazarus_tui.model.counting import how_many
from lazarus_tui.model.parts import DOWN, RUNNING, SHAKY, Part
from lazarus_tui.model.topics import Finding

log = logging.getLogger(__name__)

# Seconds before a part that failed is started again: doubled from the first to the last.
FIRST, LAST = 1.0, 60.0
# Seconds after which a part that was started (again) is believed to run (client-go's reflector: two minutes).
CALM = 120.0
# Failures in a row from which on it is told to whoever gets notices.
MANY = 3

Work = Callable[[], Coroutine[Any, Any, None]]


class Supervisor:
    """``changed(part)`` is told of every change, ``failing(part)`` when a part fails again and again, ``steady(name)``
    when one has run undisturbed for a while."""

    def __init__(
        self,
        clock: Clock,
        *,
        changed: Callable[[str, Part | None], None] = lambda name, part: None,
        failing: Callable[[Part], Awaitable[None]] | None = None,
        steady: Callable[[str], Awaitable[None]] | None = None,
    ) -> None:
        self._clock, self._changed, self._failing, self._steady = clock, changed, failing, steady
        self._parts: dict[str, Part] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def parts(self) -> Mapping[str, Part]:
        return self._parts

    def start(self, name: str, work: Work, *, ends: bool = False) -> None:
        """Keep ``work`` going until ``close``."""
        task = asyncio.create_task(self.keep(name, work, ends=ends), name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def keep(self, name: str, work: Work, *, ends: bool = False) -> None:
        """Keep ``work`` going until cancelled. ``ends``: it may end by itself; else that is a failure too."""
        part = self._set(Part(name=name, state=RUNNING, since=self._now()))
        try:
            while (error := await self._run(part, work)) is not None or not ends:
                part = await self._failed(self._parts[name], error)
                await self._clock.sleep(_pause(part.failures))
                part = self._set(msgspec.structs.replace(part, state=SHAKY, since=self._now(), again=""))
        finally:
            self._parts.pop(name, None)
            self._changed(name, None)

    async def _run(self, part: Part, work: Work) -> BaseException | None:
        """Run it once: why it failed, None when it came to its end."""
        working = asyncio.create_task(_done(work), name=f"{part.name}, at work")
        calm = asyncio.create_task(self._calm(part.name))
        try:
            await asyncio.wait({working})
        finally:
            for task in (working, calm):
                task.cancel()
            await asyncio.gather(working, calm, return_exceptions=True)
        # Nobody asked for its end, so one that was cancelled has failed like any other.
        return asyncio.CancelledError() if working.cancelled() else working.exception()

    async def _calm(self, name: str) -> None:
        await self._clock.sleep(CALM)
        self._set(msgspec.structs.replace(self._parts[name], state=RUNNING, failures=0, why=""))
        if self._steady is not None:
            await self._tell(self._steady(name))

    async def _failed(self, part: Part, error: BaseException | None) -> Part:
        failures = part.failures + 1
        # Only the class: a message may carry what a cluster said. The log has it, redacted, with its places.
        why = f"unexpected {type(error).__name__} in the engine" if error else "it came to an end"
        pause = _pause(failures)
        log.error("%s: %s, failure %d, again in %.0f s", part.name, why, failures, pause, exc_info=error)
        again = rfc3339(self._clock.now() + timedelta(seconds=pause))
        found = msgspec.structs.replace(
            part, state=DOWN, since=self._now(), failures=failures, total=part.total + 1, why=why, again=again
        )
        self._set(found)
        if failures >= MANY and self._failing is not None:
            await self._tell(self._failing(found))
        return found

    async def _tell(self, telling: Awaitable[None]) -> None:
        """That nobody can be told must not keep a part from being started again."""
        try:
            await telling
        except Exception:
            log.exception("how the engine's parts stand could not be told")

    def _set(self, part: Part) -> Part:
        self._parts[part.name] = part
        self._changed(part.name, part)
        return part

    def _now(self) -> str:
        return rfc3339(self._clock.now())

    async def findings(self) -> list[Finding]:
        """For the doctor: one line for each part that does not run as it should, else one for all."""
        bad = [one for one in self._parts.values() if one.state != RUNNING]
        if not bad:
            ago = [f"{one.name} failed {how_many(one.total, 'time')}" for one in self._parts.values() if one.total]
            before = f"; before that {', '.join(ago)}" if ago else ""
            return [Finding("info", f"all {len(self._parts)} parts that work in the background run{before}")]
        hint = "look into the engine's log; lazarus engine status says how it stands"
        return [Finding("error" if one.state == DOWN else "warning", one.words, hint) for one in bad]

    async def close(self) -> None:
        """End what ``start`` began."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _done(work: Work) -> None:
    """Also what cannot even be begun has failed like any other."""
    await work()


def _pause(failures: int) -> float:
    return min(LAST, FIRST * 2.0 ** min(failures - 1, 10))

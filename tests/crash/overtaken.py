"""Two live engines: the first is suspended at its k-th await, another takes over, the first wakes, and is late.

What it may still do then is nothing at all: I5, no write by a lower fence after a higher one.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Coroutine, Generator, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lazarus_tui import snapshots
from lazarus_tui.engine.adoption import capsules
from lazarus_tui.engine.runner import Runner
from lazarus_tui.model.http import HttpRequest
from lazarus_tui.model.operation import Operation, OpState
from tests.crash import branch
from tests.crash.invariants import Watcher, stale
from tests.crash.lives import NEVER, SCENES, Case, Life
from tests.engine.world import WRITES, Engine
from tests.snapshots.stage import Stage, StageEngine, staged

WAYS = ("resume", "undo")
# Whether the suspended engine's monotonic clock counted the time away; in a suspended virtual machine it does not.
COUNTED, LOST = "counted", "lost"
CLOCKS = (COUNTED, LOST)
# What another engine finds before the capsule is there.
NOTHING = "nothing to take over"


class Suspended:
    """The clock of an engine that can be suspended: nothing of it goes on until it wakes."""

    def __init__(self, inner: Any, *, counts: bool) -> None:
        self._inner, self.counts, self._lost, self._since = inner, counts, 0.0, 0.0
        self.awake = asyncio.Event()
        self.awake.set()

    def suspend(self) -> None:
        self._since = self._inner.monotonic()
        self.awake.clear()

    def wake(self) -> None:
        self._lost += 0.0 if self.counts else self._inner.monotonic() - self._since
        self.awake.set()

    def now(self) -> datetime:
        return self._inner.now()  # type: ignore[no-any-return]

    def monotonic(self) -> float:
        return float(self._inner.monotonic()) - self._lost

    async def sleep(self, seconds: float) -> None:
        await self._inner.sleep(seconds)
        await self.awake.wait()


class Pause:
    """Runs a coroutine and counts its suspensions; at the ``k``-th it stays there until the clock wakes."""

    def __init__(self, work: Any, k: int, case: Overtaken) -> None:
        self._work, self._k, self._case, self.n, self.paused = work, k, case, 0, False

    def __await__(self) -> Generator[Any, None, Any]:
        inner, error = self._work.__await__(), None
        while True:
            try:
                future = inner.send(None) if error is None else inner.throw(error)
            except StopIteration as stop:
                return stop.value
            self.n, error = self.n + 1, None
            try:
                if self._here():
                    self._case.clock.suspend()
                    self._case.stage.engine = None  # nobody waits for what it was about to read or write
                    self.paused = True
                    yield from self._case.clock.awake.wait().__await__()
                yield future
            except BaseException as thrown:
                error = thrown

    def _here(self) -> bool:
        return self.n == self._k

    async def run(self) -> Any:
        return await self


@dataclass(frozen=True)
class Sent:
    engine: str
    fence: int
    what: str


class Overtaken(Case):
    """One world, two engines. ``way``: the second one goes on, or takes it back."""

    def __init__(self, scene: str, k: int, way: str, clock: str, stage: Stage, engine: Engine) -> None:
        super().__init__(SCENES[scene], k, way, stage, engine)
        self.clock = Suspended(stage.clock, counts=clock == COUNTED)
        self.log: list[Sent] = []
        self._named(engine, "first-host/1", self.clock)

    def _named(self, engine: Engine, holder: str, clock: Any) -> None:
        """An engine of its own host, and with its own clock; every write it sends is noted with its fence."""
        engine.cluster.clock = clock
        engine.around = dataclasses.replace(engine.around, holder=holder, clock=clock)
        engine.runner = Runner(engine.registry, engine.around, make_id=lambda: f"{next(self.stage.ids):016x}")

        async def note(request: HttpRequest) -> None:
            if request.method in WRITES and "/leases" not in request.path and "reviews" not in request.path:
                fences = [one.gate.fence for one in engine.runner._running.values() if one.gate is not None]
                self.log.append(Sent(holder, max(fences, default=-1), f"{request.method} {request.path}"))

        engine.wire.before = note

    async def run(self) -> Life:
        stage, first = self.stage, self.engine
        stage.write("before")
        await stage.cut("s1")
        stage.write("after")
        plan = await self._plan()
        self.watcher = Watcher(stage)
        task, pause = await self._begun(first.runner.start(plan, plan.digest(), plan.target))
        if not pause.paused:
            return Life(pause.n, False, self.breaches, "not paused")
        points = pause.n
        done = await self._second()
        await self._woken(first, task)
        self.breaches += stale(self.log)
        if done is not None:
            self.breaches += self._late(first, done)
        self._judge(done if done is not None else (await first.passing(first.runner.operations()))[0])
        self.watcher.close()
        await first.close()
        return Life(points, True, self.breaches, done.state.value if done else NOTHING, len(self.log))

    def _pause(self, work: Coroutine[Any, Any, None]) -> Pause:
        return Pause(work, self.k, self)

    async def _begun(self, start: Coroutine[Any, Any, Operation]) -> tuple[asyncio.Task[None], Pause]:
        """The first engine's operation, paused or at its end."""
        pauses: list[Pause] = []

        def spawn(work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
            pauses.append(self._pause(work))
            return asyncio.get_running_loop().create_task(pauses[-1].run())

        self.engine.runner._spawn = spawn  # type: ignore[method-assign]
        operation = await self.engine.passing(start)
        task = self.engine.runner._tasks[operation.id]
        await self.stage.until(lambda: pauses[0].paused or task.done(), "paused or done")
        return task, pauses[0]

    async def _second(self) -> Operation | None:
        """Somebody else, on another host: finds the capsule, and takes over."""
        stage = self.stage
        stage.folder = stage.folder / "other"
        stage.folder.mkdir(mode=0o700)
        second = stage.engine = self.engine = await StageEngine.start(stage, tuple(snapshots.OPERATIONS))  # type: ignore[arg-type]
        self._named(second, "second-host/2", stage.clock)
        found = await second.passing(capsules(second.cluster))
        if not found:
            return None
        operation = await second.passing(second.runner.adopt(found[0], "lab"))
        assert operation is not None
        if operation.state is OpState.DONE:
            if self.actor == "resume":
                return operation
            await second.passing(second.runner.undo(operation.id, operation.target))
        elif self.actor == "resume":
            await second.passing(second.runner.resume(operation.id, operation.target))
        else:
            await second.passing(second.runner.undo(operation.id, operation.target))
        return await second.finish(operation.id)

    async def _woken(self, first: Engine, task: asyncio.Task[None]) -> None:
        self.stage.engine = first
        self.clock.wake()
        await self.stage.until(task.done, "the first engine is at rest")
        self.stage.engine = self.engine

    def _late(self, first: Engine, done: Operation) -> Iterator[str]:
        """What the first engine did once the second one had begun to write."""
        begun = next((n for n, one in enumerate(self.log) if one.engine.startswith("second")), len(self.log))
        for one in self.log[begun:]:
            if one.engine.startswith("first"):
                yield f"I5 the first engine sent {one.what} after the second had begun"
        ended = first.published[-1]
        if ended.state is OpState.PARKED and not ended.foreign and done.state is not OpState.PARKED:
            yield f"I9 the first engine does not say that it was overtaken: {ended.message}"


class EveryMoment(Overtaken):
    """A branch for each way and each clock at every ``stride``-th await; what all branch off from is not overtaken."""

    def __init__(self, scene: str, stage: Stage, engine: Engine, stride: int) -> None:
        super().__init__(scene, NEVER, WAYS[0], COUNTED, stage, engine)
        self.stride, self.cases = stride, list[dict[str, Any]]()

    def _pause(self, work: Coroutine[Any, Any, None]) -> Pause:
        return Branching(work, self)

    def paused_here(self, n: int) -> bool:
        """Whether this is a branch that is suspended; the others hear what came of it."""
        if self.child or n % self.stride:
            return False
        for self.actor in WAYS:
            for clock in CLOCKS:
                self.k, self.clock.counts = n, clock == COUNTED
                self.child, told = branch.fork(lambda: branch.reopen(self.engine.journal))
                if self.child:
                    return True
                self.cases += branch.heard(told, n, self._who)
        return False

    @property
    def _who(self) -> str:
        return f"{self.actor}, clock {COUNTED if self.clock.counts else LOST}"

    def told(self, life: Life) -> dict[str, Any]:
        return {**super().told(life), "who": self._who}


class Branching(Pause):
    def __init__(self, work: Any, case: EveryMoment) -> None:
        super().__init__(work, NEVER, case)
        self._every = case

    def _here(self) -> bool:
        return self._every.paused_here(self.n)


async def overtaken(scene: str, k: int, way: str, clock: str) -> Life:
    """Run one case in a world of its own."""
    async with staged(**SCENES[scene].stage) as (stage, engine):
        return await Overtaken(scene, k, way, clock, stage, engine).run()


async def _every(scene: str, stride: int) -> dict[str, Any]:
    async with staged(**SCENES[scene].stage) as (stage, engine):
        found = EveryMoment(scene, stage, engine, stride)
        life = await branch.through(found)
        return {"name": scene, "points": life.points, "breaches": life.breaches, "cases": found.cases}


def sweep(scene: str, stride: int = 1) -> dict[str, Any]:
    """Every way and clock at every moment of one operation: how many there are, and what came of each case."""
    return branch.run(lambda: _every(scene, stride))

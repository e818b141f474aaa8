"""An operation that meets a hardship in virtual time: it stops and says why, the cause is mended, it goes on."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from lazarus_tui import snapshots
from lazarus_tui.engine.errors import Refused
from lazarus_tui.model.operation import Operation, OpState
from tests.crash.invariants import Watcher, unintended
from tests.crash.operations import Before, Scene, judged, laid_out, watcher
from tests.engine.world import Engine
from tests.snapshots.stage import NAME, SPACE, Stage, StageEngine

# How often a person mends and resumes before it counts as not going on.
PATIENCE = 3


class Hardship:
    """What goes wrong. ``hits``: how often it did; ``begin`` and ``mend`` may be called for several engines."""

    hits = 0
    watch: Watcher
    takes_back = False  # a person gives up and undoes, instead of going on

    def begin(self, engine: Engine, stage: Stage) -> None:
        """From here on it may happen."""

    async def mend(self, stage: Stage) -> None:
        """A person takes the cause away."""

    def seen(self, parked: Operation, stage: Stage) -> Sequence[str]:
        """Breaches of what a parked operation must say or leave alone."""
        return () if parked.message else ("it waits and does not say why",)

    def ended(self, done: Operation, stage: Stage) -> Sequence[str]:
        return ()

    def blameless(self, line: str, stage: Stage) -> bool:
        """Whether a breach is what the hardship itself did."""
        return False


@dataclass
class Told:
    hits: int = 0
    parked: int = 0
    refused: int = 0
    state: str = ""
    breaches: list[str] = field(default_factory=list)


class Ordeal:
    """``reborn``: a new engine goes on with the same journal, instead of the one that met the hardship."""

    def __init__(self, scene: Scene, stage: Stage, engine: Engine, hardship: Hardship, *, reborn: bool = False) -> None:
        self.scene, self.stage, self.engine, self.hardship = scene, stage, engine, hardship
        self.reborn, self.told, self.prior, self.op = reborn, Told(), "", ""

    async def run(self) -> Told:
        stage, told = self.stage, self.told
        await laid_out(self.scene, stage)
        before = Before.of(stage)
        if self.scene.after:
            done = await self._run(snapshots.inplace.KIND, {})
            assert done.state is OpState.DONE, done.message
            self.prior = done.id
        self.watch = self.hardship.watch = watcher(self.scene, stage, before)
        stage.sent.clear()
        ended = await self._through()
        await self._intents()
        told.hits, told.state = self.hardship.hits, ended.state.value if ended else "not begun"
        found = [*self.watch.always(stage)]
        if ended is not None:
            known = {self.op[:8], self.prior[:8]}
            found += judged(self.scene, stage, self.watch, ended, known)
            found += self.hardship.ended(ended, stage)
        told.breaches += [line for line in found if not self.hardship.blameless(line, stage)]
        self.watch.close()
        return told

    async def _run(self, kind: str, params: dict[str, Any]) -> Operation:
        wanted = {"namespace": SPACE, "statefulset": NAME, **params}
        plan = await self.engine.passing(self.engine.registry.plan(kind, self.engine.cluster, wanted, self.stage.clock))
        return await self.engine.run(plan, plan.target)

    async def _through(self) -> Operation | None:
        """To the end, over as many hardships as come; None when nothing was begun at all."""
        engine = self.engine
        wanted: dict[str, Any] = {"operation": self.prior} if self.scene.after else self.scene.params
        plan = None
        if not self.scene.undo:
            params = {"namespace": SPACE, "statefulset": NAME, **wanted}
            plan = await engine.passing(engine.registry.plan(self.scene.kind, engine.cluster, params, self.stage.clock))
        self.stage.sent.clear()  # what the planner asked
        self.hardship.begin(engine, self.stage)
        try:
            found = await self._begin(plan)
        except Refused as refused:
            self._refused(refused)
            await self.hardship.mend(self.stage)
            found = await self._begin(plan)
        for _ in range(PATIENCE):
            if self.scene.undo and found.state is OpState.DONE:  # refused before anything was changed
                self.told.refused += 1
                await self.hardship.mend(self.stage)
                found = await self._begin(None)
            elif found.state is not OpState.PARKED:
                return found
            else:
                found = await self._mended(found)
        return found

    async def _begin(self, plan: Any) -> Operation:
        engine = self.engine
        if plan is not None:
            operation = await engine.passing(engine.runner.start(plan, plan.digest(), plan.target))
        else:
            target = (await engine.passing(engine.runner.get(self.prior))).target
            operation = await engine.passing(engine.runner.undo(self.prior, target))
        self.op = operation.id
        return await engine.finish(operation.id)

    def _refused(self, refused: Refused) -> None:
        """Nothing may have been sent, and it says what to do."""
        self.told.refused += 1
        if self.stage.sent:
            self.told.breaches.append(f"refused, and something was sent: {self.stage.sent}")
        if not refused.hint:
            self.told.breaches.append(f"refused without a next step: {refused.what}")

    async def _mended(self, parked: Operation) -> Operation:
        self.told.parked += 1
        self.told.breaches += self.hardship.seen(parked, self.stage)
        found = [line for line in self.watch.always(self.stage) if not self.hardship.blameless(line, self.stage)]
        self.told.breaches += [f"parked: {line}" for line in found]
        await self.hardship.mend(self.stage)
        if self.reborn:
            await self._new_engine()
            for found in await self.engine.passing(self.engine.runner.recover()):
                await self.engine.finish(found.id)
        with contextlib.suppress(Refused):  # a new engine goes on by itself when nobody could tell the journal
            runner = self.engine.runner
            decided = runner.undo if self.hardship.takes_back else runner.resume
            await self.engine.passing(decided(parked.id, parked.target))
        return await self.engine.finish(parked.id)

    async def _new_engine(self) -> None:
        await self.engine.close()
        types: Any = tuple(snapshots.OPERATIONS)
        self.engine = self.stage.engine = await StageEngine.start(self.stage, types)  # type: ignore[arg-type]

    async def _intents(self) -> None:
        events = []
        for operation in await self.engine.passing(self.engine.journal.operations()):
            events += await self.engine.passing(self.engine.journal.events(operation.id))
        self.told.breaches += unintended(self.stage.sent, sorted(events, key=lambda event: event.seq))
        if self.engine.journal.findings:
            self.told.breaches.append(f"I8 the journal says {self.engine.journal.findings}")
        self.events = events

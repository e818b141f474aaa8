"""One operation in several lives: cut at its k-th await, then taken up by the same engine or by somebody else's."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import asdict, dataclass, field
from typing import Any

from lazarus_tui import snapshots
from lazarus_tui.engine.adoption import capsules
from lazarus_tui.model.operation import Operation, OpState
from lazarus_tui.model.plan import Plan
from lazarus_tui.snapshots.hooks.spec import MAX_FREEZE
from lazarus_tui.snapshots.names import OP, annotation
from tests.crash.branch import Child
from tests.crash.invariants import Watcher, unintended
from tests.engine.drive import Cut, Drive
from tests.engine.world import Engine, seeded
from tests.snapshots.lockapp import LOCK, UNLOCK, LockApp
from tests.snapshots.stage import NAME, SPACE, Stage, StageEngine, staged

ACTORS = ("same journal", "cut again", "other operator")
# Further than any operation goes.
NEVER = 0


@dataclass(frozen=True)
class Scene:
    """An operation to be cut. ``prepare`` makes the world and the plan; None: it cuts the undo of a finished one."""

    name: str
    kind: str
    params: dict[str, Any] = field(default_factory=dict)
    stage: dict[str, Any] = field(default_factory=dict)
    undo: bool = False
    capsule: bool = True
    quick: bool = True  # whether the default suite cuts it for every actor
    end: OpState = OpState.DONE


SCENES = {
    scene.name: scene
    for scene in (
        Scene("restore", snapshots.inplace.KIND, stage={"replicas": 3}),
        Scene("two volumes", snapshots.inplace.KIND, stage={"replicas": 2, "templates": ("data", "wal")}),
        Scene("one replica", snapshots.inplace.KIND, {"ordinal": 1}, {"replicas": 2, "storage": "immediate"}),
        Scene(
            "deleting policy",
            snapshots.inplace.KIND,
            stage={
                "replicas": 2,
                "persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Delete", "whenScaled": "Delete"},
            },
        ),
        Scene("undo", snapshots.inplace.KIND, stage={"replicas": 2}, undo=True, end=OpState.UNDONE),
        Scene("take", snapshots.taking.KIND, {"name": "s9", "together": "each"}, {"replicas": 3}, capsule=False),
        Scene("take together", snapshots.taking.KIND, {"name": "s9"}, {"replicas": 3}, capsule=False),
        Scene(
            "take under a lock",
            snapshots.taking.KIND,
            {"name": "s9", "together": "each", "pre": LOCK, "post": UNLOCK},
            {"replicas": 2},
            capsule=False,
            quick=False,
        ),
        Scene(
            "take in a session",
            snapshots.taking.KIND,
            {"name": "s9", "recipe": "mysql"},
            {"replicas": 2},
            capsule=False,
            quick=False,
        ),
    )
}


@dataclass
class Life:
    """What came of one case: ``points`` its first life had, whether it was cut, and what was broken."""

    points: int
    cut: bool
    breaches: list[str]
    state: str = ""
    writes: int = 0
    lives: int = 0


class Case:
    """One world, one operation, one first cut at ``k`` (0: never), one actor."""

    def __init__(self, scene: Scene, k: int, actor: str, stage: Stage, engine: Engine) -> None:
        self.scene, self.k, self.actor, self.stage, self.engine = scene, k, actor, stage, engine
        self.breaches: list[str] = []
        self.writes = self.lives = 0
        self.child: Child | None = None
        self.goes_on = bool(k % 2)  # whether another operator goes on; else it is taken back
        self.app = LockApp(stage)

    async def run(self) -> Life:
        stage = self.stage
        stage.write("before")
        await stage.cut("s1")
        stage.write("after")
        plan = await self._plan()
        self.watcher = Watcher(stage)
        done: Operation | None = None
        if self.scene.undo:
            done = await self.engine.run(plan, plan.target)
            assert done.state is OpState.DONE, done.message
        stage.sent.clear()
        self.app.at_cut.clear()
        points, done = await self._live(self.k, self._begin(plan, done))
        cut = done is None
        if done is None:
            done = await self._recovered(plan)
        self._judge(done)
        self.watcher.close()
        await self._collect()
        return Life(points, cut, self.breaches, done.state.value if done else "not begun", self.writes, self.lives)

    def told(self, life: Life) -> dict[str, Any]:
        return {"at": self.k, "who": self.actor, **asdict(life)}

    async def _plan(self) -> Plan:
        wanted = {"namespace": SPACE, "statefulset": NAME, **self.scene.params}
        engine = self.engine
        return await engine.passing(engine.registry.plan(self.scene.kind, engine.cluster, wanted, self.stage.clock))

    def _begin(self, plan: Plan, done: Operation | None) -> Callable[[], Coroutine[Any, Any, Operation]]:
        if done is not None:
            return lambda: self.engine.runner.undo(done.id, done.target)
        return lambda: self.engine.runner.start(plan, plan.digest(), plan.target)

    async def _live(self, k: int, begin: Callable[[], Coroutine[Any, Any, Operation]]) -> tuple[int, Operation | None]:
        """One life of the operation: await points it had, and its end; None when it was cut."""
        self.lives += 1
        engine, drives, tasks = self.engine, list[Drive](), list[asyncio.Task[None]]()

        def spawn(work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
            drives.append(self._drive(work, k))
            tasks.append(asyncio.get_running_loop().create_task(drives[-1].run()))
            return tasks[-1]

        engine.runner._spawn = spawn  # type: ignore[method-assign]
        operation = await engine.passing(begin())
        try:
            for task in tasks:
                await engine.passing(task)
        except Cut:
            self.breaches += self.watcher.always(self.stage)
            return drives[0].n, None
        points = drives[0].n if drives else 0
        return points, await engine.passing(engine.runner.get(operation.id))

    def _drive(self, work: Coroutine[Any, Any, None], k: int) -> Drive:
        engine = self.engine
        return Drive(work, k, lambda: engine.sever(lose=k % 2 == 1))

    async def _recovered(self, plan: Plan) -> Operation | None:
        if self.actor == "other operator" and self.scene.capsule:
            return await self._taken_over()
        if self.actor == "cut again":
            again = seeded(20261121 + self.k).randrange(1, 200 if self.scene.capsule else 60)  # a set is taken in fewer
            done = await self._next_life(again)
            if done is not None:
                return done
        return await self._next_life(NEVER)

    async def _next_life(self, k: int) -> Operation | None:
        """The same journal, a new engine."""
        await self._renew(self.stage.folder.name)
        found = await self.engine.passing(self.engine.journal.open_operations())
        if not found:
            every = await self.engine.passing(self.engine.journal.operations())
            return every[0] if every else None

        async def recover() -> Operation:
            return (await self.engine.runner.recover())[0]

        _, done = await self._live(k, recover)
        return done

    async def _taken_over(self) -> Operation | None:
        """Somebody else, without the journal, who finds the capsule: it goes on, or takes it back."""
        await self._renew("other")
        engine = self.engine
        found = await engine.passing(capsules(engine.cluster))
        if not found:
            if annotation(self.stage.workload(), OP):
                self.breaches.append("I2 a beacon, and nothing tells what to do")
            return None
        operation = await engine.passing(engine.runner.adopt(found[0], "lab"))
        assert operation is not None
        if operation.state is OpState.DONE and not self.scene.undo:
            return operation
        if self.goes_on and not self.scene.undo:
            await engine.passing(engine.runner.resume(operation.id, operation.target))
        else:
            await engine.passing(engine.runner.undo(operation.id, operation.target))
        return await engine.finish(operation.id)

    async def _renew(self, folder: str) -> None:
        await self._collect()
        await self.engine.close()
        stage = self.stage
        if folder == "other":
            stage.folder = stage.folder / "other"
            stage.folder.mkdir(mode=0o700)
        self.engine = stage.engine = await StageEngine.start(stage, tuple(snapshots.OPERATIONS))  # type: ignore[arg-type]

    async def _collect(self) -> None:
        """Intents and writes of this journal, before the next one counts from the beginning."""
        if self.engine.journal.severed:
            await self.engine.close()
            self.engine = self.stage.engine = await StageEngine.start(self.stage, tuple(snapshots.OPERATIONS))  # type: ignore[arg-type]
        if self.engine.journal.findings:
            self.breaches.append(f"I8 the journal says {self.engine.journal.findings}")
        events = []
        for operation in await self.engine.passing(self.engine.journal.operations()):
            events += await self.engine.passing(self.engine.journal.events(operation.id))
        self.breaches += unintended(self.stage.sent, events)
        self.writes += len(self.stage.sent)
        self.stage.sent.clear()

    def _judge(self, done: Operation | None) -> None:
        if self.app.locked:
            self.breaches.append(f"I10 a lock is held after the end: {self.app.counts}")
        if self.app.longest > MAX_FREEZE + 1:
            self.breaches.append(f"I10 a lock was held for {self.app.longest:.0f} s")
        if done is None:
            self.breaches += self.watcher.always(self.stage)
            return
        if done.state.open:
            self.breaches.append(f"I9 it stays {done.state.value}: {done.message}")
            return
        self.breaches += self.watcher.at_the_end(self.stage, done)
        self.breaches += self._content(done)

    def _content(self, done: Operation) -> list[str]:
        """I9: the bytes are those the end promises."""
        stage = self.stage
        if self.scene.kind == snapshots.taking.KIND:
            found = [one for one in stage.sets() if one.id == "s9"]
            there = len(found) == 1 and found[0].usable
            if there and found[0].consistency == "application" and not self.app.proven:
                return ["I10 a volume that was cut without its lock is called application-consistent"]
            return [] if there is (done.state is OpState.DONE) else [f"I9 {done.state.value}, but the set is {found}"]
        went_back = done.state is OpState.DONE
        wanted = {
            claim: f"{'before' if went_back and self._part(claim) else 'after'} {claim}" for claim in stage.data()
        }
        return [] if stage.data() == wanted else [f"I9 {done.state.value}, but the volumes say {stage.data()}"]

    def _part(self, claim: str) -> bool:
        ordinal = self.scene.params.get("ordinal")
        return ordinal is None or claim.endswith(f"-{ordinal}")


async def case(name: str, k: int, actor: str) -> Life:
    """Run one case in a world of its own."""
    scene = SCENES[name]
    async with staged(**scene.stage) as (stage, engine):
        return await Case(scene, k, actor, stage, engine).run()

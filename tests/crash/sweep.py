"""One operation, and a branch at every moment of it: what was cut there is judged, once for each state it left.

At every await a branch is cut with what was under way: what was being committed is lost. Where a commit ended while the
operation waited there, a second branch is cut right then, before the operation hears of it. Two cuts that leave the
same journal, objects, bytes, time, sleepers and writes are the same beginning for whoever goes on, so the actors start
from each of those once; for the operator without the journal, its rows do not count. Every cut is judged right then as
well.
"""

from __future__ import annotations

import contextlib
import hashlib
import sqlite3
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from lazarus_tui.model.operation import Operation
from lazarus_tui.model.plan import Plan
from tests.crash import branch
from tests.crash.lives import ACTORS, NEVER, SCENES, Case, Life, Scene
from tests.engine.drive import Drive
from tests.engine.world import Engine
from tests.snapshots.stage import Stage, staged

SAME, AGAIN, OTHER = ACTORS
# What is told of a cut from which every actor has begun before.
SEEN = "seen"
Told = dict[str, Any]


class Branching(Drive):
    """Asks for a branch at every ``stride``-th suspension, and wherever a commit ended during one."""

    def __init__(self, work: Any, case: Swept, stride: int) -> None:
        super().__init__(work, NEVER, lambda: None)
        self._case, self._stride, self._rows = case, stride, 0

    def ends_here(self) -> bool:
        if self._passes():
            return False
        self._rows = self._case.committed
        return self._case.cut_here(self.n)

    def ends_awake(self) -> bool:
        return not self._passes() and self._case.committed != self._rows and self._case.cut_here(self.n)

    def _passes(self) -> bool:
        return self._case.child is not None or self.n % self._stride > 0


class Swept(Case):
    """The case that all the others branch off from."""

    def __init__(self, scene: Scene, stage: Stage, engine: Engine, stride: int) -> None:
        super().__init__(scene, NEVER, SAME, stage, engine)
        self.stride = stride
        self.cases: list[Told] = []
        self.seen: set[str] = set()
        self.moments = 0

    @property
    def committed(self) -> int:
        return int(self.engine.journal._db._conn.total_changes)

    def _drive(self, work: Coroutine[Any, Any, None], k: int) -> Drive:
        return super()._drive(work, k) if self.child else Branching(work, self, self.stride)

    def cut_here(self, n: int) -> bool:
        """Whether this is the branch that is cut; the others hear what came of it."""
        self.moments += 1
        self.k = n
        self.child, told = branch.fork(self._killed)
        if self.child:
            return True
        self.seen.update(told.get("seen", ()))
        self.cases += branch.heard(told, n, "nobody")
        return False

    def _killed(self) -> None:
        self.engine.sever(lose=True)
        branch.abandon(self.engine.journal)

    async def _recovered(self, plan: Plan) -> Operation | None:
        """In a branch that was cut: one more for each actor who would begin from something new."""
        child = self.child
        assert child
        await self.engine.close()
        objects = self._state()
        whole = self._rows(objects)
        if {whole, objects} <= self.seen and not self.breaches:
            child.end({"cases": [self.told(Life(0, True, [], SEEN))]})
        await self._collect()
        actors = [] if whole in self.seen and not self.breaches else [(SAME, True), (AGAIN, True)]
        if self.scene.capsule and (objects not in self.seen or self.breaches):
            actors += [(OTHER, False)] if self.scene.undo else [(OTHER, True), (OTHER, False)]
        cases: list[Told] = []
        for actor, self.goes_on in actors:
            self.actor = actor
            self.child, told = branch.fork(lambda: branch.reopen(self.engine.journal))
            if self.child:
                return await super()._recovered(plan)
            cases += branch.heard(told, self.k, actor)
        child.end({"seen": [whole, objects], "cases": cases or [self.told(Life(0, True, self.breaches, SEEN))]})
        raise AssertionError("unreachable")

    def _state(self) -> str:
        """All that an engine without the journal can find now, and all that will happen without one."""
        found = hashlib.sha256()
        clock, app = self.stage.clock, self.app
        due = sorted(moment for moment, _, future in clock._sleepers if not future.done())
        known = (clock.monotonic(), due, self.watcher.blank, app.counts, app.lengths, app._since, app.at_cut)
        found.update(repr(known).encode())
        for kind, table in sorted(self.stage.cluster.store._tables.items()):
            for key, one in sorted(table.entities.items(), key=lambda item: str(item[0])):
                found.update(repr((kind, key)).encode() + one.body + one.managers)
        for path in sorted(Path("cluster").rglob("*")):
            found.update(repr((str(path), path.read_bytes() if path.is_file() else b"")).encode())
        return f"objects {found.hexdigest()}"

    def _rows(self, objects: str) -> str:
        """The same with the journal that a killed engine leaves, and what was sent so far with its rows."""
        found = hashlib.sha256(objects.encode())
        found.update(repr([(one.method, one.path, one.seq) for one in self.stage.sent]).encode())
        with contextlib.closing(sqlite3.connect(self.engine.journal.path)) as db:
            for name in ("op", "step", "event", "line"):
                for row in db.execute(f"SELECT * FROM {name} ORDER BY 1, 2"):
                    found.update(repr(row).encode())
        return f"whole {found.hexdigest()}"


async def _sweep(name: str, stride: int) -> Told:
    scene = SCENES[name]
    async with staged(**scene.stage) as (stage, engine):
        case = Swept(scene, stage, engine, stride)
        life = await branch.through(case)
        return {
            "name": name, "points": life.points, "moments": case.moments, "breaches": life.breaches,
            "states": sum(one.startswith("whole") for one in case.seen), "cases": case.cases,
        }  # fmt: skip


def sweep(name: str, stride: int = 1) -> Told:
    """Every branch of one operation: points, moments, states, and what came of each case."""
    return branch.run(lambda: _sweep(name, stride))

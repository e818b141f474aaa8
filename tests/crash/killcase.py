"""One operation whose engine is really killed, once or several times, and what the next engines make of it."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field
from typing import Any

from lazarus_tui import snapshots
from lazarus_tui.link.client import Client, LinkFault, LinkLost
from lazarus_tui.model.clock import parse_rfc3339
from lazarus_tui.model.operation import Operation, OpState
from lazarus_tui.model.paths import StateRoot
from lazarus_tui.model.plan import Plan
from lazarus_tui.model.resources import CONFIGMAPS
from lazarus_tui.snapshots.names import CAPSULE, OP, annotation
from tests.crash.arena import APPLIED, PATIENCE, SENT, Arena, EngineProcess, Zygote, kept
from tests.crash.fastclock import FastClock
from tests.crash.invariants import unintended
from tests.crash.operations import SCENES, Before, judged, laid_out, watcher
from tests.engine.world import CONTEXT, Sent, fast_folder
from tests.snapshots.stage import NAME, SPACE

# Where an engine is killed, in the order of a write; the two in the middle are the cluster's side of it.
POINTS = ("before intent", "after intent", SENT, APPLIED, "answered", "recorded")
FAILPOINTS = {
    "before intent": "gate.before_intent",
    "after intent": "gate.after_intent",
    "answered": "gate.after_reply",
    "recorded": "gate.after_result",
}
PLAIN, AGAIN, FORGOTTEN = "same journal", "killed again", "journal deleted"


@dataclass(frozen=True)
class Task:
    """Kill at the ``n``-th write (0: never), at ``point``; ``then`` says what the next engine finds."""

    scene: str
    n: int = 0
    point: str = POINTS[0]
    then: str = PLAIN
    step: str = ""
    late: bool = False


@dataclass
class Told:
    """What came of a task; ``steps``: the step of each write, when nobody was killed."""

    kills: int = 0
    state: str = ""
    breaches: list[str] = field(default_factory=list)
    steps: list[str] = field(default_factory=list)
    adopted: bool = False
    parked: bool = False


class KillCase:
    def __init__(self, task: Task, zygote: Zygote, arena: Arena) -> None:
        self.task, self.zygote, self.arena = task, zygote, arena
        self.scene, self.told = SCENES[task.scene], Told()
        self.state = arena.folder / "state"
        self.journal = StateRoot(False, env={"LAZARUS_STATE": str(self.state)}).journal
        self.kills = [(task.point, task.n)] if task.n else []
        self.op, self.confirm, self.prior = "", "", ""

    async def run(self) -> Told:
        await laid_out(self.scene, self.arena)
        self.before = Before.of(self.arena)
        if self.scene.after:
            await self._prepare()
        self.watcher = watcher(self.scene, self.arena, self.before)
        if self.task.then == AGAIN:
            self.kills.append((POINTS[(POINTS.index(self.task.point) + 1) % len(POINTS)], 1))
        ended = await self._lives()
        self._judge(ended)
        self.watcher.close()
        return self.told

    async def _prepare(self) -> None:
        arena = self.arena
        engine = await self.zygote.engine(self.state, arena.kubeconfig, "")
        client: Client | None = None
        try:
            async with asyncio.timeout(PATIENCE):
                client = await engine.client()
                await self._start(client, await self._plan(client, snapshots.inplace.KIND, {}))
                done = await self._ended(client, engine)
            assert done is not None
            assert done.state is OpState.DONE, done.message
        finally:
            await self._end(engine, client)
        self.prior = self.op
        arena.trap.arrived.clear()

    async def _end(self, engine: EngineProcess, client: Client | None) -> None:
        if client is not None:
            await client.close()
        engine.kill()
        await engine.gone.wait()

    # --- lives

    async def _lives(self) -> Operation | None:
        """Engine after engine until the operation has ended; None when nothing tells of it."""
        first = True
        while True:
            kill = self.kills.pop(0) if self.kills else None
            engine = await self._engine(kill)
            client: Client | None = None
            try:
                async with asyncio.timeout(PATIENCE):
                    client = await engine.client()
                    if not await self._go_on(client, first=first):
                        return None
                    ended = await self._ended(client, engine)
            except LinkLost:
                ended = None
                await _seen_to_end(engine)
            finally:
                died = engine.gone.is_set()
                await self._end(engine, client)
            if ended is not None:
                self._check_intents()
                return ended
            if not died or kill is None:
                self.told.breaches.append("the engine went away, and nobody had killed it")
                return None
            self._killed(kill[0])
            first = False

    async def _engine(self, kill: tuple[str, int] | None) -> EngineProcess:
        trap, points = self.arena.trap, ""
        trap.n = 0
        if kill is not None and kill[0] in FAILPOINTS:
            points = f"{FAILPOINTS[kill[0]]}=kill9@{kill[1]}"
        engine = await self.zygote.engine(self.state, self.arena.kubeconfig, points)
        if kill is not None and not points:
            trap.set(kill[0], kill[1], engine.kill, late=self.task.late)
        else:
            trap.set("", 0, engine.kill)
        return engine

    def _killed(self, point: str) -> None:
        self.told.kills += 1
        self.told.breaches += [f"after the kill: {line}" for line in self.watcher.always(self.arena)]
        self._check_intents()
        if self.task.then == FORGOTTEN:
            for path in self.journal.parent.glob(f"{self.journal.name}*"):
                path.unlink()

    def _check_intents(self) -> None:
        """I4, with the journal that is on the disk of the dead."""
        events = kept(self.journal)
        stamps = [(parse_rfc3339(event.at).timestamp(), event.seq) for event in events]
        sent = [
            Sent(one.method, one.path, one.agent, "", max((seq for at, seq in stamps if at <= one.at), default=0))
            for one in self.arena.trap.arrived
        ]
        self.told.breaches += unintended(sent, events)
        self.arena.trap.arrived.clear()
        if not self.task.n:
            last = [event for event in events if event.kind == "gate.intent" and event.op == self.op]
            self.told.steps = [
                str(event.body["step"]) for event in last if bool(event.body.get("undoing")) is self.scene.undo
            ]

    async def _go_on(self, client: Client, *, first: bool) -> bool:
        """Begin, or see that the next engine has it; False when nobody knows it and nothing was changed."""
        if first:
            await self._begin(client)
            return True
        if self.task.then == FORGOTTEN and not self._told_of():
            return False
        await self._used(client)
        if self.task.then == FORGOTTEN:
            self.told.adopted = True
            await self._known(client)
        return True

    def _told_of(self) -> bool:
        found = self.arena.api.list(CONFIGMAPS, SPACE)
        return any((one["metadata"].get("labels") or {}).get(CAPSULE) for one in found)

    async def _known(self, client: Client) -> None:
        """Until the capsule was found; then a person decides: every other one goes on, the rest take it back."""
        while True:
            try:
                found = await client.call("operation.get", {"id": self.op}, Operation)
                break
            except LinkFault:
                await asyncio.sleep(0.02)
        if found.state is OpState.DONE and (annotation(self.arena.workload(), OP) or self.arena.ready() < 1):
            self.told.breaches.append("I2 it is called done, and the workload is down or under a beacon")
        if found.state is OpState.PARKED or self.scene.undo:
            back = self.scene.undo or self.task.n % 2 == 0
            await client.call(f"operation.{'undo' if back else 'resume'}", self._confirmed(), Operation)

    def _confirmed(self) -> dict[str, str]:
        return {"id": self.op, "confirm": self.confirm}

    async def _begin(self, client: Client) -> None:
        if self.scene.undo:
            await self._used(client)
            await client.call("operation.undo", self._confirmed(), Operation)
            return
        params = {"operation": self.prior} if self.scene.after else self.scene.params
        await self._start(client, await self._plan(client, self.scene.kind, params))

    async def _used(self, client: Client) -> None:
        while (await client.call("context.use", {"context": CONTEXT}, dict[str, Any]))["state"] != "ready":
            await asyncio.sleep(0.02)
        await client.call("context.arm", {"context": CONTEXT, "minutes": 60}, dict[str, Any])

    async def _plan(self, client: Client, kind: str, params: dict[str, Any]) -> Plan:
        await self._used(client)
        wanted = {"namespace": SPACE, "statefulset": NAME, **params}
        return await client.call("plan.make", {"kind": kind, "context": CONTEXT, "params": wanted}, Plan)

    async def _start(self, client: Client, plan: Plan) -> None:
        begun = {"plan": plan, "digest": plan.digest(), "confirm": plan.target}
        self.confirm = plan.target
        self.op = (await client.call("operation.start", begun, Operation)).id

    async def _ended(self, client: Client, engine: EngineProcess) -> Operation | None:
        """The operation when it has ended; a parked one is resumed once; None when the engine died."""
        while not engine.gone.is_set():
            found = await client.call("operation.get", {"id": self.op}, Operation)
            if not found.state.open:
                return found
            if found.state is OpState.PARKED:
                if found.message.startswith("unexpected"):
                    self.told.breaches.append(f"a defect: {found.message}: {self._last_words()}")
                if self.told.parked or not found.message:
                    return found
                self.told.parked = True
                await client.call("operation.resume", self._confirmed(), Operation)
            await asyncio.sleep(0.04)
        return None

    def _last_words(self) -> str:
        """The end of the engine's log: where a defect of its own is told."""
        root = StateRoot(False, env={"LAZARUS_STATE": str(self.state)})
        return root.log.read_text(errors="replace")[-3000:] if root.log.exists() else ""

    # --- judgement

    def _judge(self, ended: Operation | None) -> None:
        told, arena = self.told, self.arena
        told.breaches += self.watcher.always(arena)
        if ended is None:
            told.state = "not begun"
            return
        told.state = ended.state.value
        told.breaches += judged(self.scene, arena, self.watcher, ended, {self.op[:8], self.prior[:8]})
        if told.breaches:
            told.breaches.append(f"it ended {ended.state.value}: {ended.message}")


async def _seen_to_end(engine: EngineProcess) -> None:
    """A kill is on its way, or not. One that dies closes its link first: on a busy machine the rest may take long."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(engine.gone.wait(), PATIENCE)


async def run_task(task: Task, zygote: Zygote, clock: FastClock) -> Told:
    """One task in a world of its own."""
    with fast_folder() as folder:
        (folder / "w").mkdir(mode=0o700)
        arena = Arena(folder / "w", clock)
        await arena.open(SCENES[task.scene].replicas)
        try:
            return await KillCase(task, zygote, arena).run()
        except Exception as error:
            return Told(breaches=[f"{type(error).__name__}: {error}"])
        finally:
            zygote.end(arena.folder / "state")
            await arena.close()

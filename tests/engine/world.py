"""A cluster in memory (the sandbox's own API server), an engine on it, and ways to break both in virtual time."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, TypeVar

from lazarus_tui.engine.context import Surroundings
from lazarus_tui.engine.registry import Registry
from lazarus_tui.engine.runner import Runner
from lazarus_tui.evidence import EvidenceStore
from lazarus_tui.journal import Journal, JournalError
from lazarus_tui.journal.records import Transaction
from lazarus_tui.kube.cluster import Cluster
from lazarus_tui.kube.retry import ReadPolicy
from lazarus_tui.model.http import HttpRequest, HttpResponse, WebSocket
from lazarus_tui.model.operation import Operation
from lazarus_tui.model.plan import Danger, Plan, PlannedStep
from lazarus_tui.model.resources import CONFIGMAPS, NAMESPACES
from lazarus_tui.model.silences import Alertmanager
from lazarus_tui.model.steps import (
    Observation,
    OperationType,
    Outcome,
    Seen,
    Step,
    StepContext,
    StepStopped,
    Write,
)
from lazarus_tui.model.topics import LogLine
from lazarus_tui.sandbox.api.local import LocalApi
from lazarus_tui.sandbox.api.memory import MemoryTransport
from lazarus_tui.sandbox.api.registry import Registry as Kinds
from lazarus_tui.sandbox.api.server import ApiServer
from lazarus_tui.sandbox.api.store import Store
from lazarus_tui.sandbox.clock import VirtualClock

T = TypeVar("T")
Object = dict[str, Any]

CONTEXT = "lab"
WRITES = ("POST", "PUT", "PATCH", "DELETE")


@contextlib.contextmanager
def fast_folder() -> Iterator[Path]:
    """A private folder in memory where there is one: EXTRA's syncs cost nothing there."""
    where = "/dev/shm" if Path("/dev/shm").is_dir() else None
    with tempfile.TemporaryDirectory(dir=where, prefix="lazarus-test-") as name:
        yield Path(name)


class Severable(Journal):
    """A journal that can be cut off as a SIGKILL would: what is in flight is kept or lost, nothing comes after."""

    severed = False
    lose = False

    async def run(self, fn: Callable[[Transaction], Awaitable[T]]) -> T:
        if self.severed:
            raise JournalError("severed")

        async def guarded(transaction: Transaction) -> T:
            value = await fn(transaction)
            if self.severed and self.lose:
                raise JournalError("severed")
            return value

        return await super().run(guarded)


class Wire:
    """One engine's connection; it dies with the engine."""

    def __init__(self, inner: Any) -> None:
        self._inner, self.cut = inner, False
        self._sockets: set[WebSocket] = set()
        self.before: Callable[[HttpRequest], Awaitable[None]] | None = None

    async def send(self, request: HttpRequest) -> HttpResponse:
        if self.cut:
            raise ConnectionResetError("severed")
        if self.before is not None:
            await self.before(request)
        return await self._inner.send(request)

    def stream(self, request: HttpRequest) -> Any:
        return self._inner.stream(request)

    @contextlib.asynccontextmanager
    async def websocket(self, request: HttpRequest, subprotocols: tuple[str, ...]) -> AsyncIterator[WebSocket]:
        if self.cut:
            raise ConnectionResetError("severed")
        if self.before is not None:
            await self.before(request)
        async with self._inner.websocket(request, subprotocols) as socket:
            self._sockets.add(socket)
            try:
                yield socket
            finally:
                self._sockets.discard(socket)

    def sever(self) -> None:
        """The other end sees the connection end."""
        self.cut = True
        for socket in self._sockets:
            asyncio.get_running_loop().create_task(socket.close())

    async def close(self) -> None:
        return None


@dataclass
class Sent:
    """A write as it arrived, and how far the journal was by then."""

    method: str
    path: str
    agent: str
    manager: str
    seq: int


class World:
    """The cluster outlives engines; ``boot`` starts one on the same journal file."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.clock = folder, VirtualClock()
        store, kinds = Store(), Kinds()
        kinds.attach(store)
        count = itertools.count(1)
        self.api = LocalApi(store, kinds, self.clock, ids=lambda: f"uid-{next(count)}")
        self.api.bootstrap()
        self.api.create(NAMESPACES, {"metadata": {"name": "shop"}})
        self.server = ApiServer(store, kinds, self.clock, ids=lambda: f"uid-{next(count)}", interceptor=self._intercept)
        self.sent: list[Sent] = []
        self.faults: list[Callable[[HttpRequest], Awaitable[HttpResponse | None]]] = []
        self.engine: Engine | None = None
        self.ids = itertools.count(1)
        self.lease_namespace = "shop"
        self.disposable = False
        self.alertmanagers: dict[str, Alertmanager] = {}
        self.armed = True

    async def _intercept(self, request: HttpRequest) -> HttpResponse | None:
        if request.method in WRITES and "/leases" not in request.path:
            seq = self.engine.journal._seq if self.engine else 0
            query = dict(request.query)
            agent = str(request.headers.get("user-agent", ""))
            self.sent.append(Sent(request.method, request.path, agent, query.get("fieldManager", ""), seq))
        for fault in list(self.faults):
            answer = await fault(request)
            if answer is not None:
                return answer
        return None

    @property
    def uid(self) -> str:
        found = self.api.get(NAMESPACES, "kube-system")
        assert found is not None
        return str(found["metadata"]["uid"])

    async def boot(self, *types: OperationType) -> Engine:
        self.engine = await Engine.start(self, types or (simple(),))
        return self.engine

    def config(self, name: str) -> Object | None:
        return self.api.get(CONFIGMAPS, name, "shop")


class Engine:
    """A runner with its journal and its own connection."""

    def __init__(self, world: World, journal: Severable, types: Sequence[OperationType], transport: Any = None) -> None:
        self.world, self.journal = world, journal
        self.wire = Wire(transport or MemoryTransport(world.server))
        self.published: list[Operation] = []
        self.lines: list[LogLine] = []
        self.cluster = Cluster(self.wire, CONTEXT, world.clock, policy=ReadPolicy(tries=1), rng=lambda: 0.5)
        self.around = Surroundings(
            journal=journal,
            evidence=EvidenceStore(world.folder / "evidence", journal, world.clock),
            clusters=self._connect,
            clock=world.clock,
            armed=lambda context: world.armed,
            lease_namespace=lambda plan: world.lease_namespace,
            disposable=lambda context: world.disposable,
            alertmanager=lambda context, name: world.alertmanagers.get(name),
            holder="lab-engine",
            version="test",
            on_change=self.published.append,
            on_lines=lambda op, lines: self.lines.extend(lines),
        )
        self.registry = Registry(types)
        self.runner = Runner(self.registry, self.around, make_id=lambda: f"{next(world.ids):016x}")

    @classmethod
    async def start(cls, world: World, types: Sequence[OperationType], transport: Any = None) -> Engine:
        journal = await Severable.open(world.folder / "engine.db", clock=world.clock)
        assert isinstance(journal, Severable)
        return cls(world, journal, types, transport)

    async def _connect(self, context: str) -> Cluster:
        return self.cluster

    async def run(self, plan: Plan, confirm: str = "") -> Operation:
        operation = await self.passing(self.runner.start(plan, plan.digest(), confirm))
        return await self.finish(operation.id)

    async def finish(self, op: str) -> Operation:
        """Until the operation is terminal or parked; virtual time passes as it is slept for."""
        return await self.passing(self.runner.wait(op))

    async def passing(self, work: Awaitable[T]) -> T:
        task = asyncio.ensure_future(work)
        while not task.done():
            await self.settle(task)
            if not task.done():
                await step_on(self.world.clock)
        return task.result()

    async def settle(self, task: asyncio.Future[Any] | None = None) -> None:
        """Let everything run that needs no time."""
        calm = 0
        while calm < 12 and not (task is not None and task.done()):
            calm = 0 if self.journal._running or self.journal._turn.locked() or threads_at_work() else calm + 1
            await asyncio.sleep(0 if calm else 0.0001)

    def sever(self, *, lose: bool = False) -> None:
        """SIGKILL: nothing this engine does reaches anything any more."""
        self.wire.sever()
        self.journal.lose = lose
        self.journal.severed = True

    async def close(self) -> None:
        await self.runner.close()
        await self.journal.close()


def threads_at_work() -> bool:
    """Whether a thread that this loop waits for is at work: real time passes there, so none may pass here."""
    executor = getattr(asyncio.get_running_loop(), "_default_executor", None)
    return bool(getattr(executor, "busy", False))


async def step_on(clock: VirtualClock) -> None:
    """Wake the next sleeper."""
    waiting = [due for due, _, future in clock._sleepers if not future.done()]
    if waiting:
        await clock.advance(max(0.0, min(waiting) - clock.monotonic()))
    else:
        await asyncio.sleep(0.0001)


@contextlib.asynccontextmanager
async def laboratory(*types: OperationType) -> AsyncIterator[tuple[World, Engine]]:
    from tests.sandbox.velero.conftest import Threads  # pytest with it, which engines that are killed need not load

    asyncio.get_running_loop().set_default_executor(Threads())
    with fast_folder() as folder:
        world = World(folder)
        await world.boot(*types)
        try:
            assert world.engine is not None
            yield world, world.engine
        finally:
            assert world.engine is not None
            await world.engine.close()


# --- an operation of three steps: make an object, wait for a time, change the object


class Make:
    name, version, title, mutates, poll, limit = "make", 1, "Make the object", True, 1.0, 60.0

    def target(self, context: StepContext) -> str:
        return f"thing-{context.op[:8]}"

    async def _look(self, context: StepContext) -> Object | None:
        return await context.reader.get(CONFIGMAPS, self.target(context), "shop", type=dict)

    async def observe(self, context: StepContext) -> Observation:
        found = await self._look(context)
        if found is None:
            return Observation(Seen.ABSENT)
        if found["metadata"].get("labels", {}).get("lazarus.io/op") != context.op[:8]:
            return Observation(Seen.DIVERGED, "somebody else made it", hint="remove it")
        return Observation(Seen.DONE, facts={"uid": found["metadata"]["uid"]})

    async def act(self, context: StepContext) -> None:
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": self.target(context)}}
        await context.gate.write(Write("create", CONFIGMAPS, "shop", self.target(context), body))

    async def undo(self, context: StepContext) -> None:
        found = await self._look(context)
        if found is not None:
            uid = found["metadata"]["uid"]
            await context.gate.write(Write("delete", CONFIGMAPS, "shop", self.target(context), uid=uid))


class Wait(Make):
    name, title, mutates, poll = "wait", "Wait a while", False, 4.0

    async def observe(self, context: StepContext) -> Observation:
        began = context.facts.get("began")
        if began is None:
            return Observation(Seen.ABSENT)
        waited = context.clock.monotonic() - began
        return Observation(Seen.DONE if waited >= 10 else Seen.WAITING, f"{waited:.0f} s")

    async def act(self, context: StepContext) -> None:
        await context.say("waiting now")
        await context.remember(began=context.clock.monotonic())

    async def undo(self, context: StepContext) -> None:
        return None


class Change(Make):
    name, title = "change", "Change the object"

    async def observe(self, context: StepContext) -> Observation:
        found = await self._look(context)
        if found is None:
            return Observation(Seen.DIVERGED, "the object is gone")
        return Observation(Seen.DONE if found.get("data", {}).get("n") == "1" else Seen.ABSENT)

    async def act(self, context: StepContext) -> None:
        body = {"data": {"n": "1"}}
        uid = str(context.facts["uid"])
        result = await context.gate.write(Write("merge-patch", CONFIGMAPS, "shop", self.target(context), body, uid=uid))
        if result.outcome is Outcome.PERMANENT:
            raise StepStopped(f"refused: {result.reason}")

    async def undo(self, context: StepContext) -> None:
        return None


class Broken(Change):
    """Fails for good after the object was made."""

    async def observe(self, context: StepContext) -> Observation:
        return Observation(Seen.FAILED, "it broke", hint="mend it")


async def no_planner(reader: Any, params: Any, clock: Any) -> Plan:
    raise AssertionError("plans are made by the tests")


def simple(
    undo: str = "auto", kind: str = "simple", steps: Sequence[type[Step]] = (Make, Wait, Change)
) -> OperationType:
    return OperationType(kind, no_planner, lambda plan, catalog: [step() for step in steps], undo)


def plan_for(world: World, kind: OperationType | None = None, target: str = "shop", **fields: Any) -> Plan:
    kind = kind or simple()
    given: dict[str, Any] = {
        "kind": kind.kind,
        "context": CONTEXT,
        "cluster_uid": world.uid,
        "target": target,
        "title": f"{kind.kind} {target}",
        "danger": Danger.CHANGES,
        "params": {},
    }
    steps = kind.steps(None, None)  # type: ignore[arg-type]
    planned = tuple(PlannedStep(s.name, s.version, s.title, s.mutates) for s in steps)
    return Plan(**{**given, **fields}, steps=planned)


def seeded(seed: int) -> Random:
    return Random(seed)

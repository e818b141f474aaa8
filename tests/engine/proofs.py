"""The queue of proofs of one engine, driven look by look: real journal, real runner, proofs that only take their time.

What a proof finds is given beforehand; how proofs really run is tested in tests/prove/proof.
"""

from __future__ import annotations

import asyncio
import contextlib
import copy
import itertools
from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec

from lazarus_tui.engine.election import Posts
from lazarus_tui.engine.policies import Policies
from lazarus_tui.engine.proof_book import ProofBook, Stored
from lazarus_tui.engine.proof_calls import ProofCalls
from lazarus_tui.engine.proof_runs import ProofRuns
from lazarus_tui.engine.scheduler import Scheduler
from lazarus_tui.kube.errors import NotSent
from lazarus_tui.model.clock import rfc3339
from lazarus_tui.model.labels import SCHEDULE_LABEL
from lazarus_tui.model.objects import Backup, BackupSpec, BackupStatus, Meta, Schedule, ScheduleSpec, Workload
from lazarus_tui.model.plan import Plan, PlanRefused
from lazarus_tui.model.proof_policies import Entry, ProofPolicy, ProofPolicyRow, Selector
from lazarus_tui.model.proofs import ProofRecord
from lazarus_tui.model.resources import LEASES
from lazarus_tui.model.stepping import BaseStep
from lazarus_tui.model.steps import Observation, OperationType, Seen, StepContext
from lazarus_tui.model.verdict import Verdict
from tests.engine.world import CONTEXT, Engine, Severable, World, fast_folder, plan_for

MINUTE = 60.0


def policy(**fields: Any) -> ProofPolicy:
    """Everything of namespace shop, as it completes; ``writes`` is given."""
    given: dict[str, Any] = {"workloads": (Selector(namespace="shop"),), "points": ("on-completion",)}
    return ProofPolicy(**{"name": "shop", "writes": "schedules", **given, **fields})


class Look(BaseStep):
    """A restore that takes ``seconds``, then the verdict that the desk holds for the point."""

    name, title, poll, limit = "look", "Look", 1.0, 3600.0

    def __init__(self, desk: Proofs, params: Mapping[str, Any]) -> None:
        self.desk, self.params = desk, params

    async def observe(self, context: StepContext) -> Observation:
        if context.facts.get("prove.record"):
            return Observation(Seen.DONE)
        began = context.facts.get("began")
        if began is None or context.clock.now().timestamp() - began >= self.desk.seconds:
            return Observation(Seen.ABSENT)
        return Observation(Seen.WAITING)

    async def act(self, context: StepContext) -> None:
        if context.facts.get("began") is None:
            self.desk.ran.append(f"{self.params['point']}{'!' if self.params.get('control') else ''}")
            await context.remember(began=context.clock.now().timestamp())
            return
        key = "control" if self.params.get("control") else str(self.params["point"])
        verdict = self.desk.verdicts.get(key, Verdict.PASSED)
        await context.judged(verdict)
        record = ProofRecord(
            operation=context.op, source="velero", point=str(self.params["point"]), namespace="shop", verdict=verdict,
            words=f"found {verdict}", control=str(self.params.get("control") or ""), not_green=self.desk.not_green,
        )  # fmt: skip
        found = {} if verdict is Verdict.PASSED else self.desk.facts
        await context.remember(**found, **{"prove.record": msgspec.to_builtins(record)})


class Answers:
    """A cluster of backups and workloads."""

    def __init__(self, desk: Proofs) -> None:
        self.desk = desk

    async def cluster_uid(self) -> str:
        return self.desk.world.uid

    def __getattr__(self, name: str) -> Any:
        return getattr(self.desk.engine.cluster, name)

    async def get(self, resource: Any, name: str, namespace: str = "", *, type: Any) -> Any:
        if resource is LEASES:
            return await self.desk.engine.cluster.get(resource, name, namespace, type=type)
        return self.desk.backups.get(name)

    async def list(self, resource: Any, namespace: Any = None, *, type: Any, label_selector: str = "") -> list[Any]:
        wanted = dict(part.split("=") for part in label_selector.split(","))
        every = self.desk.workloads if resource.kind == "StatefulSet" else []
        return [one for one in every if wanted.items() <= (one.metadata.labels or {}).items()]


class Proofs:
    """``verdicts`` by point, or for "control"; ``ran``: points in the order their restores began, controls with a !."""

    def __init__(self, world: World, engine: Engine, holder: str = "") -> None:
        self.world, self.engine, self.holder = world, engine, holder
        self.seconds, self.away, self.refusing = 30.0, False, ""
        self.verdicts: dict[str, Verdict] = {}
        self.facts: dict[str, Any] = {}  # of proofs that do not pass
        self.not_green: tuple[str, ...] = ()
        self.planned: list[Mapping[str, Any]] = []
        self.backups: dict[str, Backup] = {}
        self.workloads: list[Workload] = []
        self.schedules: list[Schedule] = []
        self.ran: list[str] = []
        self.count = itertools.count(1)
        self.born(engine)

    def born(self, engine: Engine) -> None:
        self.engine, clock = engine, self.world.clock
        self.answers = Answers(self)
        self.posts = Posts(self.holder, clock, lambda context: "shop") if self.holder else None
        self.book = ProofBook(engine.journal, clock)
        self.runs = ProofRuns(
            self.book, engine.runner, engine.journal, clock, plan=self._plan, clusters=self._cluster,
            backups=lambda context: tuple(self.backups.values()),
            schedules=lambda context: (self.schedules, "velero"), posts=self.posts,
        )  # fmt: skip
        self.scheduler = Scheduler(
            Policies(engine.journal, clock), engine.runner, engine.journal, clock, plan=self._plan,
            clusters=self._cluster, proofs=self.runs,
        )  # fmt: skip
        self.calls = ProofCalls(
            self.runs, clock, reader=lambda context: Answers(self),  # type: ignore[arg-type, return-value]
            velero=lambda context: "velero", sinks={"ops": ()}, wake=lambda: None,
        )  # fmt: skip

    def kind(self) -> OperationType:
        async def planner(reader: Any, params: Any, clock: Any) -> Plan:
            raise AssertionError("plans are made below")

        return OperationType("prove.run", planner, lambda plan, catalog: [Look(self, plan.params)])

    async def _plan(self, kind: str, context: str, params: Any) -> Plan:
        if self.refusing:
            raise PlanRefused(self.refusing, hint="look at it")
        op = f"{next(self.count):016x}"
        newest = max(self.backups, key=lambda name: self.backups[name].status.completion_timestamp or "", default="")
        point = newest if params["point"] == "latest" else params["point"]
        given = {**params, "op": op, "point": point}
        self.planned.append(given)
        typed = OperationType("prove.run", None, lambda plan, catalog: [Look(self, given)])  # type: ignore[arg-type]
        return plan_for(self.world, typed, target=f"lazarus-q-{op[:8]}{op[-4:]}", params=given)

    async def _cluster(self, context: str) -> Any:
        if self.away:
            raise NotSent("connection refused")
        return self.answers

    # --- what happens

    def completed(
        self, name: str, phase: str = "Completed", namespace: str = "shop", ago: float = 0.0, schedule: str = "",
        **spec: Any,
    ) -> None:  # fmt: skip
        when = rfc3339((self.world.clock.now() - timedelta(seconds=ago)).replace(microsecond=0))
        self.backups[name] = Backup(
            metadata=Meta(name=name, namespace="velero", uid=f"uid-{name}", labels={SCHEDULE_LABEL: schedule}),
            spec=BackupSpec(included_namespaces=[namespace], **spec),
            status=BackupStatus(phase=phase, start_timestamp=when, completion_timestamp=when),
        )

    def scheduled(self, line: str, name: str = "nightly", namespace: str = "shop", **spec: Any) -> None:
        """A Velero Schedule, made now; one of that name is replaced."""
        made = rfc3339(self.world.clock.now().replace(microsecond=0))
        template = BackupSpec(included_namespaces=[namespace])
        self.schedules = [one for one in self.schedules if one.metadata.name != name] + [
            Schedule(
                metadata=Meta(name=name, namespace="velero", creation_timestamp=made),
                spec=ScheduleSpec(schedule=line, template=template, **spec),
            )
        ]

    def flips(self, name: str, phase: str, **more: Any) -> None:
        one = self.backups[name]
        status = msgspec.structs.replace(one.status, phase=phase, **more)
        self.backups[name] = msgspec.structs.replace(one, status=status)

    async def store(self, wanted: ProofPolicy) -> Stored:
        return await self.book.store(wanted, CONTEXT, self.world.uid)

    async def look(self, times: int = 1) -> None:
        """So many rounds of the scheduler, ten seconds apart; what runs goes on running."""
        for _ in range(times):
            await self.engine.passing(self.scheduler.look())
            await self.engine.settle()
            await self.world.clock.advance(10.0)
            await self.engine.settle()

    async def after(self, minutes: float) -> None:
        """Time passes, with a look each ten seconds for the last five minutes of it."""
        await self.world.clock.advance(max(0.0, minutes * MINUTE - 300))
        await self.look(30)

    async def dies(self, *, asleep: float = 0.0) -> None:
        """kill -9, and the next engine on the same journal after so many minutes."""
        self.engine.sever()
        for task in self.runs.tasks:
            task.cancel()
        await asyncio.gather(*self.runs.tasks, return_exceptions=True)
        await self.engine.close()
        await self.world.clock.advance(asleep * MINUTE)
        self.born(await self.world.boot(self.kind()))
        await self.runs.load()
        await self.engine.passing(self.engine.runner.recover())

    async def dies_after(self, k: int, *, lose: bool) -> bool:
        """Killed as the journal takes its ``k``-th transaction from now on (kept, or lost); whether it came to that."""
        journal, count = self.engine.journal, itertools.count(1)
        assert isinstance(journal, Severable)
        run = journal.run

        async def counted(fn: Any) -> Any:
            if next(count) == k:
                journal.lose, journal.severed = lose, lose
                try:
                    return await run(fn)
                finally:
                    self.engine.sever(lose=True)
            return await run(fn)

        journal.run = counted  # type: ignore[method-assign]
        for _ in range(25):
            await self.look()
            if journal.severed:
                await self.dies()
                return True
        return False

    # --- what is seen

    def entries(self) -> list[Entry]:
        return self.book.entries(CONTEXT)

    def told(self) -> list[str]:
        """Of each entry, as it was queued: point, state, verdict or why."""
        return [f"{one.point} {one.state}: {one.words or one.waiting}" for one in self.entries()]

    def row(self, name: str = "shop") -> ProofPolicyRow:
        return self.calls.row(self.book.get(CONTEXT, name))

    async def events(self, kind: str) -> list[Mapping[str, Any]]:
        return [one.body for one in await self.engine.journal.events_of(kind)]


async def second(it: Proofs, folder: Path, holder: str) -> Proofs:
    """Another engine with a journal of its own beside ``it``, on the same cluster and clock."""
    world = copy.copy(it.world)
    world.folder, world.engine = folder, None
    desk = Proofs.__new__(Proofs)
    engine = await world.boot(Proofs.kind(desk))
    Proofs.__init__(desk, world, engine, holder)
    desk.backups, desk.schedules, desk.workloads = it.backups, it.schedules, it.workloads
    return desk


@contextlib.asynccontextmanager
async def proofs(holder: str = "") -> AsyncIterator[Proofs]:
    with fast_folder() as folder:
        world = World(folder)
        world.armed = False  # nobody armed it: the consent is the policy's
        desk = Proofs.__new__(Proofs)
        engine = await world.boot(Proofs.kind(desk))
        assert isinstance(engine.journal, Severable)
        Proofs.__init__(desk, world, engine, holder)
        try:
            yield desk
        finally:
            await desk.scheduler.close()
            await desk.engine.close()

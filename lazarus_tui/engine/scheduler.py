"""Runs stored policies when they are due: one set per nominal time, whatever happens in between; and the proofs.

A run is written down as due, looked for (in the journal, then in the cluster), planned, started, and its end written
down. The set is named after the nominal time, so whoever repeats a step finds what an earlier one has done.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Protocol

from lazarus_tui.engine.errors import Refused
from lazarus_tui.engine.policies import FAILED, PARKED, REFUSED, TAKEN, Held, Policies
from lazarus_tui.engine.runner import Runner
from lazarus_tui.journal import Journal, JournalError
from lazarus_tui.kube.cluster import Cluster
from lazarus_tui.kube.errors import KubeError
from lazarus_tui.link.codec import LinkFault
from lazarus_tui.model.clock import Clock, parse_rfc3339, rfc3339
from lazarus_tui.model.counting import how_many
from lazarus_tui.model.cron import CronError
from lazarus_tui.model.operation import Operation, OpState
from lazarus_tui.model.plan import Danger, Plan, PlanRefused
from lazarus_tui.model.policies import GRACE, RUN_ALL, closed_until, next_nominal, owed
from lazarus_tui.snapshots.names import set_id
from lazarus_tui.snapshots.reading import sets_of

log = logging.getLogger(__name__)

# Seconds between two looks. A machine that slept, or a clock that was set, is noticed at the next look.
LOOK = 10.0
# A settled time further ahead than this means that the clock was wrong then, or is now.
SKEW = timedelta(days=1)
TAKE, PRUNE = "snapshots.create", "snapshots.prune"

Planning = Callable[[str, str, Mapping[str, Any]], Awaitable[Plan]]  # kind, context, params


class NotYet(Exception):
    """A run cannot begin now and will be tried again: why, in words."""


class Looker(Protocol):
    """What else is looked at in the same round; ``contexts`` have to be connected for it."""

    @property
    def awake(self) -> bool: ...

    @property
    def contexts(self) -> set[str]: ...

    @property
    def tasks(self) -> list[asyncio.Task[None]]: ...

    async def look(self) -> None: ...


class Scheduler:
    """``plan`` plans on a context that is connected; ``clusters`` connects it. ``wake`` after a policy was stored.
    ``proofs``: the queue of proofs, which keeps the same time."""

    def __init__(
        self,
        policies: Policies,
        runner: Runner,
        journal: Journal,
        clock: Clock,
        *,
        plan: Planning,
        clusters: Callable[[str], Awaitable[Cluster]],
        proofs: Looker | None = None,
    ) -> None:
        self._policies, self._runner, self._journal, self._clock = policies, runner, journal, clock
        self._plan, self._clusters, self._proofs = plan, clusters, proofs
        self._busy: dict[tuple[str, str], asyncio.Task[None]] = {}
        self._wake = asyncio.Event()

    def wake(self) -> None:
        self._wake.set()

    async def run(self, connect: Callable[[str], Awaitable[Any]]) -> None:
        """For ever; without a policy that runs by itself it sleeps until ``wake``. What is stored already is connected
        first, so that its engine stays."""
        others = self._proofs.contexts if self._proofs else set()
        for context in sorted({held.context for held in self._policies.all() if held.runs} | others):
            with contextlib.suppress(LinkFault):  # told when a run is due
                await connect(context)
        try:
            while True:
                self._wake.clear()
                if not self._anything():
                    await self._wake.wait()
                    continue
                await self.look()
                await self._clock.sleep(LOOK)
        finally:
            await self.close()

    def working(self) -> bool:
        """Whether a run is under way."""
        return bool(self._busy)

    def _anything(self) -> bool:
        stored = any(held.policy.schedule or held.pending for held in self._policies.all())
        return stored or (self._proofs is not None and self._proofs.awake)

    async def close(self) -> None:
        """Stop watching over runs; what has begun goes on, and is found again by the next engine."""
        tasks = [*self._busy.values(), *(self._proofs.tasks if self._proofs else ())]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def look(self) -> None:
        """Begin what is owed now; returns as soon as it is under way."""
        for held in self._policies.all():
            if held.blocked or held.key in self._busy or not (held.policy.schedule or held.pending):
                continue
            try:
                await self._look_at(held)
            except JournalError as error:
                held.waiting = error.what
            except CronError as error:
                held.waiting = f"its schedule cannot be read: {error}"
        if self._proofs is not None:
            await self._proofs.look()

    async def _look_at(self, held: Held) -> None:
        now = self._clock.now()
        if held.since - now > SKEW:
            why = f"the clock went back: its last run was at {held.since:%Y-%m-%d %H:%M} UTC"
            await self._policies.passed(held, now.replace(microsecond=0), 0, why)
        if held.pending is None and not await self._decide(held, now):
            return
        if held.pending is not None:
            task = asyncio.create_task(self._carry(held, held.pending), name=f"policy {held.policy.key}")
            self._busy[held.key] = task
            task.add_done_callback(lambda done: self._busy.pop(held.key, None))

    async def _decide(self, held: Held, now: datetime) -> bool:
        """Whether a run is due now; what was missed is written down."""
        found = owed(held.policy, held.since, now)
        if found.newest is None:
            held.waiting = ""
            return False
        if not held.policy.allowed:
            count = found.missed + len(found.runs)
            await self._policies.passed(held, found.newest, count, "refused: it does not say writes: schedules")
            log.warning("policy %s in %s: a run was refused, it has no consent to write", held.policy.key, held.context)
            return False
        if found.dark:
            dark = how_many(found.dark, "run")
            log.warning("policy %s in %s: %s fell into a blackout", held.policy.key, held.context, dark)
        if not found.runs:
            left = found.missed - found.dark  # what a blackout took is as it was meant, and nothing to be told
            lost = how_many(left, "run was", "runs were")
            why = f"{lost} missed while nothing could run: left out (catchUp: skip)"
            if not left:
                runs = how_many(found.dark, "run was", "runs were")
                why = f"{runs} left out, {found.dark} because of a blackout"
            await self._policies.passed(held, found.newest, found.missed, why)
            return False
        if why := self._dark(held, now) or self._taken_up(held):
            held.waiting = why
            return False
        await self._policies.due(held, found.runs[0], found.missed)
        return True

    def _dark(self, held: Held, now: datetime) -> str:
        end = closed_until(held.policy, now)
        return f"due, but no run begins in a blackout, which ends at {rfc3339(end)}" if end else ""

    def _taken_up(self, held: Held) -> str:
        """Why its workload cannot be worked on now: never two at a time."""
        for operation in self._runner.open:
            if (operation.context, operation.target) == (held.context, held.policy.target):
                return f"due, but operation {operation.id[:8]} works on {held.policy.target}"
        return ""

    # --- one run

    async def _carry(self, held: Held, nominal: datetime) -> None:
        """A pending run to its end; what fails on the way is tried again with the next look."""
        try:
            with contextlib.suppress(JournalError):
                await self._run(held, nominal)
        except NotYet as error:
            held.waiting = str(error)
            with contextlib.suppress(JournalError):
                await self._overtaken(held, nominal, str(error))
        except Exception:
            log.exception("policy %s", held.policy.key)
            held.waiting = "something unexpected failed; see engine.log"
        if held.waiting and held.waiting != held.told:
            log.warning("policy %s in %s: %s", held.policy.key, held.context, held.waiting)
        held.told = held.waiting

    async def _run(self, held: Held, nominal: datetime) -> None:
        if not held.policy.allowed:
            await self._refuse(held, nominal, "it does not say writes: schedules")
            return
        name = set_id(held.policy.name, nominal)
        cluster = await self._reach(held)
        operation = await self._earlier(held, name)
        if operation is None:
            if await self._exists(cluster, held, name):
                await self._policies.settled(held, nominal, TAKEN, f"set {name} was there already")
                return
            try:
                operation = await self._begin(held, name)
            except (PlanRefused, Refused) as error:
                if self._clock.now() - parse_rfc3339(held.pending_at) <= GRACE:
                    raise NotYet(f"due, but {error.what}") from error  # a pod that starts anew is back in a minute
                await self._refuse(held, nominal, error.what)
                return
        held.waiting = ""
        ended = await self._runner.wait(operation.id)
        outcome = {OpState.DONE: TAKEN, OpState.PARKED: PARKED}.get(ended.state, FAILED)
        if ended.state in (OpState.RUNNING, OpState.UNDOING):
            raise NotYet(f"operation {ended.id[:8]} is {ended.state.value}")
        await self._policies.settled(held, nominal, outcome, ended.message if outcome != TAKEN else "", ended.id)
        if outcome == TAKEN and held.policy.retention and self._policies.current(held):
            await self._prune(held)

    async def _refuse(self, held: Held, nominal: datetime, why: str) -> None:
        await self._policies.settled(held, nominal, REFUSED, why)
        log.warning("policy %s in %s: the run of %s was refused: %s", held.policy.key, held.context, nominal, why)

    async def _overtaken(self, held: Held, nominal: datetime, why: str) -> None:
        """A run that could not begin until the next one is due is missed, unless every run is to be made up for."""
        following = next_nominal(held.policy, nominal)
        if held.policy.catch_up == RUN_ALL or following is None or following + held.policy.offset > self._clock.now():
            return
        if await self._earlier(held, set_id(held.policy.name, nominal)) is None:
            await self._refuse(held, nominal, f"missed: {why}")

    async def _reach(self, held: Held) -> Cluster:
        try:
            cluster = await self._clusters(held.context)
            uid = await cluster.cluster_uid()
        except KubeError as error:
            raise NotYet(f"due, but the cluster of {held.context} does not answer: {error.message}") from error
        if uid != held.cluster_uid:
            raise NotYet(f"due, but context {held.context} leads to another cluster than the policy was stored for")
        return cluster

    async def _earlier(self, held: Held, name: str) -> Operation | None:
        """The operation that an engine before this one began for this run, or None."""
        for operation in await self._runner.operations():
            if (operation.kind, operation.context, operation.target) != (TAKE, held.context, held.policy.target):
                continue
            if parse_rfc3339(operation.started) < parse_rfc3339(held.pending_at):
                continue
            plan = await self._journal.plan(operation.id)
            if plan is not None and plan.params.get("set") == name:
                return operation
        return None

    async def _exists(self, cluster: Cluster, held: Held, name: str) -> bool:
        try:
            return any(one.id == name for one in await sets_of(cluster, held.policy.namespace))
        except KubeError as error:
            raise NotYet(f"due, but the sets cannot be listed: {error.message}") from error
        except PlanRefused:
            return False  # no snapshot kinds: the planner says so

    async def _begin(self, held: Held, name: str) -> Operation:
        if why := self._dark(held, self._clock.now()) or self._taken_up(held):
            raise NotYet(why)
        if not self._policies.current(held):
            raise NotYet("the policy was changed")
        plan = await self._planned(TAKE, held, {**held.policy.taking(), "name": name})
        if plan.danger is not Danger.SAFE:
            raise Refused(f"a schedule starts nothing that is more than safe, and this plan is {plan.danger.value}")
        return await self._runner.start(plan, plan.digest(), by=_by(held))

    async def _planned(self, kind: str, held: Held, params: Mapping[str, Any]) -> Plan:
        try:
            return await self._plan(kind, held.context, params)
        except KubeError as error:
            raise NotYet(f"due, but it cannot be planned: {error.message}") from error
        except LinkFault as error:
            raise NotYet(f"due, but it cannot be planned: {error.fault.what}") from error

    # --- what is kept

    async def _prune(self, held: Held) -> None:
        """The policy's retention over its own sets; the first time, and after it was shortened, only as a dry run."""
        try:
            plan = await self._planned(PRUNE, held, held.policy.pruning())
            if not held.agreed:
                await self._policies.shown(held, sorted(plan.params["sets"]))
                return
            operation = await self._runner.start(plan, plan.digest(), plan.target, by=_by(held))
        except PlanRefused as error:
            await self._policies.pruned(held, "", "" if error.code == "nothing" else error.what)
            return
        except (Refused, NotYet) as error:
            await self._policies.pruned(held, "", str(error))
            return
        ended = await self._runner.wait(operation.id)
        await self._policies.pruned(held, ended.id, "" if ended.state is OpState.DONE else ended.message)


def _by(held: Held) -> str:
    return f"policy {held.policy.key}"

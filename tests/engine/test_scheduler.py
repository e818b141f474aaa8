"""Stored policies run when they are due: one set per nominal time, also over crashes; nothing goes without a person."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from lazarus_tui.engine.errors import Refused
from lazarus_tui.engine.policies import Held, Policies
from lazarus_tui.engine.scheduler import Scheduler
from lazarus_tui.kube.errors import NotSent
from lazarus_tui.model.policies import SnapshotPolicy
from lazarus_tui.model.resources import STATEFULSETS
from tests.engine.world import Engine, laboratory
from tests.snapshots.stage import NAME, SPACE, Stage, StageEngine, staged
from tests.snapshots.test_taking import take

CONTEXT = "lab"


def policy(**fields: Any) -> SnapshotPolicy:
    given = {"schedule": "*/5 * * * *", "writes": "schedules", "create": {"together": "each"}, **fields}
    return SnapshotPolicy(name="often", namespace=SPACE, statefulset=NAME, **given)


class Desk:
    """The scheduler of one engine, driven look by look; the context is read-only all the time."""

    def __init__(self, stage: Stage, engine: Engine) -> None:
        self.stage, self.engine, self.away = stage, engine, False
        self.policies = Policies(engine.journal, stage.clock)
        self.scheduler = Scheduler(
            self.policies, engine.runner, engine.journal, stage.clock, plan=self._plan, clusters=self._cluster
        )

    async def _plan(self, kind: str, context: str, params: Any) -> Any:
        return await self.engine.registry.plan(kind, self.engine.cluster, params, self.stage.clock)

    async def _cluster(self, context: str) -> Any:
        if self.away:
            raise NotSent("connection refused")
        return self.engine.cluster

    async def store(self, wanted: SnapshotPolicy) -> Held:
        uid = await self.engine.cluster.cluster_uid()
        return await self.policies.store(wanted, CONTEXT, uid)

    async def look(self) -> Held:
        await self.engine.passing(self.scheduler.look())
        await self.engine.passing(asyncio.gather(*self.scheduler._busy.values()))
        return self.policies.get(CONTEXT, "often")

    async def after(self, minutes: float) -> Held:
        await self.stage.clock.advance(minutes * 60)
        return await self.look()

    async def reborn(self) -> Desk:
        """kill -9 of the engine, and the next one on the same journal."""
        assert isinstance(self.engine, StageEngine)
        self.engine.sever()
        await self.engine.close()
        engine = await self.stage.boot()
        desk = Desk(self.stage, engine)
        await desk.policies.load()
        await engine.passing(engine.runner.recover())
        return desk

    def ids(self) -> list[str]:
        return [found.id for found in self.stage.sets()]


@contextlib.asynccontextmanager
async def desk(replicas: int = 1) -> AsyncIterator[Desk]:
    async with staged(replicas=replicas) as (stage, engine):
        stage.armed = False
        await stage.clock.advance((60 - stage.clock.now().timestamp()) % 300)  # one minute after a nominal time
        yield Desk(stage, engine)


def at(moment: datetime) -> str:
    return f"often-{moment:%Y%m%d-%H%M%S}"


async def test_a_due_run_takes_one_set_on_a_context_nobody_armed() -> None:
    async with desk(replicas=2) as it:
        await it.store(policy())
        assert (await it.look()).last == ""
        held = await it.after(4.5)
        now = it.stage.clock.now()
        nominal = now.replace(minute=now.minute - now.minute % 5, second=0, microsecond=0)
        assert (held.outcome, it.ids()) == ("taken", [at(nominal)])
        [found] = it.stage.sets()
        assert (found.usable, found.schedule, len(found.members)) == (True, "often", 2)
        await it.look()
        assert len(it.ids()) == 1
        with pytest.raises(Refused, match="read-only"):
            await take(it.stage, it.engine)


async def test_without_consent_the_run_is_refused_and_told() -> None:
    async with desk() as it:
        await it.store(policy(writes="", run_on_create=True))
        held = await it.after(4.5)
        assert it.ids() == []
        row = it.policies.row(held)
        assert (row.missed, "writes: schedules" in row.trouble) == (1, True)


async def test_the_first_one_at_once_and_no_second_one_for_the_same_time() -> None:
    async with desk() as it:
        await it.store(policy(run_on_create=True))
        held = await it.look()
        assert (held.outcome, len(it.ids())) == ("taken", 1)
        again = await it.reborn()
        await again.look()
        assert len(it.ids()) == 1


async def test_one_that_is_applied_again_just_after_its_time_is_not_forgotten() -> None:
    async with desk() as it:
        await it.store(policy())
        await it.stage.clock.advance(4.5 * 60)
        held = await it.store(policy(create={"together": "group"}))
        assert held.since < it.stage.clock.now() - timedelta(minutes=4)
        assert ((await it.look()).outcome, len(it.ids())) == ("taken", 1)
        held = await it.store(policy(schedule="*/10 * * * *"))
        assert held.since > it.stage.clock.now() - timedelta(minutes=1), "its times are others"


async def test_after_the_engine_was_away() -> None:
    async with desk() as it:
        await it.store(policy(catch_up="run_all", schedule="*/15 * * * *"))
        await it.stage.clock.advance(66 * 60)
        again = await it.reborn()
        for _ in range(4):
            held = await again.look()
        assert (len(it.ids()), held.missed) == (3, 1)
        assert it.policies.row(held).next > it.stage.clock.now().strftime("%Y-%m-%dT%H:%M:%SZ")


async def test_never_two_at_a_time_on_one_workload() -> None:
    async with desk() as it:
        await it.store(policy())
        plan = await it.engine.passing(
            it.engine.registry.plan("snapshots.create", it.engine.cluster,
                                    {"namespace": SPACE, "statefulset": NAME, "name": "mine"}, it.stage.clock)
        )  # fmt: skip
        await it.stage.clock.advance(4.5 * 60)
        mine = await it.engine.passing(it.engine.runner.start(plan, plan.digest(), by="test"))
        await it.engine.passing(it.scheduler.look())
        held = it.policies.get(CONTEXT, "often")
        assert f"operation {mine.id[:8]} works on {SPACE}/{NAME}" in held.waiting
        await it.engine.finish(mine.id)
        assert ((await it.look()).outcome, len(it.ids())) == ("taken", 2)


async def test_a_set_that_is_there_already_is_not_taken_twice() -> None:
    async with desk() as it:
        held = await it.store(policy())
        await it.stage.clock.advance(4.5 * 60)
        nominal = it.stage.clock.now().replace(second=0, microsecond=0)
        await it.stage.cut(at(nominal))
        await it.policies.due(held, nominal, 0)
        assert "was there already" in (await it.look()).why
        assert it.ids() == [at(nominal)]


async def test_a_cluster_that_does_not_answer_is_waited_for_until_the_next_run_is_due() -> None:
    async with desk() as it:
        await it.store(policy())
        it.away = True
        held = await it.after(4.5)
        assert "does not answer: connection refused" in it.policies.row(held).trouble
        held = await it.after(5)
        assert (held.outcome, held.why.startswith("missed: ")) == ("refused", True)
        assert held.overdue == held.why
        it.away = False
        held = await it.look()
        assert (held.outcome, len(it.ids()), held.overdue) == ("taken", 1, "")


async def test_runs_that_were_missed_are_overdue_until_one_takes_place() -> None:
    async with desk() as it:
        await it.store(policy(catch_up="skip", schedule="*/15 * * * *"))
        # Later after its time than a run may be that is still carried out.
        await it.stage.clock.advance(3600 + (8 * 60 - it.stage.clock.now().timestamp()) % 900)
        again = await it.reborn()
        held = await again.look()
        assert "missed while nothing could run" in held.overdue
        again = await again.reborn()
        held = again.policies.get(CONTEXT, "often")
        assert "missed while nothing could run" in held.overdue, "the next engine knows it too"
        held = await again.store(policy(catch_up="skip", schedule="*/15 * * * *", retention={"keep_last": 5}))
        assert held.overdue, "a file that is applied again makes up for nothing"
        held = await again.after(8)
        assert (held.outcome, held.overdue) == ("taken", "")


async def test_a_workload_that_is_gone_refuses_the_run_after_some_minutes() -> None:
    async with desk() as it:
        await it.store(policy(schedule="*/15 * * * *"))
        it.stage.api.delete(STATEFULSETS, NAME, SPACE)
        held = await it.after(15)
        assert "there is no StatefulSet" in held.waiting
        held = await it.after(6)
        assert (held.outcome, held.why) == ("refused", f"there is no StatefulSet {SPACE}/{NAME}")


async def test_the_first_retention_only_says_what_it_would_remove_until_a_person_agrees() -> None:
    async with desk() as it:
        await it.store(policy(retention={"keep_last": 1}))
        assert (await it.after(4.5)).would_remove == ()
        second = await it.after(5)
        assert (len(second.would_remove), len(it.ids())) == (1, 2)
        row = it.policies.row(second)
        assert "until a person agrees" in row.kept_by
        with pytest.raises(Refused, match="another one"):
            await it.policies.accept(second, "0" * 64)
        await it.policies.accept(second, row.dry_run)
        await it.after(5)
        assert len(it.ids()) == 1
        await it.store(policy(retention={"keep_last": 2}))
        await it.after(5)
        held = await it.after(5)
        assert (len(it.ids()), held.would_remove) == (2, ())
        await it.store(policy(retention={"keep_last": 1}))
        held = await it.after(5)
        assert (len(it.ids()), len(held.would_remove)) == (3, 2)


async def test_a_policy_that_is_deleted_while_it_runs_removes_nothing() -> None:
    async with desk() as it:
        await it.store(policy(retention={"keep_last": 1}))
        await it.after(4.5)
        held = await it.after(5)
        await it.policies.accept(held, held.dry_run)
        await it.stage.clock.advance(5 * 60)
        await it.engine.passing(it.scheduler.look())
        while not it.engine.runner.open:
            await asyncio.sleep(0.0005)
        await it.policies.remove(held)
        await it.engine.passing(asyncio.gather(*it.scheduler._busy.values()))
        await it.engine.passing(it.scheduler.look())
        assert (len(it.ids()), it.policies.all()) == (3, [])


async def test_another_cluster_gets_no_set_and_what_is_left_out_is_told() -> None:
    async with desk() as it:
        await it.policies.store(policy(), CONTEXT, "another cluster's uid")
        assert "leads to another cluster" in (await it.after(4.5)).waiting
        await it.policies.remove(it.policies.get(CONTEXT, "often"))
        await it.store(policy(catch_up="skip", schedule="*/15 * * * *"))
        held = await it.after(80)
        assert (held.missed, held.why, it.ids()) == (
            5, "5 runs were missed while nothing could run: left out (catchUp: skip)", [],
        )  # fmt: skip


async def test_a_clock_that_was_a_year_ahead_is_noticed() -> None:
    async with desk() as it:
        held = await it.store(policy())
        await it.policies.passed(held, it.stage.clock.now() + timedelta(days=365), 0, "")
        held = await it.look()
        assert "the clock went back" in held.why
        assert (await it.after(5)).outcome == "taken"


async def test_what_looks_like_a_secret_is_not_stored() -> None:
    async with laboratory() as (world, engine):
        policies = Policies(engine.journal, world.clock)
        with pytest.raises(Refused, match="password or a token"):
            await policies.store(policy(create={"pre": ["mysql", "--password=hunter2"]}), CONTEXT, world.uid)
        assert policies.all() == []

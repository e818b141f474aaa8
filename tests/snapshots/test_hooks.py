"""Hooks hold the application still for the cut, and let go of it whatever happens."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable
from typing import Any

import pytest

from lazarus_tui import snapshots
from lazarus_tui.engine.resume import Decision
from lazarus_tui.model.http import HttpRequest
from lazarus_tui.model.operation import Operation, OpState
from lazarus_tui.model.plan import Plan
from lazarus_tui.model.resources import PODS
from lazarus_tui.model.sets import SnapshotSet
from lazarus_tui.model.stepping import BaseStep
from lazarus_tui.snapshots.hooks.steps import Freeze
from lazarus_tui.snapshots.taking.group import CutGroup
from tests.engine.world import Engine
from tests.snapshots.lockapp import HANGS, LOCK, LOCKS_AND_FAILS, UNKNOWN, UNLOCK, LockApp
from tests.snapshots.stage import NAME, SPACE, Stage, staged

EXEC: dict[str, Any] = {"pre": LOCK, "post": UNLOCK}
SESSION: dict[str, Any] = {"recipe": "mysql"}


async def planned(stage: Stage, engine: Engine, **params: Any) -> Plan:
    wanted = {"namespace": SPACE, "statefulset": NAME, "name": "s1", **params}
    return await engine.passing(engine.registry.plan("snapshots.create", engine.cluster, wanted, stage.clock))


async def take(stage: Stage, engine: Engine, **params: Any) -> Operation:
    return await engine.run(await planned(stage, engine, **params))


def the_set(stage: Stage) -> SnapshotSet:
    [found] = stage.sets()
    return found


@pytest.mark.parametrize(("way", "together"), [(EXEC, "each"), (SESSION, "group")])
async def test_every_volume_is_cut_while_its_pod_is_locked(way: dict[str, Any], together: str) -> None:
    async with staged(replicas=2) as (stage, engine):
        app = LockApp(stage)
        done = await take(stage, engine, together=together, **way)
        assert (done.state, done.message) == (OpState.DONE, "")
        assert app.at_cut
        assert all(counts == {"db-0": 1, "db-1": 1} for counts in app.at_cut)
        assert (app.locked, len(app.lengths)) == (0, 2)
        assert the_set(stage).about.consistency == {"data-db-0": "application", "data-db-1": "application"}
        assert done.facts["set.consistency"] == "application"
        assert "hunter2" not in repr(done)


def fails(pod: str, word: str, *codes: int) -> Callable[[Stage, LockApp], None]:
    return lambda stage, app: app.script.update({(pod, word): list(codes)})


def assert_free(app: LockApp) -> None:
    assert app.calls, "no hook was run at all"
    assert app.locked == 0
    assert app.longest <= 60


def no_room(stage: Stage, app: LockApp) -> None:
    stage.cluster.driver.faults.fails = "array is full"


@pytest.mark.parametrize(
    ("way", "broken", "words"),
    [
        (EXEC, fails("db-1", "lock", UNKNOWN), "the pre hook failed in db-1: no exit code"),
        (EXEC, fails("db-0", "lock", HANGS), "did not end within 30 s"),
        (SESSION, fails("db-1", "lock", HANGS), "the lock was not there within 30 s"),
        (SESSION, no_room, "array is full"),
    ],
)
async def test_what_fails_is_undone_and_nothing_stays_locked(
    way: dict[str, Any], broken: Callable[[Stage, LockApp], None], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(CutGroup, "limit", 20.0)
    async with staged(replicas=2) as (stage, engine):
        app = LockApp(stage)
        broken(stage, app)
        failed = await take(stage, engine, **way)
        assert failed.state is OpState.UNDONE
        assert words in failed.message
        assert_free(app)
        assert stage.sets() == []


async def test_a_post_hook_that_is_forgotten_on_failure_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests themselves: with both ways out of a failure left out, they say so."""
    forgetful = tuple(dataclasses.replace(kind, let_go=None) for kind in snapshots.OPERATIONS)
    monkeypatch.setattr(snapshots, "OPERATIONS", forgetful)
    monkeypatch.setattr(Freeze, "undo", BaseStep.undo)
    async with staged(replicas=2) as (stage, engine):
        app = LockApp(stage)
        app.script[("db-1", "lock")] = [3]
        failed = await take(stage, engine, **EXEC)
        assert failed.state is OpState.UNDONE
        with pytest.raises(AssertionError):
            assert_free(app)


async def test_nothing_is_held_while_the_snapshots_are_uploaded() -> None:
    async with staged(replicas=2) as (stage, engine):
        app = LockApp(stage)
        stage.cluster.driver.faults.stuck = True  # cut at once, ready never
        plan = await planned(stage, engine, **EXEC)
        await engine.passing(engine.runner.start(plan, plan.digest()))
        await stage.until(lambda: len(app.lengths) == 2, "both are free again")
        assert app.longest < 3
        assert not the_set(stage).usable


async def test_one_that_no_engine_may_go_on_with_is_still_let_go_of(monkeypatch: pytest.MonkeyPatch) -> None:
    async with staged(replicas=2) as (stage, engine):
        app = LockApp(stage)
        stage.cluster.driver.faults.silent = True
        plan = await planned(stage, engine, **EXEC)
        started = await engine.passing(engine.runner.start(plan, plan.digest()))
        await stage.until(lambda: app.locked == 2, "both are locked")
        engine.sever()
        await engine.passing(engine.close())
        later = Decision(OpState.PARKED, "made by another version")
        monkeypatch.setattr("lazarus_tui.engine.runner.decide", lambda *ignored: later)
        engine = await stage.boot()
        await engine.passing(engine.runner.recover())
        await stage.until(lambda: app.locked == 0, "both are free again")
        parked = await engine.passing(engine.runner.get(started.id))
        assert (parked.state, parked.message) == (OpState.PARKED, "made by another version")


async def test_a_cut_that_takes_too_long_is_not_waited_for() -> None:
    async with staged(replicas=2) as (stage, engine):
        app = LockApp(stage)
        stage.cluster.driver.faults.silent = True
        plan = await planned(stage, engine, max_freeze=45, **EXEC)
        started = await engine.passing(engine.runner.start(plan, plan.digest()))
        await stage.until(lambda: app.locked == 2, "both are locked")
        await stage.until(lambda: app.locked == 0, "both are free again")
        assert app.at_cut == []
        assert 44 < app.longest < 46
        stage.cluster.driver.faults.silent = False
        done = await engine.finish(started.id)
        assert done.state is OpState.DONE, done.message
        assert the_set(stage).consistency == "crash"


async def test_a_post_hook_is_tried_again() -> None:
    async with staged(replicas=2) as (stage, engine):
        app = LockApp(stage)
        app.script[("db-1", "unlock")] = [5, UNKNOWN, 0]
        done = await take(stage, engine, **EXEC)
        assert done.state is OpState.DONE
        assert app.calls.count(("db-1", *UNLOCK)) == 3
        assert the_set(stage).consistency == "application"


async def test_one_that_cannot_be_freed_waits_for_a_person_and_is_tried_on_meanwhile() -> None:
    async with staged(replicas=2) as (stage, engine):
        app = LockApp(stage)
        app.script[("db-1", "unlock")] = [5]
        parked = await take(stage, engine, **EXEC)
        assert (parked.state, parked.exit_code) == (OpState.PARKED, 3)
        assert "db-1 may still be held still: the post hook failed 3 times in db-1: exit 5" in parked.message
        assert parked.hint == "run by hand: kubectl -n prod exec db-1 -c db -- locker unlock, then resume"
        assert parked.message.count("db-1 may still be held still") == 1
        assert list(app.counts) == ["db-1"]
        app.script.clear()
        await stage.until(lambda: app.locked == 0, "it is freed without anybody's doing")
        await engine.passing(engine.runner.resume(parked.id))
        done = await engine.finish(parked.id)
        assert done.state is OpState.DONE, done.message
        assert the_set(stage).about.consistency == {"data-db-0": "application", "data-db-1": "application"}


async def test_one_that_is_closed_by_hand_while_it_cannot_be_freed_says_so_and_stays_closed() -> None:
    async with staged(replicas=2) as (stage, engine):
        app = LockApp(stage)
        app.script[("db-1", "unlock")] = [5]
        parked = await take(stage, engine, **EXEC)
        closed = await engine.passing(engine.runner.close_operation(parked.id, parked.target, "by kubectl"))
        assert "db-1 may still be frozen, and nobody here thaws it any more" in closed.message
        app.script.clear()
        tried = len(app.calls)
        end = stage.clock.monotonic() + 40
        await stage.until(lambda: stage.clock.monotonic() > end, "time for two attempts goes by")
        assert len(app.calls) == tried, "nothing is run for an operation that a person closed"
        assert (await engine.passing(engine.runner.get(parked.id))).state is closed.state


async def test_going_on_without_a_hook_says_so_by_volume() -> None:
    async with staged(replicas=2) as (stage, engine):
        app = LockApp(stage)
        app.script[("db-1", "lock")] = [LOCKS_AND_FAILS]
        done = await take(stage, engine, on_error="continue", **EXEC)
        assert done.state is OpState.DONE
        assert app.locked == 0
        assert the_set(stage).about.consistency == {"data-db-0": "application", "data-db-1": "unknown"}
        assert the_set(stage).consistency == "unknown"


@pytest.mark.parametrize(("way", "how"), [(EXEC, "park"), (EXEC, "close"), (EXEC, "kill"), (SESSION, "kill")])
async def test_an_operation_that_stops_holds_nothing(way: dict[str, Any], how: str) -> None:
    async with staged(replicas=2) as (stage, engine):
        app = LockApp(stage)
        stage.cluster.driver.faults.silent = True
        plan = await planned(stage, engine, together="each", **way)
        started = await engine.passing(engine.runner.start(plan, plan.digest()))
        await stage.until(lambda: app.locked == 2, "both are locked")
        if how == "park":
            await engine.passing(engine.runner.park(started.id))
            assert (await engine.finish(started.id)).state is OpState.PARKED
        elif how == "kill":
            engine.sever()
            await engine.settle()
            assert app.locked == (0 if way is SESSION else 2)
            await engine.passing(engine.close())
            engine = await stage.boot()
            stage.armed = False
            await engine.passing(engine.runner.recover())
            await stage.until(lambda: app.locked == 0, "the next engine lets go first")
        else:
            await engine.passing(engine.runner.close())
        assert app.locked == 0
        assert how == "kill" or app.longest <= 60  # how long nobody is there is not in anybody's hands


async def test_a_pod_that_was_made_anew_lost_its_lock() -> None:
    async with staged(replicas=2) as (stage, engine):
        app = LockApp(stage)
        stage.cluster.driver.faults.silent = True
        plan = await planned(stage, engine, **EXEC)
        started = await engine.passing(engine.runner.start(plan, plan.digest()))
        await stage.until(lambda: app.locked == 2, "both are locked")
        stage.api.delete(PODS, "db-1", SPACE)
        app.unlock("db-1")
        stage.cluster.driver.faults.silent = False
        done = await engine.finish(started.id)
        assert done.state is OpState.DONE, done.message
        assert the_set(stage).about.consistency == {"data-db-0": "application", "data-db-1": "crash"}


async def test_an_api_that_goes_away_leaves_nothing_locked() -> None:
    state, words = await with_outage(SESSION, 31, 20.0)
    assert state in (OpState.DONE, OpState.UNDONE)
    assert words == ""


async def with_outage(way: dict[str, Any], k: int, seconds: float) -> tuple[OpState, str]:
    """From the ``k``-th request on nothing gets through for ``seconds``: how it ends, and what is wrong then."""
    async with staged(replicas=2) as (stage, engine):
        app, sent, until = LockApp(stage), 0, 0.0

        async def before(request: HttpRequest) -> None:
            nonlocal sent, until
            sent += 1
            until = stage.clock.monotonic() + seconds if sent == k else until
            if stage.clock.monotonic() < until:
                raise ConnectionRefusedError("the API is away")

        plan = await planned(stage, engine, **way)
        engine.wire.before = before
        operation = await engine.run(plan)
        for _ in range(3):
            if operation.state is OpState.PARKED:
                await engine.passing(engine.runner.resume(operation.id))
                operation = await engine.finish(operation.id)
        wrong = [f"locked: {app.counts}"] if app.locked else []
        wrong += [f"for {app.longest:.0f} s"] if app.longest > 60 + seconds else []
        proven = not app.at_cut or app.proven
        found = stage.sets()
        wrong += ["more is said than is so"] if found and found[0].consistency == "application" and not proven else []
        return operation.state, "; ".join(wrong)


async def test_volumes_cut_far_apart_are_called_skewed() -> None:
    async with staged(replicas=2) as (stage, engine):
        cut, driver, count = stage.cluster.driver._copy_all, stage.cluster.driver, itertools.count()

        async def one_after_another(*args: Any) -> Any:
            await stage.clock.sleep(9.0 * next(count))
            return await cut(*args)

        driver._copy_all = one_after_another  # type: ignore[method-assign]
        done = await take(stage, engine, together="each")
        assert done.state is OpState.DONE
        assert done.facts["set.skew"] == 9
        assert the_set(stage).about.consistency == {"data-db-0": "skewed", "data-db-1": "skewed"}

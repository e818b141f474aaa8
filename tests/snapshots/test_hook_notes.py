"""A freeze whose engine died and whose journal is gone is found by another Lazarus, told of, and ended by a person."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from lazarus_tui.engine import adoption
from lazarus_tui.engine.adoption import BadCapsule, Capsule, capsules, opened
from lazarus_tui.engine.errors import Refused
from lazarus_tui.engine.unfinished import unfinished
from lazarus_tui.kube.cluster import Cluster
from lazarus_tui.model.clock import parse_rfc3339
from lazarus_tui.model.freezes import frozen_words, held_seconds
from lazarus_tui.model.operation import Operation, OpState
from lazarus_tui.model.plan import canonical
from lazarus_tui.model.resources import CONFIGMAPS, Resource
from lazarus_tui.view import freezes
from lazarus_tui.view.text import plain
from tests.engine.world import Engine
from tests.snapshots.lockapp import LockApp
from tests.snapshots.stage import SPACE, Stage, staged
from tests.snapshots.test_adoption import other_engine
from tests.snapshots.test_hooks import EXEC, SESSION, planned, take


def notes(stage: Stage) -> list[dict[str, Any]]:
    return [one for one in stage.api.list(CONFIGMAPS, SPACE) if one["metadata"]["name"].startswith("lazarus-capsule-")]


@asynccontextmanager
async def orphaned() -> AsyncIterator[tuple[Stage, Engine, LockApp, str]]:
    """Two pods frozen by an engine that was killed; another Lazarus, which knows nothing of it; the operation's id."""
    async with staged(replicas=2) as (stage, engine):
        app = LockApp(stage)
        stage.cluster.driver.faults.silent = True
        plan = await planned(stage, engine, **EXEC)
        started = await engine.passing(engine.runner.start(plan, plan.digest()))
        await stage.until(lambda: app.locked == 2, "both are locked")
        engine.sever()
        await engine.settle()
        engine = await engine.passing(other_engine(stage))
        stage.cluster.driver.faults.silent = False
        yield stage, engine, app, started.id


async def found_by(stage: Stage, engine: Engine) -> Operation:
    began = stage.clock.monotonic()
    await stage.until(lambda: stage.clock.monotonic() > began + 200, "whoever froze it would have thawed it by now")
    await engine.passing(adoption.look(engine.cluster, "theirs", engine.runner))
    [one] = engine.runner.open
    return one


class Others:
    """What another Lazarus takes over that looks at this cluster."""

    def __init__(self) -> None:
        self.adopted: list[str] = []

    async def adopt(self, capsule: Capsule, context: str) -> None:
        self.adopted.append(capsule.operation)

    async def ended_elsewhere(self, context: str, capsules: Mapping[str, str]) -> None: ...


async def test_a_freeze_that_goes_on_as_it_should_alarms_nobody() -> None:
    async with staged(replicas=2) as (stage, engine):
        app, others = LockApp(stage), Others()
        stage.cluster.driver.faults.silent = True
        plan = await planned(stage, engine, **EXEC)
        started = await engine.passing(engine.runner.start(plan, plan.digest()))
        await stage.until(lambda: app.locked == 2, "both are locked")
        [capsule] = await engine.passing(capsules(engine.cluster))
        made = parse_rfc3339(capsule.made)
        assert capsule.early(made + timedelta(seconds=60))
        assert not capsule.early(made + timedelta(seconds=30 + 60 + 60 + 2))
        await engine.passing(adoption.look(engine.cluster, "theirs", others))
        assert others.adopted == [], "whoever froze it is at it"
        [told] = await engine.passing(unfinished(engine.cluster))
        assert told.what.startswith(f"operation {started.id[:8]} froze prod/db-0 (db), prod/db-1 (db) at ")
        assert told.hint.startswith("it may be at it still: look again after ")
        stage.cluster.driver.faults.silent = False
        assert (await engine.finish(started.id)).state is OpState.DONE


async def test_it_is_named_with_what_ends_it_and_nothing_is_run_before_a_person_says_so() -> None:
    async with orphaned() as (stage, engine, app, op):
        one = await found_by(stage, engine)
        assert (one.id, one.state, one.exit_code) == (op, OpState.PARKED, 3)
        assert "db-0, db-1 may be frozen since " in one.message
        assert f"kubectl -n prod get configmap lazarus-capsule-{op[:8]} -o jsonpath='{{.data.thaw}}'" in one.hint
        now = stage.clock.now()
        assert frozen_words(one, now).startswith("prod/db may still be frozen for ")
        assert (held_seconds(one, now) or 0) >= 200
        [shown] = [" ".join(" ".join(map(plain, freezes.banner([one], now, 200))).split())]
        assert shown.endswith(f"nobody here thaws it: lazarus operation show {op[:8]} says how")
        [late] = await engine.passing(unfinished(engine.cluster))
        assert late.hint.startswith(f"lazarus undo {op[:8]} --confirm prod/db; by hand: kubectl -n prod get configmap ")
        [note] = notes(stage)
        assert note["data"]["thaw"].splitlines() == [
            f"kubectl -n prod exec {pod} -c db -- locker unlock" for pod in ("db-0", "db-1")
        ]

        await engine.passing(engine.close())
        engine = await stage.boot()
        await engine.passing(engine.runner.recover())
        began = stage.clock.monotonic()
        await stage.until(lambda: stage.clock.monotonic() > began + 60, "time goes by")
        assert app.locked == 2, "what a ConfigMap says is run by no engine unasked"


@pytest.mark.parametrize(("way", "ends"), [("undo", OpState.UNDONE), ("resume", OpState.DONE)])
async def test_a_person_ends_it_with_one_command(way: str, ends: OpState) -> None:
    async with orphaned() as (stage, engine, app, op):
        one = await found_by(stage, engine)
        call = getattr(engine.runner, way)
        with pytest.raises(Refused, match="needs the name 'prod/db'"):
            await engine.passing(call(op))
        await engine.passing(call(op, one.target))
        ended = await engine.finish(op)
        assert ended.state is ends, ended.message
        assert (app.locked, notes(stage)) == (0, [])
        assert [found.consistency for found in stage.sets()] == (["application"] if way == "resume" else [])
        assert app.proven or not (app.at_cut or stage.sets()), "whatever was cut was frozen, a set above all"
        assert await engine.passing(unfinished(engine.cluster)) == []


async def test_one_that_still_cannot_be_thawed_is_not_called_thawed() -> None:
    async with orphaned() as (stage, engine, app, op):
        one = await found_by(stage, engine)
        app.script[("db-1", "unlock")] = [5]
        await engine.passing(engine.runner.undo(op, one.target))
        parked = await engine.finish(op)
        assert parked.state is OpState.PARKED
        assert "db-1 may still be held still: the post hook failed 3 times in db-1: exit 5" in parked.message
        assert len(notes(stage)) == 1


async def test_a_set_leaves_no_note_and_a_lock_of_a_session_never_has_one() -> None:
    for way, many in ((EXEC, 1), (SESSION, 0)):
        async with staged(replicas=1) as (stage, engine):
            LockApp(stage)
            done = await take(stage, engine, **way)
            assert done.state is OpState.DONE
            assert notes(stage) == []
            posted = [r for r in stage.sent if r.method == "POST" and r.path.endswith("/configmaps")]
            assert len(posted) == many


async def test_without_the_right_to_leave_one_the_set_is_taken_and_that_is_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def can_i(cluster: Cluster, verb: str, resource: Resource, *rest: str) -> bool:
        return resource is not CONFIGMAPS

    monkeypatch.setattr(Cluster, "can_i", can_i)
    async with staged(replicas=1) as (stage, engine):
        app = LockApp(stage)
        done = await take(stage, engine, **EXEC)
        assert done.state is OpState.DONE, done.message
        assert app.locked == 0
        lines = await engine.passing(engine.runner.lines(done.id))
        assert any("only this journal knows of the freeze" in one.text for one in lines)


FORGED: list[dict[str, Any]] = [
    {"target": "prod/db; rm -rf ~"}, {"target": "prod/db\x1b[2J"}, {"target": "other/db"}, {"target": "db"},
    {"params": {"namespace": "other"}}, {"params": {"hooks": {"pods": {"db-0;ls": {"container": "db", "claims": []}}}}},
]  # fmt: skip


async def test_a_note_speaks_only_of_what_is_beside_it_and_by_names_that_can_be() -> None:
    async with orphaned() as (stage, engine, _, _):
        [capsule] = await engine.passing(capsules(engine.cluster))
        [note] = notes(stage)
        for change in FORGED:
            params = {**capsule.plan.params, **change.get("params", {})}
            forged = msgspec.structs.replace(capsule.plan, **{**change, "params": params})
            data = {**note["data"], "plan": canonical(forged).decode(), "digest": forged.digest()}
            with pytest.raises(BadCapsule, match=r"not of a workload beside it|pods that cannot exist"):
                opened({**note, "data": data})


async def test_a_note_whose_time_is_no_time_is_no_note() -> None:
    async with orphaned() as (stage, engine, _, _):
        [capsule] = await engine.passing(capsules(engine.cluster))
        assert sorted(capsule.held) == ["db-0", "db-1"]
        [note] = notes(stage)
        note["metadata"]["annotations"]["lazarus.io/frozen-until"] = "soon"
        with pytest.raises(BadCapsule, match="cannot be read"):
            opened(note)

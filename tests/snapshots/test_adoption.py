"""The journal is lost; the capsule is not. Another Lazarus finishes the restore, or undoes it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from lazarus_tui import snapshots
from lazarus_tui.engine.adoption import BadCapsule, Capsule, adopted, capsules, opened
from lazarus_tui.engine.errors import Refused
from lazarus_tui.engine.unfinished import unfinished
from lazarus_tui.model.operation import OpState
from lazarus_tui.model.plan import Danger, Plan
from lazarus_tui.model.resources import CONFIGMAPS
from lazarus_tui.snapshots.names import CLOSED
from tests.engine.test_cut_off import asked_and_left
from tests.engine.world import Engine
from tests.snapshots.stage import SPACE, Stage, StageEngine, staged
from tests.snapshots.test_inplace import all_say, clean, prepared, undo, volumes


@dataclass
class Cut:
    """Ends the engine at a write, before it arrives (``after`` False) or after it was done."""

    engine: Engine
    match: str
    happened: bool = False

    async def __call__(self, request: Any) -> None:
        if not self.happened and self.match in f"{request.method} {request.path}":
            self.happened = True
            self.engine.sever()
            raise ConnectionResetError("severed")


async def other_engine(stage: Stage) -> Engine:
    """An engine of another person: its own journal, its own kubeconfig."""
    assert stage.engine is not None
    await stage.engine.close()
    stage.folder = stage.folder / "other"
    stage.folder.mkdir(mode=0o700)
    stage.engine = await StageEngine.start(stage, tuple(snapshots.OPERATIONS))  # type: ignore[arg-type]
    return stage.engine


# One request of each stage of the restore.
STAGES = [
    "PATCH /apis/apps/v1/namespaces/prod/statefulsets/db",
    "PATCH /api/v1/persistentvolumes",
    "PATCH /apis/apps/v1/namespaces/prod/statefulsets/db/scale",
    "POST /apis/snapshot.storage.k8s.io/v1/namespaces/prod/volumesnapshots",
    "DELETE /api/v1/namespaces/prod/persistentvolumeclaims",
    "POST /api/v1/namespaces/prod/persistentvolumeclaims",
]


async def interrupted(stage: Stage, engine: Engine, match: str, **params: Any) -> str:
    """The engine dies at ``match``; the operation's id."""
    plan = await stage.plan(engine, **params)
    cut = Cut(engine, match)
    engine.wire.before = cut
    operation = await engine.passing(engine.runner.start(plan, plan.digest(), plan.target))
    await stage.until(lambda: cut.happened, f"cut at {match}")
    return operation.id


@pytest.mark.parametrize("match", STAGES)
@pytest.mark.parametrize("way", ["resume", "undo"])
async def test_another_lazarus_goes_on_or_takes_it_back(match: str, way: str) -> None:
    async with staged(replicas=2) as (stage, engine):
        old = await prepared(stage)
        op = await interrupted(stage, engine, match)
        engine = await other_engine(stage)
        [capsule] = await engine.passing(capsules(engine.cluster))
        found = await engine.passing(engine.runner.adopt(capsule, "their-name"))
        assert found is not None
        assert (found.id, found.state, found.context, found.exit_code) == (op, OpState.PARKED, "their-name", 3)
        assert await engine.passing(engine.runner.adopt(capsule, "their-name")) is None
        if way == "undo":
            ended = await undo(engine, found)
            assert ended.state is OpState.UNDONE, ended.message
            assert volumes(stage) == old
            assert all_say(stage, "after")
        else:
            with pytest.raises(Refused, match="needs the name 'prod/db'") as refused:
                await engine.passing(engine.runner.resume(op))
            assert refused.value.hint == f"lazarus resume {op[:8]} --confirm prod/db"
            await engine.passing(engine.runner.resume(op, "prod/db"))
            ended = await engine.finish(op)
            assert ended.state is OpState.DONE, ended.message
            assert all_say(stage, "before")
        assert clean(stage)
        assert set(old.values()) <= stage.handles()
        await stage.until(lambda: stage.ready() == 2, "all replicas are back")


def test_it_began_when_its_capsule_was_made_and_not_when_it_was_planned() -> None:
    plan = Plan(kind="k", context="c", cluster_uid="u", target="t", title="T", danger=Danger.DESTROYS, params={},
                steps=(), made="2026-01-01T08:00:00Z")  # fmt: skip
    found, _, _ = adopted(Capsule("9" * 16, "prod", "x", plan, made="2026-01-01T09:30:00Z"), "c", (), "now")
    assert found.started == "2026-01-01T09:30:00Z"


async def test_doctor_names_a_restore_that_is_not_at_its_end_and_only_that() -> None:
    async with staged(replicas=2) as (stage, engine):
        await prepared(stage)
        op = await interrupted(stage, engine, STAGES[-1], owner="ada@desk")
        engine = await other_engine(stage)
        [found] = await engine.passing(unfinished(engine.cluster))
        assert found.what.startswith(f"prod/db is being restored in place by operation {op[:8]}, begun by ada@desk at ")
        assert f"bring back what was there: lazarus undo {op[:8]} --confirm prod/db" in found.hint
        [capsule] = await engine.passing(capsules(engine.cluster))
        await engine.passing(engine.runner.adopt(capsule, "theirs"))
        await engine.passing(engine.runner.resume(op, "prod/db"))
        assert (await engine.finish(op)).state is OpState.DONE
        assert await engine.passing(unfinished(engine.cluster)) == []


async def test_a_closed_capsule_still_undoes_for_whoever_finds_it() -> None:
    async with staged(replicas=2) as (stage, engine):
        old = await prepared(stage)
        done = await stage.restore(engine)
        engine = await other_engine(stage)
        [capsule] = await engine.passing(capsules(engine.cluster))
        found = await engine.passing(engine.runner.adopt(capsule, "lab"))
        assert found is not None
        assert (found.id, found.state, found.can_undo) == (done.id, OpState.DONE, True)
        ended = await undo(engine, found)
        assert ended.state is OpState.UNDONE, ended.message
        assert volumes(stage) == old
        assert all_say(stage, "after")


async def test_a_capsule_that_was_changed_is_no_capsule() -> None:
    async with staged(replicas=1) as (stage, engine):
        await prepared(stage)
        done = await stage.restore(engine)
        [found] = [one for one in stage.api.list(CONFIGMAPS, SPACE) if one["metadata"]["name"].startswith("lazarus-")]
        assert opened(found).operation == done.id
        other = found["data"]["plan"].replace('"safety":true', '"safety":false')
        for change in ({"plan": other}, {"plan": "{"}, {}, {"operation": "`reboot`"}, {"operation": "../../../evil"}):
            data = {**found["data"], **change} if change else {}
            with pytest.raises(BadCapsule):
                opened({**found, "data": data})
        found["metadata"]["annotations"][CLOSED] = "soon"
        with pytest.raises(BadCapsule, match="cannot be read"):
            opened(found)


async def test_one_that_the_journal_took_over_is_known_though_the_look_for_it_ended() -> None:
    async with staged(replicas=1) as (stage, engine):
        await prepared(stage)
        op = await interrupted(stage, engine, STAGES[-1])
        engine = await other_engine(stage)
        [capsule] = await engine.passing(capsules(engine.cluster))
        await asked_and_left(engine, engine.runner.adopt(capsule, "theirs"), "op.adopted")
        assert [(one.id, one.state) for one in engine.runner.open] == [(op, OpState.PARKED)]
        await engine.passing(engine.runner.resume(op, "prod/db"))
        assert (await engine.finish(op)).state is OpState.DONE

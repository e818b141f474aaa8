"""The crash harness: an operation is cut at every await, and every recovery ends as if nothing had happened."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from lazarus_tui.engine.errors import Refused
from lazarus_tui.engine.execution import Execution
from lazarus_tui.engine.gate import Gate
from lazarus_tui.model.operation import Operation, OpState, StepState
from lazarus_tui.model.resources import CONFIGMAPS
from lazarus_tui.model.steps import Observation, OperationType, Seen, StepContext
from tests.engine.drive import Cut, Drive
from tests.engine.world import Change, Engine, Make, World, fast_folder, plan_for, seeded, simple

# Await points of the operations below; fewer would mean that the harness has lost its grip.
LEAST_POINTS = {"auto": 34, "undo": 20}


class Refusing(Change):
    """Lets the operation fail after a change, so that undo is what gets cut."""

    async def observe(self, context: StepContext) -> Observation:
        return Observation(Seen.FAILED, "it broke")


def kind_of(name: str) -> OperationType:
    return simple() if name == "auto" else simple("auto", steps=(Make, Refusing))


async def life(world: World, kind: OperationType, k: int, *, lose: bool, begin: bool) -> tuple[int, Operation | None]:
    """One engine: starts or recovers the operation, is cut at its ``k``-th await (0: never). Points, and the end."""
    engine = await world.boot(kind)
    drives: list[Drive] = []

    def spawn(work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        drives.append(Drive(work, k, lambda: engine.sever(lose=lose)))
        return asyncio.get_running_loop().create_task(drives[-1].run())

    engine.runner._spawn = spawn  # type: ignore[method-assign]
    try:
        if begin:
            operation = await engine.runner.start(plan_for(world, kind), plan_for(world, kind).digest())
        else:
            recovered = await engine.runner.recover()
            if not recovered:
                return 0, (await engine.journal.operations())[0]
            operation = recovered[0]
        return await _to_the_end(engine, operation, drives)
    finally:
        await _bury(engine)


async def _to_the_end(engine: Engine, operation: Operation, drives: list[Drive]) -> tuple[int, Operation | None]:
    task = engine.runner._tasks[operation.id]
    try:
        await engine.passing(task)
    except Cut:
        return drives[0].n, None
    return drives[0].n, (await engine.journal.operations())[0]


async def _bury(engine: Engine) -> None:
    """Let go of the file as the end of a process would."""
    await engine.close()


async def check(world: World, done: Operation | None, name: str) -> None:
    assert done is not None
    ours = world.api.list(CONFIGMAPS, "shop", labels={"lazarus.io/op": done.id[:8]})
    if name == "auto":
        assert done.state is OpState.DONE
        assert [step.state for step in done.steps] == [StepState.DONE] * 3
        assert [obj["data"] for obj in ours] == [{"n": "1"}]
        assert ours[0]["metadata"]["uid"] == done.facts["uid"], "made once: the first one is still there"
    else:
        assert done.state is OpState.UNDONE
        assert ours == [], "nothing is left that no operation accounts for"
    engine = await world.boot(kind_of(name))  # opening verifies the whole chain
    try:
        assert engine.journal.findings == ()
        intents = await engine.journal.events(done.id, "gate.intent")
        for sent in world.sent:
            object_name = sent.path.rpartition("/")[2]
            verb = {"POST": "create", "PATCH": "merge-patch", "DELETE": "delete"}[sent.method]
            assert any(
                i.seq <= sent.seq and i.body["verb"] == verb and (verb == "create" or i.body["name"] == object_name)
                for i in intents
            ), f"{sent} without an earlier durable intent"
    finally:
        await engine.close()


async def cut_at(name: str, k: int, *, lose: bool, again: int = 0) -> int:
    """One crash and recovery; returns the await points the first life had, 0 when it was not cut."""
    with fast_folder() as folder:
        world, kind = World(folder), kind_of(name)
        points, done = await life(world, kind, k, lose=lose, begin=True)
        cut = done is None
        if cut and again:
            _, done = await life(world, kind, again, lose=not lose, begin=False)
        if done is None:
            _, done = await life(world, kind, 0, lose=False, begin=False)
        await check(world, done, name)
        return points if cut else 0


async def cut_everywhere(name: str, actor: str) -> int:
    """Cut at the first await, the second … until the operation ends uncut; the number of points."""
    k, rng = 0, seeded(20261121)
    while True:
        k += 1
        again = rng.randrange(1, 40) if actor == "cut again" else 0
        try:
            if not await cut_at(name, k, lose=actor == "in flight lost", again=again):
                return k - 1
        except (Exception, AssertionError) as error:
            raise AssertionError(f"{name}, {actor}: cut at {k}, again at {again}: {error}") from error


@pytest.mark.parametrize("name", ["auto", "undo"])
@pytest.mark.parametrize("actor", ["in flight kept", "in flight lost", "cut again"])
async def test_cut_at_every_await(name: str, actor: str) -> None:
    assert await cut_everywhere(name, actor) >= LEAST_POINTS[name]


def _no_intent(monkeypatch: pytest.MonkeyPatch) -> str:
    keep = Gate._keep

    async def skipping(self: Gate, kind: str, body: Any) -> int:
        return 0 if kind == "gate.intent" else await keep(self, kind, body)

    monkeypatch.setattr(Gate, "_keep", skipping)
    return "auto"


def _done_before_the_act(monkeypatch: pytest.MonkeyPatch) -> str:
    async def hasty(self: Execution, n: int, step: Any, context: Any) -> None:
        await self._step_done(n, step, Observation(Seen.DONE), 0.0)
        await step.act(context)

    monkeypatch.setattr(Execution, "_step", hasty)
    return "auto"


def _forgets_unknown_outcomes(monkeypatch: pytest.MonkeyPatch) -> str:
    def hopeful(events: Any) -> set[str]:
        return {e.body["step"] for e in events if e.kind == "gate.result" and e.body["outcome"] == "applied"}

    monkeypatch.setattr("lazarus_tui.engine.execution.written", hopeful)
    return "undo"


@pytest.mark.parametrize("bug", [_no_intent, _done_before_the_act, _forgets_unknown_outcomes])
async def test_the_harness_finds_planted_bugs(bug: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    name = bug(monkeypatch)
    with pytest.raises(AssertionError, match="cut at"):
        await cut_everywhere(name, "in flight kept")


async def test_five_recoveries_in_ten_minutes_park_the_operation() -> None:
    with fast_folder() as folder:
        world, kind = World(folder), kind_of("auto")
        await life(world, kind, 20, lose=False, begin=True)
        for _ in range(5):
            _, done = await life(world, kind, 2, lose=False, begin=False)
            assert done is None
        engine = await world.boot(kind)
        try:
            (parked,) = await engine.runner.recover()
            assert parked.state is OpState.PARKED
            assert "ended 5 times within 10 minutes" in parked.message
            await engine.runner.resume(parked.id)
            assert (await engine.finish(parked.id)).state is OpState.DONE
        finally:
            await engine.close()


async def test_a_changed_program_does_not_guess() -> None:
    class Newer(Make):
        version = 2

    with fast_folder() as folder:
        world = World(folder)
        await life(world, kind_of("auto"), 30, lose=False, begin=True)
        engine = await world.boot(simple(steps=(Newer, Change)))
        try:
            (parked,) = await engine.runner.recover()
            assert parked.state is OpState.PARKED
            assert "step 'make' (version 1) is 'make' (version 2)" in parked.message
            with pytest.raises(Refused, match="cannot go on"):
                await engine.runner.resume(parked.id)
        finally:
            await engine.close()


async def test_an_unknown_kind_is_kept_open_for_the_program_that_knows_it() -> None:
    with fast_folder() as folder:
        world = World(folder)
        await life(world, kind_of("auto"), 30, lose=False, begin=True)
        engine = await world.boot(simple(kind="other"))
        try:
            (parked,) = await engine.runner.recover()
            assert "knows no operation 'simple'" in parked.message
        finally:
            await engine.close()
        engine = await world.boot(kind_of("auto"))
        try:
            assert [o.state for o in await engine.runner.recover()] == [OpState.PARKED]
            await engine.runner.resume(parked.id)
            assert (await engine.finish(parked.id)).state is OpState.DONE
        finally:
            await engine.close()

"""The runner: observe, act, observe; park, undo, resume; and the truth in the end."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from lazarus_tui.engine.errors import Refused
from lazarus_tui.model.clock import rfc3339
from lazarus_tui.model.http import HttpRequest, HttpResponse
from lazarus_tui.model.operation import Figures, OpState, StepState
from lazarus_tui.model.plan import Danger
from lazarus_tui.model.resources import CONFIGMAPS
from lazarus_tui.model.steps import Observation, OperationType, Seen, StepContext, StepStopped
from lazarus_tui.model.verdict import Verdict
from tests.engine.world import Broken, Make, Wait, laboratory, plan_for, simple


async def test_an_operation_runs_to_its_end_and_says_what_it_did() -> None:
    async with laboratory() as (world, engine):
        done = await engine.run(plan_for(world))
        assert (done.state, done.exit_code) == (OpState.DONE, 0)
        assert [step.state for step in done.steps] == [StepState.DONE] * 3
        assert done.facts["uid"] == world.config("thing-00000000")["metadata"]["uid"]  # type: ignore[index]
        assert done.seconds == pytest.approx(12, abs=1)
        assert [line.text for line in engine.lines] == ["waiting now"]
        assert [line.text for line in await engine.runner.lines(done.id)] == ["waiting now"]
        kept = await engine.journal.operations()
        assert kept == [done] == [engine.published[-1]]
        assert [event.kind for event in await engine.journal.events(done.id)] == [
            "op.begun", "gate.intent", "gate.result", "step.done", "facts", "step.done",
            "gate.intent", "gate.result", "step.done", "op.ended",
        ]  # fmt: skip


async def test_the_engines_share_leaves_out_requests_and_pauses() -> None:
    async def slow(request: HttpRequest) -> HttpResponse | None:
        await world.clock.sleep(2)
        return None

    async with laboratory() as (world, engine):
        world.lease_namespace = ""
        world.faults.append(slow)
        done = await engine.run(plan_for(world))
        assert done.seconds > 20
        assert done.figures is not None
        assert done.figures.engine_seconds == pytest.approx(0, abs=0.001)


async def test_work_of_a_step_is_the_engines_share() -> None:
    class Busy(Make):
        async def observe(self, context: StepContext) -> Observation:
            world.clock._elapsed += 3.0
            return Observation(Seen.DONE)

    kind = simple(steps=(Busy,))
    async with laboratory(kind) as (world, engine):
        done = await engine.run(plan_for(world, kind))
        assert done.figures is not None
        assert done.figures.engine_seconds == pytest.approx(3)


async def test_every_write_is_signed_and_owned() -> None:
    async with laboratory() as (world, engine):
        done = await engine.run(plan_for(world))
        name = f"lazarus-{done.id[:8]}"
        assert {(sent.agent, sent.manager) for sent in world.sent} == {(name, name)}
        labels = world.config("thing-00000000")["metadata"]["labels"]  # type: ignore[index]
        assert labels == {"app.kubernetes.io/managed-by": "lazarus", "lazarus.io/op": "00000000"}


@pytest.mark.parametrize(
    ("fields", "digest", "confirm", "armed", "code"),
    [
        ({}, "0" * 64, "", True, "refused"),
        ({"danger": Danger.DESTROYS}, "", "", True, "refused"),
        ({"danger": Danger.DESTROYS}, "", "sho", True, "refused"),
        ({}, "", "", False, "read-only"),
        ({"cluster_uid": "another"}, "", "", True, "refused"),
        ({"kind": simple(kind="unheard")}, "", "", True, "not-found"),
    ],
)
async def test_a_start_is_refused_before_anything_is_written(
    fields: dict[str, Any], digest: str, confirm: str, armed: bool, code: str
) -> None:
    async with laboratory() as (world, engine):
        world.armed = armed
        plan = plan_for(world, **fields)
        with pytest.raises(Refused) as refused:
            await engine.runner.start(plan, digest or plan.digest(), confirm)
        assert refused.value.code == code
        assert world.sent == []
        assert await engine.journal.operations() == []


async def test_plans_of_another_version_are_refused() -> None:
    async with laboratory() as (world, engine):
        plan = plan_for(world)
        old = msgspec.structs.replace(plan, steps=plan.steps[:2])
        with pytest.raises(Refused, match="another version"):
            await engine.runner.start(old, old.digest())


async def test_one_operation_per_target_and_the_holder_is_named() -> None:
    async with laboratory() as (world, engine):
        first = await engine.runner.start(plan_for(world), plan_for(world).digest())
        with pytest.raises(Refused, match=first.id[:8]):
            await engine.runner.start(plan_for(world), plan_for(world).digest())
        other = plan_for(world, target="other")
        second = await engine.runner.start(other, other.digest())
        assert (await engine.finish(second.id)).state is OpState.DONE
        assert (await engine.finish(first.id)).state is OpState.DONE
        assert (await engine.run(plan_for(world))).state is OpState.DONE


async def test_an_api_that_is_away_for_a_minute_is_waited_for() -> None:
    async def away(request: HttpRequest) -> HttpResponse | None:
        if 5 <= world.clock.monotonic() < 65:
            raise ConnectionRefusedError("no route")
        return None

    async with laboratory() as (world, engine):
        world.faults.append(away)
        done = await engine.run(plan_for(world))
        assert done.state is OpState.DONE
        assert done.seconds > 60
        said = {step.detail for seen in engine.published for step in seen.steps}
        assert any(text.startswith("waiting for API") for text in said)


async def test_an_api_that_stays_away_parks_and_resume_goes_on() -> None:
    down = True

    async def away(request: HttpRequest) -> HttpResponse | None:
        if down and world.clock.monotonic() > 5:
            raise TimeoutError
        return None

    async with laboratory() as (world, engine):
        world.faults.append(away)
        parked = await engine.run(plan_for(world))
        assert parked.state is OpState.PARKED
        assert "did not answer" in parked.message
        down = False
        await engine.runner.resume(parked.id[:6] if parked.id[:6] != "000000" else parked.id)
        done = await engine.finish(parked.id)
        assert (done.state, done.message, done.exit_code) == (OpState.DONE, "", 0)


@pytest.mark.parametrize("status", [401, 403])
async def test_a_missing_right_parks_with_its_name(status: int) -> None:
    async def forbid(request: HttpRequest) -> HttpResponse | None:
        if denied and request.method == "PATCH" and "configmaps" in request.path:
            body = {"kind": "Status", "status": "Failure", "message": "user may not", "reason": "Forbidden"}
            return HttpResponse(status, {"content-type": "application/json"}, msgspec.json.encode(body))
        return None

    denied = True
    async with laboratory() as (world, engine):
        world.faults.append(forbid)
        parked = await engine.run(plan_for(world))
        assert parked.state is OpState.PARKED
        assert "missing right: patch configmaps in namespace shop" in parked.message
        assert parked.can_undo
        denied = False
        await engine.runner.resume(parked.id)
        assert (await engine.finish(parked.id)).state is OpState.DONE
        assert sum(sent.method == "POST" for sent in world.sent) == 1, "what was done is not done again"


@pytest.mark.parametrize(
    ("undo", "state", "code", "there"),
    [
        ("auto", OpState.UNDONE, 2, False),
        ("ask", OpState.PARKED, 3, True),
        ("none", OpState.LEFT_CHANGED, 3, True),
    ],
)
async def test_after_a_failure_the_policy_decides(undo: str, state: OpState, code: int, there: bool) -> None:
    kind = simple(undo, steps=(Make, Broken))
    async with laboratory(kind) as (world, engine):
        ended = await engine.run(plan_for(world, kind))
        assert (ended.state, ended.exit_code, ended.message) == (state, code, "it broke")
        assert (world.config("thing-00000000") is not None) is there
        assert ended.can_undo is (undo == "ask")
        if undo == "ask":
            await engine.runner.undo(ended.id, ended.target)
            undone = await engine.finish(ended.id)
            assert (undone.state, undone.exit_code) == (OpState.UNDONE, 2)
            assert world.config("thing-00000000") is None
        if undo == "none":
            with pytest.raises(Refused, match="cannot be undone"):
                await engine.runner.undo(ended.id)


async def test_a_failure_before_any_change_keeps_the_start_state() -> None:
    kind = simple("none", steps=(Broken, Make))
    async with laboratory(kind) as (world, engine):
        ended = await engine.run(plan_for(world, kind))
        assert (ended.state, ended.exit_code) == (OpState.FAILED, 2)
        assert world.sent == []


async def test_an_undo_that_fails_says_what_is_left() -> None:
    class Sticky(Make):
        async def undo(self, context: StepContext) -> None:
            raise StepStopped("a finalizer holds it")

    kind = simple("auto", steps=(Sticky, Broken))
    async with laboratory(kind) as (world, engine):
        ended = await engine.run(plan_for(world, kind))
        assert (ended.state, ended.exit_code) == (OpState.LEFT_CHANGED, 3)
        assert "it broke; undo of 'make' failed: a finalizer holds it" in ended.message
        assert ended.can_undo


async def test_a_bug_in_a_step_ends_the_operation_and_not_the_engine() -> None:
    class Buggy(Make):
        async def observe(self, context: StepContext) -> Observation:
            raise KeyError("password=hunter2hunter2")

    kind = simple(steps=(Buggy,))
    async with laboratory(kind) as (world, engine):
        ended = await engine.run(plan_for(world, kind))
        assert ended.state is OpState.FAILED
        assert "unexpected error in step make" in ended.message
        assert "hunter2" not in ended.message


async def test_divergence_parks_and_never_forces() -> None:
    async with laboratory() as (world, engine):
        world.api.create(CONFIGMAPS, {"metadata": {"name": "thing-00000000"}}, "shop")
        parked = await engine.run(plan_for(world))
        assert (parked.state, parked.message, parked.hint) == (OpState.PARKED, "somebody else made it", "remove it")
        assert world.sent == []
        assert not parked.can_undo


async def test_an_effect_that_never_shows_is_not_tried_for_ever() -> None:
    class Blind(Make):
        async def observe(self, context: StepContext) -> Observation:
            return Observation(Seen.ABSENT)

    kind = simple("none", steps=(Blind,))
    async with laboratory(kind) as (world, engine):
        ended = await engine.run(plan_for(world, kind))
        assert ended.state is OpState.LEFT_CHANGED
        assert "still absent" in ended.message
        assert len(world.sent) == 5


async def test_a_step_has_its_limit() -> None:
    class Endless(Wait):
        limit = 30.0

        async def observe(self, context: StepContext) -> Observation:
            return Observation(Seen.WAITING, "still moving")

    kind = simple("none", steps=(Endless,))
    async with laboratory(kind) as (world, engine):
        ended = await engine.run(plan_for(world, kind))
        assert ended.state is OpState.FAILED
        assert "not finished within 30 s (still moving)" in ended.message


class Judge(Make):
    """Ends with the verdict in the plan's parameters."""

    mutates = False

    async def observe(self, context: StepContext) -> Observation:
        await context.measured(Figures(rta_seconds=7.0))
        if context.plan.params["verdict"]:
            await context.judged(Verdict(context.plan.params["verdict"]))
        return Observation(Seen.DONE)


@pytest.mark.parametrize(
    ("verdict", "required", "code"),
    [
        ("PASSED", True, 0),
        ("PASSED", False, 0),
        ("FAILED", True, 2),
        ("FAILED", False, 2),
        ("INCONCLUSIVE", False, 4),
        ("NOT TESTED", False, 0),
        ("NOT TESTED", True, 4),
        ("", True, 4),
        ("", False, 0),
    ],
)
async def test_exit_codes_follow_the_verdict(verdict: str, required: bool, code: int) -> None:
    made = simple(steps=(Judge,))
    kind = OperationType(made.kind, made.plan, made.steps, verdict_required=required)
    async with laboratory(kind) as (world, engine):
        done = await engine.run(plan_for(world, kind, params={"verdict": verdict}))
        assert (done.state, done.exit_code) == (OpState.DONE, code)
        assert done.figures is not None
        assert done.figures.rta_seconds == 7.0


async def test_evidence_carries_what_the_engine_knows() -> None:
    class Witness(Make):
        async def observe(self, context: StepContext) -> Observation:
            await context.remember(point="shop-1")
            path = await context.evidence({"scenario": "test", "note": "Bearer abcdef0123456789"})
            return Observation(Seen.DONE, facts={"evidence": path})

    kind = simple(steps=(Witness,))
    async with laboratory(kind) as (world, engine):
        done = await engine.run(plan_for(world, kind))
        record = await engine.around.evidence.get(done.id)
        assert record["plan_digest"] == done.plan_digest
        assert record["cluster_uid"] == world.uid
        assert record["facts"] == {"point": "shop-1"}
        assert record["scenario"] == "test"
        assert "abcdef0123456789" not in str(record)
        assert list(await engine.around.evidence.verify()) == []


async def test_another_cluster_behind_the_context_is_noticed_before_anything_is_sent() -> None:
    async with laboratory() as (world, engine):
        begun = await engine.runner.start(plan_for(world), plan_for(world).digest())
        engine.runner._running[begun.id].plan = msgspec.structs.replace(plan_for(world), cluster_uid="gone")
        parked = await engine.finish(begun.id)
        assert parked.state is OpState.PARKED
        assert "another cluster" in parked.message
        assert world.sent == []


async def test_a_cluster_that_was_thrown_away_ends_what_was_open_on_it() -> None:
    async with laboratory() as (world, engine):
        world.disposable = True
        begun = await engine.runner.start(plan_for(world), plan_for(world).digest())
        engine.runner._running[begun.id].plan = msgspec.structs.replace(plan_for(world), cluster_uid="gone")
        ended = await engine.finish(begun.id)
        assert (ended.state, ended.exit_code) == (OpState.FAILED, 2)
        assert "was removed" in ended.message
        assert world.sent == []
        assert (await engine.run(plan_for(world))).state is OpState.DONE, "the target is free again"


async def test_what_failed_is_never_called_passed_because_a_part_of_it_was() -> None:
    class Good(Make):
        async def act(self, context: StepContext) -> None:
            await context.judged(Verdict.PASSED)
            await super().act(context)

    kind = simple("none", steps=(Good, Broken))
    async with laboratory(kind) as (world, engine):
        ended = await engine.run(plan_for(world, kind))
        assert ended.state is OpState.LEFT_CHANGED
        assert ended.verdict is Verdict.INCONCLUSIVE


async def test_a_prefix_must_be_unique() -> None:
    async with laboratory() as (world, engine):
        await engine.run(plan_for(world))
        await engine.run(plan_for(world))
        with pytest.raises(Refused, match="several"):
            await engine.runner.get("000")
        with pytest.raises(Refused, match="no operation"):
            await engine.runner.get("ff")
        assert (await engine.runner.get(f"{1:016x}")).id == f"{1:016x}"
        assert rfc3339(world.clock.now())

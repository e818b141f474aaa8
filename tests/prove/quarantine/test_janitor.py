"""What proofs left standing: told with owner and age; removed when it is known to be over, and never otherwise."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lazarus_tui.engine.sweeping import Sweeping
from lazarus_tui.model.operation import OpState
from lazarus_tui.model.plan import PlanRefused
from lazarus_tui.model.resources import CONFIGMAPS, NAMESPACES, RESTORES
from lazarus_tui.prove.quarantine import names, removal
from lazarus_tui.prove.quarantine.janitor import State, standing
from lazarus_tui.prove.quarantine.steps import Clean, ShownClean, Space
from tests.prove.quarantine.grounds import OP, QUARANTINE, VELERO, Copy, Grounds, grounds


class House:
    """A janitor beside the engine of the grounds."""

    def __init__(self, ground: Grounds) -> None:
        assert ground.engine is not None
        self.ground, self.engine, self.writable = ground, ground.engine, True
        self.sweeping = Sweeping(
            self.engine.runner,
            self.engine.journal,
            ground.clock,
            writable=lambda context: self.writable,
            plan=self._plan,
        )

    async def _plan(self, kind: str, context: str, params: Any) -> Any:
        return await self.engine.registry.plan(kind, self.engine.cluster, params, self.ground.clock)

    async def look(self) -> list[tuple[str, State]]:
        """One look, and the end of what it began."""
        found = await self.engine.passing(self.sweeping.look(self.engine.cluster, "lab"))
        for operation in self.engine.runner.open:
            await self.engine.finish(operation.id)
        return [(one.name, one.state) for one in found]

    async def removals(self) -> list[Any]:
        return [one for one in await self.engine.journal.operations() if one.kind == removal.KIND]


async def kept(ground: Grounds, minutes: float = 30) -> House:
    """A proof that ended and whose quarantine was to be kept."""
    ground.steps = lambda params: [Space(params), Copy(ground), Clean(params), ShownClean(params)]  # type: ignore[method-assign]
    await ground.reboot()
    done = await ground.prove(keep_minutes=minutes)
    assert done.state is OpState.DONE, done.message
    return House(ground)


def over(ground: Grounds) -> None:
    """Its time is over."""
    ground.api.patch(NAMESPACES, QUARANTINE, {"metadata": {"labels": {names.EXPIRES: "20200101T000000Z"}}})


async def test_what_is_kept_stays_for_its_time_and_then_goes_with_all_that_belongs_to_it() -> None:
    async with grounds() as ground:
        before = ground.everything()
        house = await kept(ground)
        assert await house.look() == [(QUARANTINE, State.KEPT)]
        assert ground.deletions() == []
        over(ground)
        house.writable = False
        assert await house.look() == [(QUARANTINE, State.DUE)]
        assert ground.deletions() == [], "a context that is read-only is only told of"
        house.writable = True
        assert await house.look() == [(QUARANTINE, State.DUE)]
        (done,) = await house.removals()
        assert (done.state, done.target) == (OpState.DONE, QUARANTINE)
        assert ground.everything() == before
        assert ground.get(RESTORES, "back", VELERO) is None
        assert ground.get(CONFIGMAPS, "rules", VELERO) is None
        assert await house.look() == []


async def test_who_keeps_looking_comes_when_the_time_is_over() -> None:
    async with grounds() as ground:
        house = await kept(ground, minutes=2)
        looking = asyncio.create_task(house.sweeping.run(house.engine.cluster, "lab"))
        try:
            await ground.clock.advance(100, between=ground.quiet)
            ground.there(NAMESPACES, QUARANTINE)
            house.sweeping.wake()
            await ground.clock.advance(100, between=ground.quiet)
            assert ground.get(NAMESPACES, QUARANTINE) is None
        finally:
            looking.cancel()
            await asyncio.gather(looking, return_exceptions=True)


async def test_a_proof_that_is_open_or_unknown_is_never_touched() -> None:
    async with grounds() as ground:
        house = await kept(ground)
        over(ground)
        for name, op in (("lazarus-q-ffffffff", "f" * 16), ("lazarus-q-00000001", "")):
            labels = {
                names.QUARANTINE: "true",
                names.EXPIRES: "20200101T000000Z",
                **({names.OPERATION: op} if op else {}),
            }
            ground.api.create(NAMESPACES, {"metadata": {"name": name, "labels": labels}})
        (known,) = await house.engine.journal.find(OP)
        now = datetime(2030, 1, 1, tzinfo=UTC)

        async def still_open(prefix: str) -> list[Any]:
            from msgspec.structs import replace

            return [replace(known, state=OpState.PARKED)] if prefix == OP else []

        found = await house.engine.passing(standing(house.engine.cluster, now, still_open))
        assert {one.name: one.state for one in found} == {
            QUARANTINE: State.USED, "lazarus-q-ffffffff": State.ORPHAN, "lazarus-q-00000001": State.ORPHAN,
        }  # fmt: skip
        told = {one.name: one.finding for one in found}
        assert told[QUARANTINE].severity == "info"
        assert told["lazarus-q-ffffffff"].severity == "warning"
        assert "this journal does not know its proof" in told["lazarus-q-ffffffff"].what
        await house.look()
        left = {one["metadata"]["name"] for one in ground.api.list(NAMESPACES)}
        assert {"lazarus-q-ffffffff", "lazarus-q-00000001"} <= left
        assert QUARANTINE not in left


async def test_what_does_not_go_is_a_failure_and_a_finding_and_not_tried_at_once_again() -> None:
    async with grounds() as ground:
        house = await kept(ground)
        over(ground)
        held = {"metadata": {"name": "stuck", "finalizers": ["example.com/never"]}}
        ground.api.create(CONFIGMAPS, held, QUARANTINE)
        await house.look()
        (failed,) = await house.removals()
        assert (failed.state, failed.exit_code) == (OpState.LEFT_CHANGED, 3)
        assert failed.message == f"left behind: Namespace {QUARANTINE}"
        await house.look()
        assert len(await house.removals()) == 1
        (one,) = await house.engine.passing(
            standing(house.engine.cluster, ground.clock.now(), house.engine.journal.find)
        )
        assert one.finding.severity == "warning"
        assert f"Namespace {QUARANTINE} of proof {OP[:8]} is 5m" in one.finding.what
        assert "does not go" in one.finding.what


async def test_there_is_no_plan_for_what_is_not_there() -> None:
    async with grounds() as ground:
        engine = ground.engine
        assert engine is not None
        with pytest.raises(PlanRefused, match="nothing is left of proof 00000000"):
            await engine.passing(removal.plan(engine.cluster, {"proof": ground.params()}, ground.clock))
        with pytest.raises(PlanRefused, match="which proof"):
            await engine.passing(removal.plan(engine.cluster, {}, ground.clock))


async def test_an_engine_stays_for_what_is_kept_and_says_until_when() -> None:
    async with grounds() as ground:
        house = await kept(ground, minutes=30)
        house.sweeping.wake("lab")
        assert house.sweeping.stays_for() == ("lab: what a proof left is looked for",), "before anybody has looked"
        looking = asyncio.create_task(house.sweeping.run(house.engine.cluster, "lab"))
        try:
            await ground.clock.advance(1, between=ground.quiet)
            (said,) = house.sweeping.stays_for()
            until = ground.clock.now() + timedelta(minutes=30)
            assert said == f"lab: Namespace {QUARANTINE} of proof {OP[:8]} is kept until {until:%Y-%m-%d %H:%M} UTC"
            house.writable = False
            assert house.sweeping.stays_for() == (f"{said}; it goes when that context may be written to",)
            house.writable = True
            await ground.clock.advance(29 * 60, between=ground.quiet)
            assert house.sweeping.stays_for() == (said,)
            await ground.clock.advance(4 * 60, between=ground.quiet)
            assert ground.get(NAMESPACES, QUARANTINE) is None
            assert house.sweeping.stays_for() == ()
        finally:
            looking.cancel()
            await asyncio.gather(looking, return_exceptions=True)


async def test_what_cannot_be_removed_keeps_no_engine_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lazarus_tui.engine.sweeping.LOOK_AGAIN", 60.0)
    async with grounds() as ground:
        house = await kept(ground, minutes=2)
        house.writable = False
        await house.look()
        assert house.sweeping.stays_for()
        await ground.clock.advance(5 * 60, between=ground.quiet)
        assert house.sweeping.stays_for() == ()
        ground.there(NAMESPACES, QUARANTINE)
        house.sweeping.wake("gone")
        assert house.sweeping.stays_for(), "a look is owed"
        await ground.clock.advance(61, between=ground.quiet)
        assert house.sweeping.stays_for() == (), "and given up where nobody can look"


async def test_what_a_killed_engine_kept_the_next_one_removes_when_it_connects() -> None:
    async with grounds() as ground:
        before = ground.everything()
        await kept(ground, minutes=2)
        await ground.clock.advance(600, between=ground.quiet)
        ground.there(NAMESPACES, QUARANTINE)
        await ground.reboot()
        house = House(ground)
        looking = asyncio.create_task(house.sweeping.run(house.engine.cluster, "lab"))
        try:
            await ground.clock.advance(30, between=ground.quiet)
        finally:
            looking.cancel()
            await asyncio.gather(looking, return_exceptions=True)
        (done,) = await house.removals()
        assert done.state is OpState.DONE
        assert ground.everything() == before


async def test_a_policys_consent_to_a_proof_is_one_to_its_end() -> None:
    async with grounds() as ground:
        ground.steps = lambda params: [Space(params), Copy(ground), Clean(params), ShownClean(params)]  # type: ignore[method-assign]
        engine = await ground.reboot()
        plan = ground.plan(keep_minutes=30)
        begun = await engine.passing(engine.runner.start(plan, plan.digest(), plan.target, by="policy nightly"))
        await engine.finish(begun.id)
        house = House(ground)
        house.writable = False
        over(ground)
        await house.look()
        assert ground.get(NAMESPACES, QUARANTINE) is None

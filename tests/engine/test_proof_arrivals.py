"""What a policy counts on and does not find: told once, over crashes too, and taken back by itself."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from lazarus_tui.engine.proof_book import CAUGHT_UP, OVERDUE
from lazarus_tui.engine.proof_calls import EnableParams, NameParams
from lazarus_tui.kube.errors import Forbidden
from lazarus_tui.model.clock import rfc3339
from lazarus_tui.model.objects import Meta, Workload
from lazarus_tui.model.proof_policies import Selector
from lazarus_tui.notify.reading import Source, read
from tests.engine.proofs import Proofs, policy, proofs
from tests.engine.world import CONTEXT

HOUR = 3600.0


async def later(it: Proofs, seconds: float) -> None:
    """So much time passes, with looks at its end."""
    await it.world.clock.advance(seconds - 20)
    await it.look(2)


async def told(it: Proofs) -> list[str]:
    """What was told and taken back, in order: ``! why`` and ``ok why``."""
    events = [*await it.engine.journal.events_of(OVERDUE), *await it.engine.journal.events_of(CAUGHT_UP)]
    return [
        f"{'!' if one.kind == OVERDUE else 'ok'} {one.body['why']}"
        for one in sorted(events, key=lambda one: one.seq)
    ]  # fmt: skip


async def test_a_schedule_whose_backups_stop_coming_is_told_once_and_taken_back_when_one_comes() -> None:
    async with proofs() as it:
        it.scheduled("0 * * * *")
        await it.store(policy(late_seconds=1800.0))
        it.completed("first", schedule="nightly")
        await it.look(8)
        assert it.row().expects == ("by 2026-01-01 01:30 UTC a point of schedule nightly",)
        await later(it, 1.4 * HOUR)
        assert (await told(it), it.row().overdue) == ([], "")
        await later(it, 0.2 * HOUR)
        why = "no new point came by schedule nightly; the newest is of 2026-01-01T00:00Z"
        assert await told(it) == [f"! {why}"]
        assert it.row().overdue == why
        await it.dies(asleep=180.0)
        await it.look(3)
        assert await told(it) == [f"! {why}"], "neither a crash nor more missed times tell it again"
        it.completed("second", schedule="nightly")
        await it.look(8)
        assert await told(it) == [f"! {why}", "ok it is as it should be again"]
        assert it.row().overdue == ""


async def test_a_schedule_that_is_made_anew_gives_no_all_clear_and_one_that_velero_skips_does() -> None:
    async with proofs() as it:
        it.scheduled("0 * * * *")
        await it.store(policy(late_seconds=600.0))
        it.completed("first", schedule="nightly")
        await later(it, 2.4 * HOUR)
        assert len(await told(it)) == 1
        it.scheduled("0 * * * *")
        await it.look(3)
        assert len(await told(it)) == 1
        [one] = it.schedules
        skipped = msgspec.structs.replace(one.status, last_skipped=rfc3339(it.world.clock.now()))
        it.schedules = [msgspec.structs.replace(one, status=skipped)]
        await it.look(3)
        assert (await told(it))[1:] == ["ok it is as it should be again"]


async def test_what_was_told_of_points_is_resolved_under_its_own_key_and_sink_filters_see_the_policy() -> None:
    async with proofs() as it:
        it.scheduled("0 * * * *")
        await it.store(policy())
        it.completed("broken", "Failed", schedule="nightly")
        await later(it, 2.5 * HOUR)
        raised = [read(Source(one))[0] for one in await it.engine.journal.events_of(OVERDUE)]
        assert [one.policy for one in raised] == ["shop", "shop"]
        assert len({one.key for one in raised}) == 2, "one that failed and one that did not come are two troubles"
        it.completed("good", schedule="nightly")
        await it.look(2)
        taken = [read(Source(one))[0] for one in await it.engine.journal.events_of(CAUGHT_UP)]
        assert {one.key for one in taken} == {one.key for one in raised}


async def test_a_backup_that_runs_for_long_is_on_its_way_and_one_that_is_paused_is_told_so() -> None:
    async with proofs() as it:
        it.scheduled("0 0 * * *")
        await it.store(policy())
        await later(it, 24 * HOUR)
        it.completed("long", "InProgress", schedule="nightly")
        await later(it, 5 * HOUR)
        assert await told(it) == []
        it.completed("long", schedule="nightly")
        it.scheduled("0 0 * * *", paused=True)
        await it.look()
        assert it.row().expects == ("by 2026-01-03 01:00 UTC a point of schedule nightly, but it is paused",)
        await later(it, 24 * HOUR)
        assert await told(it) == [
            "! no new point came by schedule nightly (it is paused); the newest is of 2026-01-02T05:00Z"
        ]


async def test_what_is_late_is_not_over_while_a_backup_only_runs_and_is_no_storm_when_each_of_them_fails() -> None:
    async with proofs() as it:
        it.scheduled("0 * * * *")
        await it.store(policy(late_seconds=600.0))
        it.completed("first", schedule="nightly")
        await later(it, 2 * HOUR)
        why = "! no new point came by schedule nightly; the newest is of 2026-01-01T00:00Z"
        assert await told(it) == [why]
        for name in ("second", "third"):
            it.completed(name, "InProgress", schedule="nightly")
            await it.look(3)
            assert (await told(it))[-1] != "ok it is as it should be again", "it may fail yet"
            it.flips(name, "Failed")
            await it.look(3)
            await it.world.clock.advance(HOUR)
        failed = [f"! backup {name} ended Failed: Velero gives no reason" for name in ("second", "third")]
        assert await told(it) == [why, *failed]
        it.completed("fourth", schedule="nightly")
        await it.look(3)
        assert (await told(it))[3:] == ["ok it is as it should be again"] * 2


async def test_a_namespace_that_nothing_holds_is_not_found_by_a_backup_that_only_runs() -> None:
    async with proofs() as it:
        await it.store(policy())
        await it.look(2)
        await later(it, 2 * HOUR)
        it.completed("first", "InProgress")
        await it.look(3)
        assert await told(it) == ["! no backup holds shop"]
        it.flips("first", "Completed")
        await it.look(3)
        assert (await told(it))[1:] == ["ok it is as it should be again"]


async def test_schedules_that_cannot_be_listed_for_a_while_take_nothing_back() -> None:
    async with proofs() as it:

        def refuse(context: str) -> Any:
            raise Forbidden("schedules.velero.io is forbidden")

        it.scheduled("0 * * * *")
        await it.store(policy(late_seconds=600.0))
        it.completed("first", schedule="nightly")
        await later(it, 2 * HOUR)
        assert len(await told(it)) == 1
        listed = it.runs.arrivals._schedules
        it.runs.arrivals._schedules = refuse
        await it.look(3)
        assert len(await told(it)) == 1, "what is not known is not as it should be"
        it.runs.arrivals._schedules = listed
        await it.look(3)
        assert len(await told(it)) == 1
        it.completed("second", schedule="nightly")
        await it.look(3)
        assert (await told(it))[1:] == ["ok it is as it should be again"]


@pytest.mark.parametrize("explicit", [0.0, 7200.0])
async def test_without_a_schedule_the_policys_own_time_counts_and_without_that_it_is_said_to_be_unknown(
    explicit: float,
) -> None:
    async with proofs() as it:
        await it.store(policy(arrive_seconds=explicit))
        it.completed("by-hand")
        await later(it, 3 * HOUR)
        unknown = "when a new point of shop is due is not known: no Velero schedule makes one, and the policy has no"
        assert [one.startswith(unknown) for one in it.row().unknown] == ([] if explicit else [True])
        late = "! no new point of shop came within 2h; the newest is of 2026-01-01T00:00Z"
        assert await told(it) == ([late] if explicit else [])


async def test_schedules_that_cannot_be_listed_are_not_guessed() -> None:
    async with proofs() as it:

        def refuse(context: str) -> Any:
            raise Forbidden("schedules.velero.io is forbidden")

        it.scheduled("0 * * * *")
        it.runs.arrivals._schedules = refuse
        await it.store(policy())
        it.completed("first", schedule="nightly")
        await later(it, 4 * HOUR)
        assert await told(it) == []
        assert "the schedules cannot be listed: schedules.velero.io is forbidden" in it.row().unknown[0]


@pytest.mark.parametrize("phase", ["Failed", "PartiallyFailed", "FailedValidation"])
async def test_a_backup_that_failed_is_told_once_by_name_and_reason(phase: str) -> None:
    async with proofs() as it:
        it.scheduled("0 * * * *")
        await it.store(policy())
        it.completed("good", schedule="nightly")
        await it.look(3)
        await it.world.clock.advance(60.0)
        it.completed("bad", phase, schedule="nightly")
        why = {"failure_reason": "bucket\x1b is gone"} if phase == "Failed" else {"errors": 3}
        it.flips("bad", phase, **(why if phase != "FailedValidation" else {"validation_errors": ["no such location"]}))
        await it.look(10)
        said = {
            "Failed": "bucket\x1b is gone",
            "PartiallyFailed": "3 errors; see: lazarus backup describe bad",
            "FailedValidation": "no such location",
        }[phase]
        assert await told(it) == [f"! backup bad ended {phase}: {said}"]
        await it.dies()
        await it.look(5)
        assert len(await told(it)) == 1
        it.completed("worse", phase, schedule="nightly")
        await it.look(5)
        assert (await told(it))[1].startswith(f"! backup worse ended {phase}"), "another one is told too"
        await it.world.clock.advance(60.0)
        it.completed("whole", schedule="nightly")
        await it.look(10)
        assert (await told(it))[2:] == ["ok it is as it should be again"]


async def test_a_failure_that_flips_before_the_second_look_is_not_told() -> None:
    async with proofs() as it:
        await it.store(policy())
        it.completed("first", "Failed")
        await it.look()
        it.flips("first", "Completed")
        await it.look(6)
        assert (await told(it), it.ran) == ([], ["first"])


async def test_a_backup_that_velero_refused_has_no_times_and_is_told_all_the_same() -> None:
    async with proofs() as it:
        await it.store(policy(arrive_seconds=86400.0))
        it.completed("refused")
        it.flips("refused", "FailedValidation", start_timestamp=None, completion_timestamp=None)
        one = it.backups["refused"]
        meta = msgspec.structs.replace(one.metadata, creation_timestamp=rfc3339(it.world.clock.now()))
        it.backups["refused"] = msgspec.structs.replace(one, metadata=meta)
        await it.look(4)
        assert (await told(it))[0] == "! backup refused ended FailedValidation: Velero gives no reason"
        assert it.told() == ["refused skipped: it is FailedValidation: there is nothing to prove"]


@pytest.mark.parametrize("lose", [False, True])
async def test_killed_at_any_journal_entry_a_failure_and_its_end_are_told_once_each(lose: bool) -> None:
    for k in (1, 2, 3):
        async with proofs() as it:
            await it.store(policy())
            it.completed("bad", "Failed")
            await it.look()
            it.flips("bad", "Failed", failure_reason="no bucket")
            assert await it.dies_after(k, lose=lose), "left out of the queue, told, and that nothing else holds it"
            await it.look(3)
            await it.world.clock.advance(60.0)
            it.completed("good")
            await it.look(6)
            assert await told(it) == ["! backup bad ended Failed: no bucket", "ok it is as it should be again"]


async def test_what_failed_before_there_was_a_policy_is_no_storm() -> None:
    async with proofs() as it:
        for n in range(500):
            it.completed(f"old-{n}", "Failed", ago=86400.0 - n)
        await it.store(policy())
        await it.look(3)
        assert await told(it) == []
        it.completed("new", "Failed")
        await it.look(3)
        assert await told(it) == ["! backup new ended Failed: Velero gives no reason"]


async def test_labels_that_nothing_has_are_shown_at_once_and_told_once_they_stay_so() -> None:
    async with proofs() as it:
        await it.store(policy(workloads=(Selector(labels={"tier": "gold"}, namespace="shop"),)))
        await it.look(2)
        why = "no workload in shop has tier=gold"
        assert (it.row().trouble, await told(it)) == (why, [])
        await later(it, 0.5 * HOUR)
        await it.dies(asleep=24.0)
        await it.look()
        assert await told(it) == []
        await later(it, 0.3 * HOUR)
        assert (await told(it), it.row().overdue) == ([f"! {why}"], why)
        it.workloads = [Workload(metadata=Meta(name="orders", namespace="shop", labels={"tier": "gold"}))]
        it.completed("first")
        await later(it, 0.1 * HOUR)
        assert await told(it) == [f"! {why}", "ok it is as it should be again"]


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"workloads": (Selector(namespace="shpo"),)}, "no backup holds shpo"),
        ({"schedules": ("nihgtly",)}, "there is no schedule nihgtly, and no backup of it"),
    ],
)
async def test_a_name_that_nothing_has_is_told_once_it_stays_so(fields: dict[str, Any], why: str) -> None:
    async with proofs() as it:
        it.scheduled("0 3 * * *")
        it.completed("first", schedule="nightly")
        await it.store(policy(**fields))
        await it.look(2)
        assert why in it.row().trouble
        await later(it, 2 * HOUR)
        assert f"! {why}" in await told(it)


async def test_a_workload_whose_first_backup_is_yet_to_come_is_not_said_to_match_nothing() -> None:
    async with proofs() as it:
        it.scheduled("0 20 * * *")
        await it.store(policy())
        await later(it, 10 * HOUR)
        assert (it.row().trouble, it.row().overdue, await told(it)) == ("", "", [])
        await later(it, 11.1 * HOUR)
        assert await told(it) == ["! no new point came by schedule nightly; there was none"]


@pytest.mark.parametrize("gone", [True, False])
async def test_what_stands_of_a_policy_that_goes_is_taken_back(gone: bool) -> None:
    async with proofs() as it:
        await it.store(policy())
        it.completed("bad", "Failed")
        await it.look(3)
        assert len(await told(it)) == 1
        verb, params = ("delete", NameParams(CONTEXT, "shop")) if gone else ("enable", None)
        await it.calls.methods[f"proof-policy.{verb}"][1](None, params or EnableParams(CONTEXT, "shop", enabled=False))
        assert it.runs.awake, "or nobody would look again"
        await it.look()
        assert (await told(it))[1:] == [f"ok the policy was {'removed' if gone else 'disabled'}"]
        assert not it.runs.arrivals.standing

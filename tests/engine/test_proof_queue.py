"""Proofs by themselves: each backup that completes is proven once, whatever happens to the engine in between."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from lazarus_tui.engine.errors import Refused
from lazarus_tui.engine.proof_book import KIND, ProofBook
from lazarus_tui.engine.proof_calls import ContextParams, EnableParams, RunParams
from lazarus_tui.model.objects import Meta, Workload
from lazarus_tui.model.policies import Blackout
from lazarus_tui.model.proof_policies import Entry, Selector, State, Subject
from lazarus_tui.model.verdict import Verdict
from lazarus_tui.posture.gating import OPEN, UNKNOWN, Gated, gate_policy
from tests.engine.proofs import Proofs, policy, proofs
from tests.engine.world import CONTEXT

SHOP = Selector(namespace="shop")


async def test_a_backup_that_completes_is_proven_once_and_only_after_two_reads_agree() -> None:
    async with proofs() as it:
        it.completed("before")
        await it.look()
        await it.store(policy())
        it.completed("first")
        await it.look()
        assert it.entries() == [], "one read is not enough"
        await it.look(8)
        assert it.told() == ["first done: found PASSED"]
        assert it.row().standings[0].green
        await it.look(5)
        assert it.ran == ["first"]


async def test_a_backup_that_has_just_completed_keeps_the_gate_shut_until_its_proof_has_ended() -> None:
    async with proofs() as it:
        await it.store(policy())
        it.completed("first")
        await it.look(8)
        assert (await gated(it)).code == OPEN
        it.completed("second")
        for _ in range(2):  # one read of two; nobody has looked, and then once
            found = await gated(it)
            assert (found.code, found.verdict) == (UNKNOWN, Verdict.NOT_TESTED)
            assert found.words == "whether there is a newer point is not known: second has just completed"
            await it.look()
        assert "the proof of second has not ended" in (await gated(it)).words
        await it.look(8)
        found = await gated(it)
        assert (found.code, found.point) == (OPEN, "second")


async def test_a_policy_that_asks_for_more_is_green_by_the_next_proof_and_not_by_the_last() -> None:
    checks = {"checks": [{"kind": "tcp", "service": "web", "port": 80}], "readiness": False}
    asks = {"checks": checks, "require": ("healthy",), "targets": {"rto_seconds": 60.0}}
    async with proofs() as it:
        await it.store(policy(prove=asks))
        it.completed("first")
        await it.look(8)
        await it.store(policy(prove=asks))
        await it.look()
        assert (await gated(it)).code == OPEN, "stored again, it asks for the same"
        await it.store(policy(prove={**asks, "require": ("healthy", "data right")}))
        await it.look()
        found = await gated(it)
        assert found.code != OPEN
        assert "proven before the policy asked for other rungs: the next proof tells" in found.words
        it.completed("second")
        await it.look(8)
        assert (await gated(it)).code == OPEN


async def gated(it: Proofs) -> Gated:
    """As ``prove gate --policy`` asks."""
    _, listed = it.calls.methods["proof-policy.list"]
    (row,) = await listed(None, ContextParams(CONTEXT))
    return gate_policy(row, within=timedelta(hours=24), now=it.world.clock.now())


async def test_a_phase_that_flips_between_two_reads_is_waited_for() -> None:
    async with proofs() as it:
        await it.store(policy())
        it.completed("first", "Failed")
        await it.look()
        it.flips("first", "Completed")
        await it.look()
        assert it.entries() == []
        await it.look(6)
        assert it.told() == ["first done: found PASSED"]


async def test_what_holds_nothing_to_prove_is_left_out_and_told() -> None:
    async with proofs() as it:
        await it.store(policy())
        it.completed("broken", "Failed")
        it.completed("half", "PartiallyFailed")
        it.completed("other", namespace="elsewhere")
        await it.look(8)
        assert it.told() == [
            "broken skipped: it is Failed: there is nothing to prove",
            "half done: found PASSED",
        ]


async def test_a_backup_that_leaves_the_workload_out_is_no_point_of_it() -> None:
    async with proofs() as it:
        await it.store(policy(schedules=("hot", "config")))
        it.completed("config", schedule="config", included_resources=["configmaps", "secrets"])
        it.completed("hot", schedule="hot")
        it.completed("cold", schedule="cold")
        it.completed("by hand")
        await it.look(8)
        config, hot = it.told()
        assert config.startswith("config skipped: it leaves out deployments.apps, statefulsets.apps")
        assert config.endswith("it is no recovery point of shop")
        assert hot == "hot done: found PASSED"


async def test_a_policy_without_consent_does_nothing_and_says_how_to_give_it() -> None:
    async with proofs() as it:
        await it.store(policy(writes=""))
        it.completed("first")
        await it.look(6)
        assert (it.entries(), it.row().enabled) == ([], False)
        assert "lazarus policy enable shop" in it.row().trouble


async def test_so_many_at_once_and_the_others_wait_in_order_and_say_why() -> None:
    async with proofs() as it:
        await it.store(policy(at_once=2))
        for name in ("one", "two", "three", "four"):
            it.completed(name)
        await it.look(3)
        states = [one.state for one in it.entries()]
        assert states.count(State.RUNNING) == 2
        waiting = [one.waiting for one in it.entries() if one.state is State.WAITING]
        assert waiting == ["2 of this policy at once (atOnce); Velero restores one after the other"] * 2
        queue = it.calls.queue(CONTEXT)
        assert (queue.waiting, queue.running, queue.oldest_seconds > 0) == (2, 2, True)
        behind = [one.waiting for one in queue.entries if one.state is State.RUNNING]
        assert behind == ["", "1 restore is before its own: Velero restores one at a time"]
        await it.look(10)
        assert [one.state for one in it.entries()] == [State.DONE] * 4


async def test_two_policies_prove_one_point_once_each() -> None:
    async with proofs() as it:
        await it.store(policy())
        await it.store(policy(name="audit", workloads=(SHOP, SHOP)))
        it.completed("first")
        await it.look(10)
        assert sorted(f"{one.policy} {one.state}" for one in it.entries()) == ["audit done", "shop done"]
        assert it.ran == ["first", "first"]


# --- an engine that ends in between


async def test_killed_with_a_proof_in_the_queue_the_next_engine_runs_it_once() -> None:
    async with proofs() as it:
        await it.store(policy(windows=(Blackout("0 0 1 6 *", 60.0),)))
        it.completed("first")
        await it.look(3)
        assert [one.state for one in it.entries()] == [State.WAITING]
        await it.dies()
        await it.store(policy())
        await it.look(8)
        assert (it.told(), it.ran) == (["first done: found PASSED"], ["first"])


async def test_killed_after_the_id_was_written_down_and_before_the_start_it_is_planned_anew() -> None:
    async with proofs() as it:
        await it.store(policy())
        it.completed("first")

        async def killed(*_: Any, **__: Any) -> Any:
            await asyncio.Event().wait()

        it.engine.runner.start = killed  # type: ignore[method-assign]
        await it.look(3)
        [entry] = it.entries()
        assert (entry.state, bool(entry.operation), it.ran) == (State.RUNNING, True, [])
        await it.dies()
        await it.look(8)
        [after] = it.entries()
        assert (after.state, it.ran) == (State.DONE, ["first"])
        assert after.operation != entry.operation


async def test_killed_while_a_proof_runs_the_next_engine_goes_on_with_it() -> None:
    async with proofs() as it:
        await it.store(policy())
        it.completed("first")
        await it.look(4)
        [entry] = it.entries()
        assert (entry.state, it.ran) == (State.RUNNING, ["first"])
        await it.dies()
        await it.look(8)
        [after] = it.entries()
        assert (after.state, after.operation, it.ran) == (State.DONE, entry.operation, ["first"])


async def test_killed_after_any_number_of_journal_entries_nothing_is_lost_and_nothing_runs_twice() -> None:
    for k in range(1, 14):
        async with proofs() as it:
            await it.store(policy(control="flip", control_seconds=86400.0))
            it.completed("first")
            died = await it.dies_after(k, lose=k % 2 == 0)
            await it.look(25)
            operations = await it.engine.runner.operations()
            assert len(operations) == 2, (k, it.told())
            assert {one.operation for one in it.entries()} == {one.id for one in operations}
            assert [one.state for one in it.entries()] == [State.DONE] * 2
            assert died or k > 12, "the sweep reaches to the end"


@pytest.mark.parametrize(("catch_up", "proven"), [("skip", []), ("run_once", ["c"]), ("run_all", ["a", "b", "c"])])
async def test_what_completed_while_nothing_looked_is_made_up_for_as_the_policy_says(
    catch_up: str, proven: list[str]
) -> None:
    async with proofs() as it:
        await it.store(policy(catch_up=catch_up))
        await it.dies(asleep=300)
        for name, hours in (("a", 4), ("b", 3), ("c", 2)):
            it.completed(name, ago=hours * 3600)
        await it.look(25)
        assert it.ran == proven
        left = [one for one in it.entries() if one.state is State.SKIPPED]
        assert len(left) == 3 - len(proven)
        assert all("while nothing looked" in one.words for one in left)


# --- negative controls


async def test_a_control_that_does_not_go_red_takes_the_green_until_one_does() -> None:
    async with proofs() as it:
        await it.store(policy(control="withhold", control_seconds=7 * 86400.0))
        it.verdicts["control"] = Verdict.FAILED  # nothing noticed that the copy was broken
        it.completed("first")
        await it.look(15)
        assert it.ran == ["first", "first!"]
        [stands] = it.row().standings
        assert (stands.verdict, stands.control, stands.green) == (Verdict.PASSED, "failed", False)
        assert stands.words.startswith("control failed: ")
        it.verdicts["control"] = Verdict.PASSED
        it.completed("second")
        await it.look(15)
        [stands] = it.row().standings
        assert (it.ran[2:], stands.control, stands.green) == (["second", "second!"], "red", True)
        await it.dies(asleep=24 * 60)
        await it.look(10)
        assert len(it.ran) == 4, "once in its period"
        await it.world.clock.advance(7 * 86400)
        await it.look(10)
        assert it.ran[4:] == ["second!"]


async def test_a_person_can_have_a_control_and_a_proof_at_once() -> None:
    async with proofs() as it:
        await it.store(policy(control="withhold", control_seconds=7 * 86400.0))
        it.verdicts["control"] = Verdict.FAILED
        it.completed("first")
        await it.look(15)
        it.verdicts["control"] = Verdict.PASSED  # a check of the data was added
        run = it.calls.methods["proof-policy.run"][1]
        await it.engine.passing(run(None, RunParams(CONTEXT, "shop", control=True)))
        await it.look(8)
        assert (it.ran, it.row().standings[0].green) == (["first", "first!", "first!"], True)
        await it.engine.passing(run(None, RunParams(CONTEXT, "shop")))
        await it.look(8)
        assert it.ran[3:] == ["first"]
        await it.store(policy(writes=""))
        with pytest.raises(Refused, match="not enabled"):
            await run(None, RunParams(CONTEXT, "shop"))


# --- which workloads


async def test_workloads_by_label_are_those_that_have_it_now() -> None:
    async with proofs() as it:
        for name, tier in (("db", "gold"), ("cache", "lead")):
            it.workloads.append(Workload(metadata=Meta(name=name, namespace="shop", labels={"tier": tier})))
        await it.store(policy(workloads=(Selector(labels={"tier": "gold"}),), at_once=4))
        it.completed("first")
        await it.look(8)
        assert [str(one.subject) for one in it.entries()] == ["shop/StatefulSet/db"]
        it.workloads.append(Workload(metadata=Meta(name="new", namespace="shop", labels={"tier": "gold"})))
        it.completed("second")
        await it.look(8)
        assert [str(one.subject) for one in it.entries()][1:] == ["shop/StatefulSet/db", "shop/StatefulSet/new"]


async def test_how_a_policy_stands_is_about_the_workloads_that_have_its_labels_now() -> None:
    async with proofs() as it:
        for name in ("db", "gone"):
            it.workloads.append(Workload(metadata=Meta(name=name, namespace="shop", labels={"tier": "gold"})))
        await it.store(policy(workloads=(Selector(labels={"tier": "gold"}),), at_once=4))
        it.completed("first")
        await it.look(8)
        assert [(one.subject.workload, one.green) for one in it.row().standings] == [
            ("StatefulSet/db", True), ("StatefulSet/gone", True),
        ]  # fmt: skip
        it.workloads[1] = Workload(metadata=Meta(name="new", namespace="shop", labels={"tier": "gold"}))
        await it.look(8)
        assert [(one.subject.workload, one.green) for one in it.row().standings] == [
            ("StatefulSet/db", True), ("StatefulSet/new", False),
        ], "one that was never proven is not green, and one that is gone keeps nobody from it"  # fmt: skip


async def test_a_policy_that_goes_takes_what_waits_along_and_leaves_what_runs() -> None:
    async with proofs() as it:
        stored = await it.store(policy())
        it.completed("one")
        it.completed("two")
        await it.look(3)
        await it.book.remove(stored)
        await it.look(6)
        assert it.told() == ["one done: found PASSED", "two skipped: its policy was removed"]
        with pytest.raises(Refused, match="no policy 'shop'"):
            it.book.get(CONTEXT, "shop")


async def test_what_waits_of_a_policy_that_was_disabled_does_not_begin() -> None:
    async with proofs() as it:
        await it.store(policy(windows=(Blackout("0 0 1 6 *", 60.0),)))
        it.completed("first")
        await it.look(3)
        await it.store(policy(writes=""))
        await it.look(6)
        assert it.told() == ["first waiting: its policy is not enabled: lazarus policy enable shop"]
        await it.store(policy())
        await it.look(6)
        assert it.told() == ["first done: found PASSED"]


async def test_a_policy_runs_on_the_cluster_it_was_stored_for_and_on_another_only_when_it_is_enabled_there() -> None:
    async with proofs() as it:
        await it.book.store(policy(), CONTEXT, "the cluster of yesterday")
        it.completed("first")
        await it.look(3)
        assert (it.entries(), "leads to another cluster" in it.row().trouble) == ([], True)
        made = it.runs._watch._made(it.book.get(CONTEXT, "shop"), Subject("shop"), "old", "why")
        await it.book.queue(None, [made])
        await it.calls.methods["proof-policy.enable"][1](None, EnableParams(CONTEXT, "shop"))
        it.completed("second")
        await it.look(8)
        assert it.told() == ["old skipped: its policy is for another cluster now", "second done: found PASSED"]


async def test_what_was_proven_in_another_cluster_does_not_make_a_policy_green_here_nor_spare_a_proof() -> None:
    async with proofs() as it:
        await it.store(policy())
        it.completed("first")
        await it.look(6)
        here = it.book.get(CONTEXT, "shop").cluster_uid
        assert (it.row().cluster_uid, [one.green for one in it.row().standings]) == (here, [True])
        await it.book.store(policy(), CONTEXT, "another cluster")
        assert [(one.green, one.verdict) for one in it.row().standings] == [(False, Verdict.NOT_TESTED)]
        assert it.book.entries(CONTEXT, "shop") == []
        assert [one.point for one in it.book.entries(CONTEXT)] == ["first"], "the queue still tells of it"
        await it.book.store(policy(), CONTEXT, here)
        assert [one.green for one in it.row().standings] == [True]
        again = ProofBook(it.book._journal, it.world.clock)
        await again.load()
        assert again.entries(CONTEXT, "shop") == it.book.entries(CONTEXT, "shop")


async def test_what_is_forgotten_here_is_not_queued_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lazarus_tui.engine.proof_entries.KEPT", 3)
    async with proofs() as it:
        stored = await it.store(policy())
        for n in range(6):
            it.completed(f"b{n}", "Failed")
        await it.look(3)
        every = [one.id for one in it.entries()]
        [first] = [one for one in await it.engine.journal.events_of(KIND) if one.body["what"] == "queued"]
        assert len(every) == 3
        await it.book.queue(stored, [msgspec.convert(one, Entry) for one in first.body["entries"]])
        assert [one.id for one in it.entries()] == every
        await it.dies()
        await it.look(3)
        assert ([one.id for one in it.entries()], it.ran) == (every, [])

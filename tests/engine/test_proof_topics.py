"""Proofs on the hub: all that lists show of them, for each context its own, and no more than can be held."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import msgspec
import pytest

from lazarus_tui.engine import oplogs, proof_topics
from lazarus_tui.engine.hub import Hub
from lazarus_tui.engine.oplogs import OperationTopics
from lazarus_tui.model.operation import OpState
from lazarus_tui.model.proof_policies import ProofPolicyRow, QueueRow
from lazarus_tui.posture import proofs_of
from lazarus_tui.posture.gating import RED, gate
from lazarus_tui.sandbox.clock import VirtualClock
from tests.console import proofs
from tests.console.moment import CONTEXT
from tests.engine.fakes import look
from tests.engine.proofs import policy
from tests.engine.proofs import proofs as desk
from tests.engine.world import CONTEXT as HERE
from tests.engine.world import fast_folder
from tests.journal.conftest import PLAN, open_in
from tests.posture.test_gating import HERE as THERE
from tests.posture.test_gating import NEWER, NOW, point, proof


@pytest.fixture
async def hub() -> AsyncIterator[Hub]:
    hub = Hub(VirtualClock(), interval=0.0)
    yield hub
    await hub.stop()


async def test_a_proof_stays_on_its_context_when_its_operation_has_gone(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(oplogs, "MAX_OPERATIONS", 1)
    topics = OperationTopics(hub)
    topics.listed([])
    topics.proofs.opened(CONTEXT, proofs.CLUSTER)
    first, second = (
        msgspec.structs.replace(proofs.proof(id, hours), cluster_uid=proofs.CLUSTER)
        for id, hours in (("aa" * 8, 2.0), ("bb" * 8, 1.0))
    )
    for each in (first, second):
        topics.changed(each)
    assert set((await look(hub, "operations"))[1]) == {second.id}
    update, records = await look(hub, f"proofs/{CONTEXT}")
    assert set(records) == {first.id, second.id}
    assert update.state == "ready"
    assert records[first.id]["record"]["verdict"] == "PASSED"
    assert "steps" not in records[first.id]
    assert [one.backup for one in proofs_of(topics.proofs.of(CONTEXT))] == [first.facts["prove.record"]["point"]] * 2
    assert topics.proofs.of("prod") == ()
    for cluster, here in (("another", False), ("", None), (proofs.CLUSTER, True)):
        topics.proofs.opened(CONTEXT, cluster)
        records = (await look(hub, f"proofs/{CONTEXT}"))[1]
        assert [records[one.id]["here"] for one in (first, second)] == [here] * 2, "the context leads elsewhere now"
        assert bool(proofs_of(topics.proofs.of(CONTEXT))) is (here is True)


async def test_a_context_without_proofs_says_that_there_are_none(hub: Hub) -> None:
    topics = proof_topics.ProofTopics(hub)
    topics.opened("prod")
    update, records = await look(hub, "proofs/prod")
    assert (update.state, records) == ("ready", {})


async def test_one_that_runs_is_published_when_it_has_looked_and_again_when_it_ends_not_at_every_step(hub: Hub) -> None:
    topics = proof_topics.ProofTopics(hub)
    blind = msgspec.structs.replace(proofs.running(), facts={})
    topics.changed(blind)
    assert not hub.has(f"proofs/{CONTEXT}")
    topics.changed(proofs.running("isolation"))
    seen = (await look(hub, f"proofs/{CONTEXT}"))[0].version
    topics.changed(proofs.running("checks.run"))
    assert (await look(hub, f"proofs/{CONTEXT}"))[0].version == seen
    topics.changed(msgspec.structs.replace(proofs.running(), state=OpState.DONE))
    assert (await look(hub, f"proofs/{CONTEXT}"))[0].version > seen


async def test_the_oldest_go_when_there_are_too_many(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proof_topics, "MAX_PROOFS", 2)
    topics = proof_topics.ProofTopics(hub)
    topics.listed([proofs.proof(f"{n:016x}", float(n)) for n in (1, 3, 2)])
    assert set((await look(hub, f"proofs/{CONTEXT}"))[1]) == {f"{n:016x}" for n in (1, 2)}


async def test_what_proves_by_itself_is_told_at_every_change_and_without_its_parameters() -> None:
    async with desk() as it:
        hub, news = Hub(it.world.clock, interval=0.0), asyncio.Event()
        it.book.news = news.set
        topics = proof_topics.PolicyTopics(hub, it.world.clock, news, rows=it.calls.rows, queue=it.calls.queue)
        telling = asyncio.create_task(topics.run())
        topics.opened(HERE)
        await it.world.clock.advance(1)
        update, records = await look(hub, f"policies/{HERE}")
        assert (update.state, records) == ("ready", {})
        await it.store(policy(at_once=1, prove={"checks": {"checks": []}}))
        for name in ("one", "two"):
            it.completed(name)
        await it.look(3)
        queued = (await look(hub, f"queue/{HERE}"))[1].values()
        said = {one["point"]: (one["state"], one.get("waiting", "")) for one in queued}
        assert said == {
            "one": ("running", ""),
            "two": ("waiting", "1 of this policy at once (atOnce); Velero restores one after the other"),
        }
        assert not any(one["params"] for one in queued)
        row = (await look(hub, f"policies/{HERE}"))[1]["shop"]
        assert (row["waiting"], row["running"], "prove" in row["policy"]) == (1, 1, False)
        await it.look(10)
        row = (await look(hub, f"policies/{HERE}"))[1]["shop"]
        assert [(one["verdict"], one["green"], one["point"]) for one in row["standings"]] == [("PASSED", True, "two")]
        telling.cancel()
        await asyncio.gather(telling, return_exceptions=True)
        await hub.stop()


async def test_a_book_that_cannot_be_told_is_not_an_empty_one(hub: Hub) -> None:
    def rows(context: str) -> list[ProofPolicyRow]:
        raise ValueError("no")

    news = asyncio.Event()
    topics = proof_topics.PolicyTopics(hub, VirtualClock(), news, rows=rows, queue=lambda context: QueueRow())
    telling = asyncio.create_task(topics.run())
    topics.opened("prod")
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    for name in ("policies", "queue"):
        update, _ = await look(hub, f"{name}/prod")
        assert (update.state, "see engine.log" in update.reason) == ("failed", True)
    telling.cancel()
    await asyncio.gather(telling, return_exceptions=True)


async def test_what_decides_a_workload_stays_however_many_other_proofs_end(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proof_topics, "MAX_PROOFS", 3)
    ended = [proof("FAILED", 90.0, control="flip"), proof("PASSED", 80.0), proof("FAILED", 70.0, **NEWER)]
    ended += [proof("PASSED", 60.0 - n, namespace=f"other-{n % 2}", ladders=()) for n in range(20)]
    ended = [msgspec.structs.replace(each, context=CONTEXT) for each in ended]
    other = Hub(VirtualClock(), interval=0.0)
    running, restarted = proof_topics.ProofTopics(hub), proof_topics.ProofTopics(other)
    with fast_folder() as folder:
        journal = await open_in(folder)
        for each in ended:
            await journal.begin(each, PLAN)
            running.changed(each)
        async for page in journal.pages_of("prove.run", 4):
            restarted.listed(page)
        await journal.close()
    for topics in (running, restarted):
        topics.opened(CONTEXT, THERE)
        of = topics.of(CONTEXT)
        assert len(of) < 8
        told = gate(of, "shop", "", point(), within=timedelta(days=9), now=NOW)
        assert (told.code, told.words) == (RED, "control failed: said FAILED")
        unbroken = [one for one in of if one.record is not None and not one.record.control]
        told = gate(unbroken, "shop", "", point(), within=timedelta(days=9), now=NOW)
        assert (told.code, told.words) == (RED, "c, a newer point, says FAILED: said FAILED")
    assert set((await look(hub, f"proofs/{CONTEXT}"))[1]) == {one.id for one in running.of(CONTEXT)}
    await other.stop()


async def test_what_runs_and_what_ended_last_is_shown_however_much_decides_something(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proof_topics, "MAX_PROOFS", 4)
    topics = proof_topics.ProofTopics(hub)
    deciding = [proof("PASSED", 90.0 - n, namespace=f"other-{n}", ladders=()) for n in range(9)]
    topics.listed(msgspec.structs.replace(each, context=CONTEXT) for each in deciding)
    last = msgspec.structs.replace(proof("INCONCLUSIVE", 1.0), context=CONTEXT)
    for each in (last, running := proofs.running("isolation")):
        topics.changed(each)
        assert each.id in (await look(hub, f"proofs/{CONTEXT}"))[1]
    assert {one.id for one in topics.of(CONTEXT)} == {one.id for one in (*deciding, last, running)}

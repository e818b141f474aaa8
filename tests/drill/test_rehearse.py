"""The rehearsal: nothing is destroyed before it may be, every count survives, and green is earned."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lazarus_tui import drill, prove, velero
from lazarus_tui.drill import orders, rehearse
from lazarus_tui.drill.rehearse_steps import BackedUp, Count, Decoy, Lose, MoreOrders, TakingOrders
from lazarus_tui.engine.registry import Registry
from lazarus_tui.model.clock import rfc3339
from lazarus_tui.model.plan import PlanRefused
from lazarus_tui.model.resources import BACKUPS, CLAIMS, NAMESPACES, STATEFULSETS
from lazarus_tui.model.steps import Outcome, Seen
from lazarus_tui.model.verdict import Verdict
from tests.velero.lab import START, Lab, World, merge


class Shop(World):
    """A shop with a book of orders that grows when it is looked at."""

    context = "lazarus-sandbox"

    def __init__(self) -> None:
        super().__init__()
        self.book = list(range(1, 101))
        self.open = True
        self.put(NAMESPACES, "shop", "")
        self.put(CLAIMS, "data-orders-0", "shop")
        container = {"image": "lazarus.dev/orders:1"}
        self.put(STATEFULSETS, "orders", "shop", spec={"template": {"spec": {"containers": [container]}}})
        self.services[("shop", "orders", "/stats")] = self.stats
        self.services[("shop", "orders", "/orders/ids")] = lambda: list(self.book)

    def stats(self) -> dict[str, int]:
        if self.open:
            self.book.append(self.book[-1] + 1)
        return {"orders": len(self.book), "last_id": self.book[-1]}


@pytest.fixture
def lab() -> Lab:
    return Lab(Shop())


def shop_of(lab: Lab) -> Shop:
    assert isinstance(lab.world, Shop)
    return lab.world


async def lost(lab: Lab) -> None:
    await lab.run(TakingOrders("shop"))
    lab.facts["backup.verdict"] = "PASSED"
    await lab.run(BackedUp("shop"))
    await lab.run(MoreOrders("shop", 20))
    await lab.run(Lose("shop"))


async def test_it_counts_twenty_more_orders_and_then_loses_them(lab: Lab) -> None:
    await lost(lab)
    assert lab.facts["wanted.claims"] == ["data-orders-0"]
    assert orders.count(lab.facts["loss.ids"]) == len(shop_of(lab).book)
    (write,) = lab.world.writes
    assert (write.verb, write.resource, write.uid) == ("delete", NAMESPACES, lab.facts["shop.uid"])
    assert lab.facts["loss.t0"] <= lab.facts["loss.gone"]


async def test_a_shop_that_takes_no_orders_is_not_ready(lab: Lab) -> None:
    shop_of(lab).open = False
    assert (await lab.run(TakingOrders("shop"), looks=5)).seen is Seen.WAITING


@pytest.mark.parametrize("verdict", [None, "FAILED", "INCONCLUSIVE"])
async def test_without_a_verified_backup_nothing_is_destroyed(lab: Lab, verdict: str | None) -> None:
    lab.facts |= {"backup.verdict": verdict, "backup.words": "1 of 1 volumes have NO data"}
    seen = await lab.run(BackedUp("shop"))
    assert seen.seen is Seen.FAILED
    assert "NO data" in seen.detail


async def test_the_ids_are_kept_before_the_delete_is_sent(lab: Lab) -> None:
    await lab.run(TakingOrders("shop"))
    lab.world.after_write = lambda write: lab.said.append(f"{orders.count(lab.facts['loss.ids'])} kept")
    await lab.run(Lose("shop"))
    assert lab.said == [f"{len(shop_of(lab).book)} kept"]


async def test_a_newer_backup_without_volumes_stands_in_the_way(lab: Lab) -> None:
    step = Decoy("shop", "velero", "decoy")
    done = lambda: merge(lab.world.at(BACKUPS, "decoy"), {"status": {"phase": "Completed"}})  # noqa: E731
    assert (await lab.run(step, lambda: None, done)).seen is Seen.DONE
    (write,) = lab.world.writes
    assert write.body["spec"]["snapshotVolumes"] is False
    lab.world.put(BACKUPS, "decoy")
    assert (await lab.run(step)).seen is Seen.DIVERGED


async def test_without_a_count_there_is_no_loss(lab: Lab) -> None:
    await lab.run(TakingOrders("shop"))
    lab.world.services[("shop", "orders", "/orders/ids")] = (503, b"")
    assert "nothing is deleted" in (await lab.stopped(Lose("shop"))).what
    assert lab.world.writes == []


async def test_a_crash_after_the_delete_reads_no_new_count(lab: Lab) -> None:
    await lab.run(TakingOrders("shop"))
    lab.world.outcomes = [Outcome.AMBIGUOUS]
    step = Lose("shop")
    await step.act(lab)
    kept = lab.facts["loss.ids"]
    merge(lab.world.at(NAMESPACES, "shop", ""), {"metadata": {"deletionTimestamp": "2026-06-01T12:00:01Z"}})
    seen = await lab.run(Lose("shop"), lambda: lab.world.drop(NAMESPACES, "shop", ""))
    assert seen.seen is Seen.DONE
    assert lab.facts["loss.ids"] == kept
    assert len(lab.world.writes) == 1


@pytest.mark.parametrize("somebody", ["deletes", "replaces", "is deleting"])
async def test_somebody_elses_loss_is_not_ours(lab: Lab, somebody: str) -> None:
    await lab.run(TakingOrders("shop"))
    if somebody == "is deleting":
        merge(lab.world.at(NAMESPACES, "shop", ""), {"metadata": {"deletionTimestamp": "2026-06-01T12:00:01Z"}})
    else:
        lab.world.drop(NAMESPACES, "shop", "")
        if somebody == "replaces":
            lab.world.put(NAMESPACES, "shop", "")
    assert (await lab.run(Lose("shop"))).seen is Seen.DIVERGED
    assert lab.world.writes == []


async def counted(lab: Lab, restored: Any) -> None:
    await lost(lab)
    until = START + timedelta(seconds=50)
    lab.facts |= {"restore.t4": rfc3339(until, micro=True), "verdict": "PASSED", "point.name": "b1"}
    lab.world.services[("shop", "orders", f"/until/{int(until.timestamp() * 1000)}/ids")] = restored
    await lab.run(Count("shop", 20, "b1"))


async def test_lost_is_what_was_there_minus_what_came_back(lab: Lab) -> None:
    base = 104
    await counted(lab, list(range(1, base)))
    at_loss = orders.count(lab.facts["loss.ids"])
    assert lab.facts["orders"] == {
        "before": lab.facts["rehearse.before"], "at_loss": at_loss, "restored": 103, "lost": at_loss - 103,
    }  # fmt: skip
    assert lab.verdicts[-1] is Verdict.PASSED
    assert lab.figures[-1].orders_lost == at_loss - 103
    assert lab.facts["evidence"] == "evidence/1.json"
    assert lab.records[0]["orders"] == lab.facts["orders"]


@pytest.mark.parametrize(
    ("restored", "verdict"),
    [
        (list(range(1, 50)), Verdict.FAILED),  # orders from before the backup are missing
        (list(range(1, 500)), Verdict.INCONCLUSIVE),  # fewer lost than came after the backup
        ((500, b""), Verdict.INCONCLUSIVE),
        ({"not": "a list"}, Verdict.INCONCLUSIVE),
    ],
)
async def test_green_is_earned(lab: Lab, restored: Any, verdict: Verdict) -> None:
    await counted(lab, restored)
    assert lab.verdicts[-1] is verdict
    assert lab.records, "evidence is written in any case"


async def test_of_a_newer_point_that_a_schedule_took_meanwhile_less_is_lost(lab: Lab) -> None:
    await lost(lab)
    until = START + timedelta(seconds=50)
    lab.facts |= {"restore.t4": rfc3339(until, micro=True), "verdict": "PASSED", "point.name": "tier-hot-1"}
    lab.world.services[("shop", "orders", f"/until/{int(until.timestamp() * 1000)}/ids")] = list(range(1, 500))
    await lab.run(Count("shop", 20, "b1"))
    assert lab.verdicts[-1] is Verdict.PASSED


async def test_failed_checks_outweigh_a_good_count(lab: Lab) -> None:
    await lost(lab)
    lab.facts |= {"restore.t4": rfc3339(START, micro=True), "verdict": "FAILED"}
    key = ("shop", "orders", f"/until/{int(START.timestamp() * 1000)}/ids")
    lab.world.services[key] = list(range(1, 104))
    await lab.run(Count("shop", 20, "b1"))
    assert lab.verdicts[-1] is Verdict.FAILED


@pytest.mark.parametrize("spoil", ["context", "image", "namespace", "scenario"])
async def test_it_runs_in_the_sandbox_only(lab: Lab, spoil: str) -> None:
    shop, params = shop_of(lab), {}
    if spoil == "context":
        shop.context = "prod"  # type: ignore[misc]
    elif spoil == "image":
        lab.world.at(STATEFULSETS, "orders", "shop")["spec"] = {}
    elif spoil == "namespace":
        lab.world.drop(NAMESPACES, "shop", "")
    else:
        params = {"scenario": "meteor"}
    with pytest.raises(PlanRefused):
        await rehearse.plan(lab.world, params, lab.clock)


async def test_the_plan_lists_the_whole_road_and_asks_for_the_name(lab: Lab) -> None:
    registry = Registry((*velero.OPERATIONS, *prove.OPERATIONS, *drill.OPERATIONS))
    plan = await registry.plan("rehearse", lab.world, {}, lab.clock)
    names = [step.name for step in plan.steps]
    assert len(names) == len(set(names))
    order = [
        "rehearse.orders",
        "backup.verify",
        "rehearse.backed-up",
        "rehearse.lose",
        "point.choose",
        "restore.create",
    ]
    assert [name for name in names if name in order] == order
    assert names[-1] == "rehearse.count"
    assert (plan.danger, plan.target) == ("destroys", "shop")
    assert plan.digest() == (await registry.plan("rehearse", lab.world, {}, lab.clock)).digest()


@given(st.sets(st.integers(0, 300)), st.sets(st.integers(0, 300)))
def test_ranges_hold_every_id(before: set[int], after: set[int]) -> None:
    kept = orders.ranges(before)
    assert orders.count(kept) == len(before)
    assert orders.missing(kept, after) == len(before - after)

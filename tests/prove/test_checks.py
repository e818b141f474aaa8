"""Checks: PASSED only when they ran and were right, INCONCLUSIVE when they could not run."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial
from typing import Any

import msgspec
import pytest

from lazarus_tui.kube.errors import Forbidden, NotFound, PortRefused, TimedOut, Unreachable
from lazarus_tui.model import clock
from lazarus_tui.model.clock import parse_rfc3339, rfc3339
from lazarus_tui.model.operation import CheckResult
from lazarus_tui.model.plan import PlanRefused
from lazarus_tui.model.resources import CLAIMS, DEPLOYMENTS, NAMESPACES, STATEFULSETS
from lazarus_tui.model.steps import Seen
from lazarus_tui.model.verdict import Verdict
from lazarus_tui.prove import figures, loss, run
from lazarus_tui.prove.checks import http, readiness
from lazarus_tui.prove.checks.outcome import judged
from lazarus_tui.prove.definitions import Checks, parse, shop_checks
from lazarus_tui.prove.steps import Judge, Ready, Run
from lazarus_tui.prove.wanted import HttpCheck
from lazarus_tui.prove.wanted_data import WatermarkCheck
from tests.velero.lab import START, Lab, World

WEB = HttpCheck(service="web", port=8080, namespace="shop", contains="orders", matches="(?i)ORDERS: [0-9]+")
MARK = WatermarkCheck(
    service="orders", port=8080, namespace="shop", path="/stats", field="last.at", count_field="n",
    until_path="/until/{until_ms}/stats",
)  # fmt: skip


@pytest.fixture
def lab() -> Lab:
    return Lab(World())


async def looked(lab: Lab, check: HttpCheck) -> CheckResult:
    return await judged(check, lab.clock, partial(http.look, lab.reader, check, {"shop": "shop"}))


@pytest.mark.parametrize(
    ("answer", "verdict", "word"),
    [
        ((200, b"orders: 12"), Verdict.PASSED, "200 in"),
        ((500, b"orders: 12"), Verdict.FAILED, "500 instead of 200"),
        ((200, b"orders"), Verdict.FAILED, "match"),
        ((200, b""), Verdict.FAILED, "contain"),
        (PortRefused("dial: connection refused"), Verdict.FAILED, "takes no connections"),
        (NotFound("pod web not found", status=404), Verdict.FAILED, "not there"),
        (Forbidden("may not", status=403, resource="pods/portforward"), Verdict.INCONCLUSIVE, "pods/portforward"),
        (TimedOut("slow"), Verdict.INCONCLUSIVE, "could not be asked"),
        (Unreachable("reset"), Verdict.INCONCLUSIVE, "could not be asked"),
    ],
)
async def test_http(lab: Lab, answer: Any, verdict: Verdict, word: str) -> None:
    lab.world.services[("shop", "web", "/")] = answer
    result = await looked(lab, WEB)
    assert result.verdict is verdict
    assert word in result.summary
    assert "orders: 12" not in f"{result.evidence}{result.summary}", "bodies stay out of the evidence"


async def test_a_service_that_did_not_come_back_fails(lab: Lab) -> None:
    result = await looked(lab, WEB)
    assert (result.verdict, result.summary) == (Verdict.FAILED, "there is no service web in shop")


async def test_a_slow_answer_fails(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "_BEAT", 60.0)  # all of it passes within one beat, and so it was listened for

    def slow() -> Any:
        lab.clock.seconds += 9
        return (200, b"orders: 1")

    lab.world.services[("shop", "web", "/")] = slow
    result = await looked(lab, WEB)
    assert result.verdict is Verdict.FAILED
    assert "9.0 s" in result.summary


def workload(world: World, ready: int, *, wanted: int = 2, observed: int = 3, generation: int = 3) -> None:
    world.put(
        STATEFULSETS, "orders", "shop", metadata={"generation": generation}, spec={"replicas": wanted},
        status={"readyReplicas": ready, "observedGeneration": observed},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("values", "word"),
    [
        ({"ready": 1}, "1/2"),
        ({"ready": 2, "observed": 2}, "not been looked at"),
        ({"ready": 0, "observed": 0}, "looked"),
    ],
)
async def test_readiness_waits_for_what_the_controller_saw(lab: Lab, values: dict[str, int], word: str) -> None:
    workload(lab.world, **values)
    found = await readiness.look(lab.world, ["shop"])
    assert not found.complete
    assert word in found.words()


async def test_readiness_wants_workloads_and_bound_claims(lab: Lab) -> None:
    assert "no workloads" in (await readiness.look(lab.world, ["shop"])).words()
    workload(lab.world, 2)
    assert (await readiness.look(lab.world, ["shop"])).complete
    lab.world.put(CLAIMS, "data", "shop", status={"phase": "Pending"})
    assert "claim shop/data is Pending" in (await readiness.look(lab.world, ["shop"])).words()


async def test_ready_means_twice_in_a_row(lab: Lab) -> None:
    workload(lab.world, 2)
    step = Ready(Checks(sources={"shop": "shop"}, stable_seconds=2.0))
    flap = [lambda: workload(lab.world, 1), lambda: workload(lab.world, 2)]
    seen = await lab.run(step, *flap)
    assert seen.seen is Seen.DONE
    assert lab.facts["checks.ready"] == "PASSED"
    assert lab.facts["checks.t10"] > rfc3339(START, micro=True), "the first look of the last stable pair"


async def test_not_ready_in_time_is_a_verdict_not_a_crash(lab: Lab) -> None:
    workload(lab.world, 1)
    seen = await lab.run(Ready(Checks(sources={"shop": "shop"}, ready_seconds=5.0)))
    assert seen.seen is Seen.DONE
    assert lab.facts["checks.ready"] == "FAILED"
    assert lab.checks[0].verdict is Verdict.FAILED


def stats(at: datetime | None, n: int = 7) -> dict[str, Any]:
    return {"last": {"at": rfc3339(at, micro=True) if at else ""}, "n": n}


def until_path(until: datetime) -> str:
    return f"/until/{int(until.timestamp() * 1000)}/stats"


async def water(lab: Lab, mark: WatermarkCheck) -> tuple[datetime | None, int | None]:
    lab.facts["restore.t4"] = rfc3339(START)
    await lab.run(Run(Checks(sources={"shop": "shop"}, watermark=mark, check_seconds=0.1)))
    text = lab.facts.get("checks.watermark")
    return (parse_rfc3339(text) if text else None), lab.facts["checks.records"]


async def test_the_watermark_leaves_out_what_came_after_the_restore_began(lab: Lab) -> None:
    before = START - timedelta(seconds=30)
    lab.world.services[("shop", "orders", "/stats")] = stats(START + timedelta(seconds=9))
    lab.world.services[("shop", "orders", until_path(START))] = stats(before)
    found = await water(lab, MARK)
    assert (lab.facts["checks.verdict"], found) == ("PASSED", (before, 7))


async def test_newer_data_than_the_restore_is_no_proof_where_the_service_cannot_tell(lab: Lab) -> None:
    plain = WatermarkCheck(service="orders", port=8080, namespace="shop", path="/stats", field="last.at")
    lab.world.services[("shop", "orders", "/stats")] = stats(START + timedelta(seconds=1))
    found = await water(lab, plain)
    assert (lab.checks[0].verdict, found[0]) == (Verdict.INCONCLUSIVE, None)


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        (stats(None), Verdict.FAILED),
        ({"last": {"at": "yesterday"}}, Verdict.FAILED),
        ((200, b"<html>"), Verdict.FAILED),
        ((500, b""), Verdict.FAILED),
        ({**stats(START - timedelta(seconds=1)), "more": "x" * 65536}, Verdict.INCONCLUSIVE),
        (TimedOut("slow"), Verdict.INCONCLUSIVE),
    ],
)
async def test_watermarks_that_cannot_be_read(lab: Lab, answer: Any, verdict: Verdict) -> None:
    lab.world.services[("shop", "orders", until_path(START))] = answer
    found = await water(lab, MARK)
    assert (lab.checks[0].verdict, found[0]) == (verdict, None)


async def test_checks_are_tried_until_they_hold(lab: Lab) -> None:
    answers = [(503, b""), (200, b"orders: 1"), (503, b""), *[(200, b"orders: 1")] * 9]
    lab.world.services[("shop", "web", "/")] = lambda: answers.pop(0)
    seen = await lab.run(Run(Checks(sources={"shop": "shop"}, checks=(WEB,), stable_seconds=1.0)))
    assert seen.seen is Seen.DONE
    assert lab.facts["checks.verdict"] == "PASSED"
    assert lab.facts["checks.t12"] == rfc3339(START + timedelta(seconds=1.5), micro=True), "since then all held"
    assert lab.facts["checks.t11"] == rfc3339(START + timedelta(seconds=0.5), micro=True), "then it held first"


async def test_checks_that_never_hold_are_failed_with_their_words(lab: Lab) -> None:
    lab.world.services[("shop", "web", "/")] = (500, b"")
    seen = await lab.run(Run(Checks(sources={"shop": "shop"}, checks=(WEB,), check_seconds=3.0)))
    assert seen.seen is Seen.DONE
    assert lab.facts["checks.verdict"] == "FAILED"
    assert lab.facts["checks.t12"] == ""
    assert "500 instead of 200" in seen.detail


def point(seconds: float) -> str:
    return rfc3339(START + timedelta(seconds=seconds), micro=True)


FACTS = {
    "loss.t0": point(0), "loss.gone": point(1), "restore.t4": point(3), "restore.t5": point(4), "restore.t6": point(6),
    "restore.t7": point(9), "restore.t8": point(9.5), "restore.settled": point(10), "checks.t10": point(9.8),
    "checks.t12": point(12), "checks.watermark": point(-20), "checks.records": 7,
}  # fmt: skip


def test_phases_add_up_to_the_recovery_time() -> None:
    found = figures.measure(FACTS)
    assert found.rta_seconds == 12
    assert sum(phase.seconds for phase in found.rta_phases) == pytest.approx(12)
    assert all(phase.seconds >= 0 and phase.definition for phase in found.rta_phases)
    assert found.rpa_seconds == 20
    assert figures.technical_seconds(FACTS) == 9


def test_without_a_loss_it_counts_from_the_request() -> None:
    facts = {key: value for key, value in FACTS.items() if not key.startswith("loss")}
    found = figures.measure(facts)
    assert found.rta_seconds == 9
    assert found.rta_phases[0].name == "queue"
    assert sum(phase.seconds for phase in found.rta_phases) == pytest.approx(9)


@pytest.mark.parametrize("missing", ["checks.t12", "restore.t4", "checks.watermark"])
def test_what_was_not_measured_is_unknown(missing: str) -> None:
    facts = {key: value for key, value in FACTS.items() if key != missing and not key.startswith("loss")}
    found = figures.measure(facts)
    assert found.rta_seconds is None or found.rpa_seconds is None
    assert "unknown" in " ".join(figures.words(found))


@pytest.mark.parametrize(
    ("facts", "verdict"),
    [
        ({"restore.verdict": "PASSED", "checks.ready": "PASSED", "checks.verdict": "PASSED"}, Verdict.PASSED),
        ({"restore.verdict": "FAILED", "checks.ready": "PASSED", "checks.verdict": "PASSED"}, Verdict.FAILED),
        ({"restore.verdict": "INCONCLUSIVE", "checks.verdict": "PASSED"}, Verdict.INCONCLUSIVE),
        ({}, Verdict.NOT_TESTED),
    ],
)
async def test_the_whole_is_as_good_as_its_worst_part(lab: Lab, facts: dict[str, str], verdict: Verdict) -> None:
    lab.facts |= facts
    await lab.run(Judge(Checks(sources={"shop": "shop"})))
    assert lab.verdicts == [verdict]
    assert lab.records[0]["verdict"] == str(verdict)
    assert lab.facts["rta_technical_seconds"] is None, "nothing was timed"


async def test_checks_can_be_planned_alone(lab: Lab) -> None:
    with pytest.raises(PlanRefused, match="no namespace shop"):
        await run.plan(lab.world, {"namespaces": ["shop"]}, lab.clock)
    lab.world.put(NAMESPACES, "shop", "")
    lab.world.put(DEPLOYMENTS, "web", "shop")
    plan = await run.plan(lab.world, {"namespaces": ["shop"]}, lab.clock)
    assert [step.name for step in run.steps(plan, None)] == ["checks.ready", "checks.run", "checks.judge"]  # type: ignore[arg-type]


def test_the_shop_of_the_sandbox_has_checks_of_its_own() -> None:
    assert parse({"sources": {"copy": "shop"}}, "prod").checks == ()
    assert parse({"sources": {"copy": "shop"}}, "lazarus-sandbox").checks[0].namespace == "copy"
    assert shop_checks({"copy": "shop"}).watermark is not None


async def test_data_that_was_not_restored_measures_nothing(lab: Lab) -> None:
    lab.facts |= {
        "restore.untouched": ["shop/data-orders-0"],
        "restore.t4": rfc3339(START),
        "checks.t12": rfc3339(START),
    }
    lab.world.services[("shop", "orders", "/stats")] = {"last": {"at": rfc3339(START)}, "n": 3}
    seen = await lab.run(Run(Checks(sources={"shop": "shop"}, watermark=MARK)))
    assert seen.seen is Seen.DONE
    assert "checks.watermark" not in lab.facts
    assert [check.verdict for check in lab.checks] == [Verdict.INCONCLUSIVE]
    found = figures.measure(lab.facts)
    assert (found.rta_seconds, found.rpa_seconds, found.orders_restored) == (None, None, None)


async def test_what_came_back_without_anything_that_runs_is_not_tested_and_takes_no_time(lab: Lab) -> None:
    lab.facts |= {"restore.verdict": "PASSED", "restore.t4": point(0)}
    wanted = parse({"sources": {"shop": "shop"}, "workloads": False}, "lazarus-sandbox")
    for step in (Ready(wanted), Run(wanted), Judge(wanted)):
        seen = await lab.run(step)
    assert lab.verdicts == [Verdict.NOT_TESTED]
    assert lab.figures[0].rta_seconds is None
    assert "not tested: whether anything starts" in seen.detail


async def test_nothing_is_timed_when_the_workloads_never_got_ready(lab: Lab) -> None:
    lab.facts |= {"checks.ready": "FAILED", "restore.t4": point(0)}
    await lab.run(Run(Checks(sources={"shop": "shop"})))
    assert lab.facts["checks.t12"] == ""
    await lab.run(Judge(Checks(sources={"shop": "shop"})))
    assert lab.verdicts == [Verdict.FAILED]
    assert lab.figures[0].rta_seconds is None


@pytest.mark.parametrize("lost", [True, False])
def test_every_figure_says_from_where_to_where(lost: bool) -> None:
    found = figures.measure({key: value for key, value in FACTS.items() if lost or not key.startswith("loss")})
    begin = "the loss (T0)" if lost else "the restore's request (T4)"
    assert found.rta_definition == f"from {begin} until every check held (T12)"
    assert found.rpa_definition == f"from the newest restored data to {begin}"
    assert found.watermark == "2026-06-01T11:59:40.000Z"


COUNTED = msgspec.structs.replace(MARK, namespace="copy", ids_path="/until/{until_ms}/ids")


async def test_a_copy_beside_its_original_is_counted_against_it(lab: Lab) -> None:
    path = f"/until/{int(START.timestamp() * 1000)}/ids"
    lab.world.services |= {("shop", "orders", path): [1, 2, 3, 4], ("copy", "orders", path): [1, 2, 9]}
    found = await loss.count(lab, COUNTED, {"copy": "shop"}, START)
    assert (found.orders_at_loss, found.orders_restored, found.orders_lost) == (4, 2, 2)
    assert "in shop at the restore's request" in found.lost_definition


async def test_what_cannot_be_counted_is_unknown_with_its_reason(lab: Lab) -> None:
    found = await loss.count(lab, COUNTED, {"copy": "shop"}, START)
    assert found.orders_lost is None
    assert "could not be asked" in found.lost_definition
    assert (await loss.count(lab, COUNTED, {"copy": "copy"}, START)).lost_definition == loss.UNCOUNTED


async def test_what_holds_only_when_the_time_is_up_has_to_go_on_to_hold(lab: Lab) -> None:
    """An answer at the last moment is not held for ``stableSeconds`` yet, and may be gone again."""
    answers = [*[(503, b"")] * 3, (200, b"orders: 1"), *[(503, b"")] * 20]
    lab.world.services[("shop", "web", "/")] = lambda: answers.pop(0)
    wanted = Checks(sources={"shop": "shop"}, checks=(WEB,), check_seconds=3.0, stable_seconds=2.0)
    await lab.run(Run(wanted))
    assert (lab.facts["checks.verdict"], lab.facts["checks.t12"]) == ("FAILED", "")
    late, holds = Run(wanted), [*[(503, b"")] * 3, *[(200, b"orders: 1")] * 20]
    lab.world.services[("shop", "web", "/")] = lambda: holds.pop(0)
    began = lab.clock.seconds
    await lab.run(late)
    assert lab.facts["checks.verdict"] == "PASSED"
    assert lab.clock.seconds - began >= 4.0, "it went on to be asked after its time"
    assert late.limit >= 3.0 + 2.0


async def test_what_is_watched_stays_ready_for_so_long_before_it_is_asked(lab: Lab) -> None:
    workload(lab.world, 2)
    step = Ready(Checks(sources={"shop": "shop"}, ready_seconds=5.0), watch=20.0)
    flap = [*[lambda: None] * 8, lambda: workload(lab.world, 1), lambda: workload(lab.world, 2)]
    seen = await lab.run(step, *flap)
    assert (seen.seen, lab.facts["checks.ready"]) == (Seen.DONE, "PASSED")
    watched = parse_rfc3339(lab.facts["checks.watched"]) - parse_rfc3339(lab.facts["checks.t10"])
    assert watched.total_seconds() >= 20.0
    assert parse_rfc3339(lab.facts["checks.t10"]) > START, "it counts from when it became ready for the last time"
    assert step.limit >= 5.0 + 20.0
    times = {**lab.facts, "restore.t4": point(0), "checks.t12": lab.facts["checks.watched"]}
    assert ("watch", 20.0) in [(one.name, one.seconds) for one in figures.measure(times).rta_phases]


async def test_without_a_watch_ready_is_as_it_was(lab: Lab) -> None:
    workload(lab.world, 2)
    await lab.run(Ready(Checks(sources={"shop": "shop"})))
    assert "checks.watched" not in lab.facts

"""What counts as proven: by workload and by rung, and never by a copy that was broken on purpose."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from lazarus_tui.engine.subjects import took
from lazarus_tui.model.operation import Figures, Operation, OpState
from lazarus_tui.model.proofs import RUNGS, Ladder, ProofRecord, Rung
from lazarus_tui.model.verdict import Verdict
from lazarus_tui.posture import proofs_of


def ladder(workload: str, *red: str) -> Ladder:
    return Ladder(workload, tuple(Rung(n, Verdict.FAILED if n in red else Verdict.PASSED) for n in RUNGS[:6]))


def proof(
    *ladders: Ladder, verdict: Verdict = Verdict.PASSED, ended: str = "2026-06-01T12:00:00Z", **more: Any
) -> Operation:
    record = ProofRecord(
        operation="1", source="velero", point="b1", namespace="shop", verdict=verdict, ladders=ladders, **more
    )
    return Operation(
        id="1", kind="prove.run", context="c", target="lazarus-q-1", title="Prove", state=OpState.DONE, plan_digest="",
        started="", ended=ended, verdict=verdict, figures=Figures(rta_seconds=9.5),
        facts={"prove.record": msgspec.to_builtins(record), "restore.backup": "b1"},
    )  # fmt: skip


def test_each_workload_has_the_verdict_of_its_own_ladder() -> None:
    done = proof(ladder("shop/StatefulSet/orders"), ladder("shop/Deployment/web", "healthy"), verdict=Verdict.FAILED)
    worst, best = proofs_of([done])
    assert (worst.workload, worst.verdict, worst.reached) == ("Deployment/web", Verdict.FAILED, "restores")
    assert (best.workload, best.verdict, best.reached) == ("StatefulSet/orders", Verdict.PASSED, "data right")
    assert best.backup == "b1"
    assert best.rta_seconds == 9.5
    assert best.about("shop", "StatefulSet/orders")
    assert not best.about("shop", "Deployment/web")
    assert not best.about("bank", "StatefulSet/orders")


def test_a_rung_that_was_not_required_does_not_count_against_it() -> None:
    (found,) = proofs_of([proof(ladder("shop/StatefulSet/orders", "data right"))])
    assert (found.verdict, found.reached) == (Verdict.PASSED, "healthy")


def test_a_broken_copy_proves_nothing_about_the_point() -> None:
    assert proofs_of([proof(ladder("shop/StatefulSet/orders"), control="flip")]) == []


@pytest.mark.parametrize("more", [{"not_green": ("empty",)}, {"verdict": Verdict.INCONCLUSIVE}])
def test_what_holds_back_the_whole_holds_back_its_parts(more: dict[str, Any]) -> None:
    (found,) = proofs_of([proof(ladder("shop/StatefulSet/orders"), **more)])
    assert found.verdict is Verdict.INCONCLUSIVE


def test_one_that_runs_or_was_never_judged_is_no_proof() -> None:
    running = proof(ladder("shop/StatefulSet/orders"), ended="")
    unjudged = msgspec.structs.replace(proof(), facts={"restore.backup": "b1"})
    assert proofs_of([running, unjudged]) == []


def test_the_whole_namespace_speaks_for_every_workload() -> None:
    (found,) = proofs_of([proof(ladder("shop"))])
    assert found.workload == ""
    assert found.about("shop", "Deployment/web")


def test_a_green_counts_for_nothing_while_the_newest_control_of_its_workload_was_not_noticed() -> None:
    orders, web = "shop/StatefulSet/orders", "shop/Deployment/web"
    green = proof(ladder(orders), ladder(web))
    stayed = proof(ladder(orders), control="flip", verdict=Verdict.FAILED, ended="2026-06-01T13:00:00Z")
    broken_off = proof(ladder(orders), control="flip", verdict=Verdict.INCONCLUSIVE, ended="2026-06-01T14:00:00Z")
    noticed = proof(ladder(orders), control="flip", ended="2026-06-01T15:00:00Z")

    def verdicts(*told: Operation) -> dict[str, Verdict]:
        return {found.workload: found.verdict for found in proofs_of(told)}

    doubted = {"StatefulSet/orders": Verdict.INCONCLUSIVE, "Deployment/web": Verdict.PASSED}
    assert verdicts(green, stayed) == verdicts(green, stayed, broken_off) == doubted
    assert set(verdicts(green, stayed, noticed).values()) == {Verdict.PASSED}
    red = proof(ladder(orders, "healthy"), verdict=Verdict.FAILED)
    assert verdicts(red, stayed) == {"StatefulSet/orders": Verdict.FAILED}


def test_how_long_green_proofs_of_a_namespace_took_newest_first() -> None:
    def lasting(start: str, end: str, **more: Any) -> Operation:
        return msgspec.structs.replace(proof(ladder("shop/StatefulSet/orders"), **more), started=start, ended=end)

    older = lasting("2026-06-01T12:00:00Z", "2026-06-01T12:00:20Z")
    newer = lasting("2026-06-02T12:00:00Z", "2026-06-02T12:00:14Z")
    red = lasting("2026-06-03T12:00:00Z", "2026-06-03T12:09:00Z", verdict=Verdict.FAILED)
    broken = lasting("2026-06-04T12:00:00Z", "2026-06-04T12:00:03Z", control="flip")
    assert took([older, red, newer, broken], "shop") == [14.0, 20.0]
    assert took([older], "bank") == []

"""What counts as proven: by workload and by rung, and never by a copy that was broken on purpose."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
import pytest

from lazarus_tui import posture
from lazarus_tui.engine.closing import stands
from lazarus_tui.engine.subjects import took
from lazarus_tui.model.operation import Figures, Operation, OpState
from lazarus_tui.model.proofs import RUNGS, Ladder, ProofRecord, Rung, located, view
from lazarus_tui.model.verdict import Verdict
from lazarus_tui.posture import Proof
from lazarus_tui.posture.proofs import newest_judged


def ladder(workload: str, *red: str) -> Ladder:
    return Ladder(workload, tuple(Rung(n, Verdict.FAILED if n in red else Verdict.PASSED) for n in RUNGS[:6]))


HERE = "6b0c6f1f-2c1d"


def proofs_of(done: Iterable[Operation]) -> list[Proof]:
    """Of operations as the engine knows them, in the cluster that their context leads to."""
    return posture.proofs_of([located(seen, HERE) for one in done if (seen := view(one)) is not None])


def proof(
    *ladders: Ladder, verdict: Verdict = Verdict.PASSED, ended: str = "2026-06-01T12:00:00Z", **more: Any
) -> Operation:
    record = ProofRecord(
        operation="1", source="velero", point="b1", namespace="shop", verdict=verdict, ladders=ladders,
        **{"cluster_uid": HERE, **more},
    )  # fmt: skip
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
    other = proof(ladder(orders), control="no-workload", ended="2026-06-01T16:00:00Z")
    assert verdicts(green, stayed, other) == doubted, "that it was noticed which copy does not run says less"
    both = proof(ladder(orders), ladder(web), control="flip", ended="2026-06-01T15:00:00Z")
    assert verdicts(green, stayed, both) == doubted, "it may be the other one whose checks noticed"
    assert set(verdicts(green, stayed, both, noticed).values()) == {Verdict.PASSED}
    red = proof(ladder(orders, "healthy"), verdict=Verdict.FAILED)
    assert verdicts(red, stayed) == {"StatefulSet/orders": Verdict.FAILED}


def test_how_long_green_proofs_of_a_namespace_took_newest_first() -> None:
    def lasting(start: str, end: str, **more: Any) -> Operation:
        return msgspec.structs.replace(proof(ladder("shop/StatefulSet/orders"), **more), started=start, ended=end)

    older = lasting("2026-06-01T12:00:00Z", "2026-06-01T12:00:20Z")
    newer = lasting("2026-06-02T12:00:00Z", "2026-06-02T12:00:14Z")
    red = lasting("2026-06-03T12:00:00Z", "2026-06-03T12:09:00Z", verdict=Verdict.FAILED)
    broken = lasting("2026-06-04T12:00:00Z", "2026-06-04T12:00:03Z", control="flip")
    seen = [located(found, HERE) for one in (older, red, newer, broken) if (found := view(one)) is not None]
    assert took(seen, "shop") == [14.0, 20.0]
    assert took(seen, "bank") == []
    assert took([located(one, "another") for one in seen], "shop") == []


@pytest.mark.parametrize(
    ("recorded", "now", "counts"),
    [(HERE, HERE, True), (HERE, "another", False), (HERE, "", False), ("", HERE, False), ("", "", False)],
)
def test_only_what_was_proven_in_the_cluster_that_the_context_leads_to_now_counts(
    recorded: str, now: str, counts: bool
) -> None:
    seen = view(proof(ladder("shop/StatefulSet/orders"), cluster_uid=recorded))
    assert seen is not None
    assert bool(posture.proofs_of([located(seen, now)])) is counts
    assert posture.proofs_of([seen]) == [], "nobody has said which cluster it is"


def test_a_name_that_was_given_again_inherits_nothing_and_sources_are_kept_apart() -> None:
    (found,) = proofs_of([proof(ladder("shop"), point_start="2026-06-01T01:00:00Z")])
    assert found.of("velero", "b1", "2026-06-01T03:00:00+02:00")
    assert not found.of("velero", "b1", "2026-06-02T01:00:00Z")
    assert not found.of("snapshots", "b1", "2026-06-01T01:00:00Z")
    assert not found.of("velero", "b2", "2026-06-01T01:00:00Z")


def test_an_older_point_that_was_proven_since_does_not_hide_how_the_newest_one_stands() -> None:
    newest = proof(ladder("shop", "healthy"), verdict=Verdict.FAILED, point_start="2026-06-01T02:00:00Z")
    older = proof(ladder("shop"), point_start="2026-06-01T01:00:00Z", ended="2026-06-01T18:00:00Z")
    found = newest_judged(proofs_of([newest, older]), {})
    assert found is not None
    assert found.verdict is Verdict.FAILED
    fine = proof(ladder("shop"), point_start="2026-06-01T03:00:00Z")
    again = newest_judged(proofs_of([newest, older, fine]), {})
    assert again is not None
    assert again.verdict is Verdict.PASSED


@pytest.mark.parametrize(
    ("begun", "same"),
    [("2026-06-01T11:59:00Z", True), ("2026-06-01T12:00:01Z", False), ("", True), ("soon", True)],
)  # fmt: skip
def test_of_a_point_that_began_when_it_had_ended_it_says_nothing_whatever_the_name(begun: str, same: bool) -> None:
    """A restore, and an old proof, say no more of their point than its name."""
    (found,) = proofs_of([proof(ladder("shop"))])
    assert found.start == ""
    assert found.of("velero", "b1", begun) is same
    assert not found.of("velero", "b2", begun)


@pytest.mark.parametrize("state", [OpState.FAILED, OpState.LEFT_CHANGED])
def test_what_was_judged_green_and_then_did_not_come_to_its_end_is_not_green(state: OpState) -> None:
    closed = msgspec.structs.replace(proof(ladder("shop")), state=state, message="closed by hand by ann")
    (found,) = proofs_of([closed])
    assert found.verdict is Verdict.INCONCLUSIVE
    seen = view(closed)
    assert seen is not None
    assert seen.record is not None
    assert seen.record.words == "it did not come to its end: closed by hand by ann"


@pytest.mark.parametrize(
    ("evidence", "verdict"), [("", Verdict.INCONCLUSIVE), ("/state/evidence/1.json", Verdict.PASSED)]
)
def test_what_was_taken_back_before_there_was_evidence_is_not_green(evidence: str, verdict: Verdict) -> None:
    """A copy that was kept is taken away when its proof has long ended."""
    green = proof(ladder("shop"))
    facts = {**green.facts, "evidence": evidence}
    undone = msgspec.structs.replace(green, state=OpState.UNDONE, message="undone on request", facts=facts)
    (found,) = proofs_of([undone])
    assert found.verdict is verdict
    assert stands(green, OpState.DONE) is Verdict.PASSED
    assert stands(undone, OpState.UNDONE) is verdict
    restore = msgspec.structs.replace(undone, kind="velero.restore")
    assert stands(restore, OpState.UNDONE) is Verdict.PASSED

"""The gate: a proof that is new enough, of the right thing, and whose controls go red; nothing else opens it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from lazarus_tui.model.clock import rfc3339
from lazarus_tui.model.operation import Operation, OpState
from lazarus_tui.model.proof_policies import ProofPolicy, ProofPolicyRow, Selector, Standing, Subject
from lazarus_tui.model.proofs import Ladder, ProofRecord, Rung, view
from lazarus_tui.model.verdict import Verdict
from lazarus_tui.posture.gating import Gated, gate, gate_policy

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
DAY = timedelta(hours=24)
RUNGS = ("exists", "complete", "intact", "restores", "healthy")


def proof(verdict: str = "PASSED", hours: float = 1.0, **fields: Any) -> Operation:
    ladder = Ladder("shop/StatefulSet/db", tuple(Rung(name, Verdict(verdict)) for name in RUNGS))
    base: dict[str, Any] = {"operation": "o", "source": "velero", "point": "b", "namespace": "shop",
                            "verdict": Verdict(verdict), "words": f"said {verdict}", "ladders": (ladder,)}  # fmt: skip
    record = ProofRecord(**{**base, **fields})
    at = rfc3339(NOW - timedelta(hours=hours))
    return Operation(
        id=f"{int(hours * 10):016x}", kind="prove.run", context="c", target="q", title="t", state=OpState.DONE,
        plan_digest="", started=at, ended=at, facts={"prove.record": msgspec.to_builtins(record)},
    )  # fmt: skip


def ask(*found: Operation, workload: str = "", **more: Any) -> Gated:
    views = [seen for one in found if (seen := view(one)) is not None]
    return gate(views, "shop", workload, within=DAY, now=NOW, **more)


def red_rung(name: str) -> Ladder:
    rungs = tuple(Rung(one, Verdict.FAILED if one == name else Verdict.PASSED) for one in RUNGS)
    return Ladder("shop/StatefulSet/db", rungs)


@pytest.mark.parametrize(
    ("found", "code", "words"),
    [
        ([], 4, "it was never proven"),
        ([proof()], 0, "said PASSED"),
        ([proof("FAILED")], 2, "said FAILED"),
        ([proof("INCONCLUSIVE")], 4, "the newest proof says INCONCLUSIVE"),
        ([proof("INCONCLUSIVE", 1), proof("PASSED", 2)], 0, "said PASSED"),
        ([proof("INCONCLUSIVE", 1), proof("FAILED", 2)], 2, "said FAILED"),
        ([proof("FAILED", 1), proof("PASSED", 2)], 2, "said FAILED"),
        ([proof("PASSED", 1), proof("FAILED", 2)], 0, "said PASSED"),
        ([proof("PASSED", 25)], 4, "1d1h old"),
        ([proof("PASSED", -1)], 4, "a clock was set"),
        ([proof("PASSED", -1), proof("FAILED", 1)], 4, "a clock was set"),
        ([proof("PASSED", -0.01)], 0, "said PASSED"),
        ([proof("FAILED", 25)], 4, "old"),
        ([proof(namespace="other")], 4, "never proven"),
        ([proof(workload="StatefulSet/db")], 4, "never proven"),
        ([proof(control="flip")], 4, "never proven"),
        ([proof(), proof("FAILED", 0.5, control="flip")], 2, "control failed"),
        ([proof("PASSED", 0.1), proof("FAILED", 0.5, control="flip")], 2, "control failed"),
        ([proof(), proof("PASSED", 0.2, control="flip"), proof("FAILED", 0.5, control="flip")], 0, "said PASSED"),
        ([proof(), proof("FAILED", 0.5, control="flip", workload="StatefulSet/db")], 2, "control failed"),
        (
            [
                proof(),
                proof("PASSED", 0.2, control="flip", workload="Deployment/web"),
                proof("FAILED", 0.5, control="flip", workload="StatefulSet/db"),
            ],
            2,
            "control failed",
        ),
        (
            [
                proof(),
                proof("PASSED", 0.2, control="flip"),
                proof("FAILED", 0.5, control="flip", workload="StatefulSet/db"),
            ],
            0,
            "said PASSED",
        ),
        ([proof(), proof("INCONCLUSIVE", 0.2, control="flip"), proof("FAILED", 0.5, control="flip")], 2, "control"),
    ],
)
def test_what_opens_the_gate_and_what_does_not(found: list[Operation], code: int, words: str) -> None:
    answer = ask(*found)
    assert (answer.code, words in answer.words) == (code, True), answer


def test_a_workload_is_judged_by_its_own_ladder_in_a_proof_of_the_whole() -> None:
    db, web = red_rung("healthy"), Ladder("shop/Deployment/web", tuple(Rung(one, Verdict.PASSED) for one in RUNGS))
    whole = proof("FAILED", ladders=(db, web))
    assert ask(whole, workload="StatefulSet/db").code == 2
    assert ask(whole, workload="Deployment/web").code == 0
    assert ask(whole, workload="StatefulSet/none").code == 4
    assert ask(proof("INCONCLUSIVE", ladders=(web,), not_green=("empty",)), workload="Deployment/web").code == 4


def test_other_rungs_than_the_usual_ones_can_be_asked_for() -> None:
    unhealthy = proof("FAILED", ladders=(red_rung("healthy"),))
    assert ask(unhealthy, require=["restores"]).code == 0
    assert ask(unhealthy, require=["restores", "healthy"]).code == 2
    assert ask(proof(), require=["data right"]).code == 4, "what was not tested is not green"


def test_a_proof_that_had_to_pass_less_is_not_green_where_the_usual_rungs_are_asked_for() -> None:
    little = Ladder("shop/StatefulSet/db", (Rung("exists", Verdict.PASSED), Rung("complete", Verdict.FAILED)))
    easy = proof(ladders=(little,), required=("exists",))
    assert ask(easy).code == 0
    assert ask(easy, usual=True).code == 4
    assert ask(easy, proof(hours=2), usual=True).code == 0
    assert ask(easy, proof("FAILED", hours=2), usual=True).code == 2


def row(*standings: Standing) -> ProofPolicyRow:
    policy = ProofPolicy(name="p", workloads=(Selector(namespace="shop"),), points=("latest",))
    return ProofPolicyRow(policy=policy, standings=standings)


def stands(name: str, hours: float = 1.0, **fields: Any) -> Standing:
    base: dict[str, Any] = {"verdict": Verdict.PASSED, "at": rfc3339(NOW - timedelta(hours=hours)), "green": True,
                            "words": "ok"}  # fmt: skip
    return Standing(subject=Subject(name), **{**base, **fields})


@pytest.mark.parametrize(
    ("standings", "code"),
    [
        ((), 4),
        ((stands("a"), stands("b")), 0),
        ((stands("a"), stands("b", 30)), 4),
        ((stands("a"), stands("b", -30)), 4),
        ((stands("a"), Standing(subject=Subject("b"))), 4),
        ((stands("a", 30), stands("b", verdict=Verdict.FAILED, green=False)), 2),
        ((stands("a", control="failed", green=False), stands("b")), 2),
        ((stands("a", control="stale", green=False),), 4),
    ],
)
def test_of_a_policy_every_workload_has_to_stand_green(standings: tuple[Standing, ...], code: int) -> None:
    assert gate_policy(row(*standings), within=DAY, now=NOW).code == code

"""The gate: a proof that is new enough, of the right thing, and whose controls go red; nothing else opens it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from msgspec import structs

from lazarus_tui.model.clock import rfc3339
from lazarus_tui.model.operation import Operation, OpState
from lazarus_tui.model.proof_policies import ProofPolicy, ProofPolicyRow, Selector, Standing, Subject
from lazarus_tui.model.proofs import Ladder, ProofRecord, ProofView, Rung, located, view
from lazarus_tui.model.topics import PointView, WorkloadRow
from lazarus_tui.model.verdict import Verdict
from lazarus_tui.posture import latest
from lazarus_tui.posture.gating import Gated, gate, gate_policy

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
DAY = timedelta(hours=24)
HERE, BEGUN = "6b0c6f1f-2c1d", "2026-05-31T01:00:00Z"
OLDER, NEWER = (
    {"point": "a", "point_start": "2026-05-30T01:00:00Z"},
    {"point": "c", "point_start": "2026-06-01T01:00:00Z"},
)
RUNGS = ("exists", "complete", "intact", "restores", "healthy")


def proof(verdict: str = "PASSED", hours: float = 1.0, **fields: Any) -> Operation:
    ladder = Ladder("shop/StatefulSet/db", tuple(Rung(name, Verdict(verdict)) for name in RUNGS))
    base: dict[str, Any] = {"operation": "o", "source": "velero", "point": "b", "namespace": "shop",
                            "verdict": Verdict(verdict), "words": f"said {verdict}", "ladders": (ladder,),
                            "point_start": BEGUN, "cluster_uid": HERE}  # fmt: skip
    record = ProofRecord(**{**base, **fields})
    at = rfc3339(NOW - timedelta(hours=hours))
    return Operation(
        id=f"{int(hours * 10):016x}", kind="prove.run", context="c", target="q", title="t", state=OpState.DONE,
        plan_digest="", started=at, ended=at, facts={"prove.record": msgspec.to_builtins(record)},
    )  # fmt: skip


def located_views(*found: Operation, now: str = HERE) -> list[ProofView]:
    return [located(seen, now) for one in found if (seen := view(one)) is not None]


def point(name: str = "b", start: str = BEGUN, **fields: Any) -> PointView:
    return PointView(**{"name": name, "kind": "velero", "start": start, "usable": True, **fields})


def ask(*found: Operation, workload: str = "", about: PointView | None = None, here: str = HERE, **more: Any) -> Gated:
    views = located_views(*found, now=here)
    return gate(views, "shop", workload, about or point(), within=DAY, now=NOW, **more)


def red_rung(name: str) -> Ladder:
    rungs = tuple(Rung(one, Verdict.FAILED if one == name else Verdict.PASSED) for one in RUNGS)
    return Ladder("shop/StatefulSet/db", rungs)


@pytest.mark.parametrize(
    ("found", "code", "words"),
    [
        ([], 4, "b was never proven"),
        ([proof()], 0, "said PASSED"),
        ([proof("FAILED")], 2, "said FAILED"),
        ([proof("INCONCLUSIVE")], 4, "its newest proof says INCONCLUSIVE"),
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
        ([proof(), proof("PASSED", 0.2, control="no-workload"), proof("FAILED", 0.5, control="flip")], 2, "control"),
        ([proof(**OLDER)], 4, "b was never proven; a, another point, says PASSED"),
        ([proof(hours=0.1, **OLDER), proof("FAILED")], 2, "said FAILED"),
        ([proof("FAILED", 0.1, **OLDER), proof()], 0, "said PASSED"),
        ([proof(), proof("FAILED", **NEWER)], 2, "c, a newer point, says FAILED: said FAILED"),
        ([proof(), proof(**NEWER)], 0, "said PASSED"),
        ([proof(source="snapshots")], 4, "never proven"),
        ([proof(), proof("FAILED", source="snapshots", **NEWER)], 0, "said PASSED"),
        ([proof(point_start="2026-05-01T01:00:00Z")], 4, "never proven"),  # another backup had the name
        ([proof(point_start="")], 4, "never proven"),
        ([proof(point_start="2026-05-31T03:00:00+02:00")], 0, "said PASSED"),
        ([proof(cluster_uid="another")], 4, "1 proof is of another cluster or of one that was not recorded"),
        ([proof(cluster_uid="")], 4, "1 proof is of another cluster or of one that was not recorded"),
        ([proof(), proof("FAILED", 0.5, control="flip", cluster_uid="another")], 0, "said PASSED"),
    ],
)
def test_what_opens_the_gate_and_what_does_not(found: list[Operation], code: int, words: str) -> None:
    answer = ask(*found)
    assert (answer.code, words in answer.words) == (code, True), answer


def test_where_the_cluster_is_not_known_nothing_counts() -> None:
    assert ask(proof(), here="").code == 4
    assert ask(proof(), here="another").code == 4


def test_the_answer_says_which_point_it_is_about_and_how_old_that_is() -> None:
    for answer in (ask(proof()), ask()):
        assert (answer.point, answer.point_at, answer.point_age_seconds) == ("b", BEGUN, 35 * 3600.0)
    assert (ask(proof()).age_seconds, ask().age_seconds) == (3600.0, None)


def test_a_point_that_is_asked_for_by_its_name_stands_for_itself() -> None:
    told = [proof(**OLDER), proof("FAILED", 0.5)]
    asked = point("a", "2026-05-30T01:00:00Z")
    assert ask(*told, about=asked).code == 2, "as the latest point it would be hidden by a newer one that is red"
    assert ask(*told, about=asked, latest=False).code == 0


def workload_row(name: str = "db", **fields: Any) -> WorkloadRow:
    return WorkloadRow(namespace="shop", kind="StatefulSet", name=name, ready=1, desired=1, **fields)


NEW, OLD = point("new", "2026-06-01T01:00:00Z"), point("old", "2026-05-01T01:00:00Z")


@pytest.mark.parametrize(
    ("rows", "workload", "name"),
    [
        ([workload_row(newest=NEW)], "StatefulSet/db", "new"),
        ([workload_row(newest=NEW)], "", "new"),
        ([workload_row(newest=NEW)], "StatefulSet/web", None),
        ([workload_row()], "", None),
        ([], "", None),
        # that nobody could look whether it is usable is no reason to be content with an older one
        ([workload_row(newest=OLD, skipped=(structs.replace(NEW, usable=None),))], "", "new"),
        ([workload_row(newest=OLD, skipped=(structs.replace(NEW, usable=False),))], "", "old"),
        # a part of the namespace is not in it
        ([workload_row(newest=NEW), workload_row("x", newest=OLD, skipped=(structs.replace(NEW, usable=False),))],
         "", "old"),
        ([workload_row(newest=structs.replace(NEW, kind="snapshots"), backed_up=OLD)], "", "old"),
        # anybody who may write to a backup may have written its times
        ([workload_row(newest=OLD, skipped=(structs.replace(NEW, usable=None, start="0001-01-01T00:00:00+05:00"),))],
         "", "old"),
    ],
)  # fmt: skip
def test_the_latest_backup_is_the_newest_that_could_be_restored(
    rows: list[WorkloadRow], workload: str, name: str | None
) -> None:
    found = latest.of_backups(rows, "shop", workload)
    assert (found.name if found is not None else None) == name
    assert latest.of_backups(rows, "bank", workload) is None


def test_newer_backups_that_are_not_usable_are_told_with_the_reason() -> None:
    bare = structs.replace(NEW, usable=False, reasons=("1 of 1 volumes have no data", "it is old"))
    rows = [workload_row(newest=OLD, skipped=(bare, structs.replace(NEW, name="unknown", usable=None)))]
    assert latest.passed_over(rows, "shop", "", OLD) == ("new: 1 of 1 volumes have no data; it is old",)
    assert latest.passed_over(rows, "shop", "StatefulSet/db", None) == latest.passed_over(rows, "shop", "", OLD)
    assert latest.passed_over(rows, "shop", "", NEW) == ()
    assert latest.passed_over(rows, "bank", "", OLD) == ()


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


@pytest.mark.parametrize("workload", ["", "StatefulSet/db"])
def test_a_control_of_several_that_was_noticed_does_not_make_up_for_one_of_a_workload_that_was_not(
    workload: str,
) -> None:
    web, db = (Ladder(f"shop/{name}", tuple(Rung(one, Verdict.PASSED) for one in RUNGS))
               for name in ("Deployment/web", "StatefulSet/db"))  # fmt: skip
    stayed = proof("FAILED", 0.5, control="flip", workload="StatefulSet/db")
    both = proof("PASSED", 0.2, control="flip", ladders=(web, db))
    assert ask(proof(ladders=(web, db)), both, stayed, workload=workload).code == 2, "web may be who noticed"
    own = proof("PASSED", 0.1, control="flip", workload="StatefulSet/db")
    assert ask(proof(ladders=(web, db)), own, both, stayed, workload=workload).code == 0
    whole = proof("FAILED", 0.3, control="flip", ladders=(web, db))
    assert ask(proof(ladders=(web, db)), both, whole, workload=workload).code == 0
    assert ask(proof(ladders=(web, db)), own, whole, workload=workload).code == (0 if workload else 2)


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
        ((stands("a", pending="b2"),), 4),
        ((stands("a", refused="b2"), stands("b")), 4),
        ((stands("a", verdict=Verdict.FAILED, green=False, pending="b2"),), 2),
    ],
)
def test_of_a_policy_every_workload_has_to_stand_green(standings: tuple[Standing, ...], code: int) -> None:
    assert gate_policy(row(*standings), within=DAY, now=NOW).code == code


def test_a_policy_that_is_kept_from_looking_opens_nothing_and_stays_red() -> None:
    why = "whether a backup completed is not known: backups.velero.io is forbidden"
    held_up = msgspec.structs.replace(row(stands("a")), unseen=why)
    found = gate_policy(held_up, within=DAY, now=NOW)
    assert (found.code, found.verdict, why in found.words) == (4, Verdict.NOT_TESTED, True)
    red = msgspec.structs.replace(held_up, standings=(stands("a", verdict=Verdict.FAILED, green=False),))
    assert gate_policy(red, within=DAY, now=NOW).code == 2
    lacks = msgspec.structs.replace(row(stands("a")), trouble="no workload of selector tier=x yet")
    assert gate_policy(lacks, within=DAY, now=NOW).code == 0, "which hides no point of those it has"

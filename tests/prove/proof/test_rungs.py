"""Each rung by its facts: what is not seen is not green, and what is red below ends the ladder."""

from __future__ import annotations

from typing import Any

import pytest

from lazarus_tui.model.operation import CheckResult, Figures
from lazarus_tui.model.proofs import RUNGS, Reached, climb, overall
from lazarus_tui.model.proofs import Rung as R
from lazarus_tui.model.verdict import Verdict
from lazarus_tui.prove.figures import measure
from lazarus_tui.prove.proof.rungs import Evidence, ladders
from lazarus_tui.prove.proof.verdict import judge
from tests.prove.proof.facts import AT, check, evidence, exit_code, facts, params, volume

PASSED, FAILED, INCONCLUSIVE, NOT_TESTED = Verdict.PASSED, Verdict.FAILED, Verdict.INCONCLUSIVE, Verdict.NOT_TESTED


def judged(found: Evidence) -> Any:
    return judge("00000000000000aa", found, Figures(rta_seconds=30.0, rpa_seconds=60.0))


def test_a_proof_that_went_well_is_passed_up_to_where_it_was_checked() -> None:
    record = judged(evidence())
    assert record.verdict is PASSED
    (ladder,) = record.ladders
    assert ladder.workload == "shop/StatefulSet/orders"
    assert [rung.verdict for rung in ladder.rungs] == [PASSED] * 5 + [NOT_TESTED] * 2
    assert ladder.reached == "healthy"
    assert exit_code(record) == 0
    assert record.left == ()


LIES: list[tuple[str, str, Verdict, str, dict[str, Any]]] = [
    ("skipped volume", "complete", FAILED, "no data",
     {"given": {"volumes": [volume(held="absent", reason="no data: skipped")]}}),
    ("unknown volume", "complete", INCONCLUSIVE, "not known", {"given": {"volumes": [volume(held="unknown")]}}),
    ("a claim the point does not list", "complete", INCONCLUSIVE, "does not list", {"given": {"volumes": []}}),
    ("empty by a fresh look", "complete", FAILED, "no data",
     {"given": {"volumes": []}, "restore__empty": ["shop/data-orders-0"]}),
    ("a volume list that cannot be read", "complete", INCONCLUSIVE, "unread", {"restore__unread": "unread"}),
    ("a list of objects that cannot be read", "complete", INCONCLUSIVE, "no list", {"given": {"unlisted": "no list"}}),
    ("partially failed backup", "complete", INCONCLUSIVE, "PartiallyFailed",
     {"prove__point": {"name": "n", "phase": "PartiallyFailed", "errors": 1}}),
    ("completed backup with errors", "complete", INCONCLUSIVE, "1 error",
     {"prove__point": {"name": "n", "phase": "Completed", "errors": 1}}),
    ("a volume copy that failed", "intact", FAILED, "disk", {"restore__bad_volumes": ["PodVolumeRestore x: disk"]}),
    ("fewer copies than volumes", "intact", FAILED, "0 of 1", {"restore__copies": 0}),
    ("a live volume, seen later", "intact", FAILED, "S9", {"prove__again": ["claim data is csi:x, live"]}),
    ("volumes that were not looked at again", "intact", INCONCLUSIVE, "again at its end", {"prove__again": None}),
    ("a restore that was not looked at again", "restores", INCONCLUSIVE, "still held", {"prove__flipped": None}),
    ("completed with errors", "restores", FAILED, "Completed", {"restore__errors": 2}),
    ("completed with warnings", "restores", INCONCLUSIVE, "admission", {
        "restore__warnings": 1, "restore__messages": [["warning", "admission webhook denied the request"]]}),
    ("more warnings than are told", "restores", INCONCLUSIVE, "1 warning that could not be read", {
        "restore__warnings": 2, "restore__messages": [
            ["warning", 'could not restore, ConfigMap "kube-root-ca.crt" already exists']]}),
    ("an error that is told and not counted", "restores", INCONCLUSIVE, "no space left", {
        "restore__warnings": 1, "restore__messages": [
            ["error", "no space left"], ["warning", "could not restore, ServiceAccount:default already exists"]]}),
    ("warnings that cannot be read", "restores", INCONCLUSIVE, "could not be read", {"restore__warnings": 3}),
    ("a report that cannot be read", "restores", INCONCLUSIVE, "errors could not be read",
     {"restore__verdict": "INCONCLUSIVE", "restore__words": "Completed; its list of errors could not be read"}),
    ("partially failed restore", "restores", FAILED, "PartiallyFailed",
     {"restore__verdict": "FAILED", "restore__phase": "PartiallyFailed", "restore__words": "PartiallyFailed; x"}),
    ("phase flipped later", "restores", FAILED, "is Failed now", {"prove__flipped": "it is Failed now"}),
    ("missing objects", "restores", FAILED, "Secret/db", {
        "prove__compared": {"missing": ["v1/Secret/db"], "unexpected": [], "violated": [], "unread": []}}),
    ("kinds that could not be read", "restores", INCONCLUSIVE, "secrets", {
        "prove__compared": {"missing": [], "unexpected": [], "violated": [], "unread": ["secrets: 403"]}}),
    ("never shown closed", "healthy", INCONCLUSIVE, "closed", {"prove__isolation": {"closed": None}}),
    ("open when the data was there", "healthy", INCONCLUSIVE, "closed", {"prove__isolation_after": {}}),
    ("not ready", "healthy", FAILED, "0 of 1", {"prove__ready": {"StatefulSet/orders": [0, 1]}}),
    ("left at zero", "healthy", FAILED, "zero", {"prove__ready": {"StatefulSet/orders": [0, 0]}}),
    ("gone, and another one is ready", "healthy", FAILED, "not there any more", {
        "prove__ready": {"Deployment/web": [1, 1]}}),
    ("the only one, and gone", "healthy", FAILED, "not there any more", {"prove__ready": {}}),
    ("fewer than came back", "healthy", FAILED, "1 of 3 replicas", {
        "prove__workloads": [{"kind": "StatefulSet", "name": "orders", "claims": ["data-orders-0"], "replicas": 3}]}),
    ("fewer than the plan runs", "healthy", FAILED, "1 of 2 replicas", {
        "given": {"replicas": {"StatefulSet/orders": 2}}}),
    ("a check that failed", "healthy", FAILED, "orders", {"checks": [check("orders", FAILED)]}),
    ("a check that could not run", "healthy", INCONCLUSIVE, "orders", {"checks": [check("orders", INCONCLUSIVE)]}),
    ("checks that did not hold", "healthy", INCONCLUSIVE, "long enough", {"checks__t12": ""}),
    ("nothing was started", "healthy", NOT_TESTED, "nothing was started", {"checks__verdict": ""}),
    ("nothing was looked at", "exists", NOT_TESTED, "not looked at", {"prove__point": None}),
]  # fmt: skip


@pytest.mark.parametrize(("lie", "rung", "verdict", "word", "change"), LIES, ids=[lie[0] for lie in LIES])
def test_one_thing_that_is_wrong_keeps_it_from_green(
    lie: str, rung: str, verdict: Verdict, word: str, change: dict[str, Any]
) -> None:
    found = evidence(change.get("checks"), **{k: v for k, v in change.items() if k != "checks"})
    record = judged(found)
    seen = record.ladders[0].rung(rung)
    assert (seen.verdict, word in seen.why) == (verdict, True), seen
    assert record.verdict is not PASSED
    assert exit_code(record) == (2 if verdict is FAILED else 4)
    assert word in record.words
    if verdict is FAILED:
        above = record.ladders[0].rungs[RUNGS.index(rung) + 1 :]
        assert {one.verdict for one in above} == {NOT_TESTED}


def test_an_empty_volume_of_which_no_snapshot_was_taken_needs_none_back() -> None:
    """restic takes none of an empty one, and Velero makes no PodVolumeRestore then (pkg/podvolume/util.go)."""
    empty = volume(size=None, handle="")
    assert judged(evidence(given={"volumes": [empty]}, restore__copies=0)).verdict is PASSED
    for other in (volume(size=None, handle="k-1"), volume(size=None, method="volume copy")):
        assert judged(evidence(given={"volumes": [empty, other]}, restore__copies=0)).verdict is FAILED


def test_what_velero_says_of_every_namespace_is_no_warning_about_the_point() -> None:
    texts = [
        ["warning", 'could not restore, ConfigMap "kube-root-ca.crt" already exists. Warning: the in-cluster version'],
        ["warning", "could not restore, ServiceAccount:default already exists"],
    ]
    assert judged(evidence(restore__warnings=2, restore__messages=texts)).verdict is PASSED
    texts.append(["warning", "1 more in shop that were not kept"])
    assert judged(evidence(restore__warnings=3, restore__messages=texts)).verdict is INCONCLUSIVE


def stop(step: str, verdict: str = "INCONCLUSIVE") -> dict[str, str]:
    return {"step": step, "title": f"the step {step}", "verdict": verdict, "words": "it broke", "hint": "", "at": ""}


@pytest.mark.parametrize(
    ("step", "rung"),
    [
        ("prove.preflight", "exists"), ("restore.preflight", "exists"), ("restore.contents", "complete"),
        ("quarantine", "restores"), ("isolation", "restores"), ("restore.queue", "restores"),
        ("prove.compare", "restores"), ("prove.identity", "intact"), ("prove.release", "healthy"),
        ("checks.run", "healthy"),
    ],
)  # fmt: skip
def test_what_stopped_it_belongs_to_the_rung_it_was_about(step: str, rung: str) -> None:
    """The facts of later steps are gone as they would be; nothing of a stopped proof is ever green as a whole."""
    found = Evidence(params(), {"prove.point": facts()["prove.point"], "prove.stopped": stop(step)})
    (ladder,) = ladders(found)
    assert ladder.rung(rung).verdict is INCONCLUSIVE
    assert "it broke" in ladder.rung(rung).why
    everything = Evidence(params(), facts(**{"prove.stopped": stop(step)}), [check("orders")])
    assert judged(everything).verdict is INCONCLUSIVE


def test_each_workload_has_a_ladder_of_its_own() -> None:
    workloads = [
        {"kind": "Deployment", "name": "web", "claims": [], "replicas": 1},
        {"kind": "StatefulSet", "name": "orders", "claims": ["data-orders-0"], "replicas": 1},
    ]
    ready = {"Deployment/web": [1, 1], "StatefulSet/orders": [1, 1]}
    found = evidence(given={"volumes": [volume(held="absent")]}, prove__workloads=workloads, prove__ready=ready)
    web, orders = ladders(found)
    assert web.reached == "healthy"
    assert (orders.reached, orders.rung("complete").verdict) == ("exists", FAILED)
    assert judged(found).verdict is FAILED
    broken = evidence(
        [check("numbers", FAILED, rung="data right")], prove__workloads=workloads, prove__ready=ready,
        given={"volumes": [volume(held="absent", reason="skipped")], "require": list(RUNGS[:6])},
    )  # fmt: skip
    assert judged(broken).words.startswith("shop/StatefulSet/orders 'complete': volumes without data"), (
        "the lowest first"
    )
    only = evidence(
        given={"volumes": [volume(held="absent")], "workload": "Deployment/web"}, prove__workloads=workloads,
        prove__ready=ready,
    )  # fmt: skip
    assert [ladder.workload for ladder in ladders(only)] == ["shop/Deployment/web"]


def test_the_data_are_right_only_when_checks_of_the_data_say_so() -> None:
    data = check("orders are all there", rung="data right")
    assert ladders(evidence([check("up"), data]))[0].reached == "data right"
    wrong = check("orders are all there", FAILED, rung="data right")
    record = judged(evidence([check("up"), wrong], given={"require": list(RUNGS[:6])}))
    assert (record.verdict, record.ladders[0].reached) == (FAILED, "healthy")
    optional = check("orders are all there", FAILED, rung="data right", needed=False)
    assert ladders(evidence([check("up"), optional]))[0].rung("data right").verdict is NOT_TESTED


def test_a_reason_against_green_holds_whatever_was_seen() -> None:
    record = judged(evidence(given={"not_green": ["volume x comes back empty"]}))
    assert record.verdict is INCONCLUSIVE
    assert "volume x comes back empty" in record.words


@pytest.mark.parametrize(
    ("cleaned", "said"),
    [
        ({"clean": False, "leftovers": [
            {"kind": "PersistentVolume", "name": "pv-1", "owner": "aa", "age": 75, "why": "not deleted"}]},
         "PersistentVolume pv-1 (of operation aa, 1m15s old): not deleted"),
        ({"clean": False, "lost": ["snap-1"], "leftovers": []}, "snapshot snap-1 of the point is not listed any more"),
        ({"clean": False, "leftovers": []}, "not known"),
        (None, "not shown that it is gone"),
    ],
)  # fmt: skip
def test_what_is_left_is_told_and_is_the_exit_code(cleaned: Any, said: str) -> None:
    record = judged(evidence(prove__cleaned=cleaned))
    assert said in record.left[0]
    assert record.verdict is PASSED, "what was found about the point stays true"
    assert exit_code(record) == 3


def test_a_quarantine_that_is_kept_on_purpose_is_not_left_behind() -> None:
    assert judged(evidence(prove__cleaned={"clean": None, "kept_until": "2026-06-01T13:00:00Z"})).left == ()


def test_targets_are_met_missed_or_unknown() -> None:
    record = judged(evidence(given={"targets": {"rto_seconds": 30, "rpo_seconds": 59.5}}))
    assert [(one.name, one.result) for one in record.targets] == [("rto", Reached.MET), ("rpo", Reached.MISSED)]
    assert record.verdict is PASSED
    blind = judge("aa", evidence(given={"targets": {"rto_seconds": 30}}), Figures())
    assert [one.result for one in blind.targets] == [Reached.UNKNOWN, Reached.NONE]


# --- what stays at zero

AT_REST = {"kind": "Deployment", "name": "idle", "claims": [], "replicas": 0}
ORDERS = {"kind": "StatefulSet", "name": "orders", "claims": ["data-orders-0"], "replicas": 1}


def test_what_was_never_started_is_not_healthy_and_leaves_the_rest_to_its_own() -> None:
    ready = {"StatefulSet/orders": [1, 1], "Deployment/idle": [0, 0]}
    record = judged(evidence(prove__workloads=[AT_REST, ORDERS], prove__ready=ready))
    idle, orders = record.ladders
    assert (idle.rung("healthy").verdict, "zero" in idle.rung("healthy").why) == (NOT_TESTED, True)
    assert (record.verdict_of(idle), record.verdict_of(orders), record.verdict) == (NOT_TESTED, PASSED, PASSED)
    spoiled = judged(evidence(prove__workloads=[AT_REST, ORDERS], prove__ready=ready, restore__errors=1))
    assert spoiled.verdict is FAILED


def test_where_nothing_is_started_nothing_is_proven() -> None:
    record = judged(evidence(prove__workloads=[AT_REST], prove__ready={"Deployment/idle": [0, 0]}))
    assert (record.verdict, exit_code(record)) == (NOT_TESTED, 4)


# --- controls


def controlled(checks: list[CheckResult], **more: Any) -> Any:
    news: dict[str, Any] = {"prove__sabotaged": "overwrote bytes of data-orders-0", **more}
    return judged(evidence(checks, given={"control": "flip", "not_green": ["negative control"]}, **news))


def test_a_control_passes_when_a_check_went_red() -> None:
    record = controlled([check("orders answer", FAILED), check("web")])
    assert record.verdict is PASSED
    assert "noticed by orders answer" in record.words
    assert not record.proves


def test_a_control_that_nobody_noticed_is_red() -> None:
    record = controlled([check("orders answer")])
    assert (record.verdict, "no check noticed" in record.words) == (FAILED, True)


@pytest.mark.parametrize(
    "more",
    [
        {"prove__sabotaged": None}, {"prove__stopped": stop("checks.ready")}, {"prove__isolation": {"closed": False}},
        {"checks__verdict": ""},
    ],
)  # fmt: skip
def test_a_control_that_is_red_for_another_reason_says_nothing(more: dict[str, Any]) -> None:
    assert controlled([check("orders answer", FAILED)], **more).verdict is INCONCLUSIVE


def test_a_check_that_decides_nothing_noticed_nothing() -> None:
    """It may be red of every copy; of a proof proper it keeps nothing from green."""
    record = controlled([check("orders answer"), check("a wish", FAILED, needed=False)])
    assert (record.verdict, "no check noticed" in record.words) == (FAILED, True)


def test_a_check_that_could_not_run_noticed_nothing() -> None:
    assert controlled([check("orders answer", INCONCLUSIVE)]).verdict is FAILED


# --- the vocabulary


def test_above_a_red_rung_nothing_was_tested() -> None:
    climbed = climb(
        [R("exists", PASSED), R("complete", FAILED, "x"), R("intact", PASSED), R("restores", NOT_TESTED, "y")]
    )
    assert [rung.verdict for rung in climbed] == [PASSED, FAILED, NOT_TESTED, NOT_TESTED]
    assert climbed[2].why == "'complete' below it is red"
    assert climbed[3].why == "y"


def test_no_ladder_is_no_proof() -> None:
    assert overall([], ["exists"]) is NOT_TESTED


@pytest.mark.parametrize(
    ("bound", "intact"),
    [
        ({"beside.t7": "2026-06-01T12:00:04Z"}, "2026-06-01T12:00:04Z"),
        ({}, "2026-06-01T12:00:09Z"),  # its claims bind when their pod uses them: when all is ready
        ({"checks.t10": ""}, ""),  # nothing was ready: nobody knows
    ],
)
def test_every_rung_of_a_snapshot_set_has_the_time_at_which_it_was_seen(bound: dict[str, str], intact: str) -> None:
    known = {key: value for key, value in facts().items() if not key.startswith("restore.")}
    known["prove.compared"] = {**known["prove.compared"], "at": "2026-06-01T12:00:06Z"}
    known |= {"prove.point": {"name": "s1", "phase": "ready", "errors": 0, "at": AT}}
    known |= {"restore.t4": "2026-06-01T12:00:01Z", "checks.t10": "2026-06-01T12:00:09Z", **bound}
    given = params(source="snapshots", velero="", volumes=[volume(method="CSISnapshot", handle="h")])
    (ladder,) = ladders(Evidence(given, known, [check("orders answer")]))
    at = {rung.name: rung.at for rung in ladder.rungs}
    assert [rung.verdict for rung in ladder.rungs][:4] == [PASSED] * 4
    assert (at["exists"], at["intact"], at["restores"]) == (AT, intact, "2026-06-01T12:00:06Z")


def test_the_volumes_of_a_set_are_a_phase_of_its_recovery_time() -> None:
    times = {"restore.t4": "2026-06-01T12:00:01Z", "beside.t7": "2026-06-01T12:00:04Z",
             "prove.released": "2026-06-01T12:00:06Z", "checks.t12": "2026-06-01T12:00:31Z"}  # fmt: skip
    phases = [(one.name, one.seconds) for one in measure(times).rta_phases]
    assert phases == [("volumes", 3.0), ("look", 2.0), ("checks", 25.0)]


@pytest.mark.parametrize(
    ("control", "verdict", "words"),
    [
        ("no-workload", PASSED, "noticed by shop/StatefulSet/orders 'healthy'"),
        ("flip", FAILED, "no check noticed"),
    ],
)
def test_that_nothing_was_started_is_noticed_by_the_replicas_and_nothing_else_is(
    control: str, verdict: Verdict, words: str
) -> None:
    given = {"control": control, "replicas": {"StatefulSet/orders": 1}}
    still = evidence([], given=given, prove__sabotaged="so", prove__ready={"StatefulSet/orders": [0, 0]})
    record = judged(still)
    assert record.verdict is verdict
    assert words in record.words
    runs = judged(evidence([], given={**given, "control": "no-workload"}, prove__sabotaged="so"))
    assert (runs.verdict, "no check noticed" in runs.words) == (FAILED, True)


def test_where_nobody_asked_for_readiness_the_checks_alone_say_whether_it_is_healthy() -> None:
    """Pods of nobody, and a checks file with ``readiness: false``: there is no workload that could have got ready."""
    bare: dict[str, Any] = {"prove__workloads": [], "prove__ready": {}, "checks__ready": None}
    assert judged(evidence([check("it answers")], **bare)).ladders[0].rung("healthy").verdict is PASSED
    assert judged(evidence([check("it answers", FAILED)], **bare)).ladders[0].rung("healthy").verdict is FAILED
    assert judged(evidence([], **bare)).ladders[0].rung("healthy").verdict is NOT_TESTED
    late = judged(evidence([check("it answers")], **{**bare, "checks__ready": "FAILED"}))
    assert late.ladders[0].rung("healthy").verdict is FAILED


def test_data_that_is_newer_than_what_it_is_measured_to_holds_no_target() -> None:
    record = judge("aa", evidence(given={"targets": {"rpo_seconds": 60}}), Figures(rta_seconds=1.0, rpa_seconds=-5.0))
    assert [one.result for one in record.targets] == [Reached.NONE, Reached.UNKNOWN]


def test_a_claim_of_no_workload_that_came_back_empty_is_on_every_ladder_of_the_namespace() -> None:
    """A Job's or a lone pod's: nobody else would say that the snapshot was not used."""
    spool = [volume(), volume("spool", method="CSISnapshot")]
    whole = judged(evidence(given={"volumes": spool}, prove__anew=["spool"]))
    assert (whole.verdict, "made anew and empty" in whole.words, "spool" in whole.words) == (FAILED, True, True)
    assert judged(evidence(given={"volumes": spool})).verdict is PASSED
    alone = evidence(given={"volumes": spool, "workload": "StatefulSet/orders"}, prove__anew=["spool"])
    assert judged(alone).verdict is PASSED, "what was not asked for is not judged"
    other = {"kind": "Deployment", "name": "batch", "claims": ["spool"], "replicas": 1}
    ready = {"StatefulSet/orders": [1, 1], "Deployment/batch": [1, 1]}
    both = judged(evidence(given={"volumes": spool}, prove__anew=["spool"], prove__workloads=[other, ORDERS],
                           prove__ready=ready))  # fmt: skip
    batch, orders = both.ladders
    assert (batch.rung("intact").verdict, orders.rung("intact").verdict) == (FAILED, PASSED)

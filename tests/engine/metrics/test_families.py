"""What a scrape says: by name and label, with nothing for what is not known, and nothing that a name can break."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from lazarus_tui.engine.metrics.families import (
    LONGEST,
    MOST_PARTS,
    MOST_POLICIES,
    MOST_SCHEDULES,
    MOST_WORKLOADS,
    Samples,
    Sight,
    families,
)
from lazarus_tui.engine.metrics.names import BY_NAME, METRICS
from lazarus_tui.engine.metrics.owed import Owed
from lazarus_tui.engine.metrics.tally import OTHER, Outcome, Proven, Subject
from lazarus_tui.model.operation import Operation, OpState
from lazarus_tui.model.parts import DOWN, RUNNING, SHAKY, Part
from lazarus_tui.model.topics import PointView, WorkloadRow
from lazarus_tui.model.verdict import Verdict
from tests.engine.metrics import book
from tests.engine.metrics.book import ended, of, page, plan, read

NOW = datetime(2026, 3, 2, tzinfo=UTC)
AT = "2026-03-01T23:00:00Z"
CLUSTER = "6b0c6f1f-2c1d"
SHOP = Subject("prod", "nightly", "shop")
ME = {"context": "prod", "policy": "nightly", "workload": "shop"}


def sight(**fields: Any) -> Sight:
    return Sight(**{"now": NOW, "started": datetime(2026, 3, 1, tzinfo=UTC), "version": "0.1.0",
                    "clusters": {"prod": CLUSTER}, **fields})  # fmt: skip


def scraped(**fields: Any) -> book.Samples:
    return read(page(families(sight(**fields))))


def proven(verdict: Verdict = Verdict.PASSED, **fields: Any) -> Proven:
    done = Outcome.of(ended(plan("a" * 16), verdict, AT), CLUSTER)
    given = {
        "cluster_uid": CLUSTER,
        "results": Counter({verdict: 3}),
        "last": done,
        "last_passed": AT,
        "measured": done,
        "objectives": {"rto": 60.0},
    }
    return Proven(**{**given, **fields})


def row(name: str, start: str = "", proven_at: str = "", **fields: Any) -> WorkloadRow:
    def point(at: str) -> PointView | None:
        return PointView(name="b", kind="velero", start=at, usable=True) if at else None

    return WorkloadRow(
        namespace="shop", kind="StatefulSet", name=name, ready=1, desired=1, newest=point(start),
        newest_proven=point(proven_at), **fields,
    )  # fmt: skip


def test_a_proof_is_told_by_policy_workload_and_context() -> None:
    found = scraped(proofs={SHOP: proven()}, checks={("http", Verdict.FAILED): 2})
    assert of(found, "lazarus_restore_tests_total", result="success", **ME) == [3.0]
    assert of(found, "lazarus_restore_tests_total", result="failure", **ME) == [0.0]
    assert of(found, "lazarus_restore_tests_total", result="inconclusive", **ME) == [0.0]
    results = {name: of(found, "lazarus_proof_last_result", result=name, **ME) for name in ("passed", "failed")}
    assert results == {"passed": [1.0], "failed": [0.0]}
    assert sum(of(found, "lazarus_proof_last_result")) == 1
    assert of(found, "lazarus_proof_last_success_timestamp_seconds", **ME) == [NOW.timestamp() - 3600]
    assert of(found, "lazarus_recovery_time_actual_seconds", **ME) == [12.5]
    assert of(found, "lazarus_recovery_time_objective_seconds", figure="objective", **ME) == [60.0]
    assert of(found, "lazarus_recovery_time_objective_seconds", figure="actual", **ME) == [12.5]
    assert of(found, "lazarus_recovery_time_phase_seconds", phase="objects", **ME) == [2.0]
    assert of(found, "lazarus_recovery_point_actual_seconds", **ME) == [300.0]
    assert of(found, "lazarus_recovery_point_objective_seconds") == []
    assert of(found, "lazarus_proof_last_info", backup=f"backup-{'a' * 16}", operation="a" * 16, **ME) == [1.0]
    assert of(found, "lazarus_proof_leftovers", **ME) == [0.0]
    assert of(found, "lazarus_checks_total", kind="http", verdict="failed") == [2.0]
    assert of(found, "lazarus_checks_total", kind="http", verdict="not_tested") == [0.0]


@pytest.mark.parametrize(
    ("verdict", "clusters", "said", "success", "figures"),
    [
        (Verdict.PASSED, {"prod": CLUSTER}, "passed", True, True),
        (Verdict.PASSED, {"prod": "another"}, "not_tested", False, False),
        (Verdict.FAILED, {"prod": "another"}, "not_tested", False, False),
        (Verdict.PASSED, {}, "not_tested", True, True),
        (Verdict.FAILED, {}, "failed", True, True),
        (Verdict.INCONCLUSIVE, {}, "inconclusive", True, True),
    ],
)
def test_a_green_of_another_cluster_is_none_and_a_red_one_does_not_end_because_nobody_answers(
    verdict: Verdict, clusters: dict[str, str], said: str, success: bool, figures: bool
) -> None:
    control = Outcome.of(ended(plan("b" * 16, control="flip"), Verdict.PASSED, AT))
    found = scraped(proofs={SHOP: proven(verdict, control={"flip": control})}, clusters=clusters)
    assert [one for one in ("passed", "failed", "inconclusive", "not_tested")
            if of(found, "lazarus_proof_last_result", result=one, **ME) == [1.0]] == [said]  # fmt: skip
    assert bool(of(found, "lazarus_proof_last_success_timestamp_seconds", **ME)) is success
    assert bool(of(found, "lazarus_recovery_time_actual_seconds", **ME)) is figures
    assert bool(of(found, "lazarus_negative_control_failed", **ME)) is (clusters == {"prod": CLUSTER})
    assert of(found, "lazarus_restore_tests_total", result="success", **ME), "counters are of all clusters"


def test_what_was_never_measured_has_no_sample() -> None:
    found = scraped(proofs={SHOP: proven(Verdict.INCONCLUSIVE, last_passed="", measured=None, objectives={})})
    assert of(found, "lazarus_proof_last_result", result="inconclusive") == [1.0]
    assert of(found, "lazarus_restore_tests_total", result="inconclusive") == [3.0]
    for name in (
        "proof_last_success_timestamp",
        "recovery_time_actual",
        "recovery_time_objective",
        "recovery_point_actual",
    ):
        assert of(found, f"lazarus_{name}_seconds") == []
    assert of(scraped(proofs={SHOP: Proven()}), "lazarus_proof_last_result") == []
    assert of(scraped(), "lazarus_restore_tests_total") == []


def test_a_control_that_was_not_noticed_is_told_with_the_age_of_the_last_that_was() -> None:
    control = Outcome.of(ended(plan("b" * 16, control="flip"), Verdict.FAILED, AT))
    noticed = Outcome.of(ended(plan("c" * 16, control="no-workload"), Verdict.PASSED, "2026-03-01T23:30:00Z"))
    both = {"flip": control, "no-workload": noticed}
    found = scraped(proofs={SHOP: proven(control=both, control_red="2026-02-28T00:00:00Z")})
    assert of(found, "lazarus_negative_control_failed", **ME) == [1.0], (
        "one kind that is noticed says nothing of another"
    )
    assert of(found, "lazarus_negative_control_age_seconds", **ME) == [2 * 86400.0]
    found = scraped(proofs={SHOP: proven(control={"no-workload": noticed})})
    assert of(found, "lazarus_negative_control_failed", **ME) == [0.0]


def test_exposure_is_unknown_where_backups_could_not_be_listed() -> None:
    rows = {
        "shop/StatefulSet/a": row("a", start=AT, proven_at="2026-03-01T00:00:00Z"),
        "shop/StatefulSet/b": row("b"),
        "shop/StatefulSet/c": row("c", unlisted=("backups",)),
    }
    found = scraped(rows={"prod": rows})
    assert of(found, "lazarus_exposure_protected_seconds", workload="shop/StatefulSet/a", context="prod") == [3600.0]
    assert of(found, "lazarus_exposure_proven_seconds", workload="shop/StatefulSet/a") == [86400.0]
    protected = {name: of(found, "lazarus_workload_protected", workload=f"shop/StatefulSet/{name}") for name in "abc"}
    assert protected == {"a": [1.0], "b": [0.0], "c": []}
    assert len(of(found, "lazarus_exposure_protected_seconds")) == 1


def restore(state: OpState, **fields: Any) -> Operation:
    return Operation(**{
        "id": "c" * 16, "kind": "snapshots.restore-in-place", "context": "prod", "target": "shop/orders", "title": "",
        "state": state, "plan_digest": "", "started": "2026-03-01T00:00:00Z", **fields,
    })  # fmt: skip


@pytest.mark.parametrize(
    ("state", "desired", "said"),
    [(OpState.LEFT_CHANGED, 0, [1.0]), (OpState.LEFT_CHANGED, 3, [0.0]), (OpState.DONE, 0, [])],
)
def test_a_workload_at_zero(state: OpState, desired: int, said: list[float]) -> None:
    rows = {"shop/StatefulSet/orders": msgspec.structs.replace(row("orders"), desired=desired, ready=desired)}
    found = scraped(operations=[restore(state)], rows={"prod": rows})
    assert of(found, "lazarus_workload_at_zero", workload="shop/orders", context="prod") == said


def test_an_older_restore_is_forgotten_for_a_newer_one() -> None:
    rows = {"shop/StatefulSet/orders": msgspec.structs.replace(row("orders"), desired=0, ready=0)}
    newer = restore(OpState.DONE, id="d" * 16, started="2026-03-01T05:00:00Z")
    found = scraped(operations=[newer, restore(OpState.LEFT_CHANGED)], rows={"prod": rows})
    assert of(found, "lazarus_workload_at_zero") == []


def test_queues_and_operations() -> None:
    asked = {"restore.t4": "2026-03-01T23:59:00Z"}
    operations = [
        restore(OpState.RUNNING, kind="prove.run", facts=asked),
        restore(OpState.RUNNING, kind="prove.run", facts={**asked, "restore.t5": AT}),
        restore(OpState.PARKED, kind="velero.restore"),
        restore(OpState.DONE, kind="velero.restore", facts=asked),
    ]
    waits = [datetime(2026, 3, 1, 23, 0, tzinfo=UTC), datetime(2026, 3, 1, 22, 0, tzinfo=UTC)]
    found = scraped(
        operations=operations,
        contexts={"prod": "stale", "lab": "ready"},
        queued={"prod": waits, "lab": []},
        outbox=waits[:1],
    )
    assert of(found, "lazarus_restore_queue_length", context="prod") == [1.0]
    assert of(found, "lazarus_restore_queue_oldest_seconds", context="prod") == [60.0]
    assert of(found, "lazarus_restore_queue_length", context="lab") == [0.0]
    assert of(found, "lazarus_proof_queue_length", context="prod") == [2.0]
    assert of(found, "lazarus_proof_queue_oldest_seconds", context="prod") == [7200.0]
    assert (of(found, "lazarus_outbox_waiting"), of(found, "lazarus_outbox_oldest_seconds")) == ([1.0], [3600.0])
    assert of(found, "lazarus_operations_open", kind="prove.run", state="running") == [2.0]
    assert of(found, "lazarus_operations_open", kind="velero.restore", state="parked") == [1.0]
    assert of(found, "lazarus_context_state", context="prod", state="stale") == [1.0]
    assert of(found, "lazarus_context_state", context="prod", state="ready") == [0.0]
    assert of(found, "lazarus_engine_info", version="0.1.0") == [1.0]


def test_what_policies_count_on_and_do_not_find() -> None:
    late = Owed(overdue=1, late={"point": 2, "nothing": 1}, expected=3, unknown=0)
    found = scraped(
        owed={("prod", "shop"): late, ("prod", "unseen"): Owed(late={"backup": 1}), ("prod", "a/b"): Owed()}
    )
    lacks = {lack: of(found, "lazarus_points_late", context="prod", policy="shop", lack=lack) for lack in
             ("point", "backup", "nothing")}  # fmt: skip
    assert lacks == {"point": [2.0], "backup": [0.0], "nothing": [1.0]}
    assert of(found, "lazarus_points_expected", context="prod", policy="shop") == [3.0]
    assert of(found, "lazarus_points_unknown", context="prod", policy="shop") == [0.0]
    overdue = {name: of(found, "lazarus_policy_overdue", context="prod", policy=name) for name in ("shop", "a/b")}
    assert overdue == {"shop": [1.0], "a/b": [0.0]}
    assert of(found, "lazarus_points_late", policy="unseen", lack="backup") == [1.0], "what was told still stands"
    assert of(found, "lazarus_points_late", policy="unseen", lack="point") == [], "nobody has looked: not none"
    for name in ("points_late", "points_expected", "points_unknown"):
        assert of(found, f"lazarus_{name}", policy="a/b") == []


def test_a_green_that_its_policy_does_not_stand_behind() -> None:
    other = Subject("prod", "nightly", "bank")
    found = scraped(proofs={SHOP: proven()}, green={SHOP: False, other: True})
    assert of(found, "lazarus_proof_last_result", result="passed", **ME) == [1.0]
    assert of(found, "lazarus_policy_green", **ME) == [0.0]
    assert of(found, "lazarus_policy_green", context="prod", policy="nightly", workload="bank") == [1.0]


def test_a_schedule_that_is_late() -> None:
    found = scraped(late={("prod", "hourly"): 90.0, ("prod", "daily"): 0.0})
    assert of(found, "lazarus_schedule_overdue_seconds", context="prod", schedule="hourly") == [90.0]
    assert of(found, "lazarus_schedule_overdue_seconds", context="prod", schedule="daily") == [0.0]


def part(name: str, state: str = RUNNING, total: int = 0) -> Part:
    return Part(name=name, state=state, since=AT, failures=total, total=total)


def test_parts_of_the_engine_by_state_with_how_often_they_failed() -> None:
    parts = {"the scheduler": part("the scheduler", DOWN, 4), "the janitor of c": part("the janitor of c", SHAKY, 1)}
    found = scraped(parts={**parts, "the heartbeat": part("the heartbeat")})
    states = {
        name: [word for word in ("running", "started_again", "down")
               if of(found, "lazarus_engine_part_state", part=name, state=word) == [1.0]]
        for name in ("the scheduler", "the janitor of c", "the heartbeat")
    }  # fmt: skip
    assert states == {"the scheduler": ["down"], "the janitor of c": ["started_again"], "the heartbeat": ["running"]}
    assert sum(of(found, "lazarus_engine_part_state")) == 3
    assert of(found, "lazarus_engine_part_failures_total", part="the scheduler") == [4.0]
    assert of(found, "lazarus_engine_part_failures_total", part="the heartbeat") == [0.0]


def test_a_journal_that_cannot_be_read_is_said() -> None:
    assert of(scraped(), "lazarus_metrics_incomplete") == [0.0]
    assert of(scraped(incomplete=True), "lazarus_metrics_incomplete") == [1.0]


HOSTILE = 'a"} 1\nlazarus_engine_info{version="forged"} 1\n\\\x00\u202e\ud800 x'


def test_hostile_names_stay_labels() -> None:
    subject = Subject(HOSTILE, HOSTILE, HOSTILE)
    found = scraped(
        proofs={subject: proven()}, rows={HOSTILE: {HOSTILE: row("a", start=AT)}}, contexts={HOSTILE: "ready"},
        checks={(HOSTILE, Verdict.PASSED): 1}, operations=[restore(OpState.PARKED, kind=HOSTILE, context=HOSTILE)],
        owed={(HOSTILE, HOSTILE): Owed(1)}, late={(HOSTILE, HOSTILE): 1.0}, parts={HOSTILE: part(HOSTILE)},
    )  # fmt: skip
    assert of(found, "lazarus_engine_info") == [1.0]
    assert of(found, "lazarus_engine_info", version="forged") == []
    shown = HOSTILE.replace("\ud800", "?")
    assert of(found, "lazarus_restore_tests_total", policy=shown, result="success") == [3.0]
    assert of(found, "lazarus_exposure_protected_seconds", workload=shown) == [3600.0]


def test_labels_are_cut_and_series_are_bounded() -> None:
    rows = {f"shop/StatefulSet/{n:05d}": row(str(n), start=AT) for n in range(MOST_WORKLOADS + 7)}
    long = Subject("prod", "p" * 5000, "w" * 5000)
    found = scraped(rows={"prod": rows}, proofs={long: proven(), OTHER: proven()}, folded=2)
    assert len(of(found, "lazarus_exposure_protected_seconds")) == MOST_WORKLOADS
    assert of(found, "lazarus_metrics_left_out") == [9.0]
    assert max(len(value) for _, labels in found for _, value in labels) == LONGEST
    assert of(found, "lazarus_restore_tests_total", workload="(other)", result="success") == [3.0]
    assert of(found, "lazarus_proof_last_result", workload="(other)") == []


def test_policies_schedules_and_parts_are_bounded_and_what_is_late_is_told_all_the_same() -> None:
    owed = {("prod", f"p{n:05d}"): Owed(0, {}, 1, 0) for n in range(MOST_POLICIES)}
    owed |= {("prod", f"q{n}"): Owed(1, {"point": 2}, 1, 0) for n in range(3)}
    found = scraped(
        owed=owed,
        late={("prod", f"s{n:05d}"): 0.0 for n in range(MOST_SCHEDULES + 2)},
        parts={f"{n:05d}": part(f"{n:05d}") for n in range(MOST_PARTS + 1)},
    )
    assert len(of(found, "lazarus_policy_overdue")) == MOST_POLICIES + 1
    assert of(found, "lazarus_policy_overdue", context="", policy="(other)") == [3.0]
    assert of(found, "lazarus_points_late", policy="(other)", lack="point") == [6.0]
    assert of(found, "lazarus_points_expected", policy="(other)") == [3.0]
    assert len(of(found, "lazarus_schedule_overdue_seconds")) == MOST_SCHEDULES
    assert len(of(found, "lazarus_engine_part_failures_total")) == MOST_PARTS
    assert of(found, "lazarus_metrics_left_out") == [6.0]


def test_labels_that_a_metric_does_not_have_are_refused() -> None:
    with pytest.raises(ValueError, match="has the labels"):
        Samples().add("lazarus_checks_total", 1, "http")


def test_everything_of_the_table_can_be_scraped_and_nothing_else() -> None:
    control = Outcome.of(ended(plan("b" * 16, control="flip"), Verdict.PASSED, AT))
    whole = proven(control={"flip": control}, control_red=AT, objectives={"rto": 1.0, "rpo": 1.0})
    text = page(families(sight(
        proofs={SHOP: whole}, checks={("http", Verdict.PASSED): 1}, contexts={"prod": "ready"}, queued={"prod": []},
        rows={"prod": {"shop/StatefulSet/orders": row("orders", start=AT, proven_at=AT)}},
        operations=[restore(OpState.PARKED)], owed={("prod", "shop"): Owed(0, {}, 1, 1)},
        late={("prod", "hourly"): 0.0}, parts={"the heartbeat": part("the heartbeat")}, green={SHOP: True},
    )))  # fmt: skip
    names: dict[str, set[frozenset[str]]] = {}
    for name, labels in read(text):
        names.setdefault(name, set()).add(frozenset(key for key, _ in labels))
    assert set(names) == set(BY_NAME)
    assert names == {metric.name: {frozenset(metric.labels)} for metric in METRICS}
    types = {line.split()[2]: line.split()[3] for line in text.splitlines() if line.startswith("# TYPE")}
    assert types == {metric.name: metric.type.replace("info", "gauge") for metric in METRICS}

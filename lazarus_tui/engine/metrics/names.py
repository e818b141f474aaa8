"""Every metric: its type, its labels, what it says. Document, dashboard and rules are checked against it."""

from __future__ import annotations

from dataclasses import dataclass

_PROOF = ("context", "policy", "workload")
_THERE = ("context", "workload")
_OWES = ("context", "policy")


@dataclass(frozen=True, slots=True)
class Metric:
    """``name`` as it is scraped: counters with ``_total``, infos with ``_info``."""

    name: str
    type: str
    labels: tuple[str, ...]
    help: str


METRICS = (
    Metric("lazarus_restore_tests_total", "counter", (*_PROOF, "result"),
           "Proofs that ended: success (PASSED), failure (FAILED), inconclusive (INCONCLUSIVE, NOT TESTED)."),
    Metric("lazarus_negative_controls_total", "counter", (*_PROOF, "result"),
           "Copies broken on purpose: success (a check went red, as it should), failure (none did), inconclusive."),
    Metric("lazarus_checks_total", "counter", ("kind", "verdict"), "Checks of proofs that ended."),
    Metric("lazarus_proof_last_result", "gauge", (*_PROOF, "result"),
           "1 for the verdict of the newest point that was proven in this cluster, 0 for the others."),
    Metric("lazarus_proof_last_timestamp_seconds", "gauge", _PROOF, "When the newest proof ended."),
    Metric("lazarus_proof_last_success_timestamp_seconds", "gauge", _PROOF,
           "When the newest PASSED proof ended; absent when none ever did."),
    Metric("lazarus_proof_last_info", "info", (*_PROOF, "backup", "operation"), "Which point the newest proof was of."),
    Metric("lazarus_proof_leftovers", "gauge", _PROOF, "Things that the newest proof left in the cluster."),
    Metric("lazarus_policy_green", "gauge", _PROOF,
           "1 while the newest proof of each of the policy's points passed and its controls were noticed, else 0."),
    Metric("lazarus_recovery_time_actual_seconds", "gauge", _PROOF,
           "Measured recovery time (RTA) of the newest proof that has one: from the restore's request to all checks."),
    Metric("lazarus_recovery_time_phase_seconds", "gauge", (*_PROOF, "phase"), "The phases of that recovery time."),
    Metric("lazarus_recovery_time_objective_seconds", "gauge", (*_PROOF, "figure"),
           "figure=objective: the target (RTO). figure=actual: alias of lazarus_recovery_time_actual_seconds."),
    Metric("lazarus_recovery_point_actual_seconds", "gauge", _PROOF,
           "Measured recovery point (RPA) of the newest proof with a recovery time: reference minus watermark."),
    Metric("lazarus_recovery_point_objective_seconds", "gauge", _PROOF, "The target (RPO)."),
    Metric("lazarus_negative_control_age_seconds", "gauge", _PROOF, "Since a broken copy last went red."),
    Metric("lazarus_negative_control_failed", "gauge", _PROOF,
           "1 while a broken copy was not noticed, and no later one of its kind was."),
    Metric("lazarus_workload_protected", "gauge", _THERE, "1 while there is a usable recovery point, else 0."),
    Metric("lazarus_exposure_protected_seconds", "gauge", _THERE, "Age of the newest usable recovery point."),
    Metric("lazarus_exposure_proven_seconds", "gauge", _THERE, "Age of the newest recovery point that passed a proof."),
    Metric("lazarus_workload_at_zero", "gauge", _THERE, "1 while a restore in place has it at 0 replicas."),
    Metric("lazarus_policy_overdue", "gauge", _OWES, "1 while runs that it owes did not take place, or failed."),
    Metric("lazarus_points_late", "gauge", (*_OWES, "lack"),
           "What a proof policy counts on and does not find: point (none came in time), backup (the newest failed), "
           "nothing (there is nothing to prove)."),
    Metric("lazarus_points_expected", "gauge", _OWES,
           "Points of Schedules that it counts on and that have time to come."),
    Metric("lazarus_points_unknown", "gauge", _OWES,
           "Of how many things it proves nobody knows when a new point is due, so nobody tells that one is missing."),
    Metric("lazarus_schedule_overdue_seconds", "gauge", ("context", "schedule"),
           "By how much Velero is late with the next backup of a Schedule, 0 while it is not."),
    Metric("lazarus_proof_queue_length", "gauge", ("context",), "Proofs of policies that wait for their turn."),
    Metric("lazarus_proof_queue_oldest_seconds", "gauge", ("context",), "How long the first of them has waited."),
    Metric("lazarus_restore_queue_length", "gauge", ("context",), "Restores that Velero has not begun yet."),
    Metric("lazarus_restore_queue_oldest_seconds", "gauge", ("context",), "How long the first of them has waited."),
    Metric("lazarus_operations_open", "gauge", ("context", "kind", "state"),
           "Operations that run, or are parked and wait for a person."),
    Metric("lazarus_outbox_waiting", "gauge", (), "Notices that were not delivered yet."),
    Metric("lazarus_outbox_oldest_seconds", "gauge", (), "How long the oldest of them has waited."),
    Metric("lazarus_context_state", "gauge", ("context", "state"), "1 for the state of each context in use."),
    Metric("lazarus_engine_info", "info", ("version",), "The engine that answers."),
    Metric("lazarus_engine_start_time_seconds", "gauge", (), "When it started."),
    Metric("lazarus_engine_loop_lag_seconds", "gauge", (), "The worst lateness of its event loop in the last minute."),
    Metric("lazarus_engine_memory_bytes", "gauge", (), "Its resident memory."),
    Metric("lazarus_engine_part_state", "gauge", ("part", "state"),
           "1 for the state of each part that works in the background: running, started_again, down."),
    Metric("lazarus_engine_part_failures_total", "counter", ("part",),
           "How often a part failed since the engine started."),
    Metric("lazarus_metrics_incomplete", "gauge", (),
           "1 while the journal cannot be read: proofs that ended since are not counted, and last results are old."),
    Metric("lazarus_metrics_left_out", "gauge", (),
           "Subjects, workloads, policies, schedules and parts over the limit, which have no series."),
)  # fmt: skip

BY_NAME = {metric.name: metric for metric in METRICS}

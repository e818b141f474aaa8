"""Overview rows: what would be lost, what is proven, what is wrong."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from lazarus_tui.model.clock import rfc3339
from lazarus_tui.model.objects import Backup, Claim, Location, Schedule, VolumeCopy, Workload
from lazarus_tui.model.operation import Figures, Operation, OpState
from lazarus_tui.model.topics import WorkloadRow
from lazarus_tui.model.verdict import Verdict
from lazarus_tui.model.volumes import VolumeInfo
from lazarus_tui.posture import Proof, proofs_of, workload_rows, worth_reading
from tests.velero.lab import START


def workload(kind: str = "StatefulSet", name: str = "orders", namespace: str = "shop") -> Workload:
    spec: dict[str, Any] = {"replicas": 1}
    if kind == "StatefulSet":
        spec["volumeClaimTemplates"] = [{"metadata": {"name": "data"}}]
    meta = {"name": name, "namespace": namespace, "labels": {"app": name}}
    return msgspec.convert({"kind": kind, "metadata": meta, "spec": spec, "status": {"readyReplicas": 1}}, Workload)


def backup(name: str, age: float, *, phase: str = "Completed", schedule: str = "hot", **spec: Any) -> Backup:
    start = START - timedelta(hours=age)
    return msgspec.convert(
        {
            "metadata": {"name": name, "labels": {"velero.io/schedule-name": schedule}},
            "spec": {"includedNamespaces": ["shop"], "storageLocation": "default", **spec},
            "status": {"phase": phase, "startTimestamp": rfc3339(start)},
        },
        Backup,
    )


def copy(of: str, phase: str = "Completed") -> VolumeCopy:
    meta = {"labels": {"velero.io/backup-name": of}, "annotations": {"velero.io/pvc-name": "data-orders-0"}}
    spec = {"pod": {"namespace": "shop", "name": "orders-0"}}
    return msgspec.convert({"metadata": meta, "spec": spec, "status": {"phase": phase}}, VolumeCopy)


def schedule(
    name: str = "hot", cron: str = "0 * * * *", *, tier: str = "", paused: bool = False, **template: Any
) -> Schedule:
    spec = {"includedNamespaces": ["shop"], "defaultVolumesToFsBackup": True, "storageLocation": "default", **template}
    return msgspec.convert(
        {
            "metadata": {"name": name, "labels": {"backup-tier": tier}, "creationTimestamp": rfc3339(START)},
            "spec": {"schedule": cron, "paused": paused, "template": spec},
        },
        Schedule,
    )


def claim(namespace: str = "shop") -> Claim:
    meta = {"name": "data-orders-0", "namespace": namespace}
    return msgspec.convert({"metadata": meta, "status": {"phase": "Bound"}}, Claim)


def place(name: str = "default", phase: str = "Available") -> Location:
    status = {"phase": phase, "lastValidationTime": rfc3339(START), "message": "dial tcp"}
    return msgspec.convert({"metadata": {"name": name}, "status": status}, Location)


CLAIM = msgspec.convert({"metadata": {"name": "data-orders-0", "namespace": "shop"}}, Claim)


def rows(**changes: Any) -> list[WorkloadRow]:
    values: dict[str, Any] = {
        "workloads": [workload()], "claims": [CLAIM], "backups": [backup("b1", 1)], "schedules": [schedule()],
        "locations": [place()], "copies": [copy("b1")], "now": START,
    }  # fmt: skip
    return workload_rows(**{**values, **changes})


def row(**changes: Any) -> WorkloadRow:
    (found,) = rows(**changes)
    return found


def said(found: WorkloadRow) -> str:
    return " | ".join(f"{f.severity}: {f.what}" for f in found.findings)


def test_a_protected_workload_has_a_point_a_next_run_and_nothing_to_say() -> None:
    found = row()
    assert found.newest is not None
    assert found.newest.name == "b1"
    assert (found.next_run, found.next_schedule) == ("2026-06-01T13:00:00Z", "hot")
    assert found.findings == ()
    assert found.last_verdict is Verdict.NOT_TESTED


def test_newer_points_that_do_not_hold_the_volume_are_passed_over() -> None:
    backups = [backup("b1", 3), backup("bare", 2), backup("config", 1, includedResources=["configmaps"])]
    found = row(backups=backups, copies=[copy("b1"), copy("bare", "Failed")])
    assert found.newest is not None
    assert found.newest.name == "b1"
    assert [view.name for view in found.skipped] == ["config", "bare"]


def test_a_row_is_the_same_from_second_to_second() -> None:
    backups = [backup("b1", 3), backup("bare", 2)]
    same = [
        row(backups=backups, copies=[copy("b1"), copy("bare", "Failed")], now=START + timedelta(seconds=seconds))
        for seconds in (1, 59, 61)
    ]
    assert "bare (2h old) was passed over" in said(same[0])
    assert same[0] == same[1]
    assert "bare (2h01m old) was passed over" in said(same[2])


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"backups": []}, "error: no usable point: no backup includes it"),
        ({"schedules": []}, "error: no schedule covers it"),
        ({"schedules": [schedule(includedNamespaces=["other"])]}, "error: no schedule covers it"),
        (
            {"schedules": [schedule(snapshotVolumes=False, defaultVolumesToFsBackup=False)]},
            "volumes are never captured",
        ),
        ({"schedules": [schedule(paused=True)]}, "all its schedules are paused (hot)"),
        ({"schedules": [schedule(cron="0 2 * * 7")]}, "never runs"),
        ({"schedules": [schedule(cron="0 2 * * *", tier="critical")]}, "tier critical promises 4h"),
        ({"locations": [place(phase="Unavailable")]}, "writes to default, which is unavailable"),
        ({"locations": [place(phase="Unavailable")]}, "no usable point: storage location default is unavailable"),
        ({"locations": None}, "no usable point: storage location default could not be read"),
        ({"now": START + timedelta(hours=5)}, "overdue"),
    ],
)
def test_each_finding(changes: dict[str, Any], words: str) -> None:
    assert words in said(row(**changes))


def test_the_tiers_that_can_keep_their_word_are_quiet() -> None:
    assert "promises" not in said(row(schedules=[schedule(cron="0 * * * *", tier="hot")]))


def test_a_deployment_without_volumes_is_content_with_a_config_backup() -> None:
    web = workload("Deployment", "web")
    found = row(workloads=[web], copies=[], schedules=[schedule(snapshotVolumes=False, defaultVolumesToFsBackup=False)])
    assert found.newest is not None
    assert found.findings == ()


def test_a_claim_that_does_not_exist_yet_is_not_asked_for() -> None:
    assert row(claims=[], copies=[]).claims == ()


def test_system_namespaces_and_velero_have_no_rows() -> None:
    assert rows(workloads=[workload(namespace="kube-system"), workload(namespace="velero")]) == []


def operation(
    verdict: Verdict, *, backup: str = "b1", ended: str = "2026-06-01T11:00:00Z", **changes: Any
) -> Operation:
    values: dict[str, Any] = {
        "id": "1", "kind": "velero.restore", "context": "c", "target": "shop", "title": "", "state": OpState.DONE,
        "plan_digest": "", "started": "", "ended": ended, "verdict": verdict, "figures": Figures(rta_seconds=42.0),
        "facts": {"restore.backup": backup, "restore.sources": ["shop"]},
    }  # fmt: skip
    return Operation(**{**values, **changes})


def test_proof_comes_from_restores_with_a_verdict() -> None:
    proofs = proofs_of(
        [operation(Verdict.PASSED), operation(Verdict.FAILED, backup="b0", ended="2026-06-01T11:30:00Z")]
    )
    found = row(proofs=proofs, backups=[backup("b1", 1), backup("b0", 5)], copies=[copy("b1"), copy("b0")])
    assert found.newest_proven is not None
    assert found.newest_proven.name == "b1"
    assert (found.last_verdict, found.rta_seconds) == (Verdict.PASSED, 42.0), "b0, which failed since, is older"
    red = row(proofs=proofs, backups=[backup("b1", 5), backup("b0", 1)], copies=[copy("b1"), copy("b0")])
    assert red.last_verdict is Verdict.FAILED


def test_a_backup_that_has_the_name_of_a_proven_one_is_not_proven() -> None:
    def seen(start: str) -> WorkloadRow:
        proof = Proof("b1", ("shop",), Verdict.PASSED, "2026-06-01T11:00:00Z", start=start)
        return row(proofs=[proof], backups=[backup("b1", 1)], copies=[copy("b1")])

    found = seen(backup("b1", 1).status.start_timestamp or "")
    assert found.newest_proven is not None
    assert seen("2026-01-01T00:00:00Z").newest_proven is None


def test_what_is_open_or_says_nothing_proves_nothing() -> None:
    nothing = [operation(Verdict.NOT_TESTED), operation(Verdict.PASSED, ended=""), operation(Verdict.PASSED, facts={}),
               operation(Verdict.PASSED, kind="velero.backup")]  # fmt: skip
    assert proofs_of(nothing) == []


def test_a_proof_of_another_namespace_is_not_ours() -> None:
    found = row(proofs=[Proof("b1", ("other",), Verdict.PASSED, "2026-06-01T11:00:00Z")])
    assert found.last_verdict is Verdict.NOT_TESTED
    assert found.newest_proven is None


@pytest.mark.parametrize("odd", ["0001-01-01T00:00:00+05:00", "9999-12-31T23:59:59-05:00", "yesterday"])
def test_a_time_that_is_none_keeps_no_row_from_being_made(odd: str) -> None:
    one = backup("odd", 1.0)
    one = msgspec.structs.replace(one, status=msgspec.structs.replace(one.status, start_timestamp=odd, expiration=odd))
    rows = workload_rows(
        workloads=[workload()], claims=[], backups=[one], schedules=[], locations=None, copies=[], now=START,
        proofs=[Proof("odd", ("shop",), Verdict.PASSED, rfc3339(START), start=rfc3339(START))],
    )  # fmt: skip
    assert rows[0].newest is None
    assert "it has no start time" in rows[0].skipped[0].reasons
    assert rows[0].newest_proven is None, "what it is has changed since it was proven"


def test_ten_thousand_backups_without_a_usable_one_do_not_stall_the_engine() -> None:
    backups = [backup(f"b{n}", 1 + n / 60, phase="Failed") for n in range(10_000)]
    began = time.process_time()
    found = row(backups=backups, copies=[])
    assert found.newest is None
    assert len(found.skipped) == 50
    assert time.process_time() - began < 1.5


def test_a_doubtful_point_behind_fifty_useless_ones_is_still_found_and_read() -> None:
    useless = [backup(f"config-{n}", n / 10, includedResources=["configmaps"]) for n in range(60)]
    doubtful = [backup(f"csi-{n}", 24 + n) for n in range(3)]
    args: dict[str, Any] = {
        "workloads": [workload()], "claims": [claim()], "schedules": [schedule()], "locations": [place()], "now": START,
        "backups": [*useless, *doubtful], "copies": [],
    }  # fmt: skip
    [row] = workload_rows(**args)
    assert row.newest is None
    assert [point.name for point in row.skipped[-2:]] == ["config-49", "csi-0"]
    assert worth_reading([row]) == ["csi-0"]
    info = VolumeInfo("data-orders-0", "shop", "pv", "CSISnapshot", result="succeeded")
    [row] = workload_rows(**args, volume_infos={"csi-0": (info,)})
    assert row.newest is not None
    assert row.newest.name == "csi-0"


def test_fifty_namespaces_and_ten_thousand_backups_cost_little_even_when_nothing_is_usable() -> None:
    spaces = [f"ns{n}" for n in range(50)]
    backups = [backup(f"b{n}", n / 60, includedNamespaces=["*"]) for n in range(10_000)]
    args: dict[str, Any] = {
        "workloads": [workload(namespace=space) for space in spaces], "claims": [claim(space) for space in spaces],
        "backups": backups, "schedules": [schedule()], "locations": [place()], "copies": [], "now": START,
    }  # fmt: skip
    began = time.process_time()
    rows = workload_rows(**args)
    assert time.process_time() - began < 2.0, "judging every point for every workload takes ten times as long"
    assert all(row.newest is None and row.skipped[0].name == "b0" for row in rows)


def test_claims_that_may_not_be_listed_are_not_called_absent_and_a_backup_without_their_data_is_not_usable() -> None:
    hidden = frozenset({"persistentvolumeclaims"})
    bare = row(claims=[], copies=[copy("b1", "Failed")], unlisted=hidden)
    assert (bare.claims, bare.newest) == (("data-orders-0",), None)
    assert "warning: whether its volumes exist is not known: claims cannot be listed" in said(bare)
    held = row(claims=[], unlisted=hidden)
    assert held.newest is not None
    assert said(held) == "warning: whether its volumes exist is not known: claims cannot be listed"
    assert row(claims=[], copies=[copy("b1", "Failed")]).claims == (), "listed, and not there: it has none yet"


def test_what_may_not_be_listed_is_not_known_rather_than_absent() -> None:
    found = row(backups=[], unlisted=frozenset({"backups"}))
    assert found.newest is None
    assert (found.listed("backups"), found.listed("schedules")) == (False, True)
    assert said(found) == "error: its recovery points are not known: backups cannot be listed"
    found = row(schedules=[], unlisted=frozenset({"schedules"}))
    assert found.newest is not None
    assert said(found) == "warning: its schedules are not known: they cannot be listed"

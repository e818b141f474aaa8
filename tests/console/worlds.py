"""A cluster as the engine would describe it: shop, its schedules, a day of backups, a location that is silent."""

from __future__ import annotations

from datetime import datetime, timedelta

from lazarus_tui.model.clock import rfc3339
from lazarus_tui.model.objects import (
    Backup,
    BackupSpec,
    BackupStatus,
    Location,
    LocationSpec,
    LocationStatus,
    Meta,
    ObjectStorage,
    Progress,
    Restore,
    RestoreSpec,
    RestoreStatus,
    Schedule,
    ScheduleSpec,
    ScheduleStatus,
)
from lazarus_tui.model.topics import ContextRow, Finding, LogLine, PointView, WorkloadRow
from lazarus_tui.model.verdict import Verdict
from tests.console import sets
from tests.console.deeds import LOG, running_operation
from tests.console.deeds import STEPS as STEPS
from tests.console.deeds import delete_plan as delete_plan
from tests.console.deeds import finished_operation as finished_operation
from tests.console.fake_link import FakeLink
from tests.console.moment import CONTEXT, ago
from tests.console.moment import NOW as NOW


def context(**more: object) -> ContextRow:
    values = {
        "name": CONTEXT,
        "cluster": CONTEXT,
        "server": "https://127.0.0.1:6443",
        "user": "lazarus-admin",
        "state": "ready",
        "cluster_uid": "7f3a9c12-5b1e-4c5e-9a57-1f0a2b3c4d5e",
        "server_version": "v1.31.0",
        "velero": ("velero",),
        "velero_namespace": "velero",
        "velero_version": "1.16.1",
        "current": True,
        "sandbox": True,
        "time_factor": 10.0,
        "write_until": "always",
    }
    return ContextRow(**{**values, **more})


TIERS = (
    ("ka-03-hourly", "0 * * * *", "168h0m0s", "default"),
    ("ka-04-daily", "0 2 * * *", "720h0m0s", "default"),
    ("ka-05-weekly", "30 3 * * 0", "2160h0m0s", "default"),
    ("ka-06-monthly", "0 4 1 * *", "8760h0m0s", "default"),
    ("ka-07-offsite", "*/30 * * * *", "336h0m0s", "dr"),
)


def backup(
    name: str,
    start: str,
    phase: str = "Completed",
    *,
    schedule: str = "",
    location: str = "default",
    errors: int = 0,
    warnings: int = 0,
    snapshots: tuple[int, int] = (1, 1),
    items: int = 42,
    done: int = 42,
) -> Backup:
    open_now = phase in ("InProgress", "New", "Queued")
    return Backup(
        metadata=Meta(
            name=name,
            namespace="velero",
            uid=f"uid-{name}",
            creation_timestamp=start,
            labels={"velero.io/schedule-name": schedule} if schedule else {"owner": "anna"},
        ),
        spec=BackupSpec(included_namespaces=["shop"], storage_location=location, ttl="720h0m0s"),
        status=BackupStatus(
            phase=phase,
            start_timestamp=start,
            completion_timestamp=None if open_now else rfc3339(datetime.fromisoformat(start) + timedelta(seconds=38)),
            expiration=rfc3339(datetime.fromisoformat(start) + timedelta(days=30)),
            progress=Progress(total_items=items, items_backed_up=done),
            errors=errors,
            warnings=warnings,
            csi_volume_snapshots_attempted=snapshots[1],
            csi_volume_snapshots_completed=snapshots[0],
        ),
    )


def backups() -> dict[str, Backup]:
    found = [backup("ka-03-hourly-20261120104100", ago(seconds=70), "InProgress", schedule="ka-03-hourly", done=17)]
    found.append(
        backup(
            "ka-03-hourly-20261120100000",
            ago(minutes=42, seconds=8),
            schedule="ka-03-hourly",
            warnings=2,
            snapshots=(0, 1),
        )
    )
    found.append(backup("ka-07-offsite-20261120093000", ago(minutes=72), schedule="ka-07-offsite", location="dr"))
    found.append(
        backup(
            "ka-03-hourly-20261120090000",
            ago(hours=1, minutes=42),
            "PartiallyFailed",
            schedule="ka-03-hourly",
            errors=1,
            warnings=3,
            snapshots=(0, 1),
        )
    )
    for hours in range(2, 26):
        at = ago(hours=hours, minutes=42, seconds=10)
        stamp = at.replace("-", "").replace(":", "").replace("T", "")[:14]
        found.append(backup(f"ka-03-hourly-{stamp}", at, schedule="ka-03-hourly"))
    found.append(backup("before-the-upgrade", ago(days=2, hours=3), "Failed", errors=4, snapshots=(0, 0)))
    found.append(backup("hand-made-quick", ago(days=3), "FailedValidation", location="offsite", snapshots=(0, 0)))
    return {f"velero/{each.metadata.name}": each for each in found}


def schedules() -> dict[str, Schedule]:
    found = {}
    last = {
        "ka-03-hourly": ago(minutes=42),
        "ka-04-daily": ago(hours=8, minutes=42),
        "ka-05-weekly": ago(days=5),
        "ka-06-monthly": ago(days=19),
        "ka-07-offsite": ago(minutes=72),
    }
    for name, line, ttl, location in TIERS:
        found[f"velero/{name}"] = Schedule(
            metadata=Meta(name=name, namespace="velero", creation_timestamp=ago(days=60)),
            spec=ScheduleSpec(
                schedule=line,
                paused=name == "ka-05-weekly",
                template=BackupSpec(included_namespaces=["shop"], storage_location=location, ttl=ttl),
            ),
            status=ScheduleStatus(phase="Enabled", last_backup=last[name]),
        )
    return found


def restores() -> dict[str, Restore]:
    rows = (
        ("shop-20261120-1039", "InProgress", ago(seconds=95), "ka-07-offsite-20261120093000", {"shop": "shop-test"}),
        ("shop-20261120-1041", "New", None, "ka-03-hourly-20261120080000", None),
        ("shop-20261113-0900", "Completed", ago(days=7), "ka-04-daily-20261113020000", None),
        ("shop-20261101-0900", "PartiallyFailed", ago(days=19), "ka-04-daily-20261101020000", None),
    )
    return {
        f"velero/{name}": Restore(
            metadata=Meta(name=name, namespace="velero", creation_timestamp=start or ago(seconds=20)),
            spec=RestoreSpec(backup_name=source, included_namespaces=["shop"], namespace_mapping=mapping),
            status=RestoreStatus(
                phase=phase,
                start_timestamp=start,
                progress=Progress(total_items=40, items_restored=22),
                warnings=3 if phase == "PartiallyFailed" else 0,
                completion_timestamp=None if phase in ("New", "InProgress") else start,
            ),
        )
        for name, phase, start, source, mapping in rows
    }


def locations() -> dict[str, Location]:
    rows = (
        ("default", "Available", "", True),
        ("dr", "Available", "", False),
        ("offsite", "Unavailable", "dial tcp: lookup minio.velero.svc: no such host", False),
    )
    return {
        f"velero/{name}": Location(
            metadata=Meta(name=name, namespace="velero"),
            spec=LocationSpec(provider="aws", object_storage=ObjectStorage(bucket=name), default=default),
            status=LocationStatus(phase=phase, message=message, last_validation_time=ago(seconds=40)),
        )
        for name, phase, message, default in rows
    }


def overview() -> dict[str, WorkloadRow]:
    point = PointView(
        name="ka-07-offsite-20261120093000",
        kind="velero",
        start=ago(minutes=72, seconds=3),
        usable=True,
        location="dr",
        schedule="ka-07-offsite",
    )
    proven = PointView(
        name="ka-04-daily-20261120020000",
        kind="velero",
        start=ago(hours=8, minutes=42),
        usable=True,
        proven=Verdict.PASSED,
        proven_at=ago(hours=3),
    )
    skipped = (
        PointView(
            name="ka-03-hourly-20261120100000",
            kind="velero",
            start=ago(minutes=42),
            usable=False,
            reasons=("no data of data-orders-0 in it",),
        ),
        PointView(
            name="ka-03-hourly-20261120090000",
            kind="velero",
            start=ago(minutes=102),
            usable=False,
            reasons=("PartiallyFailed: 1 error",),
        ),
    )
    base = {"next_run": rfc3339(NOW + timedelta(minutes=17, seconds=50)), "next_schedule": "ka-03-hourly"}
    orders = WorkloadRow(
        namespace="shop",
        kind="StatefulSet",
        name="orders",
        ready=1,
        desired=1,
        claims=("data-orders-0",),
        newest=point,
        newest_proven=proven,
        skipped=skipped,
        last_verdict=Verdict.PASSED,
        last_verdict_at=ago(hours=3),
        rta_seconds=47.2,
        findings=(
            Finding("warning", "the two newest backups hold no volume data", "look at the node agent: e on the backup"),
        ),
        **base,
    )
    web = WorkloadRow(namespace="shop", kind="Deployment", name="web", ready=1, desired=1, newest=point, **base)
    writer = WorkloadRow(
        namespace="shop",
        kind="Deployment",
        name="writer",
        ready=0,
        desired=1,
        newest=point,
        last_verdict=Verdict.FAILED,
        last_verdict_at=ago(days=2),
        **base,
    )
    lonely = WorkloadRow(
        namespace="intranet", kind="StatefulSet", name="wiki", ready=2, desired=2, claims=("data-wiki-0", "data-wiki-1")
    )
    return {f"{row.namespace}/{row.kind}/{row.name}": row for row in (orders, web, writer, lonely)}


def fill(link: FakeLink, *, running: bool = True) -> FakeLink:
    """The whole world on ``link``."""
    link.put("contexts", {CONTEXT: context()})
    link.put(f"overview/{CONTEXT}", overview())
    link.put(f"backups/{CONTEXT}", backups())
    link.put(f"schedules/{CONTEXT}", schedules())
    link.put(f"restores/{CONTEXT}", restores())
    link.put(f"locations/{CONTEXT}", locations())
    sets.fill(link)
    link.put(f"proofs/{CONTEXT}", {})
    found = [running_operation(), finished_operation()] if running else [finished_operation()]
    link.put("operations", {each.id: each for each in found})
    for each in found:
        lines = {str(n): LogLine(n, ago(seconds=20 - n), text) for n, text in enumerate(LOG, 1)}
        link.put(f"oplog/{each.id}", lines)
    link.answers["context.use"] = context()
    return link

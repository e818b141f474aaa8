"""To which moment a test's recovery point is measured."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec

from lazarus_tui.model.clock import rfc3339
from lazarus_tui.model.objects import Backup, Schedule
from lazarus_tui.model.scope import Wanted
from lazarus_tui.prove import figures
from lazarus_tui.prove.proof.reference import worst_moment
from tests.velero.lab import START

SHOP = Wanted("shop", claims=("data-orders-0",))


def backup(name: str, minutes: float, phase: str = "Completed", **spec: Any) -> Backup:
    start = START + timedelta(minutes=minutes)
    taken = {"includedNamespaces": ["shop"], "defaultVolumesToFsBackup": True, **spec}
    status = {
        "phase": phase, "startTimestamp": rfc3339(start), "completionTimestamp": rfc3339(start + timedelta(minutes=2))
    }  # fmt: skip
    return msgspec.convert({"metadata": {"name": name}, "spec": taken, "status": status}, Backup)


def schedule(cron: str = "0 * * * *", **template: Any) -> Schedule:
    taken = {"includedNamespaces": ["shop"], "defaultVolumesToFsBackup": True, **template}
    meta = {"name": "hourly", "creationTimestamp": rfc3339(START - timedelta(days=1))}
    status = {"lastBackup": rfc3339(START)}
    return msgspec.convert(
        {"metadata": meta, "spec": {"schedule": cron, "template": taken}, "status": status}, Schedule
    )


def test_the_newest_point_has_to_do_until_the_next_one_is_usable() -> None:
    now = START + timedelta(minutes=10)
    found = worst_moment(backup("b", 0), [backup("b", 0)], [schedule()], SHOP, now)
    assert found == {
        "at": "2026-06-01T13:02:00.000000Z", "words": "the moment before the next point of schedule hourly is usable"
    }  # fmt: skip


def test_an_overdue_schedule_gives_no_point_before_now() -> None:
    found = worst_moment(backup("b", 0), [], [schedule()], SHOP, START + timedelta(hours=3))
    assert found is not None
    assert found["at"] == "2026-06-01T15:02:00.000000Z"


def test_an_older_point_has_to_do_until_the_one_after_it() -> None:
    others = [backup("b", 0), backup("later", 60), backup("next", 30), backup("broken", 10, "Failed"),
              backup("config", 5, snapshotVolumes=False, defaultVolumesToFsBackup=False)]  # fmt: skip
    found = worst_moment(backup("b", 0), others, [schedule()], SHOP, START + timedelta(hours=3))
    assert found == {"at": "2026-06-01T12:32:00.000000Z", "words": "the moment before next was usable"}


def test_where_nothing_tells_it_is_measured_to_the_request() -> None:
    assert worst_moment(backup("b", 0), [], [schedule(includedNamespaces=["bank"])], SHOP, START) is None
    facts = {"checks.watermark": "2026-06-01T12:00:00Z", "restore.t4": "2026-06-01T12:10:00Z"}
    found = figures.measure({**facts, "prove.reference": None})
    assert (found.rpa_seconds, found.rpa_definition) == (
        600.0, "from the newest restored data to the restore's request (T4)"
    )  # fmt: skip
    told = {"at": "2026-06-01T13:02:00Z", "words": "the moment before the next point is usable"}
    worst = figures.measure({**facts, "prove.reference": told})
    assert (worst.rpa_seconds, worst.rpa_definition) == (
        3720.0, "from the newest restored data to the moment before the next point is usable"
    )  # fmt: skip

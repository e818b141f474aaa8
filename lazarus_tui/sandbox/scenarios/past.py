"""What happened before the sandbox was started: weeks of backups and a few restores, as plain data.

The newest points are traps on purpose: one lies in a location that does not answer, some are Completed without any
volume data, one is expired. The newest usable point is a finished run of tier-hot.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from lazarus_tui.model import cron
from lazarus_tui.sandbox.velero import durations

# whole: objects and volume bytes · broken: the volume copy failed · skipped: claims without data · none: no claims.
Volumes = Literal["whole", "broken", "skipped", "none"]
RESTARTED = 'found a backup with status "InProgress" during the server starting, mark it as "Failed"'
# A run this young would still be under way.
_SETTLED = timedelta(seconds=45)
_MOST_RUNS = 400
# Which runs of a tier went wrong, counted from the newest one.
_PARTIAL = {"tier-hot": (6, 31, 78), "tier-critical": (11,), "tier-full": (2,)}
_FAILED = {"tier-critical": (4,)}


@dataclass(frozen=True, slots=True)
class PastBackup:
    """One backup as history has it; ``ttl`` in seconds, ``rank`` 0 for the newest of its tier."""

    name: str
    start: datetime
    took: timedelta
    phase: str
    spec: dict[str, Any]
    schedule: str = ""
    labels: tuple[tuple[str, str], ...] = ()
    volumes: Volumes = "whole"
    rank: int = 0

    @property
    def location(self) -> str:
        return str(self.spec["storageLocation"])

    @property
    def expiration(self) -> datetime:
        return self.start + timedelta(seconds=durations.seconds(self.spec["ttl"], 0))

    def token(self, length: int) -> str:
        """Letters and digits that always belong to this backup."""
        return hashlib.sha256(self.name.encode()).hexdigest()[:length]


def past_backups(now: datetime, schedules: Sequence[dict[str, Any]]) -> list[PastBackup]:
    """Everything that is still listed at ``now``, the newest last."""
    found = [*_singles(now)]
    for schedule in schedules:
        found += _runs(schedule, now)
    return sorted(found, key=lambda past: past.start)


def _runs(schedule: dict[str, Any], now: datetime) -> Iterator[PastBackup]:
    name, template = schedule["metadata"]["name"], schedule["spec"]["template"]
    line = cron.parse(schedule["spec"]["schedule"])
    # One run more than the time to live allows: the collector looks only once an hour.
    keep = timedelta(seconds=durations.seconds(template["ttl"], 0)) + timedelta(minutes=30)
    tick = line.previous(now - _SETTLED)
    for rank in range(_MOST_RUNS):
        if tick is None or tick < now - keep:
            return
        start = tick + timedelta(seconds=3 + 11 * (len(name) % 3) + rank * 7 % 9)
        volumes: Volumes = "none" if name == "tier-config" else "whole"
        phase = "Completed"
        if rank in _PARTIAL.get(name, ()):
            phase, volumes = "PartiallyFailed", "broken"
        elif rank in _FAILED.get(name, ()):
            phase = "Failed"
        labels = tuple(sorted((schedule["metadata"].get("labels") or {}).items()))
        took = timedelta(seconds=4 + (rank * 5 + len(name)) % 13)
        yield PastBackup(f"{name}-{start:%Y%m%d%H%M%S}", start, took, phase, template, name, labels, volumes, rank)
        tick = line.previous(tick)


def _singles(now: datetime) -> Iterator[PastBackup]:
    """Backups people made by hand."""
    whole = {"includedNamespaces": ["shop"], "defaultVolumesToFsBackup": True, "ttl": "720h0m0s"}
    bare = {"includedNamespaces": ["shop"], "defaultVolumesToFsBackup": False, "ttl": "720h0m0s"}
    for title, age, spec, location, volumes in (
        ("emergency", timedelta(minutes=3), whole, "offsite", "whole"),
        ("before-upgrade", timedelta(minutes=2), bare, "default", "skipped"),
        ("before-migration", timedelta(days=9, hours=3), bare, "default", "skipped"),
        ("office-copy", timedelta(days=5, hours=2), whole, "offsite", "whole"),
        ("office-copy", timedelta(days=34), whole, "offsite", "whole"),
        ("office-copy", timedelta(days=41), whole, "offsite", "whole"),
        ("short-lived", timedelta(hours=4, minutes=20), {**whole, "ttl": "4h0m0s"}, "default", "whole"),
    ):
        start = (now - age).replace(microsecond=0)
        yield PastBackup(
            name=f"{title}-{start:%Y%m%d%H%M%S}",
            start=start,
            took=timedelta(seconds=9),
            phase="Completed",
            spec={**spec, "storageLocation": location},
            volumes=volumes,  # type: ignore[arg-type]
            rank=99,
        )


@dataclass(frozen=True, slots=True)
class PastRestore:
    name: str
    backup: str
    start: datetime
    took: timedelta
    phase: str
    mapping: tuple[tuple[str, str], ...] = ()
    errors: tuple[str, ...] = ()


def past_restores(backups: Sequence[PastBackup]) -> list[PastRestore]:
    """Three restores of older points: one good, one with errors, one that was refused."""
    critical = [past for past in backups if past.schedule == "tier-critical" and past.phase == "Completed"]
    broken = [past for past in backups if past.schedule == "tier-critical" and past.phase == "PartiallyFailed"]
    if len(critical) < 10:
        return []
    hours = timedelta(hours=5, minutes=12)
    good, bad = critical[-9], (broken or critical)[-1]
    aside = (("shop", "shop-check"),)
    error = "pod volume restore failed: data path restore failed: no space left on device"
    found = [
        (good, "Completed", timedelta(seconds=41), aside, ()),
        (bad, "PartiallyFailed", timedelta(seconds=73), aside, (error,)),
        (critical[-3], "FailedValidation", timedelta(0), (), ()),
    ]
    return [
        PastRestore(
            f"{of.name}-{of.start + hours:%Y%m%d%H%M%S}", of.name, of.start + hours, took, phase, mapping, errors
        )
        for of, phase, took, mapping, errors in found
    ]

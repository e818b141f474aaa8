"""Which claims a backup is expected to hold, and the verdict on what it really holds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from lazarus_tui.kube.errors import Forbidden, NotFound
from lazarus_tui.model.objects import BackupSpec, Claim, VolumeCopy
from lazarus_tui.model.quantities import size
from lazarus_tui.model.resources import CLAIMS, DATA_UPLOADS, POD_VOLUME_BACKUPS, Resource
from lazarus_tui.model.schedules import wants_volumes
from lazarus_tui.model.scope import selects, takes_namespace
from lazarus_tui.model.steps import Reader
from lazarus_tui.model.volumes import Coverage, Held
from lazarus_tui.velero import names

EXCLUDE_LABEL = "velero.io/exclude-from-backup"


async def expected_claims(reader: Reader, spec: BackupSpec) -> list[str]:
    """Bound claims (``namespace/name``) that the backup's own filters take in."""
    if not wants_volumes(spec):
        return []
    included = spec.included_namespaces or []
    plain = included and not any(set(name) & set("*?[") for name in included)
    spaces: list[str | None] = list(included) if plain else [None]
    found: list[str] = []
    for space in spaces:
        for claim in await reader.list(CLAIMS, space, type=Claim):
            meta = claim.metadata
            if claim.status.phase == "Bound" and takes_namespace(spec, meta.namespace) and _selected(spec, claim):
                found.append(f"{meta.namespace}/{meta.name}")
    return sorted(found)


def _selected(spec: BackupSpec, claim: Claim) -> bool:
    labels = claim.metadata.labels or {}
    if labels.get(EXCLUDE_LABEL) == "true":
        return False
    selectors = [spec.label_selector] if spec.label_selector else list(spec.or_label_selectors or ())
    if not selectors:
        return True
    return any(selects(selector, labels) is not False for selector in selectors)


async def copies_of(reader: Reader, velero: str, label: str, uid: str, *kinds: Resource) -> list[VolumeCopy]:
    """Volume copies that carry ``label=uid``."""
    return await listed_copies(reader, velero, *kinds, selector=f"{label}={uid}")


async def listed_copies(reader: Reader, velero: str, *kinds: Resource, selector: str = "") -> list[VolumeCopy]:
    """Volume copies of these kinds; a kind that is not served, or hidden from us, has none."""
    found: list[VolumeCopy] = []
    for kind in kinds:
        try:
            found += await reader.list(kind, velero, type=VolumeCopy, label_selector=selector)
        except (Forbidden, NotFound):
            continue
    return found


async def backup_copies(reader: Reader, velero: str, uid: str) -> list[VolumeCopy]:
    return await copies_of(reader, velero, names.BACKUP_UID_LABEL, uid, POD_VOLUME_BACKUPS, DATA_UPLOADS)


@dataclass(frozen=True, slots=True)
class VolumeReport:
    """What was found for the expected claims."""

    captured: tuple[str, ...]
    missing: tuple[str, ...]  # "claim: reason"
    unknown: tuple[str, ...]
    size: int

    def facts(self) -> dict[str, Any]:
        return {
            "backup.volumes": list(self.captured),
            "backup.missing": list(self.missing),
            "backup.unknown": list(self.unknown),
            "backup.bytes": self.size,
        }

    def words(self) -> str:
        total = len(self.captured) + len(self.missing) + len(self.unknown)
        if not total:
            return "no volumes expected"
        if self.missing:
            return f"{len(self.missing)} of {total} volumes have NO data in this backup: {'; '.join(self.missing[:3])}"
        if self.unknown:
            return f"{len(self.unknown)} of {total} volumes cannot be verified: {'; '.join(self.unknown[:3])}"
        return f"{total} of {total} volumes captured, {size(self.size)}"


def verify(expected: Iterable[str], coverage: Coverage) -> VolumeReport:
    captured, missing, unknown, total = [], [], [], 0
    for key in expected:
        namespace, _, claim = key.partition("/")
        volume = coverage.of(namespace, claim)
        if volume.held is Held.CAPTURED:
            captured.append(key)
            total += volume.size or 0
        elif volume.held is Held.ABSENT:
            missing.append(f"{key}: {volume.reason}")
        else:
            unknown.append(f"{key}: {volume.reason}")
    return VolumeReport(tuple(captured), tuple(missing), tuple(unknown), total)


def coverage_json(coverage: Coverage) -> list[Mapping[str, Any]]:
    """The coverage as plain data for the journal and the evidence."""
    return [
        {
            "claim": volume.claim,
            "held": str(volume.held),
            "method": volume.method,
            "bytes": volume.size,
            "reason": volume.reason,
        }
        for volume in sorted(coverage.volumes.values(), key=lambda volume: volume.claim)
    ]

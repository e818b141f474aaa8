"""What a Restore leaves out, and what that means for the data of volumes (pkg/restore of Velero 1.9 to 1.18)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from lazarus_tui.model.counting import how_many
from lazarus_tui.model.objects import Backup
from lazarus_tui.model.plan import PlanRefused
from lazarus_tui.model.volumes import Coverage, Held, HeldVolume

# Kinds under the names that people and Velero's discovery know them by.
_NAMES = {
    "pods": {"pods", "pod", "po"},
    "persistentvolumes": {"persistentvolumes", "persistentvolume", "pv"},
    "persistentvolumeclaims": {"persistentvolumeclaims", "persistentvolumeclaim", "pvc"},
}
WITH_THEIR_DATA = "restore volumes with their data; or leave out persistentvolumes and persistentvolumeclaims, too"


def leaves_out(spec: Mapping[str, Any], kind: str) -> bool:
    """Whether ``excludedResources`` names this kind of the core group, by its plural."""
    return bool(_NAMES[kind] & {str(name).partition(".")[0].lower() for name in spec.get("excludedResources") or ()})


def stays_empty(spec: Mapping[str, Any], volume: HeldVolume) -> bool:
    """``restorePVs: false`` is about snapshots alone; what was copied by files comes with its pod."""
    return leaves_out(spec, "pods") if volume.by_files else spec.get("restorePVs") is False


def emptied(
    spec: Mapping[str, Any], volumes: Iterable[HeldVolume], pods: Iterable[str]
) -> tuple[dict[str, Any], list[str]]:
    """The spec that keeps the data of every volume out where ``restorePVs`` is false, and what that means besides.

    ``pods``: those of which the backup holds files of other volumes than claims (``Coverage.pods``).
    """
    filled = [*_by_files(volumes), *(f"pod {name}" for name in sorted(pods))]
    if spec.get("restorePVs") is not False or not filled or leaves_out(spec, "pods"):
        return dict(spec), []
    words = "pods stay out, and their workloads make new ones (those of no workload do not come back)"
    left_out = [*(spec.get("excludedResources") or ()), "pods"]
    return {**spec, "excludedResources": left_out}, [f"{words}: Velero would fill volumes of {', '.join(filled)}"]


def refuse_waiting(spec: Mapping[str, Any], volumes: Iterable[HeldVolume], pods: Iterable[str]) -> None:
    """Raises ``PlanRefused`` where pods would wait for ever for volumes that Velero does not fill then. ``pods``: as
    for ``emptied``."""
    kinds = [kind for kind in ("persistentvolumes", "persistentvolumeclaims") if leaves_out(spec, kind)]
    names, pods = _by_files(volumes), sorted(pods)
    if kinds and (names or pods) and not leaves_out(spec, "pods"):
        who = [f"the pods of {', '.join(names)}"] if names else []
        who += [f"{'pods' if len(pods) > 1 else 'pod'} {', '.join(pods)}"] if pods else []
        raise PlanRefused(
            f"without {' and '.join(kinds)} Velero fills no volume by files, and {' and '.join(who)} would "
            "wait for ever",
            where="exclude_resources",
            hint="leave out pods, too: the volumes stay empty; or leave out neither",
        )


def on_originals(spec: Mapping[str, Any], volumes: Iterable[HeldVolume]) -> list[str]:
    """Claims that would be bound to the disks of the original.

    Where ``restorePVs`` is false, Velero restores the PersistentVolume of a native snapshot as it was, under another
    name if its own is taken, and binds it to the restored claim (pkg/restore/pv_restorer.go): a copy would write to the
    original's disk, and removing the copy would delete it.
    """
    if not _brings_disks(spec):
        return []
    return sorted(one.claim for one in volumes if one.method.startswith("NativeSnapshot"))


def maybe_on_originals(spec: Mapping[str, Any], held: Coverage, backup: Backup) -> str:
    """Why claims may be bound to disks of the original where the volume list was not read; "" where none can be.

    The backup's status counts its native snapshots (pkg/controller/backup_controller.go).
    """
    count = backup.status.volume_snapshots_attempted
    if held.complete or not count or not _brings_disks(spec):
        return ""
    many = how_many(count, "native snapshot")
    return f"the backup has {many}, and without their data Velero brings volumes back on the ORIGINAL disks"


def _brings_disks(spec: Mapping[str, Any]) -> bool:
    left_out = leaves_out(spec, "persistentvolumes") or spec.get("includeClusterResources") is False
    return spec.get("restorePVs") is False and not left_out


def refuse_originals(spec: Mapping[str, Any], volumes: Iterable[HeldVolume]) -> None:
    """Raises ``PlanRefused`` where claims would be bound to the disks of the original."""
    if names := on_originals(spec, volumes):
        raise PlanRefused(
            f"without the data of volumes Velero would bring {', '.join(names)} back on the ORIGINAL disks",
            where="restore_volumes",
            hint=WITH_THEIR_DATA,
        )


def _by_files(volumes: Iterable[HeldVolume]) -> list[str]:
    return sorted(one.claim for one in volumes if one.by_files and one.held is not Held.ABSENT)

"""What a Restore leaves out, and what that means for the data of volumes (pkg/restore of Velero 1.9 to 1.18)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from lazarus_tui.model.plan import PlanRefused
from lazarus_tui.model.volumes import Held, HeldVolume

# Kinds under the names that people and Velero's discovery know them by.
_NAMES = {
    "pods": {"pods", "pod", "po"},
    "persistentvolumes": {"persistentvolumes", "persistentvolume", "pv"},
    "persistentvolumeclaims": {"persistentvolumeclaims", "persistentvolumeclaim", "pvc"},
}


def leaves_out(spec: Mapping[str, Any], kind: str) -> bool:
    """Whether ``excludedResources`` names this kind of the core group, by its plural."""
    return bool(_NAMES[kind] & {str(name).partition(".")[0].lower() for name in spec.get("excludedResources") or ()})


def stays_empty(spec: Mapping[str, Any], volume: HeldVolume) -> bool:
    """``restorePVs: false`` is about snapshots alone; what was copied by files comes with its pod."""
    return leaves_out(spec, "pods") if volume.by_files else spec.get("restorePVs") is False


def emptied(spec: Mapping[str, Any], volumes: Iterable[HeldVolume]) -> tuple[dict[str, Any], list[str]]:
    """The spec that keeps the data of every volume out where ``restorePVs`` is false, and what that means besides."""
    names = sorted(one.claim for one in volumes if one.by_files and one.held is not Held.ABSENT)
    if spec.get("restorePVs") is not False or not names or leaves_out(spec, "pods"):
        return dict(spec), []
    words = "pods stay out, and their workloads make new ones (those of no workload do not come back)"
    left_out = [*(spec.get("excludedResources") or ()), "pods"]
    return {**spec, "excludedResources": left_out}, [f"{words}: Velero would fill volumes of {', '.join(names)}"]


def refuse_waiting(spec: Mapping[str, Any], volumes: Iterable[HeldVolume]) -> None:
    """Raises ``PlanRefused`` where pods would wait for ever for volumes that Velero does not fill then."""
    kinds = [kind for kind in ("persistentvolumes", "persistentvolumeclaims") if leaves_out(spec, kind)]
    names = sorted(one.claim for one in volumes if one.by_files and one.held is not Held.ABSENT)
    if kinds and names and not leaves_out(spec, "pods"):
        raise PlanRefused(
            f"without {' and '.join(kinds)} Velero fills no volume by files, and the pods of {', '.join(names)} would "
            "wait for ever",
            where="exclude_resources",
            hint="leave out pods, too: the volumes stay empty; or leave out neither",
        )

"""Volumes and what starts before they were looked at (S9)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from lazarus_tui.model.volumes import Held
from lazarus_tui.prove.places import identity
from lazarus_tui.prove.points import NATIVE, Contents, Item, PointVolume
from lazarus_tui.prove.rules import podspecs
from lazarus_tui.prove.rules.finding import Finding, Rule, Scene, Verb
from lazarus_tui.prove.rules.patching import at, nested, pointer

CLAIMS, PERSISTENT = "persistentvolumeclaims", "persistentvolumes"
# Parts of a pod spec that hold no data of their own, or whose data the copy has anyway.
_HARMLESS = frozenset({
    "name", "persistentVolumeClaim", "configMap", "secret", "projected", "downwardAPI", "emptyDir", "ephemeral",
    "image",
})  # fmt: skip


def _inline(item: Item, scene: Scene) -> Iterable[Finding]:
    """hostPath, nfs, inline CSI …: bytes that no backup took, and that are those of the original."""
    path = podspecs.spec_path(item)
    pod = at(item.body, path)
    found = [
        (one["name"], sorted(set(one) - _HARMLESS))
        for one in (pod.get("volumes") or () if isinstance(pod, Mapping) else ())
        if isinstance(one, Mapping) and one.get("name") and set(one) - _HARMLESS
    ]
    if found:
        patch = [{"name": name, "emptyDir": {}, **dict.fromkeys(kinds)} for name, kinds in found]
        words = ", ".join(f"{name} ({kinds[0]})" for name, kinds in found)
        expects = tuple(
            (pointer((*path, "volumes", f"name={name}", kind)), None) for name, kinds in found for kind in kinds
        )
        yield Finding(Verb.EMPTY, f"volume {words} is the original's own and in no backup: it starts empty",
                      nested(path, {"volumes": patch}), strategic=True, expects=expects)  # fmt: skip


def _claim(item: Item, scene: Scene) -> Iterable[Finding]:
    """A claim is bound to a volume made for it, never by name to one of the original."""
    volume = volume_of(scene.contents, item.name)
    if volume.held is not Held.CAPTURED:
        state = "no data" if volume.held is Held.ABSENT else "perhaps no data"
        yield Finding(Verb.EMPTY, f"{state} in this point: {volume.reason}")
    if scene.contents.kind == "velero" and not scene.native and item.spec.get("volumeName"):
        yield Finding(
            Verb.CHANGE, "bound to a new volume, never by name to the original's", {"spec": {"volumeName": None}}
        )
    if volume.by_files and (item.spec.get("dataSource") or item.spec.get("dataSourceRef")):
        patch = {"spec": {"dataSource": None, "dataSourceRef": None}}
        yield Finding(Verb.CHANGE, "filled from the backup, not from what it was once made from", patch)


def volume_of(contents: Contents, claim: str) -> PointVolume:
    """What the point holds of a claim that is among its objects."""
    found = next((one for one in contents.volumes if one.claim == claim), None)
    return found or PointVolume(claim, Held.UNKNOWN, "nothing says whether its data was taken")


def _persistent(item: Item, scene: Scene) -> Iterable[Finding]:
    claim = str((item.spec.get("claimRef") or {}).get("name") or "")
    volume = volume_of(scene.contents, claim)
    captured = volume.held is Held.CAPTURED
    if not scene.listed or (captured and volume.method != NATIVE):
        yield Finding(Verb.SKIP, "every claim gets a volume of its own")
    elif not captured and item.spec.get("persistentVolumeReclaimPolicy") != "Delete":
        where = identity(item.spec) or "storage"
        yield Finding(
            Verb.BLOCK, f"without captured data and kept ({where}) it would be restored pointing at the ORIGINAL"
        )


def _held(item: Item, scene: Scene) -> Iterable[Finding]:
    """Workloads start after the look at what was restored; see ``Ruling.held``."""
    name = f"{item.kind}/{item.name}" if item.resource in podspecs.SCALED else "/".join(item.owner)
    if item.resource == "pods":
        if item.name in scene.parked and podspecs.PARK not in (item.spec.get("nodeSelector") or {}):
            patch: dict[str, Any] = {"spec": {"nodeSelector": {podspecs.PARK: "true"}}}
            yield Finding(Verb.SUSPEND, "it waits: its workload starts after the look at the volumes", patch)
    elif name in scene.held and item.spec.get("replicas") != 0:
        yield Finding(Verb.SUSPEND, "at zero until everything restored was looked at", {"spec": {"replicas": 0}},
                      expects=(("/spec/replicas", 0),))  # fmt: skip


def _kept(item: Item, scene: Scene) -> Iterable[Finding]:
    policy = item.spec.get("persistentVolumeClaimRetentionPolicy") or {}
    if "Delete" in policy.values():
        patch = {"spec": {"persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Retain", "whenScaled": "Retain"}}}
        expects = (("/spec/persistentVolumeClaimRetentionPolicy/whenScaled", "Retain"),)
        yield Finding(Verb.CHANGE, "its claims stay when it is scaled", patch, expects=expects)


def _derived(item: Item, scene: Scene) -> Iterable[Finding]:
    if not scene.pods:
        yield Finding(Verb.SKIP, "made again by its workload when that is released")


_MADE_AGAIN = ("pods", "replicasets.apps", "controllerrevisions.apps")
RULES = (
    Rule("S9", "volumes inside pods", podspecs.RESOURCES, _inline, stern=True),
    Rule("S9", "claims", (CLAIMS,), _claim, stern=True),
    Rule("S9", "volumes of the original", (PERSISTENT,), _persistent, stern=True),
    Rule("S9", "claims of a set at zero", ("statefulsets.apps",), _kept, stern=True),
    Rule("S9", "what a workload makes by itself", _MADE_AGAIN, _derived, stern=True),
    Rule("S9", "released after the look", (*podspecs.SCALED, "replicasets.apps", "pods"), _held, stern=True),
)  # fmt: skip

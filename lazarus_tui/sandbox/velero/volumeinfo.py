"""The artefacts that say what a run held: volume infos and resource lists, with Velero's field names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from lazarus_tui.model.resources import CLAIMS, VOLUMES
from lazarus_tui.sandbox.velero.installation import Json, meta
from lazarus_tui.sandbox.velero.layout import Item

METHOD = "PodVolumeBackup"


def backup_volume_infos(
    items: Iterable[Item], copies: Iterable[Json], skipped: Mapping[tuple[str, str], str]
) -> list[Json]:
    """One element per claim in the backup and one per copied volume without a claim."""
    items = list(items)
    volumes = {item.name: item.body for item in items if item.group_resource == VOLUMES.group_resource}
    by_claim: dict[tuple[str, str], Json] = {}
    infos = []
    for copy in copies:
        claim = meta(copy, "annotations").get("velero.io/pvc-name", "")
        if claim:
            by_claim[(copy["spec"]["pod"]["namespace"], claim)] = copy
        else:
            infos.append(_copied(copy))
    for item in items:
        if item.group_resource != CLAIMS.group_resource:
            continue
        named = _named(item, volumes)
        found = by_claim.get((item.namespace, item.name))
        if found is not None:
            infos.append(named | _copied(found))
        else:
            why = skipped.get((item.namespace, item.name), "volumeSnapshot: no applicable volumesnapshotter found")
            infos.append(named | _base() | {"skipped": True, "skippedReason": why})
    return infos


def _base() -> Json:
    return {"backupMethod": "", "snapshotDataMoved": False, "preserveLocalSnapshot": False, "skipped": False}


def _named(item: Item, volumes: Mapping[str, Json]) -> Json:
    name = (item.body.get("spec") or {}).get("volumeName", "")
    volume = volumes.get(name) or {}
    policy = (volume.get("spec") or {}).get("persistentVolumeReclaimPolicy", "")
    return {
        "pvcName": item.name,
        "pvcNamespace": item.namespace,
        "pvName": name,
        "pvInfo": {"reclaimPolicy": policy, "labels": meta(volume, "labels")},
    }


def _copied(copy: Json) -> Json:
    spec, status = copy["spec"], copy.get("status") or {}
    good = status.get("phase") == "Completed"
    return _base() | {
        "backupMethod": METHOD,
        "startTimestamp": status.get("startTimestamp"),
        "completionTimestamp": status.get("completionTimestamp"),
        "result": "succeeded" if good else "failed",
        "pvbInfo": {
            "snapshotHandle": status.get("snapshotID", ""),
            "size": int((status.get("progress") or {}).get("totalBytes", 0)),
            "incrementalSize": int(status.get("incrementalBytes", 0)),
            "uploaderType": spec.get("uploaderType", ""),
            "volumeName": spec["volume"],
            "podName": spec["pod"]["name"],
            "podNamespace": spec["pod"]["namespace"],
            "nodeName": spec.get("node", ""),
            "Phase": status.get("phase", ""),
        },
    }


def restore_volume_infos(restores: Iterable[Json], claims: Mapping[str, tuple[str, str]]) -> list[Json]:
    """Elements for finished PodVolumeRestores; ``claims`` maps their names to (claim, volume) where there is one."""
    infos = []
    for restore in restores:
        spec, status = restore["spec"], restore.get("status") or {}
        claim, volume = claims.get(restore["metadata"]["name"], ("", ""))
        infos.append(
            {
                "pvcName": claim,
                "pvcNamespace": spec["pod"]["namespace"] if claim else "",
                "pvName": volume,
                "restoreMethod": "PodVolumeRestore",
                "snapshotDataMoved": False,
                "pvrInfo": {
                    "snapshotHandle": spec.get("snapshotID", ""),
                    "size": int((status.get("progress") or {}).get("totalBytes", 0)),
                    "uploaderType": spec.get("uploaderType", ""),
                    "volumeName": spec["volume"],
                    "podName": spec["pod"]["name"],
                    "podNamespace": spec["pod"]["namespace"],
                    "nodeName": status.get("node", ""),
                },
            }
        )
    return infos


def kind_key(body: Mapping[str, Any]) -> str:
    return f"{body.get('apiVersion', 'v1')}/{body.get('kind', '')}"


def resource_list(items: Iterable[Item]) -> dict[str, list[str]]:
    """``{"v1/Pod": ["namespace/name"]}``."""
    listed: dict[str, list[str]] = {}
    for item in items:
        name = f"{item.namespace}/{item.name}" if item.namespace else item.name
        listed.setdefault(kind_key(item.body), []).append(name)
    return {key: sorted(names) for key, names in sorted(listed.items())}

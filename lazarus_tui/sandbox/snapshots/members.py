"""The single snapshots of a group: found by their owner, made from what the group's content says of each volume."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lazarus_tui.model.resources import VOLUMES
from lazarus_tui.sandbox.snapshots.marks import Unfinished, status, write_status
from lazarus_tui.sandbox.snapshots.names import (
    CONTENTS,
    GROUP_HANDLE,
    GROUP_OF_GROUPS,
    GROUP_SNAPSHOTS,
    MEMBER_FINALIZER,
    SNAPSHOTS,
    member_names,
)

if TYPE_CHECKING:
    from lazarus_tui.sandbox.api.local import LocalApi

Object = dict[str, Any]


def parent_name(snapshot: Object) -> str:
    """The group that owns the snapshot, or ``""``."""
    owners = snapshot["metadata"].get("ownerReferences") or ()
    return next((str(one["name"]) for one in owners if one["kind"] == GROUP_SNAPSHOTS.kind), "")


def owner_of_members(group: Object) -> Object:
    meta = group["metadata"]
    version = f"{GROUP_OF_GROUPS}/v1"
    return {"apiVersion": version, "kind": GROUP_SNAPSHOTS.kind, "name": meta["name"], "uid": meta["uid"]}


def members(api: LocalApi, group: Object) -> list[Object]:
    meta = group["metadata"]
    return [one for one in api.list(SNAPSHOTS, meta["namespace"]) if parent_name(one) == meta["name"]]


def make_members(api: LocalApi, group: Object, content: Object) -> None:
    """Creates what is missing of the members once storage has cut the group. Members have no class."""
    told = status(content)
    if not told.get("volumeGroupSnapshotHandle"):
        return
    for info in told.get("volumeSnapshotInfoList") or ():
        _make_member(api, group, content, info)


def _make_member(api: LocalApi, group: Object, content: Object, info: Object) -> None:
    namespace = group["metadata"]["namespace"]
    name, content_name = member_names(group["metadata"]["uid"], info["volumeHandle"])
    volume = _volume(api, content["spec"]["driver"], info["volumeHandle"])
    made = api.get(CONTENTS, content_name) or api.create(
        CONTENTS, _content(group, content, info["volumeHandle"], volume)
    )
    snapshot = api.get(SNAPSHOTS, name, namespace) or api.create(SNAPSHOTS, _snapshot(group, name, volume), namespace)
    reference = made["spec"]["volumeSnapshotRef"]
    if not reference.get("uid"):
        bound = {"volumeSnapshotRef": reference | {"uid": snapshot["metadata"]["uid"]}}
        made = api.patch(CONTENTS, content_name, {"spec": bound})
    if not status(snapshot).get("boundVolumeSnapshotContentName"):
        write_status(api, SNAPSHOTS, snapshot, {"boundVolumeSnapshotContentName": content_name})
    if not status(made).get("snapshotHandle"):
        fields = {
            "snapshotHandle": info["snapshotHandle"],
            "volumeGroupSnapshotHandle": status(content)["volumeGroupSnapshotHandle"],
            "creationTime": info["creationTime"],
            "restoreSize": info["restoreSize"],
            "readyToUse": info["readyToUse"],
        }
        write_status(api, CONTENTS, made, fields)


def _content(group: Object, content: Object, handle: str, volume: Object | None) -> Object:
    name, content_name = member_names(group["metadata"]["uid"], handle)
    spec: Object = {
        "volumeSnapshotRef": {"kind": SNAPSHOTS.kind, "name": name, "namespace": group["metadata"]["namespace"]},
        "deletionPolicy": content["spec"]["deletionPolicy"],
        "driver": content["spec"]["driver"],
        "source": {"volumeHandle": handle},
    }
    if volume is not None:
        spec["sourceVolumeMode"] = volume["spec"].get("volumeMode", "Filesystem")
    marks = {GROUP_HANDLE: status(content)["volumeGroupSnapshotHandle"]}
    return {"metadata": {"name": content_name, "annotations": marks}, "spec": spec}


def _snapshot(group: Object, name: str, volume: Object | None) -> Object:
    claim = ((volume or {"spec": {}})["spec"].get("claimRef") or {}).get("name", "")
    meta = {"name": name, "ownerReferences": [owner_of_members(group)], "finalizers": [MEMBER_FINALIZER]}
    return {"metadata": meta, "spec": {"source": {"persistentVolumeClaimName": claim}}}


def _volume(api: LocalApi, driver: str, handle: str) -> Object | None:
    for volume in api.list(VOLUMES):
        csi = volume["spec"].get("csi") or {}
        if (csi.get("driver"), csi.get("volumeHandle")) == (driver, handle):
            return volume
    return None


def add_owner(api: LocalApi, snapshot: Object) -> None:
    """A snapshot that was imported as a member belongs to its group from now on; raises ``Unfinished`` without it."""
    name = status(snapshot).get("volumeGroupSnapshotName")
    if not name or parent_name(snapshot):
        return
    meta = snapshot["metadata"]
    group = api.get(GROUP_SNAPSHOTS, name, meta["namespace"])
    if group is None:
        raise Unfinished(f'{GROUP_SNAPSHOTS.group_resource} "{name}" not found')
    owners = [*(meta.get("ownerReferences") or ()), owner_of_members(group)]
    api.patch(SNAPSHOTS, meta["name"], {"metadata": {"uid": meta["uid"], "ownerReferences": owners}}, meta["namespace"])

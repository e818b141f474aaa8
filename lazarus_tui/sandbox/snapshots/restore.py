"""What a claim is to be filled from: a snapshot, another claim, or nothing; and what stands against it.

Rules and texts: external-provisioner 6.x, ``pkg/controller/controller.go``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lazarus_tui.model.resources import CLAIMS, VOLUMES, Resource
from lazarus_tui.sandbox.controllers.quantities import quantity
from lazarus_tui.sandbox.snapshots.marks import add_finalizers, finalizers, marks_of, remove_finalizers, status
from lazarus_tui.sandbox.snapshots.names import (
    ALLOW_MODE_CHANGE,
    CLONE_FINALIZER,
    CONTENTS,
    RESTORE_FINALIZER,
    SNAPSHOTS,
)

if TYPE_CHECKING:
    from lazarus_tui.sandbox.api.local import LocalApi

Object = dict[str, Any]


class NotProvisionable(Exception):
    """The claim gets no volume now; the text is the provisioner's."""


class NotOurs(Exception):
    """A data source that some other populator has to take care of."""


@dataclass(frozen=True, slots=True)
class Filling:
    """``handle`` is the storage snapshot's, or for a claim its volume's; ``obj`` is held by a finalizer meanwhile."""

    resource: Resource
    obj: Object
    handle: str

    @property
    def finalizer(self) -> str:
        return RESTORE_FINALIZER if self.resource == SNAPSHOTS else CLONE_FINALIZER


def find_filling(api: LocalApi, claim: Object, storage: Object) -> Filling | None:
    """What the claim is to be filled from, None for an empty volume; raises ``NotProvisionable`` and ``NotOurs``."""
    spec = claim["spec"]
    if (spec.get("dataSourceRef") or {}).get("namespace") and not spec.get("dataSource"):
        feature = "the CrossNamespaceVolumeDataSource feature is disabled"
        raise NotProvisionable(f"dataSourceRef namespace specified but {feature}")
    source = spec.get("dataSource") or spec.get("dataSourceRef")
    if not source:
        return None
    kind, name, group = source.get("kind", ""), source.get("name", ""), source.get("apiGroup") or ""
    if not name:
        raise NotProvisionable(f"the PVC source not found for PVC {claim['metadata']['name']}")
    if kind == SNAPSHOTS.kind and group != SNAPSHOTS.group:
        text = f"Expected {SNAPSHOTS.group}, Got {group}"
        raise NotProvisionable(f"the PVC source does not belong to the right APIGroup. {text}")
    if kind not in (SNAPSHOTS.kind, CLAIMS.kind):
        raise NotOurs(kind)
    if spec.get("selector"):
        raise NotProvisionable("claim Selector is not supported")
    try:
        return (
            _of_snapshot(api, claim, storage, name) if kind == SNAPSHOTS.kind else _of_claim(api, claim, storage, name)
        )
    except NotProvisionable as fault:
        text = f"error getting handle for DataSource Type {kind} by Name {name}: {fault}"
        raise NotProvisionable(text) from fault


def hold(api: LocalApi, filling: Filling) -> None:
    """Keeps the source until the claim has its data."""
    add_finalizers(api, filling.resource, filling.obj, filling.finalizer)


def release(api: LocalApi, filling: Filling) -> None:
    meta = filling.obj["metadata"]
    found = api.get(filling.resource, meta["name"], meta["namespace"])
    if found is not None and found["metadata"]["uid"] == meta["uid"]:
        remove_finalizers(api, filling.resource, found, filling.finalizer)


def release_left_behind(api: LocalApi) -> None:
    """Takes away holds whose provisioning a crash ended; one that goes on sets its hold again."""
    for resource, finalizer in ((SNAPSHOTS, RESTORE_FINALIZER), (CLAIMS, CLONE_FINALIZER)):
        for obj in api.list(resource):
            if finalizer in finalizers(obj):
                remove_finalizers(api, resource, obj, finalizer)


def _of_snapshot(api: LocalApi, claim: Object, storage: Object, name: str) -> Filling:
    namespace = claim["metadata"]["namespace"]
    snapshot = api.get(SNAPSHOTS, name, namespace)
    if snapshot is None:
        missing = f'{SNAPSHOTS.group_resource} "{name}" not found'
        raise NotProvisionable(f"error getting snapshot {name} from api server: {missing}")
    if snapshot["metadata"].get("deletionTimestamp") and RESTORE_FINALIZER not in finalizers(snapshot):
        raise NotProvisionable(f"snapshot {name} is being deleted")
    content = _content(api, snapshot)
    if content["spec"]["driver"] != storage["provisioner"]:
        text = f"is not handled by CSI driver of StorageClass {storage['metadata']['name']}"
        raise NotProvisionable(f"snapshotcontent {content['metadata']['name']} for snapshot {name} {text}")
    if not status(snapshot).get("readyToUse"):
        raise NotProvisionable(f"snapshot {name} is not Ready")
    handle = status(content).get("snapshotHandle")
    if not handle:
        raise NotProvisionable(f"snapshot handle {name} is not available")
    if (size := status(snapshot).get("restoreSize")) is not None and _asked(claim) < quantity(size):
        text = f"is less than the size {quantity(size)} for the source snapshot {name}"
        raise NotProvisionable(f"requested volume size {_asked(claim)} {text}")
    _check_mode(claim, content)
    return Filling(SNAPSHOTS, snapshot, str(handle))


def _content(api: LocalApi, snapshot: Object) -> Object:
    meta = snapshot["metadata"]
    bound = status(snapshot).get("boundVolumeSnapshotContentName")
    if not bound:
        raise NotProvisionable(f"snapshot {meta['name']} not bound")
    content = api.get(CONTENTS, bound)
    if content is None:
        raise NotProvisionable(f"error getting snapshotcontent {bound} for snapshot {meta['name']}")
    reference = content["spec"]["volumeSnapshotRef"]
    if (reference.get("uid"), reference["namespace"], reference["name"]) != (
        meta["uid"],
        meta["namespace"],
        meta["name"],
    ):
        text = "is bound to a different snapshot"
        raise NotProvisionable(f"snapshotcontent {bound} for snapshot {meta['name']} {text}")
    return content


def _check_mode(claim: Object, content: Object) -> None:
    source, wanted = content["spec"].get("sourceVolumeMode"), claim["spec"].get("volumeMode")
    allowed = marks_of(content).get(ALLOW_MODE_CHANGE)
    if not source or not wanted or source == wanted or allowed == "true":
        return
    meta, name = claim["metadata"], content["metadata"]["name"]
    why = (
        f"{ALLOW_MODE_CHANGE} annotation is not present on snapshotcontent {name}"
        if allowed is None
        else f"{ALLOW_MODE_CHANGE} is set to false on snapshotcontent {name}"
    )
    raise NotProvisionable(
        f"requested volume {meta['namespace']}/{meta['name']} modifies the mode of the source volume but does not have "
        f"permission to do so. {why}"
    )


def _of_claim(api: LocalApi, claim: Object, storage: Object, name: str) -> Filling:
    namespace = claim["metadata"]["namespace"]
    source = api.get(CLAIMS, name, namespace)
    if source is None:
        missing = f'persistentvolumeclaim "{name}" not found'
        raise NotProvisionable(f'error getting PVC {name} (namespace "{namespace}") from api server: {missing}')
    if (source.get("status") or {}).get("phase") != "Bound":
        phase = (source.get("status") or {}).get("phase", "")
        raise NotProvisionable(f"the PVC DataSource {name} must have a status of Bound.  Got {phase}")
    if source["metadata"].get("deletionTimestamp"):
        raise NotProvisionable(f"the PVC DataSource {name} is currently being deleted")
    if _asked(claim) < _asked(source):
        raise NotProvisionable(
            "error, new PVC request must be greater than or equal in size to the specified PVC data source, requested "
            f"{_asked(claim)} but source is {_asked(source)}"
        )
    volume = api.get(VOLUMES, source["spec"].get("volumeName") or "") or {"spec": {}}
    csi, reference = volume["spec"].get("csi") or {}, volume["spec"].get("claimRef") or {}
    if csi.get("driver") != storage["provisioner"] or reference.get("uid") != source["metadata"]["uid"]:
        raise NotProvisionable("claim in dataSource not bound or invalid")
    modes = source["spec"].get("volumeMode", "Filesystem"), claim["spec"].get("volumeMode", "Filesystem")
    if modes[0] != modes[1]:
        text = f"Source is {modes[0]}, but new PVC requested {modes[1]}"
        raise NotProvisionable(
            f"the source PVC and destination PVCs must have the same volume mode for cloning.  {text}"
        )
    return Filling(CLAIMS, source, str(csi["volumeHandle"]))


def _asked(claim: Object) -> int:
    return quantity(((claim["spec"].get("resources") or {}).get("requests") or {}).get("storage", "0"))

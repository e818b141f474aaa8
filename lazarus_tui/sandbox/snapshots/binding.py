"""The snapshot controller, for single snapshots: classes, contents, binding both ways, status, deletion.

It never speaks to storage; that is the sidecar's part (sidecar.py), and without it snapshots wait without an error.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, ClassVar

from lazarus_tui.model.clock import Clock
from lazarus_tui.model.resources import CLAIMS, Resource
from lazarus_tui.sandbox.controllers.base import Controller, Key, Object, key_of
from lazarus_tui.sandbox.controllers.events import Recorder
from lazarus_tui.sandbox.controllers.pods import is_ending
from lazarus_tui.sandbox.controllers.retries import Retries
from lazarus_tui.sandbox.snapshots.credentials import secret_marks
from lazarus_tui.sandbox.snapshots.marks import (
    Unfinished,
    add_finalizers,
    annotate,
    finalizers,
    remove_finalizers,
    say_error,
    status,
)
from lazarus_tui.sandbox.snapshots.members import add_owner, parent_name
from lazarus_tui.sandbox.snapshots.names import (
    BEING_DELETED,
    BOUND_FINALIZER,
    CLAIM_FINALIZER,
    CLASSES,
    CONTENT_FINALIZER,
    CONTENTS,
    DEFAULT_CLASS,
    GROUP_SNAPSHOTS,
    MEMBER_FINALIZER,
    SNAPSHOTS,
    SOURCE_FINALIZER,
    content_name,
    path,
)
from lazarus_tui.sandbox.snapshots.progress import mirror_content
from lazarus_tui.sandbox.snapshots.sources import claim_of, default_class, get_class, volume_of

if TYPE_CHECKING:
    from lazarus_tui.sandbox.api.local import LocalApi

COMPONENT = "snapshot-controller"


class SnapshotController(Controller):
    """Brings VolumeSnapshots to their contents and keeps their status like their contents'."""

    name = "snapshot"
    watches: ClassVar[Sequence[Resource]] = (SNAPSHOTS, CONTENTS)

    def __init__(self, api: LocalApi, clock: Clock) -> None:
        super().__init__(api, clock)
        self._recorder = Recorder(api, clock, COMPONENT)
        self._retries: Retries[Key] = Retries(clock)

    def keys(self, resource: Resource, obj: Object, old: Object | None) -> Iterable[Key]:
        if resource == CONTENTS:
            reference = obj["spec"]["volumeSnapshotRef"]
            key = (reference["namespace"], reference["name"])
        else:
            key = key_of(obj)
            if (
                old is not None
                and not is_ending(obj)
                and old["metadata"]["generation"] == obj["metadata"]["generation"]
            ):
                return (key,)
        self._retries.forget(key)
        return (key,)

    async def reconcile(self, key: Key) -> float | None:
        snapshot = self.api.get(SNAPSHOTS, key[1], key[0])
        if snapshot is None:
            self._retries.forget(key)
            return None
        if wait := self._retries.wait(key):
            return wait
        try:
            self._sync(snapshot)
        except Unfinished:
            return self._retries.again(key)
        self._retries.forget(key)
        return None

    def _sync(self, snapshot: Object) -> None:
        if is_ending(snapshot):
            self._free_claim(snapshot, besides=False)
            self._end(snapshot)
            return
        snapshot = self._classified(snapshot)
        self._free_claim(snapshot, besides=False)
        snapshot = self._protected(snapshot)
        if status(snapshot).get("readyToUse") and status(snapshot).get("boundVolumeSnapshotContentName"):
            self._check(snapshot)
        else:
            self._advance(snapshot)

    # --- its class

    def _classified(self, snapshot: Object) -> Object:
        name = snapshot["spec"].get("volumeSnapshotClassName")
        if name:
            try:
                get_class(self.api, CLASSES, name)
            except Unfinished as fault:
                text = f"Failed to get snapshot class with error {fault}"
                self._error(snapshot, "GetSnapshotClassFailed", text, ready=True)
                raise
            return snapshot
        if snapshot["spec"]["source"].get("volumeSnapshotContentName") or parent_name(snapshot):
            return snapshot
        try:
            volume = volume_of(self.api, claim_of(self.api, snapshot))
            csi = volume["spec"].get("csi")
            if not csi:
                raise Unfinished(f"snapshotting non-CSI volumes is not supported, snapshot:{path(snapshot)}")
            found = default_class(self.api, CLASSES, DEFAULT_CLASS, csi["driver"], "snapshot")
        except Unfinished as fault:
            text = f"Failed to set default snapshot class with error {fault}"
            self._error(snapshot, "SetDefaultSnapshotClassFailed", text, ready=True)
            raise
        meta = snapshot["metadata"]
        patch = {"metadata": {"uid": meta["uid"]}, "spec": {"volumeSnapshotClassName": found}}
        return self.api.patch(SNAPSHOTS, meta["name"], patch, meta["namespace"])

    # --- its content

    def _content(self, snapshot: Object) -> Object | None:
        """The content that belongs to the snapshot, or None while there is none; raises ``Unfinished``."""
        wanted = snapshot["spec"]["source"].get("volumeSnapshotContentName")
        name = wanted or content_name(snapshot)
        content = self.api.get(CONTENTS, name)
        if content is None:
            return None
        if wanted and not content["spec"]["source"].get("snapshotHandle"):
            text = "VolumeSnapshotContent is dynamically provisioned while expecting a pre-provisioned one"
            raise self._refused(snapshot, "SnapshotContentMismatch", text)
        if not wanted and not content["spec"]["source"].get("volumeHandle"):
            text = f"VolumeSnapshotContent {name} is pre-provisioned while expecting a dynamically provisioned one"
            raise self._refused(snapshot, "SnapshotContentMismatch", text)
        reference, meta = content["spec"]["volumeSnapshotRef"], snapshot["metadata"]
        uids = (None, "", meta["uid"]) if wanted else (meta["uid"],)
        named = (reference["name"], reference["namespace"]) == (meta["name"], meta["namespace"])
        if not named or reference.get("uid") not in uids:
            text = f"VolumeSnapshotContent [{name}] is bound to a different snapshot"
            raise self._refused(snapshot, "SnapshotContentMisbound", text)
        return content

    def _protected(self, snapshot: Object) -> Object:
        try:
            content = self._content(snapshot)
        except Unfinished as fault:
            self._recorder.warning(snapshot, "SnapshotFinalizerError", f"Failed to check and update snapshot: {fault}")
            raise
        wanted = [SOURCE_FINALIZER]
        bound = status(snapshot).get("boundVolumeSnapshotContentName")
        if content is not None and bound and content["spec"]["deletionPolicy"] == "Delete":
            wanted.append(BOUND_FINALIZER)
        return add_finalizers(self.api, SNAPSHOTS, snapshot, *wanted)

    def _advance(self, snapshot: Object) -> None:
        if snapshot["spec"]["source"].get("volumeSnapshotContentName"):
            content = self._bound_to(snapshot)
        elif parent_name(snapshot):
            name = status(snapshot).get("boundVolumeSnapshotContentName")
            found = self.api.get(CONTENTS, name) if name else None
            if found is None:
                raise Unfinished(f"group snapshot member {path(snapshot)} has no content yet")
            content = found
        else:
            content = self._content(snapshot) or self._made(snapshot)
        mirror_content(self.api, self._recorder, snapshot, content)

    def _bound_to(self, snapshot: Object) -> Object:
        """The content that was there before, which from now on names this very snapshot."""
        content = self._content(snapshot)
        if content is None:
            raise self._refused(snapshot, "SnapshotContentMissing", "VolumeSnapshotContent is missing")
        class_name = snapshot["spec"].get("volumeSnapshotClassName")
        spec: Object = {
            "volumeSnapshotRef": content["spec"]["volumeSnapshotRef"] | {"uid": snapshot["metadata"]["uid"]}
        }
        if class_name and not content["spec"].get("volumeSnapshotClassName"):
            spec["volumeSnapshotClassName"] = class_name
        if all(content["spec"].get(name) == value for name, value in spec.items()):
            return content
        return self.api.patch(CONTENTS, content["metadata"]["name"], {"spec": spec})

    def _made(self, snapshot: Object) -> Object:
        try:
            body = self._body(snapshot)
        except Unfinished as fault:
            text = f"Failed to create snapshot content with error {fault}"
            self._error(snapshot, "SnapshotContentCreationFailed", text)
            raise
        content = self.api.create(CONTENTS, body)
        text = f"Waiting for a snapshot {path(snapshot)} to be created by the CSI driver."
        self._recorder.normal(snapshot, "CreatingSnapshot", text)
        return content

    def _body(self, snapshot: Object) -> Object:
        meta = snapshot["metadata"]
        self._hold_claim(snapshot)
        try:
            kind = get_class(self.api, CLASSES, snapshot["spec"]["volumeSnapshotClassName"])
            volume = volume_of(self.api, claim_of(self.api, snapshot))
            marks = secret_marks(kind.get("parameters") or {}, content_name(snapshot), snapshot)
        except Unfinished as fault:
            text = f'failed to get input parameters to create snapshot {meta["name"]}: "{fault}"'
            raise Unfinished(text) from fault
        csi = volume["spec"].get("csi")
        if not csi:
            raise Unfinished(f"cannot find CSI PersistentVolumeSource for volume {volume['metadata']['name']}")
        spec = {
            "volumeSnapshotRef": {
                "apiVersion": SNAPSHOTS.api_version,
                "kind": SNAPSHOTS.kind,
                "name": meta["name"],
                "namespace": meta["namespace"],
                "uid": meta["uid"],
                "resourceVersion": meta["resourceVersion"],
            },
            "source": {"volumeHandle": csi["volumeHandle"]},
            "volumeSnapshotClassName": kind["metadata"]["name"],
            "deletionPolicy": kind["deletionPolicy"],
            "driver": kind["driver"],
            "sourceVolumeMode": volume["spec"].get("volumeMode", "Filesystem"),
        }
        own = {"name": content_name(snapshot)} | ({"annotations": marks} if marks else {})
        return {"metadata": own, "spec": spec}

    def _check(self, snapshot: Object) -> None:
        """A ready snapshot whose content is gone or somebody else's is not ready."""
        content = self.api.get(CONTENTS, status(snapshot)["boundVolumeSnapshotContentName"])
        if content is None:
            self._error(snapshot, "SnapshotContentMissing", "VolumeSnapshotContent is missing")
        elif not points_back(content, snapshot):
            text = "VolumeSnapshotContent is not bound to the VolumeSnapshot correctly"
            self._error(snapshot, "SnapshotMisbound", text)
        else:
            add_owner(self.api, snapshot)

    # --- its source

    def _hold_claim(self, snapshot: Object) -> None:
        failed = "snapshot controller failed to update"
        try:
            claim = claim_of(self.api, snapshot)
        except Unfinished as fault:
            name = snapshot["metadata"]["name"]
            raise Unfinished(f"{failed} {name} on API server: cannot get claim from snapshot") from fault
        if CLAIM_FINALIZER in finalizers(claim):
            return
        if is_ending(claim):
            text = "cannot add finalizer on claim because it is being deleted"
            raise Unfinished(f"{failed} {claim['metadata']['name']} on API server: {text}")
        add_finalizers(self.api, CLAIMS, claim, CLAIM_FINALIZER)

    def _free_claim(self, snapshot: Object, *, besides: bool) -> None:
        """Lets the claim go when no snapshot of it is unready; ``besides`` this one, which is going."""
        meta = snapshot["metadata"]
        name = snapshot["spec"]["source"].get("persistentVolumeClaimName")
        claim = self.api.get(CLAIMS, name, meta["namespace"]) if name else None
        if claim is None or CLAIM_FINALIZER not in finalizers(claim):
            return
        for other in self.api.list(SNAPSHOTS, meta["namespace"]):
            same = other["spec"]["source"].get("persistentVolumeClaimName") == name
            if (
                same
                and not status(other).get("readyToUse")
                and not (besides and other["metadata"]["uid"] == meta["uid"])
            ):
                return
        remove_finalizers(self.api, CLAIMS, claim, CLAIM_FINALIZER)

    # --- its end

    def _end(self, snapshot: Object) -> None:
        """Marks the content for deletion, deletes it where the policy says so, and lets the snapshot go after it."""
        if not _is_going(snapshot):
            return
        content = self._own_content(snapshot)
        if content is not None and is_being_restored(self.api, snapshot):
            self._recorder.warning(snapshot, "SnapshotDeletePending", "Snapshot is being used to restore a PVC")
            raise Unfinished("the snapshot is in use")
        released = [SOURCE_FINALIZER]
        if group := status(snapshot).get("volumeGroupSnapshotName"):
            self._refuse_member(snapshot, group)
            released.append(MEMBER_FINALIZER)
        deletes = content is not None and content["spec"]["deletionPolicy"] == "Delete"
        if content is not None:
            annotate(self.api, CONTENTS, content, BEING_DELETED, "yes")
            if deletes:
                self.api.delete(CONTENTS, content["metadata"]["name"], uid=content["metadata"]["uid"])
        if not deletes:
            released.append(BOUND_FINALIZER)
        self._free_claim(snapshot, besides=True)
        remove_finalizers(self.api, SNAPSHOTS, snapshot, *released)

    def _own_content(self, snapshot: Object) -> Object | None:
        name = status(snapshot).get("boundVolumeSnapshotContentName")
        if not name and snapshot["spec"]["source"].get("persistentVolumeClaimName"):
            name = content_name(snapshot)
        content = self.api.get(CONTENTS, name) if name else None
        return content if content is not None and points_back(content, snapshot) else None

    def _refuse_member(self, snapshot: Object, group: str) -> None:
        namespace = snapshot["metadata"]["namespace"]
        if self.api.get(GROUP_SNAPSHOTS, group, namespace) is None:
            return
        text = (
            f"deletion of the individual volume snapshot {path(snapshot)} is not allowed as it belongs to group "
            f"snapshot {namespace}/{group}. Deleting the group snapshot will trigger the deletion of all the "
            "individual volume snapshots that are part of the group."
        )
        self._recorder.warning(snapshot, "SnapshotDeletePending", text)
        raise Unfinished(text)

    # --- what it says

    def _refused(self, snapshot: Object, reason: str, message: str) -> Unfinished:
        self._error(snapshot, reason, message)
        return Unfinished(message)

    def _error(self, snapshot: Object, reason: str, message: str, *, ready: bool = False) -> None:
        say_error(self.api, self._recorder, SNAPSHOTS, snapshot, reason, message, ready=ready)


class ContentController(Controller):
    """The snapshot controller's look at VolumeSnapshotContents: their finalizer, and that their snapshot is going."""

    name = "snapshot-content"
    watches: ClassVar[Sequence[Resource]] = (CONTENTS, SNAPSHOTS)

    def keys(self, resource: Resource, obj: Object, old: Object | None) -> Iterable[Key]:
        if resource == CONTENTS:
            return (key_of(obj),)
        bound = status(obj).get("boundVolumeSnapshotContentName")
        return [("", name) for name in dict.fromkeys((bound, content_name(obj))) if name]

    async def reconcile(self, key: Key) -> float | None:
        content = self.api.get(CONTENTS, key[1])
        if content is None or not content["spec"]["volumeSnapshotRef"].get("uid"):
            return None
        if not is_ending(content):
            content = add_finalizers(self.api, CONTENTS, content, CONTENT_FINALIZER)
        reference = content["spec"]["volumeSnapshotRef"]
        snapshot = self.api.get(SNAPSHOTS, reference["name"], reference["namespace"])
        # A content whose snapshot is missing is left alone: it may have been copied here from another cluster.
        if snapshot is not None and points_back(content, snapshot) and _is_going(snapshot):
            annotate(self.api, CONTENTS, content, BEING_DELETED, "yes")
        return None


def points_back(content: Object, snapshot: Object) -> bool:
    """The content names this very snapshot."""
    reference, meta = content["spec"]["volumeSnapshotRef"], snapshot["metadata"]
    told = (reference["namespace"], reference["name"], reference.get("uid"))
    return told == (meta["namespace"], meta["name"], meta["uid"])


def is_being_restored(api: LocalApi, snapshot: Object) -> bool:
    """A claim of the same namespace that still waits names it as ``dataSource``; other namespaces are not looked at."""
    meta = snapshot["metadata"]
    wanted = (SNAPSHOTS.group, SNAPSHOTS.kind, meta["name"])
    for claim in api.list(CLAIMS, meta["namespace"]):
        source = claim["spec"].get("dataSource") or {}
        named = (source.get("apiGroup"), source.get("kind"), source.get("name"))
        if named == wanted and (claim.get("status") or {}).get("phase", "Pending") == "Pending":
            return True
    return False


def _is_going(snapshot: Object) -> bool:
    """Its deletion was asked for, and the controller still has a hold on it."""
    return is_ending(snapshot) and bool({SOURCE_FINALIZER, BOUND_FINALIZER} & set(finalizers(snapshot)))

"""The snapshot controller, for groups: which claims, one content for all, a snapshot for each member, deletion."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, ClassVar

from lazarus_tui.model.clock import Clock
from lazarus_tui.model.resources import CLAIMS, Resource
from lazarus_tui.sandbox.controllers.base import Controller, Key, Object, key_of
from lazarus_tui.sandbox.controllers.events import Recorder
from lazarus_tui.sandbox.controllers.pods import is_ending
from lazarus_tui.sandbox.controllers.retries import Retries
from lazarus_tui.sandbox.snapshots.binding import COMPONENT, is_being_restored
from lazarus_tui.sandbox.snapshots.marks import (
    Unfinished,
    add_finalizers,
    annotate,
    finalizers,
    quoted,
    remove_finalizers,
    say_error,
    status,
    write_status,
)
from lazarus_tui.sandbox.snapshots.members import make_members, members
from lazarus_tui.sandbox.snapshots.names import (
    DEFAULT_GROUP_CLASS,
    GROUP_BEING_DELETED,
    GROUP_CLASSES,
    GROUP_CONTENT_FINALIZER,
    GROUP_CONTENTS,
    GROUP_FINALIZER,
    GROUP_SNAPSHOTS,
    SNAPSHOTS,
    group_content_name,
    path,
)
from lazarus_tui.sandbox.snapshots.sources import default_class, get_class, volume_of

if TYPE_CHECKING:
    from lazarus_tui.sandbox.api.local import LocalApi


class GroupController(Controller):
    """Brings VolumeGroupSnapshots to their contents, and makes the snapshots of their members."""

    name = "group-snapshot"
    watches: ClassVar[Sequence[Resource]] = (GROUP_SNAPSHOTS, GROUP_CONTENTS)

    def __init__(self, api: LocalApi, clock: Clock) -> None:
        super().__init__(api, clock)
        self._recorder = Recorder(api, clock, COMPONENT)
        self._retries: Retries[Key] = Retries(clock)

    def keys(self, resource: Resource, obj: Object, old: Object | None) -> Iterable[Key]:
        if resource == GROUP_CONTENTS:
            reference = obj["spec"]["volumeGroupSnapshotRef"]
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
        group = self.api.get(GROUP_SNAPSHOTS, key[1], key[0])
        if group is None:
            self._retries.forget(key)
            return None
        if wait := self._retries.wait(key):
            return wait
        try:
            self._sync(group)
        except Unfinished:
            return self._retries.again(key)
        self._retries.forget(key)
        return None

    def _sync(self, group: Object) -> None:
        if is_ending(group):
            self._end(group)
            return
        group = self._classified(group)
        content = self._content(group)
        if content is not None and status(group).get("boundVolumeGroupSnapshotContentName"):
            group = add_finalizers(self.api, GROUP_SNAPSHOTS, group, GROUP_FINALIZER)
        if status(group).get("readyToUse") and status(group).get("boundVolumeGroupSnapshotContentName"):
            self._check(group)
            return
        if group["spec"]["source"].get("volumeGroupSnapshotContentName"):
            content = self._bound_to(group, content)
        else:
            content = content or self._made(group)
            make_members(self.api, group, content)
        self._mirror(group, content)

    def _classified(self, group: Object) -> Object:
        name = group["spec"].get("volumeGroupSnapshotClassName")
        if name:
            try:
                get_class(self.api, GROUP_CLASSES, name)
            except Unfinished as fault:
                text = f"failed to get group snapshot class with error {fault}"
                self._error(group, "GetGroupSnapshotClassFailed", text, ready=True)
                raise
            return group
        if group["spec"]["source"].get("volumeGroupSnapshotContentName"):
            return group
        try:
            csi = self._volumes(group)[0]["spec"].get("csi")
            if not csi:
                raise Unfinished(f"snapshotting non-CSI volumes is not supported, group snapshot:{path(group)}")
            found = default_class(self.api, GROUP_CLASSES, DEFAULT_GROUP_CLASS, csi["driver"], "group snapshot")
        except Unfinished as fault:
            text = f"Failed to set default group snapshot class with error {fault}"
            self._error(group, "SetDefaultGroupSnapshotClassFailed", text, ready=True)
            raise
        meta = group["metadata"]
        patch = {"metadata": {"uid": meta["uid"]}, "spec": {"volumeGroupSnapshotClassName": found}}
        return self.api.patch(GROUP_SNAPSHOTS, meta["name"], patch, meta["namespace"])

    def _volumes(self, group: Object) -> list[Object]:
        """The volumes of all claims with the selector's labels; as in the original, expressions are not looked at."""
        labels = group["spec"]["source"]["selector"].get("matchLabels") or {}
        claims = self.api.list(CLAIMS, group["metadata"]["namespace"], labels=labels)
        if not claims:
            shown = ",".join(f"{name}={value}" for name, value in sorted(labels.items()))
            raise Unfinished(f"label selector {shown} for group snapshot not applied to any PVC")
        return [volume_of(self.api, claim, "group snapshot") for claim in claims]

    def _content(self, group: Object) -> Object | None:
        """The content that belongs to the group, or None while there is none; raises ``Unfinished``."""
        wanted = group["spec"]["source"].get("volumeGroupSnapshotContentName")
        name = wanted or group_content_name(group)
        content = self.api.get(GROUP_CONTENTS, name)
        if content is None:
            return None
        dynamic = "groupSnapshotHandles" not in content["spec"]["source"]
        if wanted and dynamic:
            text = "VolumeGroupSnapshotContent is dynamically provisioned while expecting a pre-provisioned one"
            raise self._refused(group, "GroupSnapshotContentMismatch", text)
        if not wanted and not dynamic:
            text = f"VolumeGroupSnapshotContent {name} is pre-provisioned while expecting a dynamically provisioned one"
            raise self._refused(group, "GroupSnapshotContentMismatch", text)
        reference, meta = content["spec"]["volumeGroupSnapshotRef"], group["metadata"]
        uids = (None, "", meta["uid"]) if wanted else (meta["uid"],)
        named = (reference["name"], reference["namespace"]) == (meta["name"], meta["namespace"])
        if not named or reference.get("uid") not in uids:
            text = f"VolumeGroupSnapshotContent [{name}] is bound to a different group snapshot"
            raise self._refused(group, "GroupSnapshotContentMisbound", text)
        return content

    def _bound_to(self, group: Object, content: Object | None) -> Object:
        if content is None:
            text = "VolumeGroupSnapshotContent is missing"
            raise self._refused(group, "GroupSnapshotContentMissing", text)
        reference = content["spec"]["volumeGroupSnapshotRef"]
        if reference.get("uid"):
            return content
        spec: Object = {"volumeGroupSnapshotRef": reference | {"uid": group["metadata"]["uid"]}}
        if class_name := group["spec"].get("volumeGroupSnapshotClassName"):
            spec["volumeGroupSnapshotClassName"] = class_name
        return self.api.patch(GROUP_CONTENTS, content["metadata"]["name"], {"spec": spec})

    def _made(self, group: Object) -> Object:
        try:
            body = self._body(group)
        except Unfinished as fault:
            text = f"failed to create group snapshot content with error {fault}"
            self._error(group, "GroupSnapshotContentCreationFailed", text)
            raise
        content = self.api.create(GROUP_CONTENTS, body)
        text = f"Waiting for a group snapshot {path(group)} to be created by the CSI driver."
        self._recorder.normal(group, "CreatingGroupSnapshot", text)
        return content

    def _body(self, group: Object) -> Object:
        meta = group["metadata"]
        try:
            kind = get_class(self.api, GROUP_CLASSES, group["spec"]["volumeGroupSnapshotClassName"])
            volumes = self._volumes(group)
        except Unfinished as fault:
            text = f"failed to get input parameters to create group snapshot {meta['name']}: {quoted(str(fault))}"
            raise Unfinished(text) from fault
        for volume in volumes:
            self._check_driver(group, kind, volume)
        spec = {
            "volumeGroupSnapshotRef": {
                "apiVersion": GROUP_SNAPSHOTS.api_version,
                "kind": GROUP_SNAPSHOTS.kind,
                "name": meta["name"],
                "namespace": meta["namespace"],
                "uid": meta["uid"],
                "resourceVersion": meta["resourceVersion"],
            },
            "source": {"volumeHandles": [volume["spec"]["csi"]["volumeHandle"] for volume in volumes]},
            "volumeGroupSnapshotClassName": kind["metadata"]["name"],
            "deletionPolicy": kind["deletionPolicy"],
            "driver": kind["driver"],
        }
        return {"metadata": {"name": group_content_name(group)}, "spec": spec}

    def _check_driver(self, group: Object, kind: Object, volume: Object) -> None:
        name, csi = volume["metadata"]["name"], volume["spec"].get("csi")
        if not csi:
            text = f"Cannot snapshot a non-CSI volume: {name}"
            self._recorder.warning(group, "CreateGroupSnapshotContentFailed", text)
            raise Unfinished(f"cannot snapshot a non-CSI volume for group snapshot {path(group)}: {name}")
        if csi["driver"] != kind["driver"]:
            text = (
                f"Volume CSI driver ({csi['driver']}) mismatch with VolumeGroupSnapshotClass ({kind['driver']}) "
                f"{path(group)}: {name}"
            )
            self._recorder.warning(group, "CreateGroupSnapshotContentFailed", text)
            raise Unfinished(f"snapshot controller failed to update {path(group)} on API server: {text}")

    def _mirror(self, group: Object, content: Object) -> None:
        before, told = status(group), status(content)
        fields: Object = {
            "boundVolumeGroupSnapshotContentName": content["metadata"]["name"],
            "readyToUse": bool(told.get("readyToUse")),
            "error": told.get("error"),
        }
        if not before.get("creationTime") and told.get("creationTime"):
            fields["creationTime"] = told["creationTime"]
            text = f"GroupSnapshot {path(group)} was successfully created by the CSI driver."
            self._recorder.normal(group, "GroupSnapshotCreated", text)
        if fields["readyToUse"] and not before.get("readyToUse"):
            self._recorder.normal(group, "GroupSnapshotReady", f"GroupSnapshot {path(group)} is ready to use.")
        write_status(self.api, GROUP_SNAPSHOTS, group, fields)

    def _check(self, group: Object) -> None:
        content = self.api.get(GROUP_CONTENTS, status(group)["boundVolumeGroupSnapshotContentName"])
        if content is None:
            self._error(group, "GroupSnapshotContentMissing", "VolumeGroupSnapshotContent is missing")
        elif not names_group(content, group):
            text = "VolumeGroupSnapshotContent is not bound to the VolumeGroupSnapshot correctly"
            self._error(group, "GroupSnapshotMisbound", text)

    def _end(self, group: Object) -> None:
        """The content is marked and, where the policy says so, deleted; then the members; the group waits for it."""
        if GROUP_FINALIZER not in finalizers(group):
            return
        name = status(group).get("boundVolumeGroupSnapshotContentName")
        content = self.api.get(GROUP_CONTENTS, name) if name else None
        if content is not None and not names_group(content, group):
            content = None
        found = members(self.api, group)
        for snapshot in found:
            if is_being_restored(self.api, snapshot):
                text = (
                    f"Snapshot {path(snapshot)} belonging to VolumeGroupSnapshot {path(group)} is being used to restore"
                )
                self._recorder.warning(group, "SnapshotDeletePending", f"{text} a PVC")
                raise Unfinished(text)
        deletes = content is not None and content["spec"]["deletionPolicy"] == "Delete"
        if content is not None:
            annotate(self.api, GROUP_CONTENTS, content, GROUP_BEING_DELETED, "yes")
            if deletes:
                self.api.delete(GROUP_CONTENTS, content["metadata"]["name"], uid=content["metadata"]["uid"])
        for snapshot in found:
            meta = snapshot["metadata"]
            self.api.delete(SNAPSHOTS, meta["name"], meta["namespace"], uid=meta["uid"])
        if not deletes:
            remove_finalizers(self.api, GROUP_SNAPSHOTS, group, GROUP_FINALIZER)

    def _refused(self, group: Object, reason: str, message: str) -> Unfinished:
        self._error(group, reason, message)
        return Unfinished(message)

    def _error(self, group: Object, reason: str, message: str, *, ready: bool = False) -> None:
        say_error(self.api, self._recorder, GROUP_SNAPSHOTS, group, reason, message, ready=ready)


class GroupContentController(Controller):
    """The finalizer of bound VolumeGroupSnapshotContents."""

    name = "group-snapshot-content"
    watches: ClassVar[Sequence[Resource]] = (GROUP_CONTENTS,)

    async def reconcile(self, key: Key) -> float | None:
        content = self.api.get(GROUP_CONTENTS, key[1])
        if content is not None and content["spec"]["volumeGroupSnapshotRef"].get("uid") and not is_ending(content):
            add_finalizers(self.api, GROUP_CONTENTS, content, GROUP_CONTENT_FINALIZER)
        return None


def names_group(content: Object, group: Object) -> bool:
    """The content names this very group."""
    reference, meta = content["spec"]["volumeGroupSnapshotRef"], group["metadata"]
    told = (reference["namespace"], reference["name"], reference.get("uid"))
    return told == (meta["namespace"], meta["name"], meta["uid"])

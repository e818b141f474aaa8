"""The csi-snapshotter sidecar of the directory driver, for groups: all volumes are cut at one moment, or none."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, ClassVar

from lazarus_tui.model.clock import Clock
from lazarus_tui.model.resources import Resource
from lazarus_tui.sandbox.controllers.base import Controller, Key, Object, key_of
from lazarus_tui.sandbox.controllers.events import Recorder
from lazarus_tui.sandbox.controllers.pods import is_ending
from lazarus_tui.sandbox.controllers.retries import Retries
from lazarus_tui.sandbox.dataplane.volumes import DRIVER
from lazarus_tui.sandbox.snapshots.driver import DirectoryDriver, DriverFault
from lazarus_tui.sandbox.snapshots.marks import (
    Unfinished,
    annotate,
    marks_of,
    quoted,
    remove_finalizers,
    say_error,
    status,
    write_status,
)
from lazarus_tui.sandbox.snapshots.names import (
    FROZEN_MILLISECONDS,
    GROUP_BEING_CREATED,
    GROUP_BEING_DELETED,
    GROUP_CLASSES,
    GROUP_CONTENT_FINALIZER,
    GROUP_CONTENTS,
)
from lazarus_tui.sandbox.snapshots.progress import moment
from lazarus_tui.sandbox.snapshots.sidecar import COMPONENT
from lazarus_tui.sandbox.snapshots.sources import get_class, own_parameters

if TYPE_CHECKING:
    from lazarus_tui.sandbox.api.local import LocalApi
    from lazarus_tui.sandbox.snapshots.storage import Stored


class GroupSidecar(Controller):
    """Brings the group contents of this driver to what is on storage."""

    name = "group-snapshot-sidecar"
    watches: ClassVar[Sequence[Resource]] = (GROUP_CONTENTS,)

    def __init__(self, api: LocalApi, clock: Clock, driver: DirectoryDriver) -> None:
        super().__init__(api, clock)
        self._driver = driver
        self._recorder = Recorder(api, clock, COMPONENT)
        self._retries: Retries[Key] = Retries(clock)

    def keys(self, resource: Resource, obj: Object, old: Object | None) -> Iterable[Key]:
        if obj["spec"]["driver"] != DRIVER:
            return ()
        if old is None or _asked(obj) != _asked(old):
            self._retries.forget(key_of(obj))
        return (key_of(obj),)

    async def reconcile(self, key: Key) -> float | None:
        content = self.api.get(GROUP_CONTENTS, key[1])
        if content is None:
            self._retries.forget(key)
            return None
        if wait := self._retries.wait(key):
            return wait
        try:
            done = await self._sync(content)
        except Unfinished:
            done = False
        if not done:
            return self._retries.again(key)
        self._retries.forget(key)
        return None

    async def _sync(self, content: Object) -> bool:
        """Whether nothing is left to be done; raises ``Unfinished``."""
        if _may_go(content):
            return await self._end(content)
        if status(content).get("readyToUse"):
            annotate(self.api, GROUP_CONTENTS, content, GROUP_BEING_CREATED, None)
            return True
        if "groupSnapshotHandles" in content["spec"]["source"]:
            return self._ask(content)
        return await self._cut(content)

    async def _cut(self, content: Object) -> bool:
        first = not status(content)
        try:
            stored = await self._stored(content)
        except Unfinished as fault:
            reason = "GroupSnapshotCreationFailed" if first else "GroupSnapshotContentCheckandUpdateFailed"
            what = "create group snapshot" if first else "check and update group snapshot content"
            self._error(content, reason, f"Failed to {what}: {fault}")
            raise
        content = annotate(self.api, GROUP_CONTENTS, self._fresh(content), GROUP_BEING_CREATED, None)
        took = stored[0].frozen_milliseconds
        if took >= 0:
            content = annotate(self.api, GROUP_CONTENTS, content, FROZEN_MILLISECONDS, str(took))
        ready = all(self._driver.is_ready(one) for one in stored)
        infos = [
            {
                "volumeHandle": one.volume,
                "snapshotHandle": one.handle,
                "creationTime": one.created,
                "readyToUse": self._driver.is_ready(one),
                "restoreSize": one.size,
            }
            for one in stored
        ]
        self._tell(content, stored[0].group, ready, moment(stored[0].created), infos)
        return ready

    async def _stored(self, content: Object) -> list[Stored]:
        name, class_name = content["metadata"]["name"], content["spec"].get("volumeGroupSnapshotClassName")
        try:
            if not class_name:
                raise Unfinished(f"failed to take group snapshot {name} without a group snapshot class")
            kind = get_class(self.api, GROUP_CLASSES, class_name)
        except Unfinished as fault:
            what = "failed to get input parameters to create group snapshot for group snapshot content"
            raise Unfinished(f"{what} {name}: {quoted(str(fault))}") from fault
        content = annotate(self.api, GROUP_CONTENTS, content, GROUP_BEING_CREATED, "yes")
        uid, volumes = content["spec"]["volumeGroupSnapshotRef"]["uid"], content["spec"]["source"]["volumeHandles"]
        parameters = own_parameters(kind.get("parameters") or {})
        try:
            return await self._driver.cut_group(f"groupsnapshot-{uid}", volumes, parameters)
        except DriverFault as fault:
            if fault.final:
                annotate(self.api, GROUP_CONTENTS, self._fresh(content), GROUP_BEING_CREATED, None)
            text = f"failed to take group snapshot of the volumes [{' '.join(volumes)}]: {quoted(str(fault))}"
            raise Unfinished(text) from fault

    def _ask(self, content: Object) -> bool:
        handles = content["spec"]["source"]["groupSnapshotHandles"]
        try:
            found = [self._driver.listed(one) for one in handles["volumeSnapshotHandles"]]
        except LookupError as fault:
            what, why = "failed to list group snapshot for group snapshot content", quoted(str(fault.args[0]))
            text = f"{what} {content['metadata']['name']}: {why}"
            reason = "GroupSnapshotContentCheckandUpdateFailed"
            self._error(content, reason, f"Failed to check and update group snapshot content: {text}")
            raise Unfinished(text) from fault
        cuts = [one.created for one in found if one.created is not None]
        created = min(cuts) if cuts else int(self.clock.now().timestamp()) * 1_000_000_000
        ready = all(one.ready for one in found)
        self._tell(content, handles["volumeGroupSnapshotHandle"], ready, moment(created), [])
        return ready

    def _tell(self, content: Object, handle: str, ready: bool, created: str, infos: list[Object]) -> None:
        before = status(content)
        fields: Object = {"volumeGroupSnapshotHandle": handle, "creationTime": created}
        if infos:
            fields["volumeSnapshotInfoList"] = infos
        fields = {name: value for name, value in fields.items() if before.get(name) is None}
        fields["readyToUse"] = ready
        if ready and before.get("error"):
            fields["error"] = None
        write_status(self.api, GROUP_CONTENTS, content, fields)

    async def _end(self, content: Object) -> bool:
        told = status(content)
        if content["spec"]["deletionPolicy"] == "Delete" and told.get("volumeGroupSnapshotHandle"):
            try:
                await self._driver.delete(_member_handles(content))
            except DriverFault as fault:
                self._recorder.warning(content, "GroupSnapshotDeleteError", "Failed to delete group snapshot")
                raise Unfinished(str(fault)) from fault
            gone = dict.fromkeys(("volumeGroupSnapshotHandle", "readyToUse", "creationTime", "error"))
            content = write_status(self.api, GROUP_CONTENTS, self._fresh(content), gone)
        remove_finalizers(self.api, GROUP_CONTENTS, content, GROUP_CONTENT_FINALIZER)
        return True

    def _fresh(self, content: Object) -> Object:
        found = self.api.get(GROUP_CONTENTS, content["metadata"]["name"])
        if found is None or found["metadata"]["uid"] != content["metadata"]["uid"]:
            raise Unfinished("the group content is gone")
        return found

    def _error(self, content: Object, reason: str, message: str) -> None:
        say_error(self.api, self._recorder, GROUP_CONTENTS, self._fresh(content), reason, message)


def _member_handles(content: Object) -> list[str]:
    infos = status(content).get("volumeSnapshotInfoList") or ()
    given = content["spec"]["source"].get("groupSnapshotHandles") or {}
    return [one["snapshotHandle"] for one in infos] or list(given.get("volumeSnapshotHandles") or ())


def _may_go(content: Object) -> bool:
    if not is_ending(content):
        return False
    given = "groupSnapshotHandles" in content["spec"]["source"]
    if given and not content["spec"]["volumeGroupSnapshotRef"].get("uid"):
        return True
    marks = marks_of(content)
    return GROUP_BEING_CREATED not in marks and GROUP_BEING_DELETED in marks


def _asked(content: Object) -> tuple[object, ...]:
    meta = content["metadata"]
    return meta.get("generation"), meta.get("deletionTimestamp"), GROUP_BEING_DELETED in marks_of(content)

"""The csi-snapshotter sidecar of the directory driver: it has contents cut, asked after and deleted on storage."""

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
from lazarus_tui.sandbox.snapshots.credentials import check_secret
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
    BEING_CREATED,
    BEING_DELETED,
    CLASSES,
    CONTENT_FINALIZER,
    CONTENTS,
    FROZEN_MILLISECONDS,
    GROUP_HANDLE,
)
from lazarus_tui.sandbox.snapshots.sources import get_class, own_parameters

if TYPE_CHECKING:
    from lazarus_tui.sandbox.api.local import LocalApi
    from lazarus_tui.sandbox.snapshots.storage import Stored

COMPONENT = f"csi-snapshotter {DRIVER}"


class ContentSidecar(Controller):
    """Brings the contents of this driver to what is on storage; those of other drivers it does not see."""

    name = "snapshot-sidecar"
    watches: ClassVar[Sequence[Resource]] = (CONTENTS,)
    workers: ClassVar[int] = 4  # so that one large copy does not keep all other snapshots waiting

    def __init__(self, api: LocalApi, clock: Clock, driver: DirectoryDriver) -> None:
        super().__init__(api, clock)
        self._driver = driver
        self._recorder = Recorder(api, clock, COMPONENT)
        self._retries: Retries[Key] = Retries(clock)

    async def start(self) -> None:
        self._driver.storage.sweep()

    def keys(self, resource: Resource, obj: Object, old: Object | None) -> Iterable[Key]:
        if obj["spec"]["driver"] != DRIVER:
            return ()
        if old is None or asked(obj) != asked(old):
            self._retries.forget(key_of(obj))
        return (key_of(obj),)

    async def reconcile(self, key: Key) -> float | None:
        content = self.api.get(CONTENTS, key[1])
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
        if may_go(content):
            return await self._end(content)
        if status(content).get("readyToUse"):
            annotate(self.api, CONTENTS, content, BEING_CREATED, None)
            return True
        handle = self._known_handle(content)
        if handle:
            return self._ask(content, handle)
        if GROUP_HANDLE in marks_of(content) or not content["spec"]["volumeSnapshotRef"].get("uid"):
            return True
        return await self._cut(content)

    @staticmethod
    def _known_handle(content: Object) -> str:
        """The handle to ask storage about; a cut of its own is asked after by cutting again under the same name."""
        if handle := content["spec"]["source"].get("snapshotHandle"):
            return str(handle)
        told = status(content)
        return str(told.get("snapshotHandle") or "") if told.get("volumeGroupSnapshotHandle") else ""

    async def _cut(self, content: Object) -> bool:
        handle = content["spec"]["source"]["volumeHandle"]
        try:
            stored = await self._stored(content, handle)
        except Unfinished as fault:
            first = not status(content)
            reason = "SnapshotCreationFailed" if first else "SnapshotContentCheckandUpdateFailed"
            text = (
                f"Failed to create snapshot: {fault}"
                if first
                else f"Failed to check and update snapshot content: {fault}"
            )
            self._error(content, reason, text)
            raise
        content = annotate(self.api, CONTENTS, self._fresh(content), BEING_CREATED, None)
        if stored.frozen_milliseconds >= 0:
            content = annotate(self.api, CONTENTS, content, FROZEN_MILLISECONDS, str(stored.frozen_milliseconds))
        ready = self._driver.is_ready(stored)
        self._tell(content, stored.handle, ready, stored.created, stored.size)
        return ready

    async def _stored(self, content: Object, volume: str) -> Stored:
        name = content["metadata"]["name"]
        class_name = content["spec"].get("volumeSnapshotClassName")
        try:
            if not class_name:
                raise Unfinished(f"failed to take snapshot {name} without a snapshot class")
            kind = get_class(self.api, CLASSES, class_name)
            check_secret(self.api, content)
        except Unfinished as fault:
            text = f"failed to get input parameters to create snapshot for content {name}: {quoted(str(fault))}"
            raise Unfinished(text) from fault
        content = annotate(self.api, CONTENTS, content, BEING_CREATED, "yes")
        uid = content["spec"]["volumeSnapshotRef"]["uid"]
        try:
            return await self._driver.cut(f"snapshot-{uid}", volume, own_parameters(kind.get("parameters") or {}))
        except DriverFault as fault:
            if fault.final:
                annotate(self.api, CONTENTS, self._fresh(content), BEING_CREATED, None)
            raise Unfinished(f"failed to take snapshot of the volume {volume}: {quoted(str(fault))}") from fault

    def _ask(self, content: Object, handle: str) -> bool:
        try:
            listed = self._driver.listed(handle)
        except LookupError as fault:
            name = content["metadata"]["name"]
            text = f"failed to list snapshot for content {name}: {quoted(str(fault.args[0]))}"
            self._error(
                content, "SnapshotContentCheckandUpdateFailed", f"Failed to check and update snapshot content: {text}"
            )
            raise Unfinished(text) from fault
        now = int(self.clock.now().timestamp()) * 1_000_000_000
        self._tell(content, handle, listed.ready, listed.created or now, listed.size or 0, listed.group)
        return listed.ready

    def _tell(self, content: Object, handle: str, ready: bool, created: int, size: int, group: str = "") -> None:
        """What storage said once of handle, cut and size stays; an error goes when the snapshot is ready."""
        before = status(content)
        fields: Object = {"snapshotHandle": handle, "creationTime": created}
        if size:
            fields["restoreSize"] = size
        if group:
            fields["volumeGroupSnapshotHandle"] = group
        fields = {name: value for name, value in fields.items() if before.get(name) is None}
        fields["readyToUse"] = ready
        if ready and before.get("error"):
            fields["error"] = None
        write_status(self.api, CONTENTS, content, fields)

    async def _end(self, content: Object) -> bool:
        """Deletes on storage where the policy says so, then lets the object go."""
        told = status(content)
        alone = not told.get("volumeGroupSnapshotHandle")
        if content["spec"]["deletionPolicy"] == "Delete" and told.get("snapshotHandle") and alone:
            try:
                check_secret(self.api, content)
            except Unfinished:
                self._recorder.warning(content, "SnapshotDeleteError", "Failed to get snapshot credentials")
                raise
            try:
                await self._driver.delete([told["snapshotHandle"]])
            except DriverFault as fault:
                self._recorder.warning(content, "SnapshotDeleteError", "Failed to delete snapshot")
                raise Unfinished(str(fault)) from fault
            gone = dict.fromkeys(("snapshotHandle", "readyToUse", "creationTime", "restoreSize"))
            content = write_status(self.api, CONTENTS, self._fresh(content), gone)
        remove_finalizers(self.api, CONTENTS, content, CONTENT_FINALIZER)
        return True

    def _fresh(self, content: Object) -> Object:
        """The object as it is now, after storage took its time; raises ``Unfinished`` when it is gone."""
        found = self.api.get(CONTENTS, content["metadata"]["name"])
        if found is None or found["metadata"]["uid"] != content["metadata"]["uid"]:
            raise Unfinished("the content is gone")
        return found

    def _error(self, content: Object, reason: str, message: str) -> None:
        say_error(self.api, self._recorder, CONTENTS, self._fresh(content), reason, message)


def may_go(content: Object) -> bool:
    """Its deletion was asked for, its snapshot is going (or never came), and no cut is under way."""
    if not is_ending(content):
        return False
    if content["spec"]["source"].get("snapshotHandle") and not content["spec"]["volumeSnapshotRef"].get("uid"):
        return True
    marks = marks_of(content)
    return BEING_CREATED not in marks and BEING_DELETED in marks


def asked(content: Object) -> tuple[object, ...]:
    """What, once changed, makes another attempt worthwhile at once."""
    meta = content["metadata"]
    return meta.get("generation"), meta.get("deletionTimestamp"), BEING_DELETED in marks_of(content)

"""How the state of a content shows on its snapshot."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from lazarus_tui.model.clock import rfc3339
from lazarus_tui.sandbox.snapshots.marks import Unfinished, status, write_status
from lazarus_tui.sandbox.snapshots.names import GROUP_CONTENTS, SNAPSHOTS, path
from lazarus_tui.sandbox.snapshots.sources import quantity_text

if TYPE_CHECKING:
    from lazarus_tui.sandbox.api.local import LocalApi
    from lazarus_tui.sandbox.controllers.events import Recorder

Object = dict[str, Any]


def mirror_content(api: LocalApi, recorder: Recorder, snapshot: Object, content: Object) -> None:
    """The snapshot's status as its content has it; what was once told of cut and size stays."""
    before, told = status(snapshot), status(content)
    fields: Object = {
        "boundVolumeSnapshotContentName": before.get("boundVolumeSnapshotContentName") or content["metadata"]["name"],
        "readyToUse": bool(told.get("readyToUse")),
        "error": told.get("error"),
    }
    if not before.get("creationTime") and told.get("creationTime") is not None:
        fields["creationTime"] = moment(told["creationTime"])
    if before.get("restoreSize") in (None, "0") and told.get("restoreSize") is not None:
        fields["restoreSize"] = quantity_text(told["restoreSize"])
    if handle := told.get("volumeGroupSnapshotHandle"):
        fields["volumeGroupSnapshotName"] = before.get("volumeGroupSnapshotName") or _group_of(api, snapshot, handle)
    if fields.get("creationTime"):
        text = f"Snapshot {path(snapshot)} was successfully created by the CSI driver."
        recorder.normal(snapshot, "SnapshotCreated", text)
    if fields["readyToUse"] and not before.get("readyToUse"):
        recorder.normal(snapshot, "SnapshotReady", f"Snapshot {path(snapshot)} is ready to use.")
    write_status(api, SNAPSHOTS, snapshot, fields)


def _group_of(api: LocalApi, snapshot: Object, handle: str) -> str:
    for content in api.list(GROUP_CONTENTS):
        if status(content).get("volumeGroupSnapshotHandle") == handle:
            return str(content["spec"]["volumeGroupSnapshotRef"]["name"])
    raise Unfinished(f"cannot find the group snapshot for VolumeSnapshot [{path(snapshot)}]")


def moment(nanoseconds: int) -> str:
    """RFC 3339 of unix nanoseconds."""
    return rfc3339(datetime.fromtimestamp(nanoseconds // 1_000_000_000, UTC))

"""The VolumeSnapshots of a set: how they are made, and how they are kept from going along with their namespace."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lazarus_tui.model.sets import ABOUT, ROLE_LABEL, SCHEDULE_LABEL, SET_LABEL, WORKLOAD_LABEL, SetAbout
from lazarus_tui.model.snapshots import CONTENTS, RETAIN, SNAPSHOTS, Content, Snapshot, SnapshotState, state, unbound
from lazarus_tui.model.steps import StepContext, Write
from lazarus_tui.snapshots.names import member_name, shortened


def member(
    set_name: str,
    namespace: str,
    claim: str,
    about: SetAbout,
    *,
    class_name: str,
    role: str,
    schedule: str = "",
    annotations: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """The body of one member; the class may be "" for the driver's default."""
    labels = {
        SET_LABEL: set_name,
        WORKLOAD_LABEL: shortened(about.workload.rpartition("/")[2], "", 63),
        ROLE_LABEL: role,
    }
    if schedule:
        labels[SCHEDULE_LABEL] = shortened(schedule, "", 63)
    spec: dict[str, Any] = {"source": {"persistentVolumeClaimName": claim}}
    if class_name:
        spec["volumeSnapshotClassName"] = class_name
    return {
        "apiVersion": SNAPSHOTS.api_version,
        "kind": SNAPSHOTS.kind,
        "metadata": {
            "name": member_name(set_name, claim),
            "namespace": namespace,
            "labels": labels_of(set_name, about, role, schedule),
            "annotations": {ABOUT: about.text(), **(annotations or {})},
        },
        "spec": spec,
    }


def labels_of(set_name: str, about: SetAbout, role: str, schedule: str = "") -> dict[str, str]:
    """The labels by which the members of a set are found."""
    workload = shortened(about.workload.rpartition("/")[2], "", 63)
    labels = {SET_LABEL: set_name, WORKLOAD_LABEL: workload, ROLE_LABEL: role}
    return {**labels, SCHEDULE_LABEL: shortened(schedule, "", 63)} if schedule else labels


async def read_member(context: StepContext, namespace: str, name: str) -> tuple[Snapshot | None, Content | None]:
    """A member and the content it is bound to, by fresh reads."""
    found = await context.reader.get(SNAPSHOTS, name, namespace, type=Snapshot)
    bound = found.status.bound_volume_snapshot_content_name if found else ""
    content = await context.reader.get(CONTENTS, bound, type=Content) if bound else None
    return found, content


def sound(snapshot: Snapshot | None, content: Content | None) -> str:
    """Why a member cannot be relied on now, in words; "" when it can."""
    if snapshot is None:
        return "does not exist"
    found = state(snapshot)
    if found is SnapshotState.ERROR:
        error = snapshot.status.error
        return f"failed so far: {reason(error.message) if error else 'no reason given'}"
    if found is not SnapshotState.READY:
        return {SnapshotState.DELETING: "is being deleted"}.get(found, f"is {found}")
    if why := unbound(snapshot, content):
        return why
    if content is not None and content.metadata.deletion_timestamp:
        return "its content is being deleted"
    return ""


def reason(message: str) -> str:
    """The driver's own words out of what the controllers wrapped around them (``rpc error: code = … desc = words``)."""
    return message.rpartition("desc = ")[2].strip().rstrip('"') or message


def keeping(content: Content, policy: str = RETAIN) -> Write:
    """Retain: neither the snapshot's deletion nor the namespace's takes the data on storage along; Delete: it goes."""
    meta = content.metadata
    return Write(
        "merge-patch", CONTENTS, None, meta.name, {"spec": {"deletionPolicy": policy}}, uid=meta.uid,
        resource_version=meta.resource_version, expect=f"{policy} when its snapshot goes",
        undo={"deletionPolicy": content.spec.deletion_policy},
    )  # fmt: skip

"""What is there of a quarantine, by labels and uids; a name alone makes nothing ours."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from lazarus_tui.kube.errors import NotFound
from lazarus_tui.model.labels import RESTORE_NAME_LABEL, label_value
from lazarus_tui.model.resources import CLAIMS, CONFIGMAPS, NAMESPACES, RESTORES, VOLUMES, Resource
from lazarus_tui.model.snapshots import CONTENTS
from lazarus_tui.model.stepping import OPERATION_LABEL
from lazarus_tui.model.steps import Reader
from lazarus_tui.prove.places import identity
from lazarus_tui.prove.quarantine import names, storage
from lazarus_tui.prove.quarantine.names import Quarantine, label

Object = dict[str, Any]


async def listed(reader: Reader, resource: Resource, namespace: str | None = None, selector: str = "") -> list[Object]:
    """Fresh objects; none of a kind that the cluster does not serve. Raises ``KubeError``."""
    try:
        return await reader.list(resource, namespace, type=dict, label_selector=selector)
    except NotFound:
        return []


async def namespace(reader: Reader, wanted: Quarantine) -> Object | None:
    """The quarantine itself, if it is this operation's."""
    found = await reader.get(NAMESPACES, wanted.name, type=dict)
    return found if wanted.owns(found) else None


async def restores(reader: Reader, wanted: Quarantine) -> list[Object]:
    """Restores into the quarantine that this operation made."""
    if not wanted.velero:
        return []
    found = await listed(reader, RESTORES, wanted.velero, _made_by(wanted))
    return [one for one in found if wanted.name in ((one.get("spec") or {}).get("namespaceMapping") or {}).values()]


async def papers(reader: Reader, wanted: Quarantine, kind: Resource) -> list[Object]:
    """What lies in Velero's namespace beside the Restore: its modifiers (CONFIGMAPS), its DOWNLOAD_REQUESTS."""
    found = await listed(reader, kind, wanted.velero, _made_by(wanted)) if wanted.velero else []
    if kind == CONFIGMAPS:
        found = [one for one in found if one["metadata"]["name"] == wanted.modifiers or wanted.owns(one)]
        return [one for one in found if not label(one, names.CAPSULE)]
    return found


async def claims(reader: Reader, wanted: Quarantine) -> dict[str, str]:
    """Claims in the quarantine, which has to be this operation's: uid → name."""
    found = await listed(reader, CLAIMS, wanted.name)
    return {one["metadata"]["uid"]: one["metadata"]["name"] for one in found}


async def volumes(
    reader: Reader, wanted: Quarantine, claims: Mapping[str, str], space: Object | None
) -> tuple[list[Object], frozenset[str]]:
    """Volumes of the quarantine, and identities of all storage beside it. ``claims``: uid → name of its claims;
    ``space``: the quarantine while it is there. What is older than it was bound by chance, and is somebody else's."""
    mine, live = [], set(wanted.handles)
    since = made(space)
    for one in await listed(reader, VOLUMES):
        if storage.bound_into(one) == wanted.name and _ours(one, wanted, claims, since):
            mine.append(one)
        else:
            live.add(identity(one.get("spec") or {}))
    return mine, frozenset(live - {""})


def _ours(volume: Object, wanted: Quarantine, claims: Mapping[str, str], since: str) -> bool:
    bound = str(volume["spec"]["claimRef"].get("uid") or "") in claims
    older = made(volume) < since  # both in the server's one way to write a moment
    return (bound and not older) or wanted.owns(volume) or restored(volume, wanted)


def made(found: Object | None) -> str:
    """When an object was made, as the server writes it (RFC 3339, UTC, whole seconds); "" for none."""
    return str(((found or {}).get("metadata") or {}).get("creationTimestamp") or "")


async def strangers(reader: Reader, wanted: Quarantine, mine: Collection[str]) -> list[Object]:
    """Volumes that say they belong to a claim of the quarantine, there or gone, and are none of ``mine`` (uids)."""
    space = await reader.get(NAMESPACES, wanted.name, type=dict)
    if space is not None and not wanted.owns(space):
        return []
    found = [one for one in await listed(reader, VOLUMES) if storage.bound_into(one) == wanted.name]
    return [one for one in found if one["metadata"]["uid"] not in mine]


async def older(reader: Reader, wanted: Quarantine, space: Object) -> list[Object]:
    """Volumes of others that were there before the quarantine, and that a claim of it was bound to by chance."""
    found = [one for one in await listed(reader, VOLUMES) if storage.bound_into(one) == wanted.name]
    return [one for one in found if made(one) < made(space) and not wanted.owns(one) and not restored(one, wanted)]


def restored(found: Object, wanted: Quarantine) -> bool:
    """Whether Velero made it for this operation's Restore."""
    return label(found, RESTORE_NAME_LABEL) in {label_value(name) for name in wanted.runs}


async def contents(reader: Reader, wanted: Quarantine, *, space: bool) -> list[Object]:
    """VolumeSnapshotContents of snapshots in the quarantine; ``space``: it is there, and this operation's."""
    found = [one for one in await listed(reader, CONTENTS) if _of(one) == wanted.name]
    return [one for one in found if space or wanted.owns(one) or restored(one, wanted) or _marked(one, wanted)]


async def handles(reader: Reader, wanted: Quarantine) -> list[str]:
    """Snapshots of the proof's point that are listed outside the quarantine, as the storage calls them."""
    found = await listed(reader, CONTENTS) if wanted.points else []
    told = {str((one.get("status") or {}).get("snapshotHandle") or "") for one in found if _of(one) != wanted.name}
    return sorted(told & wanted.points)


def _of(content: Object) -> str:
    return str(((content.get("spec") or {}).get("volumeSnapshotRef") or {}).get("namespace") or "")


def _marked(found: Object, wanted: Quarantine) -> bool:
    return label(found, OPERATION_LABEL) == wanted.op[:8]


def _made_by(wanted: Quarantine) -> str:
    return f"{OPERATION_LABEL}={wanted.op[:8]}"

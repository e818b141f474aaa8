"""Volumes that nobody made for the copy, with policy Delete: what its claims could do to them when they go (S9)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

import msgspec

from lazarus_tui.model.objects import LabelSelector
from lazarus_tui.model.quantities import QuantityError, parse
from lazarus_tui.model.scope import selects
from lazarus_tui.model.volumes import Held
from lazarus_tui.prove.places import identity
from lazarus_tui.prove.points import Contents, Item
from lazarus_tui.prove.quarantine.storage import DELETE, provisioned

Object = Mapping[str, Any]


def warnings(
    volumes: Iterable[Object], contents: Contents, created: Iterable[str], classes: Mapping[str, str]
) -> list[str]:
    """Sentences for the plan. ``volumes``: those of the cluster; ``created``: claims that come back; ``classes``: old →
    new storage class where the restore maps them. The cleaning makes each of them Retain before a claim goes."""
    back = set(created)
    claims = [item for item in contents.of("persistentvolumeclaims") if item.name in back]
    return [*_static(contents), *_free(volumes, claims, classes)]


def _static(contents: Contents) -> Iterable[str]:
    captured = {one.claim for one in contents.volumes if one.held is Held.CAPTURED}
    for item in contents.cluster:
        bound = item.spec.get("claimRef") or {}
        other = bound.get("namespace") != contents.namespace or str(bound.get("name")) in captured
        if item.resource == "persistentvolumes" and not other and _deletes(item.body) and not provisioned(item.body):
            where = identity(item.spec) or "its storage"
            yield (
                f"volume {item.name} of the point has policy Delete and was not provisioned: with a copy of it {where}"
                " would be deleted; should one come back all the same, it is made Retain before anything is removed"
            )


def _free(volumes: Iterable[Object], claims: Iterable[Item], classes: Mapping[str, str]) -> Iterable[str]:
    for volume in volumes:
        if (volume.get("spec") or {}).get("claimRef") or not _deletes(volume):
            continue
        taken = next((claim.name for claim in claims if _fits(volume, claim, classes)), "")
        if taken:
            yield (
                f"volume {volume['metadata']['name']} is free and may take claim {taken} of the copy: its policy Delete"
                " is made Retain before the copy is removed, and it stays behind, Released"
            )


def _deletes(volume: Object) -> bool:
    return bool((volume.get("spec") or {}).get("persistentVolumeReclaimPolicy") == DELETE)


def _fits(volume: Object, claim: Item, classes: Mapping[str, str]) -> bool:
    """As the control plane chooses a volume that is there; where its words are not understood it may fit."""
    spec, asked = volume.get("spec") or {}, claim.spec
    wanted = str(asked.get("storageClassName") or "")
    if str(spec.get("storageClassName") or "") != classes.get(wanted, wanted):
        return False
    if (spec.get("volumeMode") or "Filesystem") != (asked.get("volumeMode") or "Filesystem"):
        return False
    if not set(asked.get("accessModes") or ()) <= set(spec.get("accessModes") or ()):
        return False
    room, need = _amount(spec.get("capacity")), _amount((asked.get("resources") or {}).get("requests"))
    return not (room is not None and need is not None and room < need) and _chosen(volume, asked.get("selector"))


def _chosen(volume: Object, selector: Any) -> bool:
    if not isinstance(selector, Mapping):
        return True
    try:
        wanted = msgspec.convert(selector, LabelSelector)
    except msgspec.ValidationError:
        return True
    return selects(wanted, volume["metadata"].get("labels") or {}) is not False


def _amount(found: Any) -> Decimal | None:
    try:
        return parse(str(found["storage"])) if isinstance(found, Mapping) and "storage" in found else None
    except QuantityError:
        return None

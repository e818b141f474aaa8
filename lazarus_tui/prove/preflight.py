"""What is read of the live cluster before a proof is planned: room, classes, webhooks, the queue, what is pulled."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from lazarus_tui.kube.errors import Forbidden, NotFound
from lazarus_tui.model.clock import parse_rfc3339
from lazarus_tui.model.durations import human
from lazarus_tui.model.objects import Restore
from lazarus_tui.model.plan import Estimate, PlanRefused
from lazarus_tui.model.points import RUNNING_PHASES
from lazarus_tui.model.resources import CONFIGMAPS, RESTORES, STORAGECLASSES, VOLUMES
from lazarus_tui.model.steps import Reader
from lazarus_tui.model.storage import StorageClass
from lazarus_tui.prove import admission, overrides, room, spare
from lazarus_tui.prove.asked import Asked
from lazarus_tui.prove.places import identity
from lazarus_tui.prove.points import Contents
from lazarus_tui.prove.proof.preflight import versions
from lazarus_tui.prove.quarantine import bodies
from lazarus_tui.prove.quarantine.names import quarantine
from lazarus_tui.prove.rules import Ruling
from lazarus_tui.prove.rules.patching import at
from lazarus_tui.prove.rules.podspecs import RESOURCES, containers, spec_path

# Held against the point's expiration: three times the expected time, an hour at least (reliability V3).
_MARGIN, _LEAST = 3.0, timedelta(hours=1)
_TESTED = ((1, 14), (1, 18))  # the Veleros this is tested with
# ConfigMaps in Velero's namespace by which every restore is changed (reference: velero §2.8).
_ALTERING = {
    "velero.io/change-storage-class": "changes the storage classes of every restore",
    "velero.io/change-image-name": "changes the images of every restore",
}


@dataclass(slots=True)
class Found:
    """``handles``: identities of the live volumes of the source namespace; ``images``: what is pulled."""

    warnings: list[str] = field(default_factory=list)
    handles: set[str] = field(default_factory=set)
    images: tuple[str, ...] = ()


async def look(reader: Reader, contents: Contents, ruling: Ruling, wanted: Asked, op: str, now: datetime) -> Found:
    """Raises ``PlanRefused`` for what can only fail."""
    need = room.needed(contents, ruling, bodies.unsaid(wanted.limits))
    room.within_limits(need, wanted.limits)
    found = Found(images=_images(contents, ruling))
    volumes = await reader.list(VOLUMES, type=dict)
    for volume in volumes:
        spec = volume.get("spec") or {}
        if (spec.get("claimRef") or {}).get("namespace") == wanted.namespace and (one := identity(spec)):
            found.handles.add(one)
    altered: Mapping[str, str] = {}
    if wanted.velero and wanted.source == "velero":
        altered = await _altering(reader, wanted.velero, found.warnings)
        found.warnings += await _queue(reader, wanted.velero)
        found.warnings += _tested((await versions(reader, wanted.velero))["velero"])
    await _classes(reader, contents, altered)
    found.warnings += spare.warnings(volumes, contents, ruling.created.get("persistentvolumeclaims", ()), altered)
    own = quarantine({"op": op})
    found.warnings += await room.shortage(reader, need, len(bodies.probes(own)))
    meta = bodies.namespace(own, now)["metadata"]
    labels = {**meta["labels"], **bodies.marks(op), "kubernetes.io/metadata.name": meta["name"]}
    kinds = {*ruling.created, "networkpolicies.networking.k8s.io"}
    found.warnings += await admission.seen_by(reader, labels, kinds)
    found.warnings += await _opened(reader, meta["name"], labels, wanted)
    return found


async def _opened(reader: Reader, name: str, labels: Mapping[str, str], wanted: Asked) -> list[str]:
    """What policies of the whole cluster would open: the proof looks again, and cannot be green with one of them."""
    space = overrides.Space(name, labels, dns=bool(wanted.network.get("dns")))
    seen = await overrides.openings(reader, space)
    allowed = overrides.allowed(wanted.allow)
    told = [f"{one.words}, which is let stand" for one in seen.found if one.words not in seen.unshown(allowed)]
    return [*told, *(f"cannot be shown closed: {one}" for one in seen.unshown(allowed))]


async def _altering(reader: Reader, velero: str, warnings: list[str]) -> dict[str, str]:
    """Old → new storage class by the ConfigMaps that change them."""
    mapped: dict[str, str] = {}
    for label, words in _ALTERING.items():
        for one in await reader.list(CONFIGMAPS, velero, type=dict, label_selector=label):
            warnings.append(f"ConfigMap {velero}/{one['metadata']['name']} {words}")
            mapped |= (one.get("data") or {}) if label.endswith("storage-class") else {}
    return mapped


async def _queue(reader: Reader, velero: str) -> list[str]:
    """Velero runs one restore at a time."""
    ahead = [
        one.metadata.name
        for one in await reader.list(RESTORES, velero, type=Restore)
        if one.status.phase in RUNNING_PHASES
    ]
    more = f" and {len(ahead) - 3} more" if len(ahead) > 3 else ""
    return [f"it waits for restore {', '.join(ahead[:3])}{more}: Velero runs one at a time"] if ahead else []


def _tested(image: str) -> list[str]:
    match = re.search(r":v?(\d+)\.(\d+)", image)
    if match is None or _TESTED[0] <= (int(match[1]), int(match[2])) <= _TESTED[1]:
        return []
    return [f"{image} is not a Velero this is tested with (1.14 to 1.18)"]


async def _classes(reader: Reader, contents: Contents, altered: Mapping[str, str]) -> None:
    """A claim of a class that does not exist stays Pending for ever."""
    try:
        known = {one.metadata.name for one in await reader.list(STORAGECLASSES, type=StorageClass)}
    except (Forbidden, NotFound):
        return
    missing: dict[str, list[str]] = {}
    for item in contents.of("persistentvolumeclaims"):
        name = str(item.spec.get("storageClassName") or "")
        name = altered.get(name, name)
        if name and name not in known:
            missing.setdefault(name, []).append(item.name)
    for name, claims in missing.items():
        raise PlanRefused(
            f"there is no storage class {name}, which {', '.join(claims[:3])} need",
            where="storage class",
            hint=f"make it, or map it with velero.io/change-storage-class; there are {', '.join(sorted(known))}",
        )


def _images(contents: Contents, ruling: Ruling) -> tuple[str, ...]:
    found: set[str] = set()
    for item in contents.items:
        if item.resource in RESOURCES and item.name in ruling.created.get(item.resource, ()):
            found |= set(_pulled(at(item.body, spec_path(item))))
    return tuple(sorted(found))


def _pulled(pod: Any) -> Iterable[str]:
    for _, one in containers(pod if isinstance(pod, Mapping) else {}):
        if one.get("image"):
            yield str(one["image"])


def enough_time(contents: Contents, estimate: Estimate | None, now: datetime) -> None:
    """A point that expires while it is proven takes its evidence with it (S22)."""
    if not contents.expires:
        return
    needed = max(timedelta(seconds=estimate.high * _MARGIN) if estimate else _LEAST, _LEAST)
    left = parse_rfc3339(contents.expires) - now
    if left < needed:
        raise PlanRefused(
            f"{contents.point} expires in {human(left)}, and the proof may take {human(needed)}",
            where=contents.point,
            hint="prove a newer point, or give this one more time to live",
        )

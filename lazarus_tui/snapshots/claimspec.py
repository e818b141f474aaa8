"""Claims made anew: from a snapshot, or bound to the volume they had (reference: data §1.8, §2.4 S8, §2.5)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lazarus_tui.model.quantities import QuantityError, parse
from lazarus_tui.model.resources import CLAIMS
from lazarus_tui.model.snapshots import SNAPSHOTS
from lazarus_tui.snapshots.names import OP, RESTORED_FROM

# What the binder, the provisioner and kubectl write; a copy of it would lie about the new claim.
_NOT_COPIED = ("pv.kubernetes.io/", "volume.kubernetes.io/", "volume.beta.kubernetes.io/", "lazarus.io/")
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_COPIED_FIELDS = ("accessModes", "volumeMode", "storageClassName", "volumeAttributesClassName")


def kept(claim: Mapping[str, Any]) -> dict[str, Any]:
    """What of a claim must live on: labels word for word, its own annotations, the fields a new claim needs."""
    meta, spec = claim.get("metadata") or {}, claim.get("spec") or {}
    annotations = {
        key: value
        for key, value in (meta.get("annotations") or {}).items()
        if not key.startswith(_NOT_COPIED) and key != _LAST_APPLIED
    }
    return {
        "labels": dict(meta.get("labels") or {}),
        "annotations": annotations,
        "spec": {field: spec[field] for field in _COPIED_FIELDS if spec.get(field) is not None},
        "requests": _storage((spec.get("resources") or {}).get("requests")),
        "capacity": _storage((claim.get("status") or {}).get("capacity")),
    }


def difference(body: Mapping[str, Any], claim: Mapping[str, Any]) -> str:
    """What a claim made anew from ``body`` (as from ``kept``) would not have of ``claim``, in words; "" for nothing."""
    now = kept(claim)
    for field, word in (("labels", "label"), ("annotations", "annotation")):
        for key in sorted({*now[field], *body[field]}):
            if (there := now[field].get(key)) != (planned := body[field].get(key)):
                return f"{word} {key} is {_told(there)}, in the plan {_told(planned)}"
    if now["requests"] != body["requests"]:
        return f"it asks for {now['requests']}, in the plan for {body['requests']}"
    return ""


def _told(value: str | None) -> str:
    return "not there" if value is None else repr(value)


def restored(name: str, namespace: str, body: Mapping[str, Any], *, snapshot: str, set_name: str, size: str,
             op: str) -> dict[str, Any]:  # fmt: skip
    """A claim of the old name with the data of ``snapshot``; ``body`` as from ``kept``, ``size`` a quantity.

    ``dataSourceRef``, not ``dataSource``: an invalid one is refused; of the other an empty volume would be made.
    """
    source = {"apiGroup": SNAPSHOTS.group, "kind": SNAPSHOTS.kind, "name": snapshot}
    spec = {**body["spec"], "resources": {"requests": {"storage": size}}, "dataSourceRef": source}
    marks = {OP: op, RESTORED_FROM: f"{set_name}/{snapshot}"}
    return _claim(name, namespace, body, spec, marks)


def rebound(name: str, namespace: str, body: Mapping[str, Any], *, volume: str, op: str) -> dict[str, Any]:
    """A claim of the old name on the volume it had: ``volumeName`` binds at once, also where binding waits for a pod.

    It asks for no more than the volume has, else it would never bind.
    """
    size = smallest(body["requests"], body["capacity"])
    spec = {**body["spec"], "resources": {"requests": {"storage": size}}, "volumeName": volume}
    return _claim(name, namespace, body, spec, {OP: op})


def _claim(name: str, namespace: str, body: Mapping[str, Any], spec: Mapping[str, Any],
           marks: Mapping[str, str]) -> dict[str, Any]:  # fmt: skip
    meta: dict[str, Any] = {"name": name, "namespace": namespace, "annotations": {**body["annotations"], **marks}}
    if body["labels"]:
        meta["labels"] = dict(body["labels"])
    return {"apiVersion": CLAIMS.api_version, "kind": CLAIMS.kind, "metadata": meta, "spec": dict(spec)}


def largest(*sizes: str) -> str:
    """The largest of some quantities; empty ones do not count. Raises ``QuantityError`` when none is told."""
    told = [size for size in sizes if size]
    if not told:
        raise QuantityError("no size is known for this volume")
    return max(told, key=parse)


def smallest(*sizes: str) -> str:
    told = [size for size in sizes if size]
    if not told:
        raise QuantityError("no size is known for this volume")
    return min(told, key=parse)


def snapshot_of(claim: Mapping[str, Any]) -> str:
    """The VolumeSnapshot a claim is made from; "" when it is made from none."""
    spec = claim.get("spec") or {}
    for field in ("dataSourceRef", "dataSource"):
        source = spec.get(field) or {}
        if source.get("kind") == SNAPSHOTS.kind and source.get("apiGroup") == SNAPSHOTS.group:
            return str(source.get("name") or "")
    return ""


def _storage(found: Any) -> str:
    value = found.get("storage") if isinstance(found, Mapping) else None
    return str(value) if value is not None else ""

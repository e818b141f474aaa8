"""The scale subresource: replicas of any kind in one shape."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lazarus_tui.sandbox.api.errors import Cause, bad_request
from lazarus_tui.sandbox.api.kinds import Kind, ScalePaths, Served
from lazarus_tui.sandbox.api.verbs import Object, Transform


def _read(obj: Mapping[str, Any], path: str) -> Any:
    value: Any = obj
    for part in path.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def _selector_text(value: Any) -> str:
    if isinstance(value, str):
        return value
    labels = (value or {}).get("matchLabels") or {}
    return ",".join(f"{key}={text}" for key, text in sorted(labels.items()))


def scale_of(kind: Kind, obj: Object) -> Object:
    """The ``Scale`` of an object."""
    paths = kind.scale or ScalePaths()
    meta = obj["metadata"]
    kept = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    replicas = _read(obj, paths.spec)
    status: Object = {"replicas": _read(obj, paths.status) or 0}
    if paths.selector and (selector := _selector_text(_read(obj, paths.selector))):
        status["selector"] = selector
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {field: meta[field] for field in kept if field in meta},
        "spec": {"replicas": replicas} if replicas else {},
        "status": status,
    }


def applied(served: Served, scale: Object) -> Object:
    """An applied ``Scale`` as a configuration of the object itself: its replicas and nothing else."""
    if (scale.get("apiVersion"), scale.get("kind")) != ("autoscaling/v1", "Scale"):
        raise bad_request(f"invalid object type: {scale.get('apiVersion')}, Kind={scale.get('kind')}")
    made = setter(served.kind, scale)({"metadata": {}})
    return {"apiVersion": served.api_version, "kind": served.kind.kind} | made


def setter(kind: Kind, scale: Object) -> Transform:
    """Puts the replicas of a ``Scale`` into its object, under the preconditions the scale carries."""
    paths = kind.scale or ScalePaths()
    replicas = (scale.get("spec") or {}).get("replicas", 0)
    if isinstance(replicas, bool) or not isinstance(replicas, int):
        raise bad_request("json: cannot unmarshal into Go struct field ScaleSpec.spec.replicas of type int32")
    meta = scale.get("metadata") or {}
    if replicas < 0:
        why = f"Invalid value: {replicas}: must be greater than or equal to 0"
        raise kind.invalid(meta.get("name", ""), [Cause("spec.replicas", why)])

    def apply(base: Object) -> Object:
        *parents, last = paths.spec.split(".")
        target = base
        for part in parents:
            target = target.setdefault(part, {})
        target[last] = replicas
        for field in ("uid", "resourceVersion"):
            if meta.get(field):
                base["metadata"][field] = meta[field]
        return base

    return apply

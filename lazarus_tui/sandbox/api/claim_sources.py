"""``dataSource`` and ``dataSourceRef`` of claims, as kube-apiserver treats the two at create and update.

Source: ``pkg/api/persistentvolumeclaim/util.go`` and ``validation.go`` with the gate CrossNamespaceVolumeDataSource at
its default, off.
"""

from __future__ import annotations

from typing import Any

from lazarus_tui.sandbox.api.errors import Cause

Object = dict[str, Any]

_CLAIM = ("", "PersistentVolumeClaim")
_OLD_WAY = (_CLAIM, ("snapshot.storage.k8s.io", "VolumeSnapshot"))


def normalize_sources(spec: Object) -> None:
    """Drops what is silently dropped (an unknown ``dataSource``, a namespace), then copies one field to the other."""
    source, reference = spec.get("dataSource"), spec.get("dataSourceRef")
    if isinstance(reference, dict):
        reference.pop("namespace", None)
    if isinstance(source, dict) and _named(source) not in _OLD_WAY:
        spec.pop("dataSource")
        source = None
    if isinstance(source, dict) and not reference:
        spec["dataSourceRef"] = dict(source)
    elif isinstance(reference, dict) and not source:
        spec["dataSource"] = dict(reference)


def source_causes(spec: Object) -> list[Cause]:
    """What is wrong with the two fields of a normalized claim."""
    causes = []
    for field in ("dataSource", "dataSourceRef"):
        value = spec.get(field)
        if not isinstance(value, dict):
            continue
        causes += [
            Cause(f"spec.{field}.{part}", "Required value", "FieldValueRequired")
            for part in ("name", "kind")
            if not value.get(part)
        ]
        group, kind = _named(value)
        if not group and kind and kind != _CLAIM[1]:
            text = f"Invalid value: \"{kind}\": must be 'PersistentVolumeClaim' when referencing the default apiGroup"
            causes.append(Cause(f"spec.{field}.kind", text))
    source, reference = spec.get("dataSource"), spec.get("dataSourceRef")
    if isinstance(source, dict) and isinstance(reference, dict) and _whole(source) != _whole(reference):
        causes.append(Cause("spec", f"Invalid value: {source}: must match dataSourceRef"))
    return causes


def _named(source: Object) -> tuple[str, str]:
    return source.get("apiGroup") or "", source.get("kind") or ""


def _whole(source: Object) -> tuple[str, str, str]:
    return (*_named(source), source.get("name") or "")

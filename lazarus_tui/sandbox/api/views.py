"""Kinds that are served in a second shape: events in their newer group, autoscalers in their older version."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from lazarus_tui.sandbox.api.kinds import Conversion

Object = dict[str, Any]

# Names of the same fields in core/v1 and in events.k8s.io/v1.
_EVENT_FIELDS: Mapping[str, str] = {
    "involvedObject": "regarding",
    "message": "note",
    "source": "deprecatedSource",
    "firstTimestamp": "deprecatedFirstTimestamp",
    "lastTimestamp": "deprecatedLastTimestamp",
    "count": "deprecatedCount",
    "reportingComponent": "reportingController",
}
_EVENT_FIELDS_BACK: Mapping[str, str] = {new: old for old, new in _EVENT_FIELDS.items()}

# Where autoscaling/v1 keeps what it has no fields for.
_NOTE = "autoscaling.alpha.kubernetes.io/"
# Names of one figure: in a metric of v2 and, for the kinds that differ, in a metric of v1.
_V1_TARGETS: Mapping[str, Mapping[str, str]] = {
    "Resource": {"averageUtilization": "targetAverageUtilization", "averageValue": "targetAverageValue"},
    "ContainerResource": {"averageUtilization": "targetAverageUtilization", "averageValue": "targetAverageValue"},
    "Pods": {"averageValue": "targetAverageValue"},
    "Object": {"value": "targetValue", "averageValue": "averageValue"},
    "External": {"value": "targetValue", "averageValue": "targetAverageValue"},
}
_TARGET_TYPES: Mapping[str, str] = {
    "averageUtilization": "Utilization",
    "averageValue": "AverageValue",
    "value": "Value",
}


def _renamed(obj: Object, names: Mapping[str, str]) -> Object:
    return {names.get(field, field): value for field, value in obj.items()}


EVENTS = Conversion(
    "events.k8s.io",
    "v1",
    lambda obj: _renamed(obj, _EVENT_FIELDS),
    lambda obj: _renamed(obj, _EVENT_FIELDS_BACK),
    _EVENT_FIELDS_BACK,
)


def _part(kind: str) -> str:
    """The field of a metric that is named after its type."""
    return kind[:1].lower() + kind[1:]


def _cpu(metric: Mapping[str, Any]) -> int | None:
    """The wanted utilisation when this is the one metric that v1 has a field for."""
    resource = metric.get("resource") or {}
    if metric.get("type") != "Resource" or resource.get("name") != "cpu":
        return None
    wanted = (resource.get("target") or {}).get("averageUtilization")
    return wanted if isinstance(wanted, int) else None


def _old_metric(metric: Object) -> Object:
    kind = str(metric.get("type", ""))
    source: Object = dict(metric.get(_part(kind)) or {})
    target, measured = source.pop("target", None) or {}, source.pop("metric", None) or {}
    if "describedObject" in source:
        source["target"] = source.pop("describedObject")
    if measured:
        source["metricName"] = measured.get("name", "")
        if measured.get("selector"):
            source["metricSelector" if kind == "External" else "selector"] = measured["selector"]
    names = _V1_TARGETS.get(kind, {})
    source |= {names[field]: value for field, value in target.items() if field in names}
    return {"type": kind, _part(kind): source}


def _new_metric(metric: Object) -> Object:
    kind = str(metric.get("type", ""))
    source: Object = dict(metric.get(_part(kind)) or {})
    target: Object = {}
    if kind == "Object" and "target" in source:
        source["describedObject"] = source.pop("target")
    for field, name in _V1_TARGETS.get(kind, {}).items():
        if name in source:
            target |= {"type": _TARGET_TYPES[field], field: source.pop(name)}
    if "metricName" in source:
        measured = {"name": source.pop("metricName")}
        selector = source.pop("metricSelector" if kind == "External" else "selector", None)
        source["metric"] = measured | ({"selector": selector} if selector else {})
    return {"type": kind, _part(kind): source | {"target": target}}


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _older(obj: Object) -> Object:
    """An autoscaler of v2 in v1: one figure for the CPU, everything else as annotations."""
    spec: Object = dict(obj.get("spec") or {})
    status: Object = dict(obj.get("status") or {})
    notes: dict[str, str] = {}
    metrics: list[Object] = list(spec.pop("metrics", None) or ())
    first = next((index for index, metric in enumerate(metrics) if _cpu(metric) is not None), None)
    if first is not None:
        spec["targetCPUUtilizationPercentage"] = _cpu(metrics.pop(first))
    if metrics:
        notes["metrics"] = _json([_old_metric(metric) for metric in metrics])
    if behavior := spec.pop("behavior", None):
        notes["behavior"] = _json(behavior)
    for field, note in (("conditions", "conditions"), ("currentMetrics", "current-metrics")):
        if value := status.pop(field, None):
            notes[note] = _json(value)
    meta: Object = dict(obj["metadata"])
    if notes:
        meta["annotations"] = (meta.get("annotations") or {}) | {_NOTE + key: value for key, value in notes.items()}
    return obj | {"metadata": meta, "spec": spec, "status": status}


def _noted(value: str) -> Any:
    try:
        return msgspec.json.decode(value)
    except msgspec.DecodeError:
        return None


def _newer(obj: Object) -> Object:
    """An autoscaler of v1 in v2; annotations that cannot be read say nothing."""
    meta: Object = dict(obj.get("metadata") or {})
    notes = {key: value for key, value in (meta.get("annotations") or {}).items() if key.startswith(_NOTE)}
    if notes:
        meta["annotations"] = {key: value for key, value in meta["annotations"].items() if key not in notes}
    read = {key.removeprefix(_NOTE): _noted(str(value)) for key, value in notes.items()}
    spec: Object = dict(obj.get("spec") or {})
    status: Object = dict(obj.get("status") or {})
    metrics: list[Object] = []
    wanted = spec.pop("targetCPUUtilizationPercentage", None)
    if wanted is not None:
        target = {"type": "Utilization", "averageUtilization": wanted}
        metrics.append({"type": "Resource", "resource": {"name": "cpu", "target": target}})
    older = read.get("metrics")
    metrics += [_new_metric(metric) for metric in older if isinstance(metric, dict)] if isinstance(older, list) else []
    if metrics:
        spec["metrics"] = metrics
    if isinstance(read.get("behavior"), dict):
        spec["behavior"] = read["behavior"]
    for field, note in (("conditions", "conditions"), ("currentMetrics", "current-metrics")):
        if isinstance(read.get(note), list):
            status[field] = read[note]
    made = obj | {"metadata": meta, "spec": spec}
    return made | {"status": status} if "status" in obj or status else made


AUTOSCALERS = Conversion("autoscaling", "v1", _older, _newer)

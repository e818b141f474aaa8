"""Columns of the built-in kinds (names, types and priorities as a real server's)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lazarus_tui.sandbox.api.moments import age, between

Object = Mapping[str, Any]
Cell = Callable[[Object, datetime], Any]

_NONE = "<none>"


@dataclass(frozen=True, slots=True)
class Column:
    """One column; ``priority`` above 0 shows with ``-o wide`` only."""

    name: str
    cell: Cell
    type: str = "string"
    format: str = ""
    priority: int = 0
    description: str = ""


def _at(obj: Object, *path: str) -> Any:
    value: Any = obj
    for part in path:
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def _field(name: str, *path: str, default: Any = "", priority: int = 0, type: str = "string") -> Column:
    def cell(obj: Object, now: datetime) -> Any:
        value = _at(obj, *path)
        return default if value is None or value == "" else value

    return Column(name, cell, type, priority=priority)


def _count(name: str, *path: str) -> Column:
    return _field(name, *path, default=0, type="integer")


NAME = Column("Name", lambda obj, now: obj["metadata"]["name"], format="name")
AGE = Column("Age", lambda obj, now: age(obj["metadata"].get("creationTimestamp"), now))


def _template(obj: Object) -> list[Object]:
    spec = _at(obj, "spec", "template", "spec") or _at(obj, "spec", "jobTemplate", "spec", "template", "spec") or {}
    return spec.get("containers") or []


_CONTAINERS = Column("Containers", lambda obj, now: ",".join(one["name"] for one in _template(obj)), priority=1)
_IMAGES = Column("Images", lambda obj, now: ",".join(one.get("image", "") for one in _template(obj)), priority=1)


def _selector_text(selector: Any) -> str:
    if not selector:
        return _NONE
    labels = selector.get("matchLabels", selector) if isinstance(selector, Mapping) else {}
    parts = [f"{key}={value}" for key, value in sorted(labels.items()) if isinstance(value, str)]
    for one in selector.get("matchExpressions") or ():
        values = ",".join(one.get("values") or ())
        parts.append(f"{one['key']} {one['operator'].lower()} ({values})")
    return ",".join(parts) or _NONE


_SELECTOR = Column("Selector", lambda obj, now: _selector_text(_at(obj, "spec", "selector")), priority=1)
_WIDE = (_CONTAINERS, _IMAGES)


def _ready_of(ready: str, wanted: tuple[str, str]) -> Cell:
    return lambda obj, now: f"{_at(obj, 'status', ready) or 0}/{_at(obj, *wanted) or 0}"


def _pod_ready(obj: Object, now: datetime) -> str:
    ready = sum(1 for one in _at(obj, "status", "containerStatuses") or () if one.get("ready"))
    return f"{ready}/{len(_at(obj, 'spec', 'containers') or ())}"


def _pod_restarts(obj: Object, now: datetime) -> str:
    statuses = _at(obj, "status", "containerStatuses") or ()
    count = sum(one.get("restartCount", 0) for one in statuses)
    ends = [end for one in statuses if (end := _at(one, "lastState", "terminated", "finishedAt"))]
    return f"{count} ({age(max(ends), now)} ago)" if count and ends else str(count)


def _waiting_reason(status: Object) -> str:
    state = status.get("state") or {}
    waiting, ended = state.get("waiting"), state.get("terminated")
    if waiting and waiting.get("reason"):
        return str(waiting["reason"])
    if ended:
        return str(ended.get("reason") or f"ExitCode:{ended.get('exitCode')}")
    return ""


def _init_reason(obj: Object) -> str:
    statuses = _at(obj, "status", "initContainerStatuses") or ()
    for index, one in enumerate(statuses):
        ended = _at(one, "state", "terminated")
        if ended and ended.get("exitCode") == 0:
            continue
        reason = _waiting_reason(one)
        if reason and reason != "PodInitializing":
            return f"Init:{reason}"
        return f"Init:{index}/{len(_at(obj, 'spec', 'initContainers') or ())}"
    return ""


def _pod_status(obj: Object, now: datetime) -> str:
    status = obj.get("status") or {}
    reason = status.get("reason") or status.get("phase") or "Unknown"
    initial = _init_reason(obj)
    if initial:
        reason = initial
    else:
        containers = status.get("containerStatuses") or ()
        for one in reversed(containers):
            reason = _waiting_reason(one) or reason
        if reason == "Completed" and any(one.get("ready") for one in containers):
            reason = "Running"
    if obj["metadata"].get("deletionTimestamp"):
        return "Unknown" if status.get("reason") == "NodeLost" else "Terminating"
    return str(reason)


def _ports(obj: Object, now: datetime) -> str:
    texts = []
    for port in _at(obj, "spec", "ports") or ():
        node = f":{port['nodePort']}" if port.get("nodePort") else ""
        texts.append(f"{port['port']}{node}/{port.get('protocol', 'TCP')}")
    return ",".join(texts) or _NONE


def _external(obj: Object, now: datetime) -> str:
    spec = obj.get("spec") or {}
    if spec.get("type") == "ExternalName":
        return str(spec.get("externalName", ""))
    if spec.get("type") == "LoadBalancer":
        points = _at(obj, "status", "loadBalancer", "ingress") or ()
        return ",".join(one.get("ip") or one.get("hostname", "") for one in points) or "<pending>"
    return ",".join(spec.get("externalIPs") or ()) or _NONE


_MODES = {"ReadWriteOnce": "RWO", "ReadOnlyMany": "ROX", "ReadWriteMany": "RWX", "ReadWriteOncePod": "RWOP"}


def _modes(*path: str) -> Cell:
    return lambda obj, now: ",".join(_MODES.get(mode, mode) for mode in _at(obj, *path) or ())


def _claim_status(obj: Object, now: datetime) -> str:
    return "Terminating" if obj["metadata"].get("deletionTimestamp") else str(_at(obj, "status", "phase") or "")


def _volume_claim(obj: Object, now: datetime) -> str:
    reference = _at(obj, "spec", "claimRef")
    return f"{reference.get('namespace')}/{reference.get('name')}" if reference else ""


def _job_status(obj: Object, now: datetime) -> str:
    conditions = {one["type"] for one in _at(obj, "status", "conditions") or () if one.get("status") == "True"}
    for wanted, text in (("Complete", "Complete"), ("Failed", "Failed"), ("Suspended", "Suspended")):
        if wanted in conditions:
            return text
    if obj["metadata"].get("deletionTimestamp"):
        return "Terminating"
    return "Suspended" if _at(obj, "spec", "suspend") else "Running"


def _job_completions(obj: Object, now: datetime) -> str:
    wanted, done = _at(obj, "spec", "completions"), _at(obj, "status", "succeeded") or 0
    return f"{done}/{wanted}" if wanted is not None else f"{done}/1 of {_at(obj, 'spec', 'parallelism') or 1}"


def _job_duration(obj: Object, now: datetime) -> str:
    start, end = _at(obj, "status", "startTime"), _at(obj, "status", "completionTime")
    return "" if not start else between(start, end) if end else age(start, now)


def _last_seen(obj: Object, now: datetime) -> str:
    stamp = _at(obj, "series", "lastObservedTime") or obj.get("lastTimestamp") or obj.get("eventTime")
    return age(stamp or obj["metadata"].get("creationTimestamp"), now)


def _event_object(obj: Object, now: datetime) -> str:
    target = obj.get("involvedObject") or {}
    return f"{target.get('kind', '').lower()}/{target.get('name', '')}"


def _event_source(obj: Object, now: datetime) -> str:
    source = obj.get("source") or {}
    parts = [source.get("component") or obj.get("reportingComponent") or "", source.get("host") or ""]
    return ", ".join(part for part in parts if part)


def _node_status(obj: Object, now: datetime) -> str:
    ready = next((one for one in _at(obj, "status", "conditions") or () if one.get("type") == "Ready"), None)
    text = {"True": "Ready", "False": "NotReady"}.get((ready or {}).get("status", ""), "Unknown")
    return text + (",SchedulingDisabled" if _at(obj, "spec", "unschedulable") else "")


def _node_roles(obj: Object, now: datetime) -> str:
    prefix = "node-role.kubernetes.io/"
    roles = [key.removeprefix(prefix) for key in obj["metadata"].get("labels") or {} if key.startswith(prefix)]
    return ",".join(sorted(roles)) or _NONE


def _endpoint_text(obj: Object, now: datetime) -> str:
    texts = [
        f"{address['ip']}:{port['port']}"
        for subset in obj.get("subsets") or ()
        for address in subset.get("addresses") or ()
        for port in subset.get("ports") or ()
    ]
    more = f" + {len(texts) - 3} more..." if len(texts) > 3 else ""
    return ",".join(texts[:3]) + more if texts else _NONE


def _cron_active(obj: Object, now: datetime) -> int:
    return len(_at(obj, "status", "active") or ())


def _cron_last(obj: Object, now: datetime) -> str:
    stamp = _at(obj, "status", "lastScheduleTime")
    return age(stamp, now) if stamp else _NONE


def _length(name: str, field: str) -> Column:
    return Column(name, lambda obj, now: len(obj.get(field) or ()), "string")


def _default_mark(obj: Object, now: datetime) -> str:
    marks = obj["metadata"].get("annotations") or {}
    default = marks.get("storageclass.kubernetes.io/is-default-class") == "true"
    return f"{obj['metadata']['name']}{' (default)' if default else ''}"


_PODS = (
    NAME,
    Column("Ready", _pod_ready),
    Column("Status", _pod_status),
    Column("Restarts", _pod_restarts),
    AGE,
    _field("IP", "status", "podIP", default=_NONE, priority=1),
    _field("Node", "spec", "nodeName", default=_NONE, priority=1),
    _field("Nominated Node", "status", "nominatedNodeName", default=_NONE, priority=1),
    Column("Readiness Gates", lambda obj, now: _NONE, priority=1),
)

_VOLUMES = (
    NAME,
    _field("Capacity", "spec", "capacity", "storage"),
    Column("Access Modes", _modes("spec", "accessModes")),
    _field("Reclaim Policy", "spec", "persistentVolumeReclaimPolicy"),
    Column("Status", _claim_status),
    Column("Claim", _volume_claim),
    _field("StorageClass", "spec", "storageClassName"),
    _field("VolumeAttributesClass", "spec", "volumeAttributesClassName", default="<unset>"),
    _field("Reason", "status", "reason"),
    AGE,
    _field("VolumeMode", "spec", "volumeMode", default="<unset>", priority=1),
)

_CLAIMS = (
    NAME,
    Column("Status", _claim_status),
    _field("Volume", "spec", "volumeName"),
    _field("Capacity", "status", "capacity", "storage"),
    Column("Access Modes", _modes("status", "accessModes")),
    _field("StorageClass", "spec", "storageClassName"),
    _field("VolumeAttributesClass", "spec", "volumeAttributesClassName", default="<unset>"),
    AGE,
    _field("VolumeMode", "spec", "volumeMode", default="<unset>", priority=1),
)

_EVENTS = (
    Column("Last Seen", _last_seen),
    _field("Type", "type"),
    _field("Reason", "reason"),
    Column("Object", _event_object),
    _field("Subobject", "involvedObject", "fieldPath", priority=1),
    Column("Source", _event_source, priority=1),
    Column("Message", lambda obj, now: str(obj.get("message") or "").strip()),
    Column("First Seen", lambda obj, now: age(obj.get("firstTimestamp") or obj.get("eventTime"), now), priority=1),
    Column("Count", lambda obj, now: str(obj.get("count") or 1), priority=1),
    Column("Name", lambda obj, now: obj["metadata"]["name"], format="name", priority=1),
)

COLUMNS: dict[str, tuple[Column, ...]] = {
    "pods": _PODS,
    "persistentvolumes": _VOLUMES,
    "persistentvolumeclaims": _CLAIMS,
    "events": _EVENTS,
    "namespaces": (NAME, Column("Status", _claim_status), AGE),
    "configmaps": (NAME, Column("Data", lambda o, now: len(o.get("data") or ()) + len(o.get("binaryData") or ())), AGE),
    "secrets": (NAME, _field("Type", "type"), _length("Data", "data"), AGE),
    "serviceaccounts": (NAME, _length("Secrets", "secrets"), AGE),
    "endpoints": (NAME, Column("Endpoints", _endpoint_text), AGE),
    "nodes": (
        NAME,
        Column("Status", _node_status),
        Column("Roles", _node_roles),
        AGE,
        _field("Version", "status", "nodeInfo", "kubeletVersion"),
    ),
    "services": (
        NAME,
        _field("Type", "spec", "type"),
        _field("Cluster-IP", "spec", "clusterIP", default=_NONE),
        Column("External-IP", _external),
        Column("Port(s)", _ports),
        AGE,
        _SELECTOR,
    ),
    "statefulsets.apps": (NAME, Column("Ready", _ready_of("readyReplicas", ("spec", "replicas"))), AGE, *_WIDE),
    "deployments.apps": (
        NAME,
        Column("Ready", _ready_of("readyReplicas", ("spec", "replicas"))),
        _count("Up-to-date", "status", "updatedReplicas"),
        _count("Available", "status", "availableReplicas"),
        AGE,
        *_WIDE,
        _SELECTOR,
    ),
    "replicasets.apps": (
        NAME,
        _count("Desired", "spec", "replicas"),
        _count("Current", "status", "replicas"),
        _count("Ready", "status", "readyReplicas"),
        AGE,
        *_WIDE,
        _SELECTOR,
    ),
    "daemonsets.apps": (
        NAME,
        _count("Desired", "status", "desiredNumberScheduled"),
        _count("Current", "status", "currentNumberScheduled"),
        _count("Ready", "status", "numberReady"),
        _count("Up-to-date", "status", "updatedNumberScheduled"),
        _count("Available", "status", "numberAvailable"),
        Column("Node Selector", lambda o, now: _selector_text(_at(o, "spec", "template", "spec", "nodeSelector"))),
        AGE,
        *_WIDE,
        _SELECTOR,
    ),
    "jobs.batch": (
        NAME,
        Column("Status", _job_status),
        Column("Completions", _job_completions),
        Column("Duration", _job_duration),
        AGE,
        *_WIDE,
        _SELECTOR,
    ),
    "cronjobs.batch": (
        NAME,
        _field("Schedule", "spec", "schedule"),
        _field("Timezone", "spec", "timeZone", default=_NONE),
        _field("Suspend", "spec", "suspend", default=False, type="boolean"),
        Column("Active", _cron_active, "integer"),
        Column("Last Schedule", _cron_last),
        AGE,
        *_WIDE,
    ),
    "storageclasses.storage.k8s.io": (
        Column("Name", _default_mark, format="name"),
        _field("Provisioner", "provisioner"),
        _field("ReclaimPolicy", "reclaimPolicy", default="Delete"),
        _field("VolumeBindingMode", "volumeBindingMode", default="Immediate"),
        Column("AllowVolumeExpansion", lambda o, now: str(bool(o.get("allowVolumeExpansion"))).lower()),
        AGE,
    ),
    "leases.coordination.k8s.io": (NAME, _field("Holder", "spec", "holderIdentity"), AGE),
    "customresourcedefinitions.apiextensions.k8s.io": (
        NAME,
        Column("Created At", lambda obj, now: obj["metadata"].get("creationTimestamp", "")),
    ),
}

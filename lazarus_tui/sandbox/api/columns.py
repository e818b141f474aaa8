"""Columns of the built-in kinds (names, types and priorities as a real server's)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lazarus_tui.sandbox.api.moments import age, between

Object = Mapping[str, Any]
Cell = Callable[[Object, datetime], Any]

NONE = "<none>"


@dataclass(frozen=True, slots=True)
class Column:
    """One column; ``priority`` above 0 shows with ``-o wide`` only."""

    name: str
    cell: Cell
    type: str = "string"
    format: str = ""
    priority: int = 0
    description: str = ""


def at(obj: Object, *path: str) -> Any:
    value: Any = obj
    for part in path:
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def shown(name: str, *path: str, default: Any = "", priority: int = 0, type: str = "string") -> Column:
    def cell(obj: Object, now: datetime) -> Any:
        value = at(obj, *path)
        return default if value is None or value == "" else value

    return Column(name, cell, type, priority=priority)


def count(name: str, *path: str) -> Column:
    return shown(name, *path, default=0, type="integer")


NAME = Column("Name", lambda obj, now: obj["metadata"]["name"], format="name")
AGE = Column("Age", lambda obj, now: age(obj["metadata"].get("creationTimestamp"), now))


def _template(obj: Object) -> list[Object]:
    spec = at(obj, "spec", "template", "spec") or at(obj, "spec", "jobTemplate", "spec", "template", "spec") or {}
    return spec.get("containers") or []


_CONTAINERS = Column("Containers", lambda obj, now: ",".join(one["name"] for one in _template(obj)), priority=1)
_IMAGES = Column("Images", lambda obj, now: ",".join(one.get("image", "") for one in _template(obj)), priority=1)


def selector_text(selector: Any) -> str:
    if not selector:
        return NONE
    labels = selector.get("matchLabels", selector) if isinstance(selector, Mapping) else {}
    parts = [f"{key}={value}" for key, value in sorted(labels.items()) if isinstance(value, str)]
    for one in selector.get("matchExpressions") or ():
        values = ",".join(one.get("values") or ())
        parts.append(f"{one['key']} {one['operator'].lower()} ({values})")
    return ",".join(parts) or NONE


_SELECTOR = Column("Selector", lambda obj, now: selector_text(at(obj, "spec", "selector")), priority=1)
_WIDE = (_CONTAINERS, _IMAGES)
POD_TEMPLATE = (*_WIDE, _SELECTOR)


def _ready_of(ready: str, wanted: tuple[str, str]) -> Cell:
    return lambda obj, now: f"{at(obj, 'status', ready) or 0}/{at(obj, *wanted) or 0}"


def _pod_ready(obj: Object, now: datetime) -> str:
    ready = sum(1 for one in at(obj, "status", "containerStatuses") or () if one.get("ready"))
    return f"{ready}/{len(at(obj, 'spec', 'containers') or ())}"


def _pod_restarts(obj: Object, now: datetime) -> str:
    statuses = at(obj, "status", "containerStatuses") or ()
    restarts = sum(one.get("restartCount", 0) for one in statuses)
    ends = [end for one in statuses if (end := at(one, "lastState", "terminated", "finishedAt"))]
    return f"{restarts} ({age(max(ends), now)} ago)" if restarts and ends else str(restarts)


def _waiting_reason(status: Object) -> str:
    state = status.get("state") or {}
    waiting, ended = state.get("waiting"), state.get("terminated")
    if waiting and waiting.get("reason"):
        return str(waiting["reason"])
    if ended:
        return str(ended.get("reason") or f"ExitCode:{ended.get('exitCode')}")
    return ""


def _init_reason(obj: Object) -> str:
    statuses = at(obj, "status", "initContainerStatuses") or ()
    for index, one in enumerate(statuses):
        ended = at(one, "state", "terminated")
        if ended and ended.get("exitCode") == 0:
            continue
        reason = _waiting_reason(one)
        if reason and reason != "PodInitializing":
            return f"Init:{reason}"
        return f"Init:{index}/{len(at(obj, 'spec', 'initContainers') or ())}"
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
    for port in at(obj, "spec", "ports") or ():
        node = f":{port['nodePort']}" if port.get("nodePort") else ""
        texts.append(f"{port['port']}{node}/{port.get('protocol', 'TCP')}")
    return ",".join(texts) or NONE


def _external(obj: Object, now: datetime) -> str:
    spec = obj.get("spec") or {}
    if spec.get("type") == "ExternalName":
        return str(spec.get("externalName", ""))
    if spec.get("type") == "LoadBalancer":
        points = at(obj, "status", "loadBalancer", "ingress") or ()
        return ",".join(one.get("ip") or one.get("hostname", "") for one in points) or "<pending>"
    return ",".join(spec.get("externalIPs") or ()) or NONE


_MODES = {"ReadWriteOnce": "RWO", "ReadOnlyMany": "ROX", "ReadWriteMany": "RWX", "ReadWriteOncePod": "RWOP"}


def _modes(*path: str) -> Cell:
    return lambda obj, now: ",".join(_MODES.get(mode, mode) for mode in at(obj, *path) or ())


def _claim_status(obj: Object, now: datetime) -> str:
    return "Terminating" if obj["metadata"].get("deletionTimestamp") else str(at(obj, "status", "phase") or "")


def _volume_claim(obj: Object, now: datetime) -> str:
    reference = at(obj, "spec", "claimRef")
    return f"{reference.get('namespace')}/{reference.get('name')}" if reference else ""


def _job_status(obj: Object, now: datetime) -> str:
    conditions = {one["type"] for one in at(obj, "status", "conditions") or () if one.get("status") == "True"}
    for wanted, text in (("Complete", "Complete"), ("Failed", "Failed"), ("Suspended", "Suspended")):
        if wanted in conditions:
            return text
    if obj["metadata"].get("deletionTimestamp"):
        return "Terminating"
    return "Suspended" if at(obj, "spec", "suspend") else "Running"


def _job_completions(obj: Object, now: datetime) -> str:
    wanted, done = at(obj, "spec", "completions"), at(obj, "status", "succeeded") or 0
    return f"{done}/{wanted}" if wanted is not None else f"{done}/1 of {at(obj, 'spec', 'parallelism') or 1}"


def _job_duration(obj: Object, now: datetime) -> str:
    start, end = at(obj, "status", "startTime"), at(obj, "status", "completionTime")
    return "" if not start else between(start, end) if end else age(start, now)


def _last_seen(obj: Object, now: datetime) -> str:
    stamp = at(obj, "series", "lastObservedTime") or obj.get("lastTimestamp") or obj.get("eventTime")
    return age(stamp or obj["metadata"].get("creationTimestamp"), now)


def _event_object(obj: Object, now: datetime) -> str:
    target = obj.get("involvedObject") or {}
    return f"{target.get('kind', '').lower()}/{target.get('name', '')}"


def _event_source(obj: Object, now: datetime) -> str:
    source = obj.get("source") or {}
    parts = [source.get("component") or obj.get("reportingComponent") or "", source.get("host") or ""]
    return ", ".join(part for part in parts if part)


def _node_status(obj: Object, now: datetime) -> str:
    ready = next((one for one in at(obj, "status", "conditions") or () if one.get("type") == "Ready"), None)
    text = "Unknown" if ready is None else "Ready" if ready.get("status") == "True" else "NotReady"
    return text + (",SchedulingDisabled" if at(obj, "spec", "unschedulable") else "")


def _node_roles(obj: Object, now: datetime) -> str:
    prefix = "node-role.kubernetes.io/"
    roles = [key.removeprefix(prefix) for key in obj["metadata"].get("labels") or {} if key.startswith(prefix)]
    return ",".join(sorted(roles)) or NONE


def _endpoint_text(obj: Object, now: datetime) -> str:
    texts = [
        f"{address['ip']}:{port['port']}"
        for subset in obj.get("subsets") or ()
        for address in subset.get("addresses") or ()
        for port in subset.get("ports") or ()
    ]
    more = f" + {len(texts) - 3} more..." if len(texts) > 3 else ""
    return ",".join(texts[:3]) + more if texts else NONE


def _cron_active(obj: Object, now: datetime) -> int:
    return len(at(obj, "status", "active") or ())


def _cron_last(obj: Object, now: datetime) -> str:
    stamp = at(obj, "status", "lastScheduleTime")
    return age(stamp, now) if stamp else NONE


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
    shown("IP", "status", "podIP", default=NONE, priority=1),
    shown("Node", "spec", "nodeName", default=NONE, priority=1),
    shown("Nominated Node", "status", "nominatedNodeName", default=NONE, priority=1),
    Column("Readiness Gates", lambda obj, now: NONE, priority=1),
)

_VOLUMES = (
    NAME,
    shown("Capacity", "spec", "capacity", "storage"),
    Column("Access Modes", _modes("spec", "accessModes")),
    shown("Reclaim Policy", "spec", "persistentVolumeReclaimPolicy"),
    Column("Status", _claim_status),
    Column("Claim", _volume_claim),
    shown("StorageClass", "spec", "storageClassName"),
    shown("VolumeAttributesClass", "spec", "volumeAttributesClassName", default="<unset>"),
    shown("Reason", "status", "reason"),
    AGE,
    shown("VolumeMode", "spec", "volumeMode", default="<unset>", priority=1),
)

_CLAIMS = (
    NAME,
    Column("Status", _claim_status),
    shown("Volume", "spec", "volumeName"),
    shown("Capacity", "status", "capacity", "storage"),
    Column("Access Modes", _modes("status", "accessModes")),
    shown("StorageClass", "spec", "storageClassName"),
    shown("VolumeAttributesClass", "spec", "volumeAttributesClassName", default="<unset>"),
    AGE,
    shown("VolumeMode", "spec", "volumeMode", default="<unset>", priority=1),
)

_EVENTS = (
    Column("Last Seen", _last_seen),
    shown("Type", "type"),
    shown("Reason", "reason"),
    Column("Object", _event_object),
    shown("Subobject", "involvedObject", "fieldPath", priority=1),
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
    "secrets": (NAME, shown("Type", "type"), _length("Data", "data"), AGE),
    "serviceaccounts": (NAME, _length("Secrets", "secrets"), AGE),
    "endpoints": (NAME, Column("Endpoints", _endpoint_text), AGE),
    "nodes": (
        NAME,
        Column("Status", _node_status),
        Column("Roles", _node_roles),
        AGE,
        shown("Version", "status", "nodeInfo", "kubeletVersion"),
    ),
    "services": (
        NAME,
        shown("Type", "spec", "type"),
        shown("Cluster-IP", "spec", "clusterIP", default=NONE),
        Column("External-IP", _external),
        Column("Port(s)", _ports),
        AGE,
        _SELECTOR,
    ),
    "statefulsets.apps": (NAME, Column("Ready", _ready_of("readyReplicas", ("spec", "replicas"))), AGE, *_WIDE),
    "deployments.apps": (
        NAME,
        Column("Ready", _ready_of("readyReplicas", ("spec", "replicas"))),
        count("Up-to-date", "status", "updatedReplicas"),
        count("Available", "status", "availableReplicas"),
        AGE,
        *POD_TEMPLATE,
    ),
    "replicasets.apps": (
        NAME,
        count("Desired", "spec", "replicas"),
        count("Current", "status", "replicas"),
        count("Ready", "status", "readyReplicas"),
        AGE,
        *POD_TEMPLATE,
    ),
    "daemonsets.apps": (
        NAME,
        count("Desired", "status", "desiredNumberScheduled"),
        count("Current", "status", "currentNumberScheduled"),
        count("Ready", "status", "numberReady"),
        count("Up-to-date", "status", "updatedNumberScheduled"),
        count("Available", "status", "numberAvailable"),
        Column("Node Selector", lambda o, now: selector_text(at(o, "spec", "template", "spec", "nodeSelector"))),
        AGE,
        *POD_TEMPLATE,
    ),
    "jobs.batch": (
        NAME,
        Column("Status", _job_status),
        Column("Completions", _job_completions),
        Column("Duration", _job_duration),
        AGE,
        *POD_TEMPLATE,
    ),
    "cronjobs.batch": (
        NAME,
        shown("Schedule", "spec", "schedule"),
        shown("Timezone", "spec", "timeZone", default=NONE),
        shown("Suspend", "spec", "suspend", default=False, type="boolean"),
        Column("Active", _cron_active, "integer"),
        Column("Last Schedule", _cron_last),
        AGE,
        *_WIDE,
        Column(
            "Selector", lambda obj, now: selector_text(at(obj, "spec", "jobTemplate", "spec", "selector")), priority=1
        ),
    ),
    "storageclasses.storage.k8s.io": (
        Column("Name", _default_mark, format="name"),
        shown("Provisioner", "provisioner"),
        shown("ReclaimPolicy", "reclaimPolicy", default="Delete"),
        shown("VolumeBindingMode", "volumeBindingMode", default="Immediate"),
        Column("AllowVolumeExpansion", lambda o, now: str(bool(o.get("allowVolumeExpansion"))).lower()),
        AGE,
    ),
    "leases.coordination.k8s.io": (NAME, shown("Holder", "spec", "holderIdentity"), AGE),
    "customresourcedefinitions.apiextensions.k8s.io": (
        NAME,
        Column("Created At", lambda obj, now: obj["metadata"].get("creationTimestamp", "")),
    ),
}

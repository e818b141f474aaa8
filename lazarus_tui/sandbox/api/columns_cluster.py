"""Columns of the kinds around workloads: scaling, network, storage, rights, admission (names and order as upstream)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from lazarus_tui.sandbox.api.columns import (
    AGE,
    NAME,
    NONE,
    POD_TEMPLATE,
    Column,
    Object,
    at,
    count,
    selector_text,
    shown,
)
from lazarus_tui.sandbox.api.moments import human

_UNKNOWN = "<unknown>"
_UNSET = "<unset>"
_CREATED = Column("Created At", lambda obj, now: obj["metadata"].get("creationTimestamp", ""))


def _metric(wanted: Object, measured: Sequence[Object]) -> str:
    kind = str(wanted.get("type", ""))
    part = kind[:1].lower() + kind[1:]
    source = wanted.get(part) or {}
    name, target = source.get("name"), source.get("target") or {}
    current: Object = next((one[part] for one in measured if part in one and one[part].get("name") == name), {})
    now = current.get("current") or {}
    if (share := target.get("averageUtilization")) is not None:
        seen = now.get("averageUtilization")
        return f"{name}: {_UNKNOWN if seen is None else f'{seen}%'}/{share}%"
    figure = "averageValue" if "averageValue" in target else "value"
    text = f"{now.get(figure, _UNKNOWN)}/{target.get(figure, '')}" + (" (avg)" if figure == "averageValue" else "")
    return f"{name}: {text}" if name else text


def _targets(obj: Object, now: datetime) -> str:
    measured = at(obj, "status", "currentMetrics") or ()
    texts = [_metric(one, measured) for one in at(obj, "spec", "metrics") or ()]
    more = f" + {len(texts) - 2} more..." if len(texts) > 2 else ""
    return ", ".join(texts[:2]) + more if texts else NONE


def _reference(*path: str) -> Column:
    def cell(obj: Object, now: datetime) -> str:
        target = at(obj, *path) or {}
        return f"{target.get('kind', '')}/{target.get('name', '')}"

    return Column("Role" if path == ("roleRef",) else "Reference", cell)


def _hosts(obj: Object, now: datetime) -> str:
    hosts = [rule["host"] for rule in at(obj, "spec", "rules") or () if rule.get("host")]
    more = f" + {len(hosts) - 3} more..." if len(hosts) > 3 else ""
    return ",".join(hosts[:3]) + more if hosts else "*"


def _address(obj: Object, now: datetime) -> str:
    points = at(obj, "status", "loadBalancer", "ingress") or ()
    return ",".join(one.get("ip") or one.get("hostname", "") for one in points)


def _parameters(obj: Object, now: datetime) -> str:
    found = at(obj, "spec", "parameters")
    if not found:
        return NONE
    group = f".{found['apiGroup']}" if found.get("apiGroup") else ""
    return f"{found.get('kind')}{group}/{found.get('name')}"


def _first(texts: list[str], empty: str = _UNSET) -> str:
    more = f" + {len(texts) - 3} more..." if len(texts) > 3 else ""
    return ",".join(texts[:3]) + more if texts else empty


def _slice_ports(obj: Object, now: datetime) -> str:
    return _first([str(port.get("port", "*")) for port in obj.get("ports") or ()])


def _slice_addresses(obj: Object, now: datetime) -> str:
    return _first([address for one in obj.get("endpoints") or () for address in one.get("addresses") or ()])


def _amounts(prefix: str, *, others: bool) -> Column:
    def cell(obj: Object, now: datetime) -> str:
        hard, used = at(obj, "status", "hard") or {}, at(obj, "status", "used") or {}
        limits = {name: value for name, value in hard.items() if name.startswith("limits.") is not others}
        return ", ".join(f"{name}: {used.get(name, 0)}/{value}" for name, value in sorted(limits.items()))

    return Column(prefix, cell)


def _subjects(kind: str, name: str) -> Column:
    def cell(obj: Object, now: datetime) -> str:
        found = [one for one in obj.get("subjects") or () if one.get("kind") == kind]
        return ", ".join(f"{one['namespace']}/{one['name']}" if one.get("namespace") else one["name"] for one in found)

    return Column(name, cell, priority=1)


def _flag(name: str, *path: str, default: bool = False) -> Column:
    return Column(name, lambda obj, now: bool(default if at(obj, *path) is None else at(obj, *path)), "boolean")


def _condition(obj: Object, now: datetime) -> str:
    """Of a certificate request."""
    found = [one.get("type") for one in at(obj, "status", "conditions") or ()]
    said = [kind for kind in ("Denied", "Approved") if kind in found][:1] or ["Pending"]
    said += ["Failed"] if "Failed" in found else []
    return ",".join(said + (["Issued"] if at(obj, "status", "certificate") else []))


def _available(obj: Object, now: datetime) -> str:
    found: Mapping[str, Any] = next(
        (one for one in at(obj, "status", "conditions") or () if one.get("type") == "Available"), {}
    )
    if not found:
        return "Unknown"
    return "True" if found.get("status") == "True" else f"{found.get('status')} ({found.get('reason')})"


def _service(obj: Object, now: datetime) -> str:
    found = at(obj, "spec", "service")
    return f"{found.get('namespace')}/{found.get('name')}" if found else "Local"


def _controller(obj: Object, now: datetime) -> str:
    owner = next((one for one in obj["metadata"].get("ownerReferences") or () if one.get("controller")), None)
    if owner is None:
        return NONE
    group, _, _ = str(owner.get("apiVersion", "")).rpartition("/")
    return f"{str(owner['kind']).lower()}{'.' + group if group else ''}/{owner['name']}"


def _given(obj: Object, field: str) -> str:
    """Of a budget; 0 is a figure."""
    value = at(obj, "spec", field)
    return "N/A" if value is None else str(value)


def _containers(obj: Object) -> Sequence[Object]:
    return at(obj, "template", "spec", "containers") or ()


def _pod_labels(obj: Object, now: datetime) -> str:
    return selector_text(at(obj, "template", "metadata", "labels"))


def _duration(obj: Object, now: datetime) -> str:
    seconds = at(obj, "spec", "expirationSeconds")
    return NONE if seconds is None else human(seconds)


def _of_policy(checks: str, field: str) -> tuple[Column, ...]:
    return (
        NAME,
        Column(checks, lambda obj, now: len(at(obj, "spec", field) or ()), "integer"),
        Column("ParamKind", _param_kind),
        AGE,
    )


def _param_kind(obj: Object, now: datetime) -> str:
    found = at(obj, "spec", "paramKind")
    return f"{found.get('apiVersion')}/{found.get('kind')}" if found else _UNSET


def _param_ref(obj: Object, now: datetime) -> str:
    found = at(obj, "spec", "paramRef")
    if not found:
        return _UNSET
    return f"{found.get('namespace') or '*'}/{found.get('name') or '*'}"


_WEBHOOKS = (NAME, Column("Webhooks", lambda obj, now: len(obj.get("webhooks") or ()), "integer"), AGE)
_BOUND_POLICY = (NAME, shown("PolicyName", "spec", "policyName"), Column("ParamRef", _param_ref), AGE)
_BINDING = (
    NAME,
    _reference("roleRef"),
    AGE,
    _subjects("User", "Users"),
    _subjects("Group", "Groups"),
    _subjects("ServiceAccount", "ServiceAccounts"),
)
_RBAC = "rbac.authorization.k8s.io"
_ADMISSION = "admissionregistration.k8s.io"
_FLOW = "flowcontrol.apiserver.k8s.io"
_STORAGE = "storage.k8s.io"
_NETWORK = "networking.k8s.io"

COLUMNS: Mapping[str, tuple[Column, ...]] = {
    "horizontalpodautoscalers.autoscaling": (
        NAME,
        _reference("spec", "scaleTargetRef"),
        Column("Targets", _targets),
        Column("MinPods", lambda obj, now: str(at(obj, "spec", "minReplicas") or _UNSET)),
        count("MaxPods", "spec", "maxReplicas"),
        count("Replicas", "status", "currentReplicas"),
        AGE,
    ),
    "poddisruptionbudgets.policy": (
        NAME,
        Column("Min Available", lambda obj, now: _given(obj, "minAvailable")),
        Column("Max Unavailable", lambda obj, now: _given(obj, "maxUnavailable")),
        count("Allowed Disruptions", "status", "disruptionsAllowed"),
        AGE,
    ),
    "resourcequotas": (NAME, _amounts("Request", others=True), _amounts("Limit", others=False), AGE),
    "limitranges": (NAME, _CREATED),
    "replicationcontrollers": (
        NAME,
        count("Desired", "spec", "replicas"),
        count("Current", "status", "replicas"),
        count("Ready", "status", "readyReplicas"),
        AGE,
        *POD_TEMPLATE,
    ),
    "podtemplates": (
        NAME,
        Column("Containers", lambda o, now: ",".join(one["name"] for one in _containers(o))),
        Column("Images", lambda o, now: ",".join(one.get("image", "") for one in _containers(o))),
        Column("Pod Labels", _pod_labels),
    ),
    "componentstatuses": (
        NAME,
        Column("Status", lambda o, now: "Unknown"),
        Column("Message", lambda o, now: ""),
        Column("Error", lambda o, now: ""),
    ),
    "controllerrevisions.apps": (NAME, Column("Controller", _controller), shown("Revision", "revision"), AGE),
    f"networkpolicies.{_NETWORK}": (
        NAME,
        Column("Pod-Selector", lambda obj, now: selector_text(at(obj, "spec", "podSelector"))),
        AGE,
    ),
    f"ingresses.{_NETWORK}": (
        NAME,
        shown("Class", "spec", "ingressClassName", default=NONE),
        Column("Hosts", _hosts),
        Column("Address", _address),
        Column("Ports", lambda obj, now: "80, 443" if at(obj, "spec", "tls") else "80"),
        AGE,
    ),
    f"ingressclasses.{_NETWORK}": (
        NAME,
        shown("Controller", "spec", "controller"),
        Column("Parameters", _parameters),
        AGE,
    ),
    f"servicecidrs.{_NETWORK}": (
        NAME,
        Column("CIDRs", lambda obj, now: ",".join(at(obj, "spec", "cidrs") or ())),
        AGE,
    ),
    "endpointslices.discovery.k8s.io": (
        NAME,
        shown("AddressType", "addressType"),
        Column("Ports", _slice_ports),
        Column("Endpoints", _slice_addresses),
        AGE,
    ),
    f"csidrivers.{_STORAGE}": (
        NAME,
        _flag("AttachRequired", "spec", "attachRequired", default=True),
        _flag("PodInfoOnMount", "spec", "podInfoOnMount"),
        _flag("StorageCapacity", "spec", "storageCapacity"),
        Column(
            "TokenRequests", lambda obj, now: _first([t["audience"] for t in at(obj, "spec", "tokenRequests") or ()])
        ),
        _flag("RequiresRepublish", "spec", "requiresRepublish"),
        Column("Modes", lambda obj, now: ",".join(at(obj, "spec", "volumeLifecycleModes") or ("Persistent",))),
        AGE,
    ),
    f"csinodes.{_STORAGE}": (
        NAME,
        Column("Drivers", lambda obj, now: len(at(obj, "spec", "drivers") or ()), "integer"),
        AGE,
    ),
    f"csistoragecapacities.{_STORAGE}": (
        NAME,
        shown("StorageClassName", "storageClassName"),
        shown("Capacity", "capacity"),
    ),
    f"volumeattachments.{_STORAGE}": (
        NAME,
        shown("Attacher", "spec", "attacher"),
        shown("PV", "spec", "source", "persistentVolumeName"),
        shown("Node", "spec", "nodeName"),
        _flag("Attached", "status", "attached"),
        AGE,
    ),
    f"volumeattributesclasses.{_STORAGE}": (NAME, shown("DriverName", "driverName"), AGE),
    "priorityclasses.scheduling.k8s.io": (
        NAME,
        count("Value", "value"),
        _flag("Global-Default", "globalDefault"),
        AGE,
        shown("PreemptionPolicy", "preemptionPolicy", default="PreemptLowerPriority"),
    ),
    "runtimeclasses.node.k8s.io": (NAME, shown("Handler", "handler"), AGE),
    "certificatesigningrequests.certificates.k8s.io": (
        NAME,
        AGE,
        shown("SignerName", "spec", "signerName", default=NONE),
        shown("Requestor", "spec", "username"),
        Column("RequestedDuration", _duration),
        Column("Condition", _condition),
    ),
    "apiservices.apiregistration.k8s.io": (
        NAME,
        Column("Service", _service),
        Column("Available", _available),
        AGE,
    ),
    f"roles.{_RBAC}": (NAME, _CREATED),
    f"clusterroles.{_RBAC}": (NAME, _CREATED),
    f"rolebindings.{_RBAC}": _BINDING,
    f"clusterrolebindings.{_RBAC}": _BINDING,
    f"mutatingwebhookconfigurations.{_ADMISSION}": _WEBHOOKS,
    f"validatingwebhookconfigurations.{_ADMISSION}": _WEBHOOKS,
    f"validatingadmissionpolicies.{_ADMISSION}": _of_policy("Validations", "validations"),
    f"mutatingadmissionpolicies.{_ADMISSION}": _of_policy("Mutations", "mutations"),
    f"validatingadmissionpolicybindings.{_ADMISSION}": _BOUND_POLICY,
    f"mutatingadmissionpolicybindings.{_ADMISSION}": _BOUND_POLICY,
    f"flowschemas.{_FLOW}": (
        NAME,
        shown("PriorityLevel", "spec", "priorityLevelConfiguration", "name"),
        count("MatchingPrecedence", "spec", "matchingPrecedence"),
        shown("DistinguisherMethod", "spec", "distinguisherMethod", "type", default=NONE),
        AGE,
        Column("MissingPL", lambda obj, now: "?"),
    ),
    f"prioritylevelconfigurations.{_FLOW}": (
        NAME,
        shown("Type", "spec", "type"),
        shown("NominalConcurrencyShares", "spec", "limited", "nominalConcurrencyShares", default=NONE),
        shown("Queues", "spec", "limited", "limitResponse", "queuing", "queues", default=NONE),
        shown("HandSize", "spec", "limited", "limitResponse", "queuing", "handSize", default=NONE),
        shown("QueueLengthLimit", "spec", "limited", "limitResponse", "queuing", "queueLengthLimit", default=NONE),
        AGE,
    ),
}

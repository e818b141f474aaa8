"""Fields the server fills in for the kinds around workloads: scaling, network, rights, admission."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from lazarus_tui.sandbox.api.causes import part

Object = dict[str, Any]

_RBAC = "rbac.authorization.k8s.io"
_ADMISSION = "admissionregistration.k8s.io"
# What an autoscaler aims at when it says nothing (percent of what the pods ask for).
_CPU_PERCENT = 80


def _fill(target: Object, **values: Any) -> None:
    for name, value in values.items():
        if target.get(name) is None:
            target[name] = value


def _autoscaler(obj: Object) -> None:
    spec = obj.setdefault("spec", {})
    _fill(spec, minReplicas=1)
    if not spec.get("metrics"):
        target = {"type": "Utilization", "averageUtilization": _CPU_PERCENT}
        spec["metrics"] = [{"type": "Resource", "resource": {"name": "cpu", "target": target}}]


def _policy(obj: Object) -> None:
    spec = obj.setdefault("spec", {})
    _fill(spec, podSelector={})
    if not spec.get("policyTypes"):
        spec["policyTypes"] = ["Ingress", *(["Egress"] if spec.get("egress") else [])]
    for direction in ("ingress", "egress"):
        for rule in spec.get(direction) or ():
            for port in rule.get("ports") or ():
                _fill(port, protocol="TCP")


def _slice(obj: Object) -> None:
    for port in obj.get("ports") or ():
        _fill(port, name="", protocol="TCP")


def _binding(obj: Object) -> None:
    if isinstance(obj.get("roleRef"), dict):
        _fill(obj["roleRef"], apiGroup=_RBAC)
    for subject in obj.get("subjects") or ():
        if subject.get("kind") in ("User", "Group"):
            _fill(subject, apiGroup=_RBAC)


def _webhooks(obj: Object) -> None:
    for hook in obj.get("webhooks") or ():
        _fill(hook, failurePolicy="Fail", matchPolicy="Equivalent", timeoutSeconds=10)
        _fill(hook, namespaceSelector={}, objectSelector={})
        if obj["kind"].startswith("Mutating"):
            _fill(hook, reinvocationPolicy="Never")
        for rule in hook.get("rules") or ():
            _fill(rule, scope="*")
        if isinstance(service := part(hook, "clientConfig").get("service"), dict):
            _fill(service, port=443)


def _csi_driver(obj: Object) -> None:
    _fill(
        obj.setdefault("spec", {}),
        attachRequired=True,
        fsGroupPolicy="ReadWriteOnceWithFSType",
        podInfoOnMount=False,
        requiresRepublish=False,
        seLinuxMount=False,
        storageCapacity=False,
        volumeLifecycleModes=["Persistent"],
    )


def _replication_controller(obj: Object) -> None:
    spec = obj.setdefault("spec", {})
    labels = part(part(part(spec, "template"), "metadata"), "labels")
    _fill(spec, replicas=1)
    if labels and not spec.get("selector"):
        spec["selector"] = dict(labels)


def _priority_class(obj: Object) -> None:
    _fill(obj, preemptionPolicy="PreemptLowerPriority")


DEFAULTS: Mapping[str, Callable[[Object], None]] = {
    "horizontalpodautoscalers.autoscaling": _autoscaler,
    "networkpolicies.networking.k8s.io": _policy,
    "endpointslices.discovery.k8s.io": _slice,
    f"rolebindings.{_RBAC}": _binding,
    f"clusterrolebindings.{_RBAC}": _binding,
    f"validatingwebhookconfigurations.{_ADMISSION}": _webhooks,
    f"mutatingwebhookconfigurations.{_ADMISSION}": _webhooks,
    "csidrivers.storage.k8s.io": _csi_driver,
    "replicationcontrollers": _replication_controller,
    "priorityclasses.scheduling.k8s.io": _priority_class,
}

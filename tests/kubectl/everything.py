"""One object of each built-in kind that the sandbox does not have of itself."""

from __future__ import annotations

import json
from typing import Any

_LABELS = {"part": "everything"}
_CONTAINER = {"name": "main", "image": "lazarus.dev/task:1", "args": ["say", "hello"]}
_ONCE = {"metadata": {"labels": _LABELS}, "spec": {"restartPolicy": "Never", "containers": [_CONTAINER]}}
_ALWAYS = {"metadata": {"labels": _LABELS}, "spec": {"containers": [{"name": "main", "image": "lazarus.dev/pause:1"}]}}
_TARGET = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "absent"}
_CPU = {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 70}}}
_HOOK = {
    "name": "hook.example.com",
    "clientConfig": {"url": "https://127.0.0.1:1/hook"},
    "admissionReviewVersions": ["v1"],
    "sideEffects": "None",
    "failurePolicy": "Ignore",
    "rules": [
        {"apiGroups": ["example.com"], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["nothings"]}
    ],
}
_MATCHES = {"resourceRules": _HOOK["rules"]}
_CHECK = {"matchConstraints": _MATCHES, "validations": [{"expression": "true"}]}
_PATH = {"path": "/", "pathType": "Prefix", "backend": {"service": {"name": "absent", "port": {"number": 80}}}}

# API version, kind, the rest of the object; a true first value is a kind without namespaces.
_OBJECTS: tuple[tuple[bool, str, str, dict[str, Any]], ...] = (
    (False, "v1", "LimitRange", {"spec": {"limits": [{"type": "Container", "default": {"memory": "64Mi"}}]}}),
    (False, "v1", "ResourceQuota", {"spec": {"hard": {"pods": "50", "requests.storage": "5Gi"}}}),
    (False, "v1", "PodTemplate", {"template": _ALWAYS}),
    (False, "v1", "ReplicationController", {"spec": {"replicas": 1, "selector": _LABELS, "template": _ALWAYS}}),
    (False, "batch/v1", "Job", {"spec": {"template": _ONCE}}),
    (False, "batch/v1", "CronJob", {"spec": {"schedule": "0 3 * * *", "jobTemplate": {"spec": {"template": _ONCE}}}}),
    (False, "autoscaling/v2", "HorizontalPodAutoscaler", {"spec": {"scaleTargetRef": _TARGET, "maxReplicas": 3, "metrics": [_CPU]}}),
    (False, "policy/v1", "PodDisruptionBudget", {"spec": {"minAvailable": 1, "selector": {"matchLabels": _LABELS}}}),
    (False, "networking.k8s.io/v1", "NetworkPolicy", {"spec": {"podSelector": {"matchLabels": {"part": "none"}}, "policyTypes": ["Ingress", "Egress"], "egress": [{"ports": [{"port": 53, "protocol": "UDP"}]}]}}),
    (False, "networking.k8s.io/v1", "Ingress", {"spec": {"rules": [{"host": "shop.example", "http": {"paths": [_PATH]}}]}}),
    (True, "networking.k8s.io/v1", "IngressClass", {"spec": {"controller": "example.com/none"}}),
    (False, "coordination.k8s.io/v1", "Lease", {"spec": {"holderIdentity": "nobody", "leaseDurationSeconds": 15}}),
    (True, "scheduling.k8s.io/v1", "PriorityClass", {"value": 7, "description": "for a test"}),
    (True, "node.k8s.io/v1", "RuntimeClass", {"handler": "none"}),
    (True, "storage.k8s.io/v1", "CSIDriver", {"spec": {"attachRequired": False}}),
    (True, "storage.k8s.io/v1", "VolumeAttachment", {"spec": {"attacher": "example.com", "nodeName": "none", "source": {"persistentVolumeName": "none"}}}),
    (True, "storage.k8s.io/v1", "VolumeAttributesClass", {"driverName": "example.com", "parameters": {"iops": "9"}}),
    (False, "storage.k8s.io/v1", "CSIStorageCapacity", {"storageClassName": "none", "capacity": "1Gi"}),
    (True, "flowcontrol.apiserver.k8s.io/v1", "FlowSchema", {"spec": {"priorityLevelConfiguration": {"name": "none"}, "matchingPrecedence": 9000}}),
    (True, "flowcontrol.apiserver.k8s.io/v1", "PriorityLevelConfiguration", {"spec": {"type": "Exempt", "exempt": {"nominalConcurrencyShares": 0}}}),
    (True, "admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration", {"webhooks": [_HOOK]}),
    (True, "admissionregistration.k8s.io/v1", "MutatingWebhookConfiguration", {"webhooks": [_HOOK]}),
    (True, "admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicy", {"spec": _CHECK}),
    (True, "admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicyBinding", {"spec": {"policyName": "none", "validationActions": ["Warn"]}}),
    (True, "apiregistration.k8s.io/v1", "APIService", {"spec": {"group": "everything.example.com", "version": "v1", "groupPriorityMinimum": 100, "versionPriority": 1, "service": {"name": "absent", "namespace": "default"}, "insecureSkipTLSVerify": True}}),
)  # fmt: skip


def manifest(name: str) -> str:
    """All of them as one List; objects without a namespace are called ``name``."""
    items = []
    for clustered, version, kind, rest in _OBJECTS:
        called = "v1.everything.example.com" if kind == "APIService" else name if clustered else "one"
        items.append({"apiVersion": version, "kind": kind, "metadata": {"name": called}, **rest})
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": items})


COUNT = len(_OBJECTS)

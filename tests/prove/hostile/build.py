"""What hostile applications are built of: manifests, and the definitions of custom resources."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]
IMAGE = "lazarus.dev/web:1"
# Custom resources among the objects: plural and whether they are of a namespace, by kind.
CUSTOM: dict[str, tuple[str, bool]] = {
    "HTTPRoute": ("httproutes", True),
    "CiliumNetworkPolicy": ("ciliumnetworkpolicies", True),
    "AdminNetworkPolicy": ("adminnetworkpolicies", False),
    "GlobalNetworkPolicy": ("globalnetworkpolicies", False),
    "Cluster": ("clusters", True),
    "ScheduledBackup": ("scheduledbackups", True),
    "PostgresCluster": ("postgresclusters", True),
    "Bucket": ("buckets", False),
    "ScaledObject": ("scaledobjects", True),
    "ServiceMonitor": ("servicemonitors", True),
    "PrometheusRule": ("prometheusrules", True),
    "VirtualMachine": ("virtualmachines", True),
    "Certificate": ("certificates", True),
    "Order": ("orders", True),
    "ExternalSecret": ("externalsecrets", True),
    "PushSecret": ("pushsecrets", True),
    "Application": ("applications", True),
    "VirtualService": ("virtualservices", True),
    "Gadget": ("gadgets", True),
    "DNSEndpoint": ("dnsendpoints", True),
    "Schedule": ("schedules", True),
    "DBInstance": ("dbinstances", True),
    "Kustomization": ("kustomizations", True),
    "PerconaXtraDBCluster": ("perconaxtradbclusters", True),
    "KafkaConnect": ("kafkaconnects", True),
}


@dataclass(frozen=True)
class Application:
    """``says``: (rule, verb, "plural[.group]/name") that must be among the lines. ``blocked``: no proof of it at all.

    ``empty``: claims without captured data.
    """

    name: str
    objects: tuple[Json, ...]
    says: tuple[tuple[str, str, str], ...]
    blocked: bool = False
    empty: tuple[str, ...] = ()

    def manifests(self, namespace: str) -> list[Json]:
        """Fresh copies; namespaced ones are in ``namespace``, also where their text names it."""
        found = copy.deepcopy(list(self.objects))
        for one in found:
            if namespaced(one):
                one["metadata"]["namespace"] = namespace
            for subject in one.get("subjects") or ():
                if subject.get("namespace") == "HERE":
                    subject["namespace"] = namespace
            reference = (one.get("spec") or {}).get("claimRef")
            if reference:
                reference["namespace"] = namespace
        return found

    @property
    def definitions(self) -> list[Json]:
        """CustomResourceDefinitions of what the objects need, without a schema."""
        return [definition(one) for one in self.objects if one["kind"] in CUSTOM and "." in one["apiVersion"]]


_CLUSTER_SCOPED = frozenset({
    "MutatingWebhookConfiguration", "ValidatingWebhookConfiguration", "ClusterRole", "ClusterRoleBinding",
    "PersistentVolume", "PriorityClass", "APIService", "ValidatingAdmissionPolicy", "CustomResourceDefinition",
})  # fmt: skip


def namespaced(body: Json) -> bool:
    return body["kind"] not in _CLUSTER_SCOPED and CUSTOM.get(body["kind"], ("", True))[1]


def resource_of(body: Json) -> str:
    """``plural[.group]``."""
    group = body["apiVersion"].rpartition("/")[0]
    kind = body["kind"].lower()
    plural = CUSTOM[body["kind"]][0] if body["kind"] in CUSTOM and "." in group else _PLURALS.get(kind, kind + "s")
    return f"{plural}.{group}" if group else plural


_PLURALS = {
    "networkpolicy": "networkpolicies", "ingress": "ingresses", "endpoints": "endpoints",
    "priorityclass": "priorityclasses", "validatingadmissionpolicy": "validatingadmissionpolicies",
}  # fmt: skip


def definition(body: Json) -> Json:
    group, _, version = body["apiVersion"].partition("/")
    plural, inside = CUSTOM[body["kind"]]
    opened = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {
            "name": f"{plural}.{group}",
            # Groups under k8s.io are protected: a definition has to say who let it in.
            "annotations": {"api-approved.kubernetes.io": "unapproved, for tests"},
        },
        "spec": {
            "group": group, "scope": "Namespaced" if inside else "Cluster",
            "names": {"plural": plural, "singular": body["kind"].lower(), "kind": body["kind"]},
            "versions": [{"name": version, "served": True, "storage": True, "schema": opened}],
        },
    }  # fmt: skip


def thing(
    api: str, kind: str, name: str, *, labels: Json | None = None, notes: Json | None = None, **fields: Any
) -> Json:
    meta: Json = {"name": name}
    if labels:
        meta["labels"] = labels
    if notes:
        meta["annotations"] = notes
    return {"apiVersion": api, "kind": kind, "metadata": meta, **fields}


def pod_spec(**more: Any) -> Json:
    container = {"name": "web", "image": IMAGE, **more.pop("container", {})}
    return {"containers": [container, *more.pop("containers", ())], **more}


def workload(kind: str = "Deployment", name: str = "web", *, notes: Json | None = None, **spec: Any) -> Json:
    """A workload of one replica; ``spec`` goes into the pod."""
    meta: Json = {"labels": {"app": name}, **({"annotations": notes} if notes else {})}
    body: Json = {"selector": {"matchLabels": {"app": name}}, "template": {"metadata": meta, "spec": pod_spec(**spec)}}
    if kind != "DaemonSet":
        body["replicas"] = 1
    if kind == "StatefulSet":
        body["serviceName"] = name
    return thing("apps/v1", kind, name, labels={"app": name}, spec=body)


def bare_pod(name: str = "web-0", *, notes: Json | None = None, **spec: Any) -> Json:
    return thing("v1", "Pod", name, labels={"app": "web"}, notes=notes, spec=pod_spec(**spec))


def service(name: str = "web", *, notes: Json | None = None, **spec: Any) -> Json:
    ports = [{"name": "http", "port": 80, "targetPort": 8080, "protocol": "TCP"}]
    return thing("v1", "Service", name, notes=notes, spec={"selector": {"app": "web"}, "ports": ports, **spec})


def claim(name: str = "data", volume: str = "pv-1") -> Json:
    spec = {"accessModes": ["ReadWriteOnce"], "storageClassName": "standard", "volumeName": volume,
            "resources": {"requests": {"storage": "1Gi"}}}  # fmt: skip
    return thing("v1", "PersistentVolumeClaim", name, spec=spec)


def volume(name: str, claimed: str, source: Json, policy: str) -> Json:
    spec = {
        "capacity": {"storage": "1Gi"},
        "accessModes": ["ReadWriteOnce"],
        "storageClassName": "standard",
        "persistentVolumeReclaimPolicy": policy,
        "claimRef": {"name": claimed, "namespace": "HERE"},
        **source,
    }
    return thing("v1", "PersistentVolume", name, spec=spec)


def mounting(claimed: str) -> list[Json]:
    return [{"name": "data", "persistentVolumeClaim": {"claimName": claimed}}]

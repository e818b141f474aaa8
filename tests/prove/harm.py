"""What an object could do to the world outside its quarantine, seen without the rules: the measure they are held to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

_KINDS = frozenset({
    "Ingress", "NetworkPolicy", "CiliumNetworkPolicy", "HTTPRoute", "VirtualService", "Endpoints", "EndpointSlice",
    "Lease", "HorizontalPodAutoscaler", "ScaledObject", "ServiceMonitor", "PodMonitor", "PrometheusRule", "ClusterRole",
    "ClusterRoleBinding", "MutatingWebhookConfiguration", "ValidatingWebhookConfiguration", "APIService",
    "CustomResourceDefinition", "PriorityClass", "ResourceQuota", "ValidatingAdmissionPolicy", "PersistentVolume",
})  # fmt: skip
_GROUPS = ("", "apps", "batch", "rbac.authorization.k8s.io", "policy", "snapshot.storage.k8s.io")
_MARKS = (
    "eks.amazonaws.com", "iam.gke.io", "azure.workload", "vault.hashicorp", "argocd.argoproj", "toolkit.fluxcd",
    "external-dns.alpha", "cert-manager.io/", "prometheus.io/", "hook.restore.velero.io",
)  # fmt: skip
_ARCHIVES = ("barmanObjectStore", "isWALArchiver", "pitr", "pgbackrest")


def dangers(body: Mapping[str, Any], namespaces: Iterable[str]) -> list[str]:
    """Every way out that is left; ``namespaces``: whose service accounts may have rights."""
    kind, group = body["kind"], str(body["apiVersion"]).rpartition("/")[0]
    found = [f"kind {kind}"] if kind in _KINDS else []
    if group not in _GROUPS and not any(part in group for part in ("cnpg", "percona")):
        found.append(f"group {group}")
    spec = body.get("spec") or {}
    found += [word for word in _ARCHIVES if word in repr(spec)]
    found += [mark for mark in _MARKS for meta in _metas(body) if mark in repr(meta)]
    if kind == "Service":
        found += _ways(spec)
    if kind in ("CronJob", "Job") and spec.get("suspend") is not True:
        found.append("it runs")
    for subject in body.get("subjects") or ():
        if subject.get("kind") != "ServiceAccount" or subject.get("namespace") not in namespaces:
            found.append(f"rights of {subject.get('name')}")
    for pod in _pods(body):
        found += _pod(pod)
    return found


def _ways(spec: Mapping[str, Any]) -> list[str]:
    found = [f"type {spec['type']}"] if spec.get("type", "ClusterIP") != "ClusterIP" else []
    found += [key for key in ("externalIPs", "externalName", "loadBalancerIP", "loadBalancerClass") if spec.get(key)]
    return found + [f"nodePort {one['nodePort']}" for one in spec.get("ports") or () if "nodePort" in one]


def _pods(value: Any, key: str = "") -> Iterator[Mapping[str, Any]]:
    """Everything with containers in it, wherever it lies."""
    if isinstance(value, Mapping):
        if isinstance(value.get("containers"), list):
            yield value
        for name, one in value.items():
            yield from _pods(one, name)


def _metas(body: Mapping[str, Any]) -> Iterator[Any]:
    """Marks others act on; by the labels of pods and templates only their own controllers find them."""
    own = body.get("metadata") or {}
    yield own.get("annotations")
    yield own.get("labels") if body["kind"] not in ("Pod", "ReplicaSet") else {}
    yield (((body.get("spec") or {}).get("template") or {}).get("metadata") or {}).get("annotations")


def _called(container: Mapping[str, Any]) -> Iterator[str]:
    """Hosts of probes and hooks: the node calls them, whatever the policies of the pod say."""
    hooks = container.get("lifecycle") or {}
    places = [container.get(name) for name in ("livenessProbe", "readinessProbe", "startupProbe")]
    for place in (*places, hooks.get("postStart"), hooks.get("preStop")):
        for way in ("httpGet", "tcpSocket"):
            if host := ((place or {}).get(way) or {}).get("host"):
                yield str(host)


def _pod(pod: Mapping[str, Any]) -> list[str]:
    found = [key for key in ("hostNetwork", "hostPID", "hostIPC", "priorityClassName") if pod.get(key)]
    for volume in pod.get("volumes") or ():
        found += [key for key in ("hostPath", "nfs", "csi", "iscsi") if key in volume]
    contexts = [pod.get("securityContext") or {}]
    for field in ("containers", "initContainers", "ephemeralContainers"):
        for one in pod.get(field) or ():
            contexts.append(one.get("securityContext") or {})
            found += [f"hostPort {port['hostPort']}" for port in one.get("ports") or () if port.get("hostPort")]
            found += [f"the kubelet calls {host}" for host in _called(one)]
    for context in contexts:
        found += ["privileged"] if context.get("privileged") else []
        found += ["SYS_ADMIN"] if "SYS_ADMIN" in ((context.get("capabilities") or {}).get("add") or ()) else []
        found += ["Unconfined"] if "Unconfined" in repr(context) or "Unmasked" in repr(context) else []
        found += ["spc_t"] if "spc_t" in repr(context) else []
        found += ["sysctl"] if "kernel.msgmax" in repr(context) else []
    return found

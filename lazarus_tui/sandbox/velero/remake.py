"""What a backed-up object is turned into before it is created again: Velero's built-in restore actions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from lazarus_tui.model.labels import BACKUP_NAME_LABEL, RESTORE_NAME_LABEL, label_value
from lazarus_tui.sandbox.velero.installation import Json, copied
from lazarus_tui.sandbox.velero.layout import Item

_KEPT_META = ("name", "namespace", "labels", "annotations", "finalizers")
_CLAIM_MARKS = (
    "pv.kubernetes.io/bind-completed",
    "pv.kubernetes.io/bound-by-controller",
    "volume.kubernetes.io/storage-provisioner",
    "volume.beta.kubernetes.io/storage-provisioner",
    "volume.kubernetes.io/selected-node",
)
_JOB_LABELS = ("controller-uid", "batch.kubernetes.io/controller-uid")
HELPER_IMAGE = "velero/velero-restore-helper:v1.18.2"
WAIT_CONTAINER = "restore-wait"


def skip_reason(item: Item) -> str:
    """Why an object is never restored, or ""."""
    body = item.body
    state = (body.get("status") or {}).get("phase")
    if item.group_resource == "pods":
        if state in ("Succeeded", "Failed"):
            return "pod is complete"
        if "kubernetes.io/config.mirror" in (body["metadata"].get("annotations") or {}):
            return "it is a mirror pod managed by kubelet"
    if item.group_resource == "jobs.batch" and (body.get("status") or {}).get("completionTime"):
        return "job is complete"
    return ""


def remade(item: Item, target: str, mapping: Mapping[str, str], preserve_node_ports: bool) -> Json:
    """The object to create in namespace ``target``, without its identity and status."""
    body = copied(item.body)
    body["metadata"] = {key: value for key, value in body["metadata"].items() if key in _KEPT_META and value}
    body.pop("status", None)
    if item.namespace:
        body["metadata"]["namespace"] = target
    action = _ACTIONS.get(item.group_resource)
    if action is not None:
        action(body, mapping)
    if item.group_resource == "services" and not preserve_node_ports:
        for port in body["spec"].get("ports") or ():
            port.pop("nodePort", None)
    return body


def marked(body: Json, backup: str, restore: str) -> Json:
    """The object with the two labels that say where it came from."""
    labels = body["metadata"].get("labels") or {}
    body["metadata"]["labels"] = labels | {
        BACKUP_NAME_LABEL: label_value(backup),
        RESTORE_NAME_LABEL: label_value(restore),
    }
    return body


def wait_for_volumes(pod: Json, restore_uid: str, volumes: list[str]) -> None:
    """Put ``restore-wait`` before the pod's own containers: it ends when every volume holds its done-file.

    Its security context is that of the pod's first container, where that one has any.
    """
    spec = pod["spec"]
    others = [c for c in spec.get("initContainers") or [] if c.get("name") != WAIT_CONTAINER]
    wait = {
        "name": WAIT_CONTAINER,
        "image": HELPER_IMAGE,
        "args": [restore_uid],
        "volumeMounts": [{"name": volume, "mountPath": f"/restores/{volume}"} for volume in volumes],
        "env": [
            {"name": "POD_NAMESPACE", "valueFrom": {"fieldRef": {"fieldPath": "metadata.namespace"}}},
            {"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        ],
        "resources": {},
    }
    first: Json = next(iter(spec.get("containers") or ()), {})
    if first.get("securityContext"):
        wait["securityContext"] = copied(first["securityContext"])
    spec["initContainers"] = [wait, *others]


def drop_wait(pod: Json) -> None:
    """A pod backed up after an earlier restore still carries that restore's init container."""
    spec = pod["spec"]
    left = [c for c in spec.get("initContainers") or [] if c.get("name") != WAIT_CONTAINER]
    if left:
        spec["initContainers"] = left
    else:
        spec.pop("initContainers", None)


def _pod(body: Json, _mapping: Mapping[str, str]) -> None:
    spec = body["spec"]
    for key in ("nodeName", "priority"):
        spec.pop(key, None)
    drop_wait(body)
    tokens = {
        v["name"] for v in spec.get("volumes") or () if v["name"].startswith(("kube-api-access-", "default-token-"))
    }
    if not tokens:
        return
    spec["volumes"] = [v for v in spec["volumes"] if v["name"] not in tokens]
    for container in [*(spec.get("containers") or ()), *(spec.get("initContainers") or ())]:
        mounts = container.get("volumeMounts") or []
        container["volumeMounts"] = [mount for mount in mounts if mount["name"] not in tokens]


def _claim(body: Json, _mapping: Mapping[str, str]) -> None:
    marks = body["metadata"].get("annotations")
    if marks:
        body["metadata"]["annotations"] = {key: value for key, value in marks.items() if key not in _CLAIM_MARKS}


def _volume(body: Json, mapping: Mapping[str, str]) -> None:
    claim = body["spec"].get("claimRef")
    if claim:
        place = claim.get("namespace", "")
        kept = {key: value for key, value in claim.items() if key not in ("uid", "resourceVersion")}
        body["spec"]["claimRef"] = kept | {"namespace": mapping.get(place, place)}


def _service(body: Json, _mapping: Mapping[str, str]) -> None:
    spec = body["spec"]
    if spec.get("clusterIP") != "None":
        spec.pop("clusterIP", None)
        spec.pop("clusterIPs", None)
    spec.pop("healthCheckNodePort", None)


def _job(body: Json, _mapping: Mapping[str, str]) -> None:
    for labels in (
        (body["spec"].get("selector") or {}).get("matchLabels"),
        ((body["spec"].get("template") or {}).get("metadata") or {}).get("labels"),
        body["metadata"].get("labels"),
    ):
        for key in _JOB_LABELS:
            (labels or {}).pop(key, None)
    if not (body["spec"].get("selector") or {}).get("matchLabels", True):
        body["spec"].pop("selector")


def _binding(body: Json, mapping: Mapping[str, str]) -> None:
    for subject in body.get("subjects") or ():
        if subject.get("namespace") in mapping:
            subject["namespace"] = mapping[subject["namespace"]]


def _account(body: Json, _mapping: Mapping[str, str]) -> None:
    prefix = f"{body['metadata']['name']}-token-"
    body["secrets"] = [s for s in body.get("secrets") or () if not str(s.get("name", "")).startswith(prefix)]
    if not body["secrets"]:
        body.pop("secrets")


_ACTIONS: dict[str, Callable[[Json, Mapping[str, str]], None]] = {
    "pods": _pod,
    "persistentvolumeclaims": _claim,
    "persistentvolumes": _volume,
    "services": _service,
    "jobs.batch": _job,
    "rolebindings.rbac.authorization.k8s.io": _binding,
    "clusterrolebindings.rbac.authorization.k8s.io": _binding,
    "serviceaccounts": _account,
}


def comparable(obj: Mapping[str, Any]) -> Json:
    """An object reduced to what a restore compares: no identity, status or restore labels."""
    plain = {key: value for key, value in obj.items() if key not in ("metadata", "status")}
    meta = obj.get("metadata") or {}
    marks = (BACKUP_NAME_LABEL, RESTORE_NAME_LABEL)
    labels = {key: value for key, value in (meta.get("labels") or {}).items() if key not in marks}
    return plain | {"labels": labels, "annotations": meta.get("annotations") or {}}

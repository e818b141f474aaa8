"""Objects of a restore beside: aliases of snapshots, claims, and a StatefulSet without its ties (data §1.7, §2.7)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lazarus_tui.model.resources import STATEFULSETS
from lazarus_tui.model.snapshots import CONTENTS, RETAIN, SNAPSHOTS
from lazarus_tui.snapshots.names import shortened

# Annotation of an alias: the claim its data is of.
CLAIM = "lazarus.io/claim"

# Labels and annotations by which others would take the copy for their own: track, prune or delete it.
_TIES = (
    "argocd.argoproj.io/", "kustomize.toolkit.fluxcd.io/", "helm.toolkit.fluxcd.io/", "meta.helm.sh/", "helm.sh/",
    "app.kubernetes.io/managed-by", "app.kubernetes.io/instance", "lazarus.io/", "kubectl.kubernetes.io/last-applied",
    "autoscaling.keda.sh/", "velero.io/",
)  # fmt: skip
_POD_TIES = ("affinity", "topologySpreadConstraints", "priorityClassName", "priority", "imagePullSecrets")


def alias_name(op: str, claim: str) -> str:
    """The content's name: cluster-wide, so it carries the operation."""
    return shortened(f"lazarus-{op[:8]}-{claim}", "", 253)


def alias_content(name: str, namespace: str, snapshot: str, source: Mapping[str, Any]) -> dict[str, Any]:
    """A pre-provisioned content on the same snapshot of storage. Always Retain: with Delete on either of two contents
    the data vanishes under the other. ``source``: driver, handle, mode, class, annotations of the original."""
    spec: dict[str, Any] = {
        "deletionPolicy": RETAIN,
        "driver": source["driver"],
        "source": {"snapshotHandle": source["handle"]},
        "volumeSnapshotRef": {
            "apiVersion": SNAPSHOTS.api_version,
            "kind": SNAPSHOTS.kind,
            "name": snapshot,
            "namespace": namespace,
        },
    }
    if source.get("mode"):
        spec["sourceVolumeMode"] = source["mode"]
    if source.get("class"):
        spec["volumeSnapshotClassName"] = source["class"]
    meta: dict[str, Any] = {"name": name}
    if source.get("annotations"):
        meta["annotations"] = dict(source["annotations"])
    return {"apiVersion": CONTENTS.api_version, "kind": CONTENTS.kind, "metadata": meta, "spec": spec}


def alias_snapshot(name: str, namespace: str, content: str, claim: str) -> dict[str, Any]:
    return {
        "apiVersion": SNAPSHOTS.api_version,
        "kind": SNAPSHOTS.kind,
        "metadata": {"name": name, "namespace": namespace, "annotations": {CLAIM: claim}},
        "spec": {"source": {"volumeSnapshotContentName": content}},
    }


def stripped(found: Mapping[str, Any], namespace: str, replicas: int) -> dict[str, Any]:
    """A copy of a StatefulSet that nobody else takes for theirs, and that reaches for nothing of the original's.

    Its claims are those that were restored before it; without the ties to nodes of the original it can be scheduled.
    """
    meta, spec = found.get("metadata") or {}, dict(found.get("spec") or {})
    template = {key: value for key, value in (spec.get("template") or {}).items() if key != "metadata"}
    labels = (spec.get("template") or {}).get("metadata", {}).get("labels") or {}
    pod = {key: value for key, value in (template.get("spec") or {}).items() if key not in _POD_TIES}
    pod["automountServiceAccountToken"] = False
    pod.pop("serviceAccountName", None)
    pod.pop("serviceAccount", None)
    selected = (spec.get("selector") or {}).get("matchLabels") or {}
    kept = {**free(labels), **{key: labels[key] for key in selected if key in labels}}
    templates = [
        {"metadata": {"name": one["metadata"]["name"]}, "spec": one.get("spec") or {}}
        for one in spec.get("volumeClaimTemplates") or ()
    ]
    return {
        "apiVersion": STATEFULSETS.api_version,
        "kind": STATEFULSETS.kind,
        "metadata": {"name": meta.get("name"), "namespace": namespace, "labels": free(meta.get("labels") or {})},
        "spec": {
            **{key: spec[key] for key in ("selector", "serviceName", "podManagementPolicy", "ordinals") if key in spec},
            "replicas": replicas,
            "template": {"metadata": {"labels": kept}, "spec": pod},
            "volumeClaimTemplates": templates,
            "persistentVolumeClaimRetentionPolicy": {"whenDeleted": RETAIN, "whenScaled": RETAIN},
        },
    }


def free(marks: Mapping[str, str]) -> dict[str, str]:
    """Labels or annotations without the ties to GitOps, Helm, operators and Lazarus itself."""
    return {key: value for key, value in marks.items() if not key.startswith(_TIES)}

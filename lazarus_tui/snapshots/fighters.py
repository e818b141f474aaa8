"""Who would scale a StatefulSet up again while it is at 0, and how each can be held (reference: data §2.2).

An operator owns its StatefulSet and is never held here: the plan is refused, and says how the operator itself can be
paused. Argo CD, Flux and KEDA are held with a person's agreement, by the switch each has for it; the patches that give
it back are made from what is there now. Everybody else cannot act while it is at 0, and is told of.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lazarus_tui.kube.errors import Forbidden, NotFound
from lazarus_tui.model.resources import AUTOSCALERS, NAMESPACES, Resource
from lazarus_tui.model.steps import Reader

Object = dict[str, Any]
Fighter = dict[str, Any]

APPLICATIONS = (Resource("argoproj.io", "v1alpha1", "applications", "Application"),)
KUSTOMIZATIONS = tuple(
    Resource("kustomize.toolkit.fluxcd.io", version, "kustomizations", "Kustomization")
    for version in ("v1", "v1beta2", "v1beta1")
)
HELM_RELEASES = tuple(
    Resource("helm.toolkit.fluxcd.io", version, "helmreleases", "HelmRelease")
    for version in ("v2", "v2beta2", "v2beta1")
)
SCALED_OBJECTS = (Resource("keda.sh", "v1alpha1", "scaledobjects", "ScaledObject"),)
VERTICAL = tuple(
    Resource("autoscaling.k8s.io", version, "verticalpodautoscalers", "VerticalPodAutoscaler")
    for version in ("v1", "v1beta2")
)

_TRACKING, _INSTANCE = "argocd.argoproj.io/tracking-id", "app.kubernetes.io/instance"
_SKIP = "argocd.argoproj.io/skip-reconcile"
_PAUSED, _PAUSED_REPLICAS = "autoscaling.keda.sh/paused", "autoscaling.keda.sh/paused-replicas"
_FLUX_LEFT_ALONE = "kustomize.toolkit.fluxcd.io/reconcile"

# How known operators are paused, by the API group of the owner (data §2.2).
_OPERATOR_PAUSES = {
    "elasticsearch.k8s.elastic.co": 'annotation eck.k8s.elastic.co/pause-orchestration: "true"',
    "kafka.strimzi.io": 'annotation strimzi.io/pause-reconciliation: "true"',
    "core.strimzi.io": 'annotation strimzi.io/pause-reconciliation: "true" on its Kafka',
    "rabbitmq.com": 'label rabbitmq.com/pauseReconciliation: "true"',
    "psmdb.percona.com": "spec.pause: true, which stops the database",
    "pxc.percona.com": "spec.pause: true, which stops the database",
    "ps.percona.com": "spec.pause: true, which stops the database",
    "monitoring.coreos.com": "spec.paused: true",
}
# Tools that write this label and do not watch what they made.
_NO_OPERATORS = ("", "helm", "kustomize", "kubectl", "lazarus", "argocd", "flux", "terraform", "pulumi")
_OBSERVED = {
    "downscaler/": "a downscaler",
    "reloader.stakater.com/": "Reloader",
    "keel.sh/": "Keel",
}


async def find_fighters(reader: Reader, workload: Mapping[str, Any]) -> list[Fighter]:
    """One entry each: ``words``; ``refuse`` with ``hint`` where nothing may be held; ``only_warn``; or ``group``,
    ``version``, ``plural``, ``kind``, ``namespace``, ``name``, ``uid`` of the object to patch, and the merge patches
    ``hold`` and ``release``. ``autoscaled`` marks one that may change the replicas once they are more than 0."""
    found = _owners(workload)
    for look in (_argo, _flux, _keda, _horizontal, _vertical, _namespace):
        found += await look(reader, workload)
    return [*found, *_observers(workload)]


# --- operators


def _owners(workload: Mapping[str, Any]) -> list[Fighter]:
    found = []
    for owner in _meta(workload).get("ownerReferences") or ():
        if owner.get("controller"):
            who = f"{owner.get('kind')} {owner.get('name')}"
            pause = _OPERATOR_PAUSES.get(str(owner.get("apiVersion") or "").partition("/")[0])
            hint = "use the operator's own restore, or restore beside it"
            hint += f"; its operator is paused by {pause} on {who}" if pause else ""
            found.append({"words": f"{who} owns it and would put it back", "refuse": True, "hint": hint})
    manager = _labels(workload).get("app.kubernetes.io/managed-by", "")
    if not found and manager.lower() not in _NO_OPERATORS:
        found.append(_warning(f"its label says that {manager} manages it: an operator may scale it up again"))
    return found


# --- GitOps


async def _argo(reader: Reader, workload: Mapping[str, Any]) -> list[Fighter]:
    """Applications are matched by name: the tracking id begins with it, as ``namespace_name`` outside Argo's own."""
    space, name = _application(workload)
    if not name:
        return []
    found: list[Fighter] = []
    kind, applications, trouble = await _listed(reader, APPLICATIONS, None)
    if trouble:
        return [_warning(f"whether Argo CD heals it is not known: {trouble}")]
    for one in applications:
        if _meta(one)["name"] == name and space in ("", _meta(one)["namespace"]):
            found += _application_fights(kind, one)
    return found


def _application_fights(kind: Resource, one: Object) -> list[Fighter]:
    where = f"Argo CD Application {_meta(one)['namespace']}/{_meta(one)['name']}"
    if _annotations(one).get(_SKIP) == "true":
        return [_warning(f"{where} is held already ({_SKIP})")]
    automated = ((one.get("spec") or {}).get("syncPolicy") or {}).get("automated")
    if not automated or automated.get("enabled") is False or not automated.get("selfHeal"):
        return [_warning(f"{where} does not heal by itself, but a sync would put the replicas back")]
    found = [_held(kind, one, f"{where} heals it", *_annotated(one, {_SKIP: "true"}))]
    _, parent = _application(one)
    if parent and parent != _meta(one)["name"]:
        found.append(_warning(f"{where} is itself kept by Application {parent}, which may take the hold away"))
    return found


def _application(found: Mapping[str, Any]) -> tuple[str, str]:
    """Namespace ("" for any) and name of the Application that tracks an object."""
    tracked = _annotations(found).get(_TRACKING, "").partition(":")[0] or _labels(found).get(_INSTANCE, "")
    space, between, name = tracked.partition("_")
    return (space, name) if between else ("", tracked)


async def _flux(reader: Reader, workload: Mapping[str, Any]) -> list[Fighter]:
    if _annotations(workload).get(_FLUX_LEFT_ALONE) == "disabled":
        return []
    found: list[Fighter] = []
    for kinds in (KUSTOMIZATIONS, HELM_RELEASES):
        found += await _flux_keeper(reader, kinds, workload)
    return found


async def _flux_keeper(reader: Reader, kinds: Sequence[Resource], workload: Mapping[str, Any]) -> list[Fighter]:
    group, labels = kinds[0].group, _labels(workload)
    name, space = labels.get(f"{group}/name", ""), labels.get(f"{group}/namespace", "")
    if not name or not space:
        return []
    where = f"Flux {kinds[0].kind} {space}/{name}"
    kind, one, trouble = await _read(reader, kinds, space, name)
    if trouble:
        return [_warning(f"{where} keeps it, and cannot be read: {trouble}")]
    if one is None:
        return []
    spec = one.get("spec") or {}
    if spec.get("suspend") is True:
        return [_warning(f"{where} is suspended already")]
    hold, release = {"spec": {"suspend": True}}, {"spec": {"suspend": spec.get("suspend")}}
    found = [_held(kind, one, f"{where} reconciles it", hold, release)]
    parent = _labels(one).get(f"{KUSTOMIZATIONS[0].group}/name", "")
    if parent and (kinds is HELM_RELEASES or parent != name):
        found.append(_warning(f"{where} is itself kept by Kustomization {parent}, which may take the hold away"))
    return found


# --- autoscalers


async def _keda(reader: Reader, workload: Mapping[str, Any]) -> list[Fighter]:
    """Paused where it is, without a number: KEDA held at 0 would fight our own start."""
    kind, scaled, trouble = await _listed(reader, SCALED_OBJECTS, _meta(workload)["namespace"])
    if trouble:
        return [_warning(f"whether KEDA scales it is not known: {trouble}")]
    found: list[Fighter] = []
    for one in scaled:
        if not _targets(workload, (one.get("spec") or {}).get("scaleTargetRef")):
            continue
        where = f"KEDA ScaledObject {_meta(one)['name']}"
        if _annotations(one).get(_PAUSED) == "true" and _PAUSED_REPLICAS not in _annotations(one):
            found.append(_warning(f"{where} is paused already"))
        else:
            marks = {_PAUSED: "true", _PAUSED_REPLICAS: None}
            found.append(_held(kind, one, f"{where} scales it", *_annotated(one, marks)))
    return found


async def _horizontal(reader: Reader, workload: Mapping[str, Any]) -> list[Fighter]:
    """Inactive at 0 replicas; KEDA's own are held with their ScaledObject."""
    _, scalers, _ = await _listed(reader, (AUTOSCALERS,), _meta(workload)["namespace"])
    return [
        _warning(
            f"HorizontalPodAutoscaler {_meta(one)['name']} rests at 0 replicas, and may change them after the start"
        )
        | {"autoscaled": True}
        for one in scalers
        if _targets(workload, (one.get("spec") or {}).get("scaleTargetRef"))
        and not any(owner.get("kind") == "ScaledObject" for owner in _meta(one).get("ownerReferences") or ())
    ]


async def _vertical(reader: Reader, workload: Mapping[str, Any]) -> list[Fighter]:
    _, scalers, _ = await _listed(reader, VERTICAL, _meta(workload)["namespace"])
    return [
        _warning(f"VerticalPodAutoscaler {_meta(one)['name']} may evict its pods while they start")
        for one in scalers
        if _targets(workload, (one.get("spec") or {}).get("targetRef"))
    ]


# --- those who are only told of


def _observers(workload: Mapping[str, Any]) -> list[Fighter]:
    marks = _annotations(workload)
    release = marks.get("meta.helm.sh/release-name")
    found = [f"it is of Helm release {release}: an upgrade in the middle would reset the replicas"] if release else []
    found += [
        f"{who} acts on it (annotation {prefix}…) and may change it in the middle"
        for prefix, who in _OBSERVED.items()
        if any(key.startswith(prefix) for key in marks)
    ]
    return [_warning(words) for words in found]


async def _namespace(reader: Reader, workload: Mapping[str, Any]) -> list[Fighter]:
    """A downscaler may be told by the namespace."""
    name = _meta(workload)["namespace"]
    try:
        found: Object | None = await reader.get(NAMESPACES, name, type=dict)
    except Forbidden:
        return []
    marked = any(key.startswith("downscaler/") for key in _annotations(found or {}))
    return [_warning(f"a downscaler acts on namespace {name} and may change replicas in the middle")] if marked else []


# --- reading and patches


async def _listed(
    reader: Reader, kinds: Sequence[Resource], namespace: str | None
) -> tuple[Resource, list[Object], str]:
    """The objects of the first version that is served; none where it is not installed; or why they cannot be read."""
    for kind in kinds:
        try:
            return kind, await reader.list(kind, namespace, type=dict), ""
        except NotFound:
            continue
        except Forbidden as error:
            return kind, [], f"{kind.group_resource} may not be listed ({error.message})"
    return kinds[0], [], ""


async def _read(
    reader: Reader, kinds: Sequence[Resource], namespace: str, name: str
) -> tuple[Resource, Object | None, str]:
    for kind in kinds:
        try:
            found: Object | None = await reader.get(kind, name, namespace, type=dict)
        except Forbidden as error:
            return kind, None, error.message
        if found is not None:
            return kind, found, ""
    return kinds[0], None, ""


def _held(kind: Resource, one: Object, words: str, hold: Object, release: Object) -> Fighter:
    meta = _meta(one)
    return {
        "words": words, "group": kind.group, "version": kind.version, "plural": kind.plural, "kind": kind.kind,
        "namespace": meta.get("namespace") or "", "name": meta["name"], "uid": meta["uid"],
        "hold": hold, "release": release,
    }  # fmt: skip


def _annotated(one: Object, marks: Mapping[str, str | None]) -> tuple[Object, Object]:
    """The patch that sets annotations, and the one that gives back what each was; null takes one away (RFC 7386)."""
    before = {key: _annotations(one).get(key) for key in marks}
    return {"metadata": {"annotations": dict(marks)}}, {"metadata": {"annotations": before}}


def _warning(words: str) -> Fighter:
    return {"words": words, "only_warn": True}


def _targets(workload: Mapping[str, Any], reference: Any) -> bool:
    """Whether a scaleTargetRef means this StatefulSet; KEDA's default kind is Deployment."""
    reference = reference if isinstance(reference, Mapping) else {}
    return bool(reference.get("kind") == "StatefulSet" and reference.get("name") == _meta(workload)["name"])


def _meta(found: Mapping[str, Any]) -> dict[str, Any]:
    return dict(found.get("metadata") or {})


def _annotations(found: Mapping[str, Any]) -> dict[str, str]:
    return dict(_meta(found).get("annotations") or {})


def _labels(found: Mapping[str, Any]) -> dict[str, str]:
    return dict(_meta(found).get("labels") or {})

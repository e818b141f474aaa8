"""Whether a backup's filters take in a workload: namespaces, resources, labels (reference: velero §1.1, §4.4)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from lazarus_tui.model.objects import BackupSpec, LabelRequirement, LabelSelector, Workload

_KINDS = {"StatefulSet": "statefulsets.apps", "Deployment": "deployments.apps", "DaemonSet": "daemonsets.apps"}
# A namespace comes back only if all of these do; claims are added when it has volumes.
_WHOLE_NAMESPACE = ("deployments.apps", "statefulsets.apps", "services", "configmaps", "secrets")
_CLAIMS = "persistentvolumeclaims"
_ALIASES = {
    "sts": "statefulsets.apps", "statefulset": "statefulsets.apps", "statefulsets": "statefulsets.apps",
    "deploy": "deployments.apps", "deployment": "deployments.apps", "deployments": "deployments.apps",
    "ds": "daemonsets.apps", "daemonset": "daemonsets.apps", "daemonsets": "daemonsets.apps",
    "pvc": _CLAIMS, "persistentvolumeclaim": _CLAIMS, "svc": "services", "service": "services",
    "cm": "configmaps", "configmap": "configmaps", "secret": "secrets",
    "po": "pods", "pod": "pods", "ns": "namespaces", "namespace": "namespaces",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be recovered. ``kind`` "" means the whole namespace; ``labels`` None means they are not known."""

    namespace: str
    kind: str = ""
    name: str = ""
    claims: tuple[str, ...] = ()
    labels: Mapping[str, str] | None = field(default=None, hash=False)

    @classmethod
    def of(cls, workload: Workload) -> Wanted:
        meta = workload.metadata
        return cls(meta.namespace, workload.kind, meta.name, workload.claims(), meta.labels or {})

    def __str__(self) -> str:
        return f"{self.namespace}/{self.kind}/{self.name}" if self.kind else f"namespace {self.namespace}"


def any_match(patterns: Iterable[str] | None, name: str) -> bool:
    """Whether one of Velero's patterns (``*``, ``?``, ``[a-z]``) takes in ``name``."""
    return any(pattern == "*" or pattern == name or fnmatchcase(name, pattern) for pattern in patterns or ())


def takes_namespace(spec: BackupSpec, namespace: str) -> bool:
    """Whether the namespace filters take it in; an empty include list means all."""
    if any_match(spec.excluded_namespaces, namespace):
        return False
    return not spec.included_namespaces or any_match(spec.included_namespaces, namespace)


def _canonical(resource: str) -> str:
    lowered = resource.lower()
    return _ALIASES.get(lowered, lowered)


def takes_resource(spec: BackupSpec, resource: str) -> bool:
    """Whether the old or the new resource filters take in a namespaced resource such as ``deployments.apps``."""
    excluded = [*(spec.excluded_resources or ()), *(spec.excluded_namespace_scoped_resources or ())]
    if any_match(map(_canonical, excluded), resource):
        return False
    included = [*(spec.included_resources or ()), *(spec.included_namespace_scoped_resources or ())]
    return not included or any_match(map(_canonical, included), resource)


def missing_resources(spec: BackupSpec, wanted: Wanted) -> tuple[str, ...]:
    """The resources of the workload that the filters leave out."""
    needed: Sequence[str] = (_KINDS.get(wanted.kind, wanted.kind.lower() + "s"),) if wanted.kind else _WHOLE_NAMESPACE
    if wanted.claims:
        needed = (*needed, _CLAIMS)
    return tuple(resource for resource in needed if not takes_resource(spec, resource))


def takes_labels(spec: BackupSpec, wanted: Wanted) -> bool | None:
    """Whether the label selectors take in the workload; None if that cannot be told from what is known."""
    selectors = [spec.label_selector] if spec.label_selector is not None else list(spec.or_label_selectors or ())
    if not selectors or any(selects(selector, None) for selector in selectors):
        return True
    if not wanted.kind:
        return False  # a selector leaves out whatever has other labels: not the whole namespace
    answers = [selects(selector, wanted.labels) for selector in selectors]
    if True in answers:
        return True
    return None if None in answers else False


def selects(selector: LabelSelector, labels: Mapping[str, str] | None) -> bool | None:
    """As the API server decides it: every part must hold, an empty selector takes all; None if it cannot be told."""
    required = [LabelRequirement(key=k, operator="In", values=[v]) for k, v in (selector.match_labels or {}).items()]
    required += selector.match_expressions or ()
    if not required:
        return True
    if labels is None:
        return None
    answers = [_holds(one, labels) for one in required]
    if False in answers:
        return False
    return None if None in answers else True


def _holds(one: LabelRequirement, labels: Mapping[str, str]) -> bool | None:
    there, value = one.key in labels, labels.get(one.key)
    match one.operator:
        case "In":
            return there and value in (one.values or ())
        case "NotIn":
            return value not in (one.values or ()) if there else True
        case "Exists":
            return there
        case "DoesNotExist":
            return not there
    return None


def in_words(selector: LabelSelector) -> str:
    """The selector in kubectl's notation, which is also that of a list's ``labelSelector``."""
    parts = [f"{key}={value}" for key, value in sorted((selector.match_labels or {}).items())]
    for one in selector.match_expressions or ():
        values = f"({','.join(one.values or ())})"
        forms = {"In": f"{one.key} in {values}", "NotIn": f"{one.key} notin {values}", "Exists": one.key}
        parts.append(forms.get(one.operator, f"!{one.key}"))
    return ",".join(parts)

"""The kinds a Kubernetes server has by itself (facts of kube-apiserver's discovery)."""

from __future__ import annotations

from lazarus_tui.sandbox.api import names
from lazarus_tui.sandbox.api.kinds import ALL_VERBS, Conversion, Kind, ScalePaths
from lazarus_tui.sandbox.api.views import AUTOSCALERS, EVENTS

_NO_COLLECTION_DELETE = tuple(verb for verb in ALL_VERBS if verb != "deletecollection")
_REVIEW = ("create",)

_POD_FIELDS = frozenset(
    {
        "spec.nodeName",
        "spec.restartPolicy",
        "spec.schedulerName",
        "spec.serviceAccountName",
        "spec.hostNetwork",
        "status.phase",
        "status.podIP",
        "status.nominatedNodeName",
    }
)
_EVENT_FIELDS = frozenset(
    {"reason", "type", "source", "reportingComponent"}
    | {
        f"involvedObject.{part}"
        for part in ("kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath")
    }
)


def _kind(
    group_version: str,
    plural: str,
    kind: str,
    *,
    short: tuple[str, ...] = (),
    everything: bool = False,
    sub: tuple[str, ...] = (),
    cluster: bool = False,
    generation: bool = False,
    verbs: tuple[str, ...] = ALL_VERBS,
    rule: names.NameRule = names.subdomain,
    fields: frozenset[str] = frozenset(),
    also: tuple[str, ...] = (),
    categories: tuple[str, ...] = (),
    views: tuple[Conversion, ...] = (),
    deprecation: str = "",
) -> Kind:
    group, _, version = group_version.rpartition("/")
    return Kind(
        group,
        version,
        plural,
        kind,
        namespaced=not cluster,
        versions=(version, *also),
        singular=kind.lower(),
        short_names=short,
        categories=("all",) if everything else categories,
        subresources=sub,
        verbs=verbs,
        generation=generation,
        scale=ScalePaths() if "scale" in sub else None,
        name_rule=rule,
        fields=fields,
        views=views,
        deprecation=deprecation,
    )


_POD_SUB = (
    "attach",
    "binding",
    "ephemeralcontainers",
    "eviction",
    "exec",
    "log",
    "portforward",
    "proxy",
    "resize",
    "status",
)

_CORE = (
    _kind("v1", "bindings", "Binding", verbs=_REVIEW),
    _kind(
        "v1",
        "componentstatuses",
        "ComponentStatus",
        short=("cs",),
        cluster=True,
        verbs=("get", "list"),
        deprecation="v1 ComponentStatus is deprecated in v1.19+",
    ),
    _kind("v1", "configmaps", "ConfigMap", short=("cm",)),
    _kind(
        "v1",
        "endpoints",
        "Endpoints",
        short=("ep",),
        deprecation="v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice",
    ),
    _kind("v1", "events", "Event", short=("ev",), fields=_EVENT_FIELDS, views=(EVENTS,)),
    _kind("v1", "limitranges", "LimitRange", short=("limits",)),
    _kind(
        "v1",
        "namespaces",
        "Namespace",
        short=("ns",),
        sub=("finalize", "status"),
        cluster=True,
        verbs=_NO_COLLECTION_DELETE,
        rule=names.namespace_name,
        fields=frozenset({"status.phase"}),
    ),
    _kind(
        "v1",
        "nodes",
        "Node",
        short=("no",),
        sub=("proxy", "status"),
        cluster=True,
        fields=frozenset({"spec.unschedulable"}),
    ),
    _kind("v1", "persistentvolumeclaims", "PersistentVolumeClaim", short=("pvc",), sub=("status",)),
    _kind("v1", "persistentvolumes", "PersistentVolume", short=("pv",), sub=("status",), cluster=True),
    _kind("v1", "pods", "Pod", short=("po",), everything=True, sub=_POD_SUB, generation=True, fields=_POD_FIELDS),
    _kind("v1", "podtemplates", "PodTemplate", generation=True),
    _kind(
        "v1",
        "replicationcontrollers",
        "ReplicationController",
        short=("rc",),
        everything=True,
        sub=("scale", "status"),
        generation=True,
    ),
    _kind("v1", "resourcequotas", "ResourceQuota", short=("quota",), sub=("status",)),
    _kind("v1", "secrets", "Secret", fields=frozenset({"type"})),
    _kind("v1", "serviceaccounts", "ServiceAccount", short=("sa",), sub=("token",)),
    _kind(
        "v1",
        "services",
        "Service",
        short=("svc",),
        everything=True,
        sub=("proxy", "status"),
        rule=names.dns_label,
        fields=frozenset({"spec.clusterIP", "spec.type"}),
    ),
)

_WORKLOADS = (
    _kind("apps/v1", "controllerrevisions", "ControllerRevision"),
    _kind("apps/v1", "daemonsets", "DaemonSet", short=("ds",), everything=True, sub=("status",), generation=True),
    _kind(
        "apps/v1",
        "deployments",
        "Deployment",
        short=("deploy",),
        everything=True,
        sub=("scale", "status"),
        generation=True,
    ),
    _kind(
        "apps/v1",
        "replicasets",
        "ReplicaSet",
        short=("rs",),
        everything=True,
        sub=("scale", "status"),
        generation=True,
        fields=frozenset({"status.replicas"}),
    ),
    _kind(
        "apps/v1",
        "statefulsets",
        "StatefulSet",
        short=("sts",),
        everything=True,
        sub=("scale", "status"),
        generation=True,
    ),
    _kind("batch/v1", "cronjobs", "CronJob", short=("cj",), everything=True, sub=("status",), generation=True),
    _kind(
        "batch/v1",
        "jobs",
        "Job",
        everything=True,
        sub=("status",),
        generation=True,
        fields=frozenset({"status.successful"}),
    ),
    _kind(
        "autoscaling/v2",
        "horizontalpodautoscalers",
        "HorizontalPodAutoscaler",
        short=("hpa",),
        everything=True,
        sub=("status",),
        views=(AUTOSCALERS,),
    ),
    _kind("policy/v1", "poddisruptionbudgets", "PodDisruptionBudget", short=("pdb",), sub=("status",), generation=True),
    _kind("scheduling.k8s.io/v1", "priorityclasses", "PriorityClass", short=("pc",), cluster=True, generation=True),
    _kind("coordination.k8s.io/v1", "leases", "Lease"),
    _kind("node.k8s.io/v1", "runtimeclasses", "RuntimeClass", cluster=True),
)

_STORAGE = (
    _kind("storage.k8s.io/v1", "csidrivers", "CSIDriver", cluster=True, generation=True),
    _kind("storage.k8s.io/v1", "csinodes", "CSINode", cluster=True),
    _kind("storage.k8s.io/v1", "csistoragecapacities", "CSIStorageCapacity"),
    _kind("storage.k8s.io/v1", "storageclasses", "StorageClass", short=("sc",), cluster=True),
    _kind("storage.k8s.io/v1", "volumeattachments", "VolumeAttachment", sub=("status",), cluster=True),
    _kind("storage.k8s.io/v1", "volumeattributesclasses", "VolumeAttributesClass", short=("vac",), cluster=True),
)

_NETWORK = (
    _kind("networking.k8s.io/v1", "ingressclasses", "IngressClass", cluster=True, generation=True),
    _kind("networking.k8s.io/v1", "ingresses", "Ingress", short=("ing",), sub=("status",), generation=True),
    _kind("networking.k8s.io/v1", "networkpolicies", "NetworkPolicy", short=("netpol",), generation=True),
    _kind("networking.k8s.io/v1", "ipaddresses", "IPAddress", short=("ip",), cluster=True),
    _kind("networking.k8s.io/v1", "servicecidrs", "ServiceCIDR", sub=("status",), cluster=True),
    _kind("discovery.k8s.io/v1", "endpointslices", "EndpointSlice", generation=True),
)

_RBAC_GROUP = "rbac.authorization.k8s.io/v1"
_ADMISSION_GROUP = "admissionregistration.k8s.io/v1"
_EXTENSIONS = ("api-extensions",)

_FLOW_GROUP = "flowcontrol.apiserver.k8s.io/v1"
_CERTIFICATES = "certificates.k8s.io/v1"


def _admission(plural: str, kind: str, *, sub: tuple[str, ...] = ()) -> Kind:
    return _kind(_ADMISSION_GROUP, plural, kind, cluster=True, generation=True, categories=_EXTENSIONS, sub=sub)


_RULES = (
    _kind(_RBAC_GROUP, "clusterrolebindings", "ClusterRoleBinding", cluster=True, rule=names.path_segment),
    _kind(_RBAC_GROUP, "clusterroles", "ClusterRole", cluster=True, rule=names.path_segment),
    _kind(_RBAC_GROUP, "rolebindings", "RoleBinding", rule=names.path_segment),
    _kind(_RBAC_GROUP, "roles", "Role", rule=names.path_segment),
    _admission("mutatingwebhookconfigurations", "MutatingWebhookConfiguration"),
    _admission("validatingwebhookconfigurations", "ValidatingWebhookConfiguration"),
    _admission("mutatingadmissionpolicies", "MutatingAdmissionPolicy"),
    _admission("mutatingadmissionpolicybindings", "MutatingAdmissionPolicyBinding"),
    _admission("validatingadmissionpolicies", "ValidatingAdmissionPolicy", sub=("status",)),
    _admission("validatingadmissionpolicybindings", "ValidatingAdmissionPolicyBinding"),
    _kind(
        "apiextensions.k8s.io/v1",
        "customresourcedefinitions",
        "CustomResourceDefinition",
        short=("crd", "crds"),
        sub=("status",),
        cluster=True,
        generation=True,
        categories=_EXTENSIONS,
    ),
    _kind(
        "apiregistration.k8s.io/v1",
        "apiservices",
        "APIService",
        sub=("status",),
        cluster=True,
        categories=_EXTENSIONS,
    ),
    _kind(
        _CERTIFICATES,
        "certificatesigningrequests",
        "CertificateSigningRequest",
        short=("csr",),
        sub=("approval", "status"),
        cluster=True,
        fields=frozenset({"spec.signerName"}),
    ),
    _kind(_FLOW_GROUP, "flowschemas", "FlowSchema", sub=("status",), cluster=True, generation=True),
    _kind(
        _FLOW_GROUP,
        "prioritylevelconfigurations",
        "PriorityLevelConfiguration",
        sub=("status",),
        cluster=True,
        generation=True,
    ),
)

_AUTHORIZATION = "authorization.k8s.io/v1"
_AUTHENTICATION = "authentication.k8s.io/v1"

_REVIEWS = (
    _kind(_AUTHORIZATION, "selfsubjectaccessreviews", "SelfSubjectAccessReview", cluster=True, verbs=_REVIEW),
    _kind(_AUTHORIZATION, "selfsubjectrulesreviews", "SelfSubjectRulesReview", cluster=True, verbs=_REVIEW),
    _kind(_AUTHORIZATION, "subjectaccessreviews", "SubjectAccessReview", cluster=True, verbs=_REVIEW),
    _kind(_AUTHORIZATION, "localsubjectaccessreviews", "LocalSubjectAccessReview", verbs=_REVIEW),
    _kind(_AUTHENTICATION, "selfsubjectreviews", "SelfSubjectReview", cluster=True, verbs=_REVIEW),
    _kind(_AUTHENTICATION, "tokenreviews", "TokenReview", cluster=True, verbs=_REVIEW),
)

BUILTIN: tuple[Kind, ...] = _CORE + _WORKLOADS + _STORAGE + _NETWORK + _RULES + _REVIEWS

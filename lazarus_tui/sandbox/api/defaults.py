"""Fields the server fills in, where kubectl, controllers or a restore look at them."""

from __future__ import annotations

import base64
import ipaddress
import itertools
from collections.abc import Callable
from typing import Any

from lazarus_tui.model.resources import SERVICES, STORAGECLASSES
from lazarus_tui.sandbox.api.claim_sources import normalize_sources
from lazarus_tui.sandbox.api.defaults_cluster import DEFAULTS
from lazarus_tui.sandbox.api.errors import bad_request
from lazarus_tui.sandbox.api.kinds import Kind
from lazarus_tui.sandbox.api.store import Store

Object = dict[str, Any]

# Service addresses; all of 127/8 is loopback on Linux, so a small proxy can listen on each of them.
SERVICE_NETWORK = "127.43.0.0/16"
# Upstream's default range of node ports.
NODE_PORTS = range(30000, 32768)
DEFAULT_CLASS_ANNOTATION = "storageclass.kubernetes.io/is-default-class"


def _fill(target: Object, **values: Any) -> None:
    for name, value in values.items():
        if target.get(name) is None:
            target[name] = value


def _dict(parent: Object, name: str) -> Object:
    value = parent.get(name)
    if value is None:
        value = parent[name] = {}
    return value if isinstance(value, dict) else {}


def _dicts(parent: Object, name: str) -> list[Object]:
    value = parent.get(name)
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def pod_spec(spec: Object) -> None:
    _fill(
        spec,
        restartPolicy="Always",
        terminationGracePeriodSeconds=30,
        dnsPolicy="ClusterFirst",
        securityContext={},
        schedulerName="default-scheduler",
    )
    for container in _dicts(spec, "containers") + _dicts(spec, "initContainers"):
        _container(container)
    for volume in _dicts(spec, "volumes"):
        if volume.keys() <= {"name"}:
            volume["emptyDir"] = {}
        for source in ("configMap", "secret", "projected", "downwardAPI"):
            if isinstance(volume.get(source), dict):
                _fill(volume[source], defaultMode=420)


def _container(container: Object) -> None:
    image = str(container.get("image", ""))
    latest = ":" not in image.rsplit("/", 1)[-1] or image.endswith(":latest")
    _fill(
        container,
        resources={},
        terminationMessagePath="/dev/termination-log",
        terminationMessagePolicy="File",
        imagePullPolicy="Always" if latest else "IfNotPresent",
    )
    for port in _dicts(container, "ports"):
        _fill(port, protocol="TCP")
    for name in ("livenessProbe", "readinessProbe", "startupProbe"):
        probe = container.get(name)
        if isinstance(probe, dict):
            _fill(probe, timeoutSeconds=1, periodSeconds=10, successThreshold=1, failureThreshold=3)
            if isinstance(probe.get("httpGet"), dict):
                _fill(probe["httpGet"], path="/", scheme="HTTP")


def _template(spec: Object) -> None:
    template = _dict(spec, "template")
    pod_spec(_dict(template, "spec"))


def _pod(obj: Object, store: Store, old: Object | None) -> None:
    spec = _dict(obj, "spec")
    pod_spec(spec)
    _fill(spec, enableServiceLinks=True, serviceAccountName="default")
    if old is None and not obj.get("status"):
        obj["status"] = {"phase": "Pending", "qosClass": "BestEffort"}


def _deployment(obj: Object, store: Store, old: Object | None) -> None:
    spec = _dict(obj, "spec")
    _fill(spec, replicas=1, revisionHistoryLimit=10, progressDeadlineSeconds=600)
    _fill(spec, strategy={"type": "RollingUpdate"})
    if spec["strategy"].get("type", "RollingUpdate") == "RollingUpdate":
        _fill(spec["strategy"], type="RollingUpdate")
        _fill(_dict(spec["strategy"], "rollingUpdate"), maxUnavailable="25%", maxSurge="25%")
    _template(spec)
    _status(obj, old)


def _statefulset(obj: Object, store: Store, old: Object | None) -> None:
    spec = _dict(obj, "spec")
    _fill(spec, replicas=1, revisionHistoryLimit=10, podManagementPolicy="OrderedReady", serviceName="")
    _fill(spec, updateStrategy={"type": "RollingUpdate", "rollingUpdate": {"partition": 0}})
    _fill(_dict(spec, "persistentVolumeClaimRetentionPolicy"), whenDeleted="Retain", whenScaled="Retain")
    for claim in _dicts(spec, "volumeClaimTemplates"):
        _fill(claim, apiVersion="v1", kind="PersistentVolumeClaim", status={"phase": "Pending"})
        _fill(_dict(claim, "spec"), volumeMode="Filesystem")
    _template(spec)
    _status(obj, old)
    if old is None:
        _fill(obj["status"], replicas=0, availableReplicas=0)


def _status(obj: Object, old: Object | None) -> None:
    if old is None:
        _fill(obj, status={})


def _daemonset(obj: Object, store: Store, old: Object | None) -> None:
    spec = _dict(obj, "spec")
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1, "maxSurge": 0}}
    _fill(spec, revisionHistoryLimit=10, updateStrategy=strategy)
    _template(spec)
    if old is None:
        _fill(
            obj,
            status={
                "currentNumberScheduled": 0,
                "numberMisscheduled": 0,
                "desiredNumberScheduled": 0,
                "numberReady": 0,
            },
        )


def _replicaset(obj: Object, store: Store, old: Object | None) -> None:
    spec = _dict(obj, "spec")
    _fill(spec, replicas=1)
    _template(spec)
    if old is None:
        _fill(obj, status={"replicas": 0})


def _job(obj: Object, store: Store, old: Object | None) -> None:
    spec = _dict(obj, "spec")
    if spec.get("completions") is None and spec.get("parallelism") is None:
        spec["completions"] = 1
    _fill(spec, parallelism=1, backoffLimit=6, completionMode="NonIndexed", suspend=False)
    _fill(spec, podReplacementPolicy="TerminatingOrFailed")
    _template(spec)
    if old is None and not spec.get("manualSelector"):
        uid, name = obj["metadata"]["uid"], obj["metadata"]["name"]
        labels = _dict(_dict(spec["template"], "metadata"), "labels")
        labels |= {
            "batch.kubernetes.io/controller-uid": uid,
            "batch.kubernetes.io/job-name": name,
            "controller-uid": uid,
            "job-name": name,
        }
        spec["selector"] = {"matchLabels": {"batch.kubernetes.io/controller-uid": uid}}
    _status(obj, old)


def _cronjob(obj: Object, store: Store, old: Object | None) -> None:
    spec = _dict(obj, "spec")
    _fill(spec, concurrencyPolicy="Allow", suspend=False, successfulJobsHistoryLimit=3, failedJobsHistoryLimit=1)
    _template(_dict(_dict(spec, "jobTemplate"), "spec"))
    _status(obj, old)


def _service(obj: Object, store: Store, old: Object | None) -> None:
    spec = _dict(obj, "spec")
    _fill(spec, type="ClusterIP", sessionAffinity="None")
    taken = {port.get("nodePort") for port in _dicts(spec, "ports")}
    for port in _dicts(spec, "ports"):
        _fill(port, protocol="TCP", targetPort=port.get("port"))
        if spec["type"] in ("NodePort", "LoadBalancer") and not port.get("nodePort"):
            port["nodePort"] = _free_node_port(store, taken)
            taken.add(port["nodePort"])
    if spec["type"] != "ExternalName":
        kept = ((old or {}).get("spec") or {}).get("clusterIP")
        if not spec.get("clusterIP"):
            spec["clusterIP"] = kept or _free_address(store)
        _fill(spec, clusterIPs=[spec["clusterIP"]], ipFamilies=["IPv4"], ipFamilyPolicy="SingleStack")
        _fill(spec, internalTrafficPolicy="Cluster")
    if old is None:
        _fill(obj, status={"loadBalancer": {}})


def _services(store: Store) -> list[Object]:
    return [entity.obj.get("spec") or {} for entity in store.select(SERVICES.group_resource)]


def _free_address(store: Store) -> str:
    taken = {spec.get("clusterIP") for spec in _services(store)}
    networks = [one for one in (store.service_block, SERVICE_NETWORK) if one]
    hosts = itertools.chain.from_iterable(ipaddress.ip_network(one).hosts() for one in networks)
    return next(str(host) for host in hosts if str(host) not in taken)


def _free_node_port(store: Store, taken: set[Any]) -> int:
    used = taken | {port.get("nodePort") for spec in _services(store) for port in _dicts(spec, "ports")}
    return next(port for port in NODE_PORTS if port not in used)


def _claim(obj: Object, store: Store, old: Object | None) -> None:
    spec = _dict(obj, "spec")
    _fill(spec, volumeMode="Filesystem")
    normalize_sources(spec)
    if old is not None:
        return
    if "storageClassName" not in spec and (name := default_class(store)):
        spec["storageClassName"] = name
    _fill(obj, status={"phase": "Pending"})


def default_class(store: Store) -> str:
    """The newest StorageClass marked as default, or ``""``."""
    classes = [
        entity.obj["metadata"]
        for entity in store.select(STORAGECLASSES.group_resource)
        if (entity.obj["metadata"].get("annotations") or {}).get(DEFAULT_CLASS_ANNOTATION) == "true"
    ]
    newest = max(classes, key=lambda meta: (meta["creationTimestamp"], meta["name"]), default=None)
    return newest["name"] if newest else ""


def _volume(obj: Object, store: Store, old: Object | None) -> None:
    _fill(_dict(obj, "spec"), persistentVolumeReclaimPolicy="Retain", volumeMode="Filesystem")
    if old is None:
        _fill(obj, status={"phase": "Pending"})


def _storage_class(obj: Object, store: Store, old: Object | None) -> None:
    _fill(obj, reclaimPolicy="Delete", volumeBindingMode="Immediate")


def _secret(obj: Object, store: Store, old: Object | None) -> None:
    plain = obj.pop("stringData", None)
    if plain:
        data = _dict(obj, "data")
        data |= {key: base64.b64encode(str(value).encode()).decode() for key, value in plain.items()}
    _encoded("Secret", obj.get("data"))
    _fill(obj, type="Opaque")


def _encoded(kind: str, data: Object | None) -> None:
    for value in (data or {}).values():
        try:
            base64.b64decode(value or "", validate=True)
        except (ValueError, TypeError):
            raise bad_request(
                f'{kind} in version "v1" cannot be handled as a {kind}: illegal base64 data at input byte 0'
            ) from None


def _config_map(obj: Object, store: Store, old: Object | None) -> None:
    for field in ("data", "binaryData"):
        if not all(isinstance(value, str) for value in (obj.get(field) or {}).values()):
            where = f"ConfigMap.{field} of type string"
            raise bad_request(f"ConfigMap cannot be handled: json: cannot unmarshal into Go struct field {where}")
    _encoded("ConfigMap", obj.get("binaryData"))


def _namespace(obj: Object, store: Store, old: Object | None) -> None:
    meta = obj["metadata"]
    _dict(meta, "labels")["kubernetes.io/metadata.name"] = meta["name"]
    if old is None:
        obj["spec"] = {"finalizers": ["kubernetes"]}
        obj["status"] = {"phase": "Active"}


_DEFAULTS: dict[str, Callable[[Object, Store, Object | None], None]] = {
    "pods": _pod,
    "deployments.apps": _deployment,
    "statefulsets.apps": _statefulset,
    "daemonsets.apps": _daemonset,
    "replicasets.apps": _replicaset,
    "jobs.batch": _job,
    "cronjobs.batch": _cronjob,
    "services": _service,
    "persistentvolumeclaims": _claim,
    "persistentvolumes": _volume,
    "storageclasses.storage.k8s.io": _storage_class,
    "configmaps": _config_map,
    "secrets": _secret,
    "namespaces": _namespace,
}


def fill_defaults(kind: Kind, obj: Object, old: Object | None, store: Store) -> None:
    """Fill ``obj`` in place; ``old`` is None on create."""
    fill, other = _DEFAULTS.get(kind.group_resource), DEFAULTS.get(kind.group_resource)
    try:
        if fill is not None:
            fill(obj, store, old)
        elif other is not None:
            other(obj)
    except (AttributeError, TypeError, KeyError) as error:
        raise bad_request(f"{kind.kind} cannot be handled: a field has the wrong type ({error})") from None

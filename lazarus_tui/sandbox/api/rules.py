"""What the server refuses in built-in kinds: required fields, consistency, and what may not change.

Path rules, not full types: those a restore or an operator's hand can run into.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from lazarus_tui.model.quantities import QuantityError, parse
from lazarus_tui.model.resources import SERVICES
from lazarus_tui.sandbox.api.claim_sources import source_causes
from lazarus_tui.sandbox.api.errors import Cause, bad_request
from lazarus_tui.sandbox.api.kinds import Kind
from lazarus_tui.sandbox.api.selectors import from_selector
from lazarus_tui.sandbox.api.store import Store

Object = dict[str, Any]
Causes = list[Cause]

_POD_MUTABLE = ("activeDeadlineSeconds", "tolerations", "terminationGracePeriodSeconds", "schedulingGates")
_STATEFULSET_MUTABLE = (
    "replicas",
    "ordinals",
    "template",
    "updateStrategy",
    "revisionHistoryLimit",
    "persistentVolumeClaimRetentionPolicy",
    "minReadySeconds",
)


def _required(field: str, text: str = "") -> Cause:
    return Cause(field, f"Required value{': ' + text if text else ''}", "FieldValueRequired")


def _immutable(field: str, value: Any) -> Cause:
    return Cause(field, f"Invalid value: {_show(value)}: field is immutable")


def _forbidden(field: str, text: str) -> Cause:
    return Cause(field, f"Forbidden: {text}", "FieldValueForbidden")


def _show(value: Any) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value)


def _spec(obj: Object) -> Object:
    spec = obj.get("spec")
    return spec if isinstance(spec, dict) else {}


def _pod_spec_causes(spec: Object, field: str) -> Causes:
    containers = spec.get("containers")
    if containers is not None and not isinstance(containers, list):
        raise bad_request(f"Pod cannot be handled as a Pod: {field}.containers must be a list")
    if not containers:
        return [_required(f"{field}.containers")]
    causes, seen = [], set()
    for index, container in enumerate(containers):
        name = container.get("name")
        if not name:
            causes.append(_required(f"{field}.containers[{index}].name"))
        elif name in seen:
            where = f"{field}.containers[{index}].name"
            causes.append(Cause(where, f"Duplicate value: {_show(name)}", "FieldValueDuplicate"))
        seen.add(name)
        if not container.get("image"):
            causes.append(_required(f"{field}.containers[{index}].image"))
    volumes = {volume.get("name") for volume in spec.get("volumes") or ()}
    for index, container in enumerate(containers):
        for number, mount in enumerate(container.get("volumeMounts") or ()):
            if mount.get("name") not in volumes and not field.startswith("spec.template"):
                where = f"{field}.containers[{index}].volumeMounts[{number}].name"
                causes.append(Cause(where, f"Not found: {_show(mount.get('name'))}", "FieldValueNotFound"))
    return causes


def _pod_create(obj: Object, store: Store) -> Causes:
    return _pod_spec_causes(_spec(obj), "spec")


def _pod_update(obj: Object, old: Object) -> Causes:
    def fixed(spec: Object) -> Object:
        kept = {key: value for key, value in spec.items() if key not in _POD_MUTABLE}
        for part in ("containers", "initContainers"):
            if part in kept:
                kept[part] = [{k: v for k, v in one.items() if k != "image"} for one in kept[part]]
        return kept

    new_spec, old_spec = fixed(_spec(obj)), fixed(_spec(old))
    if not old_spec.get("nodeName"):
        new_spec.pop("nodeName", None)  # the sandbox's scheduler may bind by an update as well
        old_spec.pop("nodeName", None)
    if new_spec == old_spec:
        return []
    return [
        _forbidden(
            "spec",
            "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,"
            "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),"
            "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)",
        )
    ]


def _workload(obj: Object, store: Store | None = None) -> Causes:
    spec = _spec(obj)
    causes = _replicas(spec)
    template = spec.get("template") or {}
    if not spec.get("selector"):
        causes.append(_required("spec.selector"))
    else:
        labels = (template.get("metadata") or {}).get("labels") or {}
        if not from_selector(spec["selector"]).matches(labels):
            text = f"Invalid value: {labels}: `selector` does not match template `labels`"
            causes.append(Cause("spec.template.metadata.labels", text))
    return causes + _pod_spec_causes(template.get("spec") or {}, "spec.template.spec")


def _replicas(spec: Object) -> Causes:
    replicas = spec.get("replicas", 0)
    if isinstance(replicas, bool) or not isinstance(replicas, int):
        raise bad_request("json: cannot unmarshal into Go struct field spec.replicas of type int32")
    return [Cause("spec.replicas", f"Invalid value: {replicas}: must be greater than or equal to 0")] * (replicas < 0)


def _workload_update(obj: Object, old: Object) -> Causes:
    causes = _workload(obj)
    if _spec(obj).get("selector") != _spec(old).get("selector"):
        causes.append(_immutable("spec.selector", _spec(obj).get("selector")))
    return causes


def _statefulset_update(obj: Object, old: Object) -> Causes:
    causes = _workload(obj)
    changed = [
        key
        for key in _spec(obj).keys() | _spec(old).keys()
        if key not in _STATEFULSET_MUTABLE and _spec(obj).get(key) != _spec(old).get(key)
    ]
    if changed:
        listed = ", ".join(f"'{field}'" for field in _STATEFULSET_MUTABLE[:-1])
        text = f"updates to statefulset spec for fields other than {listed} and 'minReadySeconds' are forbidden"
        causes.append(_forbidden("spec", text))
    return causes


def _job_create(obj: Object, store: Store) -> Causes:
    spec = (_spec(obj).get("template") or {}).get("spec") or {}
    causes = _pod_spec_causes(spec, "spec.template.spec")
    if spec.get("restartPolicy") not in ("OnFailure", "Never"):
        causes.append(_required("spec.template.spec.restartPolicy", 'valid values: "OnFailure", "Never"'))
    return causes


def _job_update(obj: Object, old: Object) -> Causes:
    new_spec, old_spec = _spec(obj), _spec(old)
    return [
        _immutable(f"spec.{field}", new_spec.get(field))
        for field in ("selector", "template", "completionMode")
        if new_spec.get(field) != old_spec.get(field) and not (field == "template" and old_spec.get("suspend"))
    ]


def _service_create(obj: Object, store: Store) -> Causes:
    spec = _spec(obj)
    address = spec.get("clusterIP")
    causes = []
    if not spec.get("ports") and spec.get("type") != "ExternalName" and address != "None":
        causes.append(_required("spec.ports"))
    for index, port in enumerate(spec.get("ports") or ()):
        if not isinstance(port.get("port"), int) or not 0 < port["port"] < 65536:
            causes.append(Cause(f"spec.ports[{index}].port", "Invalid value: must be between 1 and 65535, inclusive"))
        if len(spec["ports"]) > 1 and not port.get("name"):
            causes.append(_required(f"spec.ports[{index}].name"))
    if address and address != "None":
        taken = {(entity.obj.get("spec") or {}).get("clusterIP") for entity in store.select(SERVICES.group_resource)}
        if address in taken:
            text = f"Invalid value: {[address]}: failed to allocate IP {address}: provided IP is already allocated"
            causes.append(Cause("spec.clusterIPs", text))
    return causes


def _service_update(obj: Object, old: Object) -> Causes:
    new_spec, old_spec = _spec(obj), _spec(old)
    external = "ExternalName" in (new_spec.get("type"), old_spec.get("type"))
    if external or new_spec.get("clusterIP") == old_spec.get("clusterIP"):
        return []
    text = f'Invalid value: ["{new_spec.get("clusterIP")}"]: may not change once set'
    return [Cause("spec.clusterIPs[0]", text)]


def _claim_create(obj: Object, store: Store) -> Causes:
    spec = _spec(obj)
    causes = []
    if not spec.get("accessModes"):
        causes.append(_required("spec.accessModes", "at least 1 access mode is required"))
    if not ((spec.get("resources") or {}).get("requests") or {}).get("storage"):
        causes.append(_required("spec.resources[storage]"))
    return causes + source_causes(spec)


def _claim_update(obj: Object, old: Object) -> Causes:
    def fixed(spec: Object) -> Object:
        kept = {key: value for key, value in spec.items() if key not in ("resources", "volumeAttributesClassName")}
        return kept | ({} if old_spec.get("volumeName") else {"volumeName": ""})

    old_spec = _spec(old)
    if fixed(_spec(obj)) == fixed(old_spec):
        return _shrunk(obj, old)
    text = "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims"
    return [_forbidden("spec", text)]


def _shrunk(obj: Object, old: Object) -> Causes:
    """A volume never becomes smaller than it is."""
    asked, before = (_spec(one).get("resources", {}).get("requests", {}).get("storage", "0") for one in (obj, old))
    there = ((old.get("status") or {}).get("capacity") or {}).get("storage", "0")
    if asked == before or _quantity(asked) >= _quantity(there):
        return []
    return [_forbidden("spec.resources.requests.storage", "field can not be less than status.capacity")]


def _quantity(text: Any) -> Decimal:
    try:
        return parse(str(text))
    except QuantityError:
        return Decimal(0)


def _volume_create(obj: Object, store: Store) -> Causes:
    spec = _spec(obj)
    causes = [_required(f"spec.{field}") for field in ("capacity", "accessModes") if not spec.get(field)]
    sources = {
        "hostPath",
        "csi",
        "nfs",
        "local",
        "iscsi",
        "fc",
        "awsElasticBlockStore",
        "gcePersistentDisk",
        "azureDisk",
    }
    if not sources & spec.keys():
        causes.append(_required("spec", "must specify a volume type"))
    return causes


def _volume_update(obj: Object, old: Object) -> Causes:
    sources = ("hostPath", "csi", "nfs", "local")
    changed = [source for source in sources if _spec(obj).get(source) != _spec(old).get(source)]
    if not changed:
        return []
    return [_forbidden("spec.persistentvolumesource", "spec.persistentvolumesource is immutable after creation")]


def _frozen_data(obj: Object, old: Object) -> Causes:
    if not old.get("immutable"):
        return []
    text = "field is immutable when `immutable` is set"
    fields = [field for field in ("data", "binaryData") if obj.get(field) != old.get(field)]
    if obj.get("immutable") is not True:
        fields.append("immutable")
    return [_forbidden(field, text) for field in fields]


def _secret_update(obj: Object, old: Object) -> Causes:
    causes = _frozen_data(obj, old)
    if obj.get("type") != old.get("type"):
        causes.append(_immutable("type", obj.get("type")))
    return causes


def _storage_class_update(obj: Object, old: Object) -> Causes:
    fields = ("provisioner", "parameters", "reclaimPolicy", "volumeBindingMode")
    return [_immutable(field, obj.get(field)) for field in fields if obj.get(field) != old.get(field)]


def _binding_update(obj: Object, old: Object) -> Causes:
    if obj.get("roleRef") == old.get("roleRef"):
        return []
    return [Cause("roleRef", f"Invalid value: {obj.get('roleRef')}: cannot change roleRef")]


_CREATE: dict[str, Callable[[Object, Store], Causes]] = {
    "pods": _pod_create,
    "deployments.apps": _workload,
    "statefulsets.apps": _workload,
    "replicasets.apps": _workload,
    "daemonsets.apps": _workload,
    "jobs.batch": _job_create,
    "services": _service_create,
    "persistentvolumeclaims": _claim_create,
    "persistentvolumes": _volume_create,
}

_UPDATE: dict[str, Callable[[Object, Object], Causes]] = {
    "pods": _pod_update,
    "deployments.apps": _workload_update,
    "statefulsets.apps": _statefulset_update,
    "replicasets.apps": _workload_update,
    "daemonsets.apps": _workload_update,
    "jobs.batch": _job_update,
    "services": _service_update,
    "persistentvolumeclaims": _claim_update,
    "persistentvolumes": _volume_update,
    "configmaps": _frozen_data,
    "secrets": _secret_update,
    "storageclasses.storage.k8s.io": _storage_class_update,
    "rolebindings.rbac.authorization.k8s.io": _binding_update,
    "clusterrolebindings.rbac.authorization.k8s.io": _binding_update,
}


def create_causes(kind: Kind, obj: Object, store: Store) -> Causes:
    """What is wrong with a new object."""
    check = _CREATE.get(kind.group_resource)
    return _guarded(kind, lambda: check(obj, store)) if check else []


def update_causes(kind: Kind, obj: Object, old: Object) -> Causes:
    """What is wrong with a changed object."""
    check = _UPDATE.get(kind.group_resource)
    return _guarded(kind, lambda: check(obj, old)) if check else []


def _guarded(kind: Kind, check: Callable[[], Causes]) -> Causes:
    try:
        return check()
    except (AttributeError, TypeError) as error:
        raise bad_request(f"{kind.kind} cannot be handled: a field has the wrong type ({error})") from None

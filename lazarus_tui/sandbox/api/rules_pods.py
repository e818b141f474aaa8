"""Pods and templates of pods: what they need, and the little that may change (upstream core validation)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from lazarus_tui.sandbox.api import names
from lazarus_tui.sandbox.api.causes import (
    PORT_TEXT,
    Causes,
    Object,
    absent,
    chosen,
    duplicate,
    forbidden,
    invalid_value,
    is_port,
    not_negative,
    required,
    spec_of,
)
from lazarus_tui.sandbox.api.errors import bad_request

RESTARTS = ("Always", "OnFailure", "Never")
_DNS = ("ClusterFirstWithHostNet", "ClusterFirst", "Default", "None")
_PULLS = ("Always", "IfNotPresent", "Never")
_PROTOCOLS = ("TCP", "UDP", "SCTP")
_MUTABLE = ("activeDeadlineSeconds", "tolerations", "terminationGracePeriodSeconds", "schedulingGates")
# Where a pod may still be sent, while gates hold it back.
_PLACING = ("nodeSelector", "affinity")


def pod_spec_causes(spec: Object, field: str, *, claims: Collection[str] | None = ()) -> Causes:
    """``claims`` are volumes that come from elsewhere; None leaves mounts unchecked."""
    listed = spec.get("containers")
    if listed is not None and not isinstance(listed, list):
        raise bad_request(f"Pod cannot be handled as a Pod: {field}.containers must be a list")
    causes = _volume_causes(spec, field)
    if not listed:
        causes.append(required(f"{field}.containers"))
    volumes = None if claims is None else {*claims, *(one.get("name") for one in spec.get("volumes") or ())}
    seen: set[Any] = set()
    for part in ("containers", "initContainers"):
        for index, container in enumerate(spec.get(part) or ()):
            where = f"{field}.{part}[{index}]"
            causes += _container_causes(container, where, seen, volumes)
            seen.add(container.get("name"))
    if spec.get("restartPolicy", RESTARTS[0]) not in RESTARTS or spec.get("dnsPolicy", _DNS[0]) not in _DNS:
        causes += chosen(spec, field, restartPolicy=RESTARTS, dnsPolicy=_DNS)
    return causes + not_negative(spec, field, "terminationGracePeriodSeconds")


def _volume_causes(spec: Object, field: str) -> Causes:
    causes: Causes = []
    seen: set[Any] = set()
    for index, volume in enumerate(spec.get("volumes") or ()):
        where, name = f"{field}.volumes[{index}]", volume.get("name")
        if not name:
            causes.append(required(f"{where}.name"))
        elif name in seen:
            causes.append(duplicate(f"{where}.name", name))
        elif wrong := names.dns_label(name):
            causes.append(invalid_value(f"{where}.name", name, wrong))
        seen.add(name)
        sources = [source for source in volume if source != "name"]
        causes += [forbidden(f"{where}.{one}", "may not specify more than 1 volume type") for one in sources[1:]]
        claim = volume.get("persistentVolumeClaim")
        if isinstance(claim, dict) and not claim.get("claimName"):
            causes.append(required(f"{where}.persistentVolumeClaim.claimName"))
        for source in ("configMap", "secret"):
            causes += _path_causes(volume.get(source), f"{where}.{source}")
        for at, projection in enumerate((volume.get("projected") or {}).get("sources") or ()):
            for source in ("configMap", "secret"):
                causes += _path_causes(projection.get(source), f"{where}.projected.sources[{at}].{source}")
    return causes


def _path_causes(source: Object | None, where: str) -> Causes:
    """Files of a volume lie in it and nowhere else."""
    causes: Causes = []
    for index, item in enumerate((source or {}).get("items") or ()):
        at, path = f"{where}.items[{index}].path", str(item.get("path") or "")
        if not path:
            causes.append(required(at))
        elif path.startswith("/"):
            causes.append(invalid_value(at, path, "must be a relative path"))
        elif ".." in path.split("/"):
            causes.append(invalid_value(at, path, "must not contain '..'"))
        elif path.startswith(".."):
            causes.append(invalid_value(at, path, "must not start with '..'"))
    return causes


def _container_causes(container: Object, where: str, seen: set[Any], volumes: set[Any] | None) -> Causes:
    causes: Causes = []
    name = container.get("name")
    if not name:
        causes.append(required(f"{where}.name"))
    elif name in seen:
        causes.append(duplicate(f"{where}.name", name))
    elif wrong := names.dns_label(name):
        causes.append(invalid_value(f"{where}.name", name, wrong))
    if not container.get("image"):
        causes.append(required(f"{where}.image"))
    if container.get("imagePullPolicy", _PULLS[0]) not in _PULLS:
        causes += chosen(container, where, imagePullPolicy=_PULLS)
    causes += _port_causes(container, where)
    for index, variable in enumerate(container.get("env") or ()):
        if not variable.get("name"):
            causes.append(required(f"{where}.env[{index}].name"))
        elif variable.get("value") and variable.get("valueFrom"):
            text = "may not be specified when `value` is not empty"
            causes.append(invalid_value(f"{where}.env[{index}].valueFrom", "", text))
    return causes + _mount_causes(container, where, volumes)


def _port_causes(container: Object, where: str) -> Causes:
    causes: Causes = []
    for index, port in enumerate(container.get("ports") or ()):
        at = f"{where}.ports[{index}]"
        if port.get("containerPort") is None:
            causes.append(required(f"{at}.containerPort"))
        elif not is_port(port["containerPort"]):
            causes.append(invalid_value(f"{at}.containerPort", port["containerPort"], PORT_TEXT))
        if port.get("protocol", _PROTOCOLS[0]) not in _PROTOCOLS:
            causes += chosen(port, at, protocol=_PROTOCOLS)
    return causes


def _mount_causes(container: Object, where: str, volumes: set[Any] | None) -> Causes:
    causes: Causes = []
    paths: set[Any] = set()
    for index, mount in enumerate(container.get("volumeMounts") or ()):
        at, path = f"{where}.volumeMounts[{index}]", mount.get("mountPath")
        if not mount.get("name"):
            causes.append(required(f"{at}.name"))
        elif volumes is not None and mount["name"] not in volumes:
            causes.append(absent(f"{at}.name", mount["name"]))
        if not path:
            causes.append(required(f"{at}.mountPath"))
        elif path in paths:
            causes.append(invalid_value(f"{at}.mountPath", path, "must be unique"))
        paths.add(path)
    return causes


def pod_create(obj: Object) -> Causes:
    return pod_spec_causes(spec_of(obj), "spec")


def pod_update(obj: Object, old: Object) -> Causes:
    new, before = spec_of(obj), spec_of(old)
    if new == before:
        return []
    causes = _tolerations(new, before) + _gates(new, before) + _deadline(new, before)
    new_rest, old_rest = _fixed(new), _fixed(before)
    if not old_rest.get("nodeName"):
        new_rest.pop("nodeName", None)  # the sandbox's scheduler may bind by an update as well
        old_rest.pop("nodeName", None)
    if before.get("schedulingGates"):
        for field in _PLACING:
            new_rest.pop(field, None)
            old_rest.pop(field, None)
    if new_rest != old_rest or not _grace_kept(new, before):
        causes.append(
            forbidden(
                "spec",
                "pod updates may not change fields other than `spec.containers[*].image`,"
                "`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to "
                "existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was "
                "previously negative)",
            )
        )
    return causes


def _fixed(spec: Mapping[str, Any]) -> Object:
    kept = {key: value for key, value in spec.items() if key not in _MUTABLE}
    for part in ("containers", "initContainers"):
        if part in kept:
            kept[part] = [{key: value for key, value in one.items() if key != "image"} for one in kept[part]]
    return kept


def _grace_kept(new: Object, old: Object) -> bool:
    before, after = (spec.get("terminationGracePeriodSeconds") for spec in (old, new))
    return before == after or (isinstance(before, int) and before < 0 and after == 1)


def _deadline(new: Object, old: Object) -> Causes:
    """It may be set and come nearer, and nothing else."""
    field = "activeDeadlineSeconds"
    before, after = old.get(field), new.get(field)
    if before is None or before == after:
        return []
    if after is None:
        return [invalid_value(f"spec.{field}", None, "must not update from a positive integer to nil value")]
    text = "must be less than or equal to previous value"
    return [invalid_value(f"spec.{field}", after, text)] if after > before else []


def _tolerations(new: Object, old: Object) -> Causes:
    kept = new.get("tolerations") or []
    if all(one in kept for one in old.get("tolerations") or ()):
        return []
    return [forbidden("spec.tolerations", "existing toleration can not be modified except its tolerationSeconds")]


def _gates(new: Object, old: Object) -> Causes:
    before = old.get("schedulingGates") or ()
    added = [one for one in new.get("schedulingGates") or () if one not in before]
    text = "only deletion is allowed, but found new scheduling gate"
    return [forbidden("spec.schedulingGates", f"{text} '{one.get('name')}'") for one in added]

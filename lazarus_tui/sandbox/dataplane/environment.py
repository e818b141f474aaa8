"""What a pod's containers find: their directories, and their environment."""

from __future__ import annotations

import base64
import os
import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from lazarus_tui.model.resources import CLAIMS, CONFIGMAPS, SECRETS, SERVICES, VOLUMES, Resource
from lazarus_tui.sandbox.dataplane.addresses import API_SERVICE, DNS_ADDRESS
from lazarus_tui.sandbox.dataplane.copy import remove_tree
from lazarus_tui.sandbox.dataplane.place import Place
from lazarus_tui.sandbox.dataplane.volumes import NotOurVolume, VolumeStore

Object = dict[str, Any]

_REFERENCE = re.compile(r"\$\((\w+)\)")
_RESERVED = re.compile(
    r"(LD_|DYLD_|PYTHON|PORT_|VOLUME_)|(DATA_DIR|POD_ROOT|POD_IP|LAZARUS_HOSTS|LAZARUS_DNS|PATH|TMPDIR)$"
)
_ENVIRONMENT_NAME = re.compile(r"[^A-Z0-9_]")


class Reading(Protocol):
    """The part of the API that is needed here."""

    def get(self, resource: Resource, name: str, namespace: str | None = None) -> Object | None: ...

    def list(self, resource: Resource, namespace: str | None = None) -> list[Object]: ...


class NotMountable(Exception):
    """A volume or a reference cannot be had yet; the text says why."""


def claim_names(pod: Object) -> dict[str, str]:
    """Pod volume name → claim name."""
    return {
        volume["name"]: volume["persistentVolumeClaim"]["claimName"]
        for volume in pod["spec"].get("volumes") or ()
        if volume.get("persistentVolumeClaim")
    }


def claim_directory(api: Reading, store: VolumeStore, namespace: str, name: str) -> Path:
    """The directory behind a bound claim; raises ``NotMountable``."""
    claim = api.get(CLAIMS, name, namespace)
    if claim is None:
        raise NotMountable(f'persistentvolumeclaim "{name}" not found')
    if (claim.get("status") or {}).get("phase") != "Bound":
        raise NotMountable(f'persistentvolumeclaim "{name}" is not bound')
    volume = api.get(VOLUMES, claim["spec"]["volumeName"])
    if volume is None:
        raise NotMountable(f'persistentvolume "{claim["spec"]["volumeName"]}" not found')
    try:
        folder = store.path(volume)
    except NotOurVolume as fault:
        raise NotMountable(str(fault)) from fault
    if not folder.is_dir():
        raise NotMountable(f'the directory of persistentvolume "{volume["metadata"]["name"]}" is gone')
    return folder


def volume_directories(api: Reading, store: VolumeStore, pod: Object, home: Path) -> dict[str, Path]:
    """Pod volume name → directory, made where the pod owns it; raises ``NotMountable``."""
    namespace = pod["metadata"]["namespace"]
    claims = claim_names(pod)
    found: dict[str, Path] = {}
    for volume in pod["spec"].get("volumes") or ():
        name = volume["name"]
        if name in claims:
            found[name] = claim_directory(api, store, namespace, claims[name])
            continue
        found[name] = home / "volumes" / name
        found[name].mkdir(parents=True, exist_ok=True, mode=0o700)
        for file, data in _files(api, namespace, volume).items():
            (found[name] / file).write_text(data)
    return found


def _files(api: Reading, namespace: str, volume: Object) -> dict[str, str]:
    """The files of a ConfigMap volume. Secrets' values never reach the disk of the sandbox's pods."""
    source = volume.get("configMap")
    if not source:
        return {}
    found = api.get(CONFIGMAPS, source.get("name", ""), namespace)
    if found is None:
        if source.get("optional"):
            return {}
        raise NotMountable(f'configmap "{source.get("name")}" not found')
    return {Path(key).name: value for key, value in (found.get("data") or {}).items()}


def mount(root: Path, container: Object, directories: dict[str, Path]) -> None:
    """Makes ``root``/<mountPath> lead to each volume the container mounts."""
    for entry in container.get("volumeMounts") or ():
        parts = [part for part in entry["mountPath"].split("/") if part not in ("", ".", "..")]
        target = directories.get(entry["name"])
        if not parts or target is None:
            continue
        link = root.joinpath(*parts)
        if link.is_symlink() and link.readlink() == target:
            continue
        if any(parent.is_symlink() for parent in link.parents if parent != root and root in parent.parents):
            continue
        link.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if link.is_symlink() or link.exists():
            remove_tree(link)
        link.symlink_to(target, target_is_directory=True)


def environment(
    api: Reading, pod: Object, container: Object, given: dict[str, str], hosts: Mapping[str, str]
) -> dict[str, str]:
    """Variables of a container: the cluster's services, then what the kubelet gives, then its own ``env``.

    ``$(NAME)`` in values is expanded. Names that decide where a program writes or what it loads are the kubelet's:
    a manifest must not reach the machine behind the pod. Raises ``NotMountable`` when something referred to is absent.
    """
    env = service_variables(api, pod["metadata"]["namespace"], hosts) | given
    own: dict[str, str] = {}
    for source in container.get("envFrom") or ():
        own |= _env_from(api, pod, source)
    for entry in container.get("env") or ():
        value = entry.get("value", "")
        if entry.get("valueFrom"):
            value = _value_from(api, pod, entry["valueFrom"], given)
        own[entry["name"]] = expand(value, env | own)
    return env | {name: value for name, value in own.items() if not _RESERVED.match(name)}


def from_the_node(pod: Object, container: Object, place: Place, hosts: Path) -> dict[str, str]:
    """What the kubelet itself gives to a container: who and where it is, its volumes, and how names are found."""
    given = {
        "PATH": os.defpath,
        "LANG": "C.UTF-8",
        "HOSTNAME": pod["metadata"]["name"],
        "POD_IP": place.address,
        "POD_NAMESPACE": pod["metadata"]["namespace"],
        "POD_ROOT": str(place.root),
    }
    if place.namespace:
        given |= {"LAZARUS_DNS": DNS_ADDRESS, "KUBERNETES_SERVICE_HOST": API_SERVICE[0]}
        given["KUBERNETES_SERVICE_PORT"] = str(API_SERVICE[1])
    else:
        given["LAZARUS_HOSTS"] = str(hosts)
    if sys.platform == "darwin" and "TMPDIR" in os.environ:
        given["TMPDIR"] = os.environ["TMPDIR"]
    claims = claim_names(pod)
    for entry in container.get("volumeMounts") or ():
        if folder := place.volumes.get(entry["name"]):
            given[f"VOLUME_{variable(entry['name'])}"] = str(folder)
            if entry["name"] in claims:
                given.setdefault("DATA_DIR", str(folder))
    return given


def expand(text: str, env: dict[str, str]) -> str:
    return _REFERENCE.sub(lambda match: env.get(match[1], match[0]), text)


def service_variables(api: Reading, namespace: str, hosts: Mapping[str, str]) -> dict[str, str]:
    """``<SVC>_SERVICE_HOST`` and ``_PORT`` of the namespace's services.

    ``hosts`` says where a service really answers (``{"orders.shop:8080": "ip:port"}``); without an entry, at its own
    address.
    """
    env: dict[str, str] = {}
    for service in api.list(SERVICES, namespace):
        address = service["spec"].get("clusterIP")
        if not address or address == "None":
            continue
        prefix = variable(service["metadata"]["name"])
        for index, port in enumerate(service["spec"].get("ports") or ()):
            own = f"{address}:{port['port']}"
            host, _, number = hosts.get(f"{service['metadata']['name']}.{namespace}:{port['port']}", own).rpartition(
                ":"
            )
            if index == 0:
                env |= {f"{prefix}_SERVICE_HOST": host, f"{prefix}_SERVICE_PORT": number}
            if port.get("name"):
                env[f"{prefix}_SERVICE_PORT_{variable(port['name'])}"] = number
    return env


def variable(name: str) -> str:
    """A name as environment variables spell it."""
    return _ENVIRONMENT_NAME.sub("_", name.upper())


def _env_from(api: Reading, pod: Object, source: Object) -> dict[str, str]:
    for field, resource in (("configMapRef", CONFIGMAPS), ("secretRef", SECRETS)):
        if reference := source.get(field):
            found = api.get(resource, reference["name"], pod["metadata"]["namespace"])
            if found is None and not reference.get("optional"):
                raise NotMountable(f'{resource.kind.lower()} "{reference["name"]}" not found')
            data = _texts(resource, found or {})
            return {source.get("prefix", "") + key: value for key, value in data.items()}
    return {}


def _texts(resource: Resource, found: Object) -> dict[str, str]:
    if resource is CONFIGMAPS:
        return dict(found.get("data") or {})
    return {key: base64.b64decode(value).decode("utf-8", "replace") for key, value in (found.get("data") or {}).items()}


def _value_from(api: Reading, pod: Object, source: Object, given: dict[str, str]) -> str:
    if field := source.get("fieldRef"):
        return field_value(pod, field.get("fieldPath", ""), given)
    for name, resource in (("configMapKeyRef", CONFIGMAPS), ("secretKeyRef", SECRETS)):
        if reference := source.get(name):
            found = api.get(resource, reference["name"], pod["metadata"]["namespace"])
            data = _texts(resource, found or {})
            if reference["key"] not in data and not reference.get("optional"):
                raise NotMountable(f'{resource.kind.lower()} "{reference["name"]}" has no key "{reference["key"]}"')
            return data.get(reference["key"], "")
    return ""


def field_value(pod: Object, path: str, given: dict[str, str]) -> str:
    """What a downward API field path means, for the paths the sandbox knows; ``""`` for others."""
    meta, spec = pod["metadata"], pod["spec"]
    known: dict[str, Callable[[], str]] = {
        "metadata.name": lambda: meta["name"],
        "metadata.namespace": lambda: meta["namespace"],
        "metadata.uid": lambda: meta["uid"],
        "spec.nodeName": lambda: spec.get("nodeName", ""),
        "spec.serviceAccountName": lambda: spec.get("serviceAccountName", "default"),
        "status.podIP": lambda: given.get("POD_IP", ""),
        "status.hostIP": lambda: "127.0.0.1",
    }
    if path in known:
        return str(known[path]())
    for part in ("labels", "annotations"):
        if path.startswith(f"metadata.{part}['") and path.endswith("']"):
            return str((meta.get(part) or {}).get(path[len(part) + 11 : -2], ""))
    return ""

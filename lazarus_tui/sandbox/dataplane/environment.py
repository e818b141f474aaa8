"""What a pod's containers find: their directories, and their environment."""

from __future__ import annotations

import base64
import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from lazarus_tui.model.resources import CLAIMS, CONFIGMAPS, SECRETS, SERVICES, VOLUMES, Resource
from lazarus_tui.sandbox.dataplane.addresses import API_SERVICE, DNS_ADDRESS
from lazarus_tui.sandbox.dataplane.copy import remove_tree
from lazarus_tui.sandbox.dataplane.downward import field_value, resource_value
from lazarus_tui.sandbox.dataplane.place import Place
from lazarus_tui.sandbox.dataplane.sources import Issue, SourceMissing, files_of, is_source, write_files
from lazarus_tui.sandbox.dataplane.volumes import NotOurVolume, VolumeStore

Object = dict[str, Any]

_REFERENCE = re.compile(r"\$\((\w+)\)")
_RESERVED = re.compile(
    r"(LD_|DYLD_|PYTHON|PORT_|VOLUME_)|(DATA_DIR|POD_ROOT|POD_IP|LAZARUS_HOSTS|LAZARUS_DNS|LAZARUS_ENGINE|PATH|TMPDIR)$"
)
_ENVIRONMENT_NAME = re.compile(r"[^A-Z0-9_]")


class Reading(Protocol):
    """The part of the API that is needed here."""

    def get(self, resource: Resource, name: str, namespace: str | None = None) -> Object | None: ...

    def list(self, resource: Resource, namespace: str | None = None) -> list[Object]: ...


class NotMountable(Exception):
    """A volume or a reference cannot be had yet; the text says why."""


def claim_names(pod: Object) -> dict[str, str]:
    """Pod volume name → claim name; an ephemeral volume's claim is named after the pod."""
    found: dict[str, str] = {}
    for volume in pod["spec"].get("volumes") or ():
        if volume.get("persistentVolumeClaim"):
            found[volume["name"]] = volume["persistentVolumeClaim"]["claimName"]
        elif volume.get("ephemeral"):
            found[volume["name"]] = f"{pod['metadata']['name']}-{volume['name']}"
    return found


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


def volume_directories(
    api: Reading, store: VolumeStore, pod: Object, home: Path, issue: Issue | None = None
) -> dict[str, Path]:
    """Pod volume name → directory, made where the pod owns it; raises ``NotMountable``."""
    namespace = pod["metadata"]["namespace"]
    claims = claim_names(pod)
    found: dict[str, Path] = {}
    for volume in pod["spec"].get("volumes") or ():
        name = volume["name"]
        if name in claims:
            try:
                found[name] = claim_directory(api, store, namespace, claims[name])
            except NotMountable as fault:
                raise NotMountable(f"Unable to attach or mount volumes: {fault}") from fault
            continue
        found[name] = home / "volumes" / name
        found[name].mkdir(parents=True, exist_ok=True, mode=0o700)
    fill_volumes(api, pod, home, issue)
    return found


def fill_volumes(api: Reading, pod: Object, home: Path, issue: Issue | None) -> None:
    """Writes the files of all volumes that come from the API, as they are now; raises ``NotMountable``."""
    for volume in pod["spec"].get("volumes") or ():
        if not is_source(volume):
            continue
        try:
            write_files(home / "volumes" / volume["name"], files_of(api, pod, volume, issue))
        except SourceMissing as fault:
            raise NotMountable(f'MountVolume.SetUp failed for volume "{volume["name"]}" : {fault}') from fault


def mount(root: Path, container: Object, directories: dict[str, Path], env: Mapping[str, str] | None = None) -> None:
    """Makes ``root``/<mountPath> lead to each volume the container mounts, or to its ``subPath`` there."""
    for entry in container.get("volumeMounts") or ():
        parts = _parts(entry["mountPath"])
        target = directories.get(entry["name"])
        if not parts or target is None:
            continue
        below = entry.get("subPath") or expand(entry.get("subPathExpr") or "", dict(env or {}))
        if below:
            target = _below(target, below, entry["name"])
        link = root.joinpath(*parts)
        if link.is_symlink() and link.readlink() == target:
            continue
        if any(parent.is_symlink() for parent in link.parents if parent != root and root in parent.parents):
            continue
        link.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if link.is_symlink() or link.exists():
            remove_tree(link)
        link.symlink_to(target, target_is_directory=target.is_dir())


def _parts(path: str) -> list[str]:
    return [part for part in path.split("/") if part not in ("", ".", "..")]


def _below(volume: Path, path: str, name: str) -> Path:
    """A file or directory of a volume; made as a directory when it is not there, never outside of the volume."""
    target = volume.joinpath(*_parts(path))
    if not target.exists():
        target.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not target.resolve().is_relative_to(volume.resolve()):
        raise NotMountable(f'failed to prepare subPath for volumeMount "{name}"')
    return target


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
        value: str | None = entry.get("value", "")
        if entry.get("valueFrom"):
            value = _value_from(api, pod, container, entry["valueFrom"], given)
        if value is not None:
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


def _value_from(api: Reading, pod: Object, container: Object, source: Object, given: dict[str, str]) -> str | None:
    """None for what is optional and not there: then there is no such variable."""
    if field := source.get("fieldRef"):
        return field_value(pod, field.get("fieldPath", ""), given.get("POD_IP", ""))
    if reference := source.get("resourceFieldRef"):
        return resource_value(pod, reference, container)
    for name, resource in (("configMapKeyRef", CONFIGMAPS), ("secretKeyRef", SECRETS)):
        if reference := source.get(name):
            return _key(api, pod["metadata"]["namespace"], resource, reference)
    return ""


def _key(api: Reading, namespace: str, resource: Resource, reference: Object) -> str | None:
    found = api.get(resource, reference["name"], namespace)
    if found is None and not reference.get("optional"):
        raise NotMountable(f'{resource.kind.lower()} "{reference["name"]}" not found')
    data = _texts(resource, found or {})
    if reference["key"] not in data and not reference.get("optional"):
        where = f"{resource.kind} {namespace}/{reference['name']}"
        raise NotMountable(f"couldn't find key {reference['key']} in {where}")
    return data.get(reference["key"])

"""Reads the manifests that ship with the sandbox, and applies them to a cluster that lacks them."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import msgspec
import yaml

from lazarus_tui.model.resources import CRDS, Resource

if TYPE_CHECKING:
    from lazarus_tui.sandbox.api.local import LocalApi

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def manifests(name: str) -> list[dict[str, Any]]:
    """The documents of ``<name>.yaml``."""
    return [document for document in yaml.load_all(text(name), _LOADER) if document]


def text(name: str) -> str:
    """``<name>.yaml`` as it is written."""
    return files(__package__).joinpath(f"{name}.yaml").read_text(encoding="utf-8")


def definitions(package: str = __package__) -> list[dict[str, Any]]:
    """The CustomResourceDefinitions in a package's folder ``crds``, by name of file; here Velero's thirteen kinds."""
    return [msgspec.json.decode(text) for text in _definitions(package)]


@cache
def _definitions(package: str) -> tuple[bytes, ...]:
    """As JSON: a process that makes many clusters reads the YAML once."""
    entries = sorted(files(package).joinpath("crds").iterdir(), key=lambda entry: entry.name)
    return tuple(msgspec.json.encode(yaml.load(entry.read_text(encoding="utf-8"), _LOADER)) for entry in entries)


def resource_of(api: LocalApi, manifest: dict[str, Any]) -> Resource:
    """The resource a manifest's apiVersion and kind name; raises ``LookupError`` when it is not served."""
    for kind in api.registry.kinds():
        if kind.kind == manifest["kind"] and kind.api_version == manifest["apiVersion"]:
            return kind.resource
    raise LookupError(f"{manifest['apiVersion']} {manifest['kind']} is not served")


def apply(api: LocalApi, name: str) -> None:
    """Create what is missing of ``<name>.yaml``; what is there stays as it is."""
    for manifest in manifests(name):
        resource = resource_of(api, manifest)
        meta = manifest["metadata"]
        if api.get(resource, meta["name"], meta.get("namespace")) is None:
            api.create(resource, manifest, meta.get("namespace"))


def define(api: LocalApi) -> None:
    """Create the missing definitions."""
    for definition in definitions():
        if api.get(CRDS, definition["metadata"]["name"]) is None:
            api.create(CRDS, definition)

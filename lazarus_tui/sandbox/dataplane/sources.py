"""Volumes whose files come from the API: Secrets, ConfigMaps, the downward API, tokens, and all of them projected.

Files are replaced one by one, each whole. They lie in the pod's own directory, which only this user can read, and go
with the pod; a real node keeps Secrets in memory.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Protocol

from lazarus_tui.model.resources import CONFIGMAPS, SECRETS, Resource
from lazarus_tui.sandbox.dataplane.downward import field_value, resource_value

Object = dict[str, Any]

_MODE = 0o644
# An audience's token lasts so long unless asked otherwise; the kubelet renews it when four fifths are over.
TOKEN_SECONDS = 3600


class Reading(Protocol):
    """The part of the API that is needed here."""

    def get(self, resource: Resource, name: str, namespace: str | None = None) -> Object | None: ...


# Makes the token of a pod for an audience ("" for the API server's) and a number of seconds.
Issue = Callable[[Object, str, int], str]


class SourceMissing(Exception):
    """What a volume is made of is not there; the text is the kubelet's."""


@dataclass(frozen=True, slots=True)
class File:
    data: bytes
    mode: int


def sources_of(volume: Object) -> list[Object]:
    """The sources of a volume, in order; empty for a volume that has no files from the API."""
    if "projected" in volume:
        return list((volume["projected"] or {}).get("sources") or ())
    return [{name: volume[name]} for name in ("secret", "configMap", "downwardAPI") if volume.get(name) is not None]


def is_source(volume: Object) -> bool:
    return any(name in volume for name in ("projected", "secret", "configMap", "downwardAPI"))


def mentions(pod: Object, resource: Resource, name: str) -> bool:
    """The pod has a volume made of that Secret or ConfigMap."""
    field = "secret" if resource == SECRETS else "configMap"
    return any(
        name in (source[field].get("name"), source[field].get("secretName"))
        for volume in pod["spec"].get("volumes") or ()
        for source in sources_of(volume)
        if source.get(field)
    )


def files_of(api: Reading, pod: Object, volume: Object, issue: Issue | None) -> dict[str, File]:
    """Relative path → file of a volume; raises ``SourceMissing``."""
    whole = (
        volume.get("projected") or volume.get("secret") or volume.get("configMap") or volume.get("downwardAPI") or {}
    )
    mode = int(whole.get("defaultMode") or _MODE)
    found: dict[str, File] = {}
    for source in sources_of(volume):
        for path, data, own in _source(api, pod, source, issue):
            if PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts:
                raise SourceMissing(f"invalid path: {path}")
            found[path] = File(data, int(own or mode))
    return found


def _source(api: Reading, pod: Object, source: Object, issue: Issue | None) -> Iterator[tuple[str, bytes, int | None]]:
    if one := source.get("secret"):
        name = one.get("secretName") or one.get("name") or ""
        yield from _keys(one, "secret", _secret(api.get(SECRETS, name, pod["metadata"]["namespace"])), name)
    elif one := source.get("configMap"):
        name = one.get("name") or ""
        yield from _keys(one, "config", _config_map(api.get(CONFIGMAPS, name, pod["metadata"]["namespace"])), name)
    elif one := source.get("downwardAPI"):
        for item in one.get("items") or ():
            yield item["path"], _downward(pod, item).encode(), item.get("mode")
    elif (one := source.get("serviceAccountToken")) is not None:
        if issue is None:
            raise SourceMissing("failed to fetch token: this sandbox issues none")
        seconds = int(one.get("expirationSeconds") or TOKEN_SECONDS)
        yield one["path"], issue(pod, one.get("audience") or "", seconds).encode(), 0o600
    else:
        raise SourceMissing(f"the sandbox does not know the source {', '.join(source)}")


def _keys(
    one: Object, word: str, data: Mapping[str, bytes] | None, name: str
) -> Iterator[tuple[str, bytes, int | None]]:
    """The files of a Secret or ConfigMap: all keys, or those its ``items`` name."""
    if data is None:
        if one.get("optional"):
            return
        raise SourceMissing(f'{"secret" if word == "secret" else "configmap"} "{name}" not found')
    items = one.get("items")
    if items is None:
        yield from ((key, value, None) for key, value in data.items())
        return
    for item in items:
        if item["key"] in data:
            yield item["path"], data[item["key"]], item.get("mode")
        elif not one.get("optional"):
            raise SourceMissing(f"references non-existent {word} key: {item['key']}")


def _secret(found: Object | None) -> dict[str, bytes] | None:
    return (
        None
        if found is None
        else {key: base64.b64decode(text or "") for key, text in (found.get("data") or {}).items()}
    )


def _config_map(found: Object | None) -> dict[str, bytes] | None:
    if found is None:
        return None
    plain = {key: text.encode() for key, text in (found.get("data") or {}).items()}
    return plain | {key: base64.b64decode(text) for key, text in (found.get("binaryData") or {}).items()}


def _downward(pod: Object, item: Object) -> str:
    if reference := item.get("resourceFieldRef"):
        return resource_value(pod, reference)
    return field_value(pod, (item.get("fieldRef") or {}).get("fieldPath", ""))


def write_files(folder: Path, files: Mapping[str, File]) -> None:
    """Makes ``folder`` hold exactly ``files``; what is the same already is not touched."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_dir():
            if not any(path.iterdir()):
                path.rmdir()
        elif path.relative_to(folder).as_posix() not in files:
            path.unlink()
    for name, file in files.items():
        target = folder / name
        if target.is_file() and target.read_bytes() == file.data and target.stat().st_mode & 0o777 == file.mode & 0o777:
            continue
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        fresh = target.with_name(f".{target.name}.new")
        with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out:
            out.write(file.data)
        fresh.chmod(file.mode & 0o777)
        fresh.replace(target)

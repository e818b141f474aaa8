"""Config maps, secrets, events and leases: keys, sizes, types and what is frozen (upstream core validation)."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping

from lazarus_tui.sandbox.api.causes import (
    Causes,
    Object,
    forbidden,
    invalid_value,
    not_negative,
    part,
    required,
    spec_of,
    too_long,
    unchanged,
)

# Upstream's cap on the data of one config map or secret.
_MAX_DATA = 1024 * 1024
_MAX_KEY = 253
_KEY = re.compile(r"[-._a-zA-Z0-9]+")
# Keys that nothing is wrong with, in one look: nearly all there are.
_FINE_KEY = re.compile(r"(?!\.\.|\.$)[-._a-zA-Z0-9]{1,253}")
_KEY_TEXT = (
    "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or "
    "'key-name', regex used for validation is '[-._a-zA-Z0-9]+')"
)
_ACCOUNT = "kubernetes.io/service-account.name"
# Keys that secrets of a type must have.
_TYPE_KEYS: Mapping[str, tuple[str, ...]] = {
    "kubernetes.io/dockercfg": (".dockercfg",),
    "kubernetes.io/dockerconfigjson": (".dockerconfigjson",),
    "kubernetes.io/ssh-auth": ("ssh-privatekey",),
    "kubernetes.io/tls": ("tls.crt", "tls.key"),
}


def _key_wrong(key: str) -> str:
    if len(key) > _MAX_KEY:
        return f"must be no more than {_MAX_KEY} characters"
    if not _KEY.fullmatch(key):
        return _KEY_TEXT
    if key in (".", ".."):
        return f"must not be '{key}'"
    return "must not start with '..'" if key.startswith("..") else ""


def _key_causes(obj: Object, field: str) -> Causes:
    keys = part(obj, field)
    if all(map(_FINE_KEY.fullmatch, keys)):
        return []
    wrong = ((key, _key_wrong(key)) for key in keys)
    return [invalid_value(f"{field}[{key}]", key, text) for key, text in wrong if text]


def config_map(obj: Object) -> Causes:
    data, binary = part(obj, "data"), part(obj, "binaryData")
    if not binary and all(map(_FINE_KEY.fullmatch, data)) and sum(map(len, data.values())) * 4 <= _MAX_DATA:
        return []
    causes = _key_causes(obj, "data") + _key_causes(obj, "binaryData")
    text = "duplicate of key present in binaryData"
    causes += [invalid_value(f"data[{key}]", key, text) for key in data if key in binary]
    size = sum(len(value.encode()) for value in data.values()) + sum(len(value) * 3 // 4 for value in binary.values())
    return [*causes, too_long("", _MAX_DATA)] if size > _MAX_DATA else causes


def secret(obj: Object) -> Causes:
    data, kind = part(obj, "data"), obj.get("type") or ""
    causes = _key_causes(obj, "data")
    if sum(len(value or "") * 3 // 4 for value in data.values()) > _MAX_DATA:
        causes.append(too_long("data", _MAX_DATA))
    causes += [required(f"data[{key}]") for key in _TYPE_KEYS.get(kind, ()) if key not in data]
    if kind == "kubernetes.io/basic-auth" and not {"username", "password"} & data.keys():
        causes += [required("data[username]"), required("data[password]")]
    if kind == "kubernetes.io/service-account-token" and not part(obj["metadata"], "annotations").get(_ACCOUNT):
        causes.append(required(f"metadata.annotations[{_ACCOUNT}]"))
    if kind == "kubernetes.io/dockerconfigjson" and not causes:
        causes += _docker_causes(data[".dockerconfigjson"])
    return causes


def _docker_causes(encoded: str) -> Causes:
    text = base64.b64decode(encoded or "").lstrip()
    if text.startswith(b"{"):
        return []
    return [invalid_value("data[.dockerconfigjson]", "<secret contents redacted>", "invalid character")]


def frozen(obj: Object, old: Object) -> Causes:
    """Of what is marked as immutable."""
    if not old.get("immutable"):
        return []
    text = "field is immutable when `immutable` is set"
    fields = [field for field in ("data", "binaryData") if obj.get(field) != old.get(field)]
    if obj.get("immutable") is not True:
        fields.append("immutable")
    return [forbidden(field, text) for field in fields]


def secret_update(obj: Object, old: Object) -> Causes:
    return frozen(obj, old) + unchanged(obj, old, "", "type")


def lease(obj: Object) -> Causes:
    spec = spec_of(obj)
    causes = not_negative(spec, "spec", "leaseTransitions")
    seconds = spec.get("leaseDurationSeconds")
    if isinstance(seconds, int) and seconds <= 0:
        causes.append(invalid_value("spec.leaseDurationSeconds", seconds, "must be greater than 0"))
    return causes


def event(obj: Object) -> Causes:
    about, namespace = part(obj, "involvedObject").get("namespace") or "", obj["metadata"].get("namespace", "")
    fits = about == namespace if about else namespace in ("", "default")
    if fits:
        return []
    return [invalid_value("involvedObject.namespace", about, "does not match event.namespace")]

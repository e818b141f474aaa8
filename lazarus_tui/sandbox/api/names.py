"""Rules for names, labels and annotations (Kubernetes apimachinery validation)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from random import Random
from typing import Any

from lazarus_tui.sandbox.api.errors import Cause

_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_QUALIFIED = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]")

# Upstream's alphabet for generated names: no vowels and no look-alikes.
_SUFFIX_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
# A generated name is at most 63 characters: 58 of the base and 5 random ones.
_MAX_GENERATED_BASE = 58
# Upstream's cap for all annotations of one object together.
_MAX_ANNOTATION_BYTES = 256 * 1024

_SUBDOMAIN_TEXT = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and "
    "end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
_LABEL_TEXT = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with "
    "an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)
_KEY_TEXT = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric "
    "character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
    "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)
_VALUE_TEXT = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and "
    "end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is "
    "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)

# What a reference to an owner needs, and how upstream says so.
_REFERENCE: Mapping[str, str] = {
    "apiVersion": "version must not be empty",
    "kind": "must not be empty",
    "name": "must not be empty",
    "uid": "must not be empty",
}
_STANDARD_FINALIZERS = ("kubernetes", "orphan", "foregroundDeletion")

NameRule = Callable[[str], str]
"""Says what is wrong with a name, or ``""``."""


def subdomain(name: str) -> str:
    if len(name) > 253:
        return "must be no more than 253 characters"
    return "" if _SUBDOMAIN.fullmatch(name) else _SUBDOMAIN_TEXT


def dns_label(name: str) -> str:
    if len(name) > 63:
        return "must be no more than 63 characters"
    return "" if _LABEL.fullmatch(name) else _LABEL_TEXT


def namespace_name(name: str) -> str:
    return "must not contain dots" if "." in name else dns_label(name)


def path_segment(name: str) -> str:
    """RBAC objects: anything that fits into one path segment."""
    if name in (".", ".."):
        return f"may not be '{name}'"
    bad = next((char for char in "/%" if char in name), "")
    return f"may not contain '{bad}'" if bad else ""


def generate(base: str, rng: Random) -> str:
    """``base`` and five random characters, as ``generateName`` promises."""
    return base[:_MAX_GENERATED_BASE] + "".join(rng.choice(_SUFFIX_ALPHABET) for _ in range(5))


def qualified_key(key: str) -> str:
    """What is wrong with a label or annotation key, or ``""``."""
    prefix, slash, name = key.rpartition("/")
    if slash and (not prefix or subdomain(prefix)):
        return f"prefix part {_SUBDOMAIN_TEXT}"
    if len(name) > 63:
        return "name part must be no more than 63 characters"
    return "" if _QUALIFIED.fullmatch(name) else _KEY_TEXT


def label_value(value: str) -> str:
    if len(value) > 63:
        return "must be no more than 63 characters"
    return "" if not value or _QUALIFIED.fullmatch(value) else _VALUE_TEXT


def _map_causes(field: str, values: Any, value_rule: NameRule | None) -> list[Cause]:
    """Of labels with a ``value_rule``, of annotations without; the case of an annotation's key is of no matter."""
    if values is None:
        return []
    if not isinstance(values, Mapping):
        return [Cause(field, "Invalid value: must be a map of strings")]
    causes = []
    for key, value in values.items():
        if wrong := qualified_key(key if value_rule else key.lower()):
            causes.append(Cause(field, f'Invalid value: "{key}": {wrong}'))
        if not isinstance(value, str):
            causes.append(Cause(f"{field}.{key}", "Invalid value: must be a string", "FieldValueTypeInvalid"))
        elif value_rule and (wrong := value_rule(value)):
            causes.append(Cause(field, f'Invalid value: "{value}": {wrong}'))
    return causes


def _reference_causes(references: Any) -> list[Cause]:
    causes = []
    controllers = []
    for index, reference in enumerate(references or ()):
        where = f"metadata.ownerReferences[{index}]"
        for field, text in _REFERENCE.items():
            if not reference.get(field):
                causes.append(Cause(f"{where}.{field}", f'Invalid value: "": {text}'))
        if reference.get("controller"):
            controllers.append(reference.get("name"))
    if len(controllers) > 1:
        text = "Only one reference can have Controller set to true. Found"
        causes.append(
            Cause("metadata.ownerReferences", f'Invalid value: {text} "true" in references for {controllers}')
        )
    return causes


def _finalizer_causes(finalizers: Any, *, custom: bool) -> list[Cause]:
    """Only custom objects may have finalizers without a domain."""
    causes = []
    for index, name in enumerate(finalizers or ()):
        where = f"metadata.finalizers[{index}]" if not custom else "metadata.finalizers"
        if wrong := qualified_key(str(name)):
            causes.append(Cause("metadata.finalizers", f'Invalid value: "{name}": {wrong}'))
        elif not custom and "/" not in name and name not in _STANDARD_FINALIZERS:
            text = "name is neither a standard finalizer name nor is it fully qualified"
            causes.append(Cause(where, f'Invalid value: "{name}": {text}'))
    return causes


def metadata_causes(meta: Mapping[str, Any], rule: NameRule, *, custom: bool = False) -> list[Cause]:
    """Everything wrong with the name, labels, annotations, owners and finalizers of an object."""
    name = meta.get("name", "")
    if not name:
        return [Cause("metadata.name", "Required value: name or generateName is required", "FieldValueRequired")]
    causes = []
    if wrong := rule(name):
        causes.append(Cause("metadata.name", f'Invalid value: "{name}": {wrong}'))
    causes += _map_causes("metadata.labels", meta.get("labels"), label_value)
    if meta.get("ownerReferences") or meta.get("finalizers"):
        causes += _reference_causes(meta.get("ownerReferences"))
        causes += _finalizer_causes(meta.get("finalizers"), custom=custom)
    annotations = meta.get("annotations")
    causes += _map_causes("metadata.annotations", annotations, None)
    if isinstance(annotations, Mapping) and annotations:
        size = sum(len(k.encode()) + len(v.encode()) for k, v in annotations.items() if isinstance(v, str))
        if size > _MAX_ANNOTATION_BYTES:
            wrong = f"Too long: may not be more than {_MAX_ANNOTATION_BYTES} bytes"
            causes.append(Cause("metadata.annotations", wrong, "FieldValueTooLong"))
    return causes

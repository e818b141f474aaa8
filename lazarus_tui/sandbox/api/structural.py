"""What a real server asks of the schemas in a CustomResourceDefinition before it prunes and defaults by them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from lazarus_tui.sandbox.api.causes import invalid_value, required
from lazarus_tui.sandbox.api.errors import Cause
from lazarus_tui.sandbox.api.schema import Schema, misfits

APPROVED = "api-approved.kubernetes.io"
_PROTECTED = ("k8s.io", "kubernetes.io")


def structural_causes(schema: Schema, path: str) -> Iterator[Cause]:
    """Types that are missing, and defaults that the schema itself would refuse."""
    kind = schema.get("type")
    if not kind:
        yield required(f"{path}.type", "must not be empty at the root")
    elif kind != "object":
        yield invalid_value(f"{path}.type", kind, "must be object at the root")
    yield from _below(schema, path)


def _below(schema: Schema, path: str) -> Iterator[Cause]:
    for name, child in (schema.get("properties") or {}).items():
        yield from _typed(child, f"{path}.properties[{name}]", "must not be empty for specified object fields")
    for part, text in (
        ("additionalProperties", "must not be empty for specified object fields"),
        ("items", "must not be empty for specified array items"),
    ):
        if isinstance(schema.get(part), Mapping):
            yield from _typed(schema[part], f"{path}.{part}", text)


def _typed(schema: Schema, path: str, text: str) -> Iterator[Cause]:
    free = schema.get("x-kubernetes-int-or-string") or schema.get("x-kubernetes-preserve-unknown-fields")
    if not schema.get("type") and not free:
        yield required(f"{path}.type", text)
    if "default" in schema:
        for one in misfits(schema, schema["default"]):
            below = "" if one.field == "<nil>" else f".{one.field}"
            yield Cause(f"{path}.default{below}", one.message, one.reason)
    yield from _below(schema, path)


def approval_causes(obj: Mapping[str, Any]) -> list[Cause]:
    """Groups of the Kubernetes project are not for everybody."""
    group = str(obj["spec"].get("group") or "")
    protected = any(group == one or group.endswith(f".{one}") for one in _PROTECTED)
    if not protected or (obj["metadata"].get("annotations") or {}).get(APPROVED):
        return []
    text = (
        f'protected groups must have approval annotation "{APPROVED}", '
        "see https://github.com/kubernetes/enhancements/pull/1111"
    )
    return [required(f"metadata.annotations[{APPROVED}]", text)]

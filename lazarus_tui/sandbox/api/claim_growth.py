"""Claims that ask for more: only those whose class made the volume and lets it grow (upstream's admission plugin)."""

from __future__ import annotations

from typing import Any

from lazarus_tui.model.resources import STORAGECLASSES
from lazarus_tui.sandbox.api.causes import part, spec_of
from lazarus_tui.sandbox.api.kinds import Kind
from lazarus_tui.sandbox.api.rules_storage import grows
from lazarus_tui.sandbox.api.store import Store

Object = dict[str, Any]


def check_growth(kind: Kind, obj: Object, old: Object, store: Store) -> None:
    """403 for a bound claim that grows without leave of its class."""
    if part(old, "status").get("phase") != "Bound" or not grows(obj, old):
        return
    name = spec_of(obj).get("storageClassName") or ""
    found = store.get(STORAGECLASSES.group_resource, ("", name)) if name else None
    if found is not None and found.obj.get("allowVolumeExpansion"):
        return
    needed = "the storageclass that provisions the pvc must support resize"
    raise kind.forbidden(obj["metadata"]["name"], f"only dynamically provisioned pvc can be resized and {needed}")

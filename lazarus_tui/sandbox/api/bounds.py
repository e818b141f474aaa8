"""What one update may change: all but what is the server's, or no more than the subresource it came through."""

from __future__ import annotations

from typing import Any

from lazarus_tui.sandbox.api.causes import part, spec_of
from lazarus_tui.sandbox.api.kinds import Kind
from lazarus_tui.sandbox.api.objects import Object, clone

# Metadata only the server may set; what a client sends is replaced by what is stored.
SERVER_META = ("uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "generation")
# The subresource that owns a part of a pod's spec, which other updates leave still.
RESIZE = "resize"


def bounded(kind: Kind, wanted: Object, old: Object, subresource: str) -> Object:
    """The part of ``wanted`` this request may change, on top of ``old``."""
    if subresource == "status":
        new = clone(old)
        new.pop("status", None)
        return new | ({"status": wanted["status"]} if "status" in wanted else {})
    if subresource == "finalize":
        return clone(old) | {"spec": wanted.get("spec", {})}
    if subresource == "approval":
        status = {**part(old, "status"), "conditions": part(wanted, "status").get("conditions") or []}
        return clone(old) | {"status": clone(status)}
    if subresource == RESIZE:
        return _resized(wanted, clone(old))
    return _all_but_the_servers(kind, wanted, old)


def _all_but_the_servers(kind: Kind, wanted: Object, old: Object) -> Object:
    meta = wanted["metadata"]
    meta.pop("selfLink", None)
    for field in SERVER_META:
        if field in old["metadata"]:
            meta[field] = old["metadata"][field]
        else:
            meta.pop(field, None)
    meta["name"], meta["resourceVersion"] = old["metadata"]["name"], old["metadata"]["resourceVersion"]
    for field in ("labels", "annotations", "finalizers", "ownerReferences"):
        if not meta.get(field):
            meta.pop(field, None)
    if kind.has_status:
        wanted.pop("status", None)
        if "status" in old:
            wanted["status"] = clone(old["status"])
    if kind.plural == "namespaces" and not kind.group:
        wanted["spec"] = clone(old.get("spec", {}))
    return wanted


def _resized(wanted: Object, new: Object) -> Object:
    """Resources of containers that are there, and nothing else."""
    spec, asked = new["spec"], spec_of(wanted)
    for field in ("containers", "initContainers"):
        found: dict[Any, Object] = {one.get("name"): one for one in asked.get(field) or ()}
        for container in spec.get(field) or ():
            resized = found.get(container.get("name"), {})
            if "resources" in resized:
                container["resources"] = resized["resources"]
    return new

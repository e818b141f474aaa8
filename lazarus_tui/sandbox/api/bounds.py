"""What one update may change: all but what is the server's, or no more than the subresource it came through."""

from __future__ import annotations

from typing import Any

from lazarus_tui.sandbox.api.causes import Causes, forbidden, part, spec_of
from lazarus_tui.sandbox.api.kinds import Kind
from lazarus_tui.sandbox.api.objects import Object, clone

# Metadata only the server may set; what a client sends is replaced by what is stored.
SERVER_META = ("uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "generation")
# Subresources that own a part of a pod's spec, which its other rules hold still.
POD_PARTS = ("ephemeralcontainers", "resize")


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
    if subresource in POD_PARTS:
        return _pod_part(kind, wanted, clone(old), subresource)
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


def _pod_part(kind: Kind, wanted: Object, new: Object, subresource: str) -> Object:
    spec, asked = new["spec"], spec_of(wanted)
    if subresource == "ephemeralcontainers":
        _check_kept(kind, new, asked)
        if asked.get("ephemeralContainers"):
            spec["ephemeralContainers"] = asked["ephemeralContainers"]
        return new
    for field in ("containers", "initContainers"):
        found: dict[Any, Object] = {one.get("name"): one for one in asked.get(field) or ()}
        for container in spec.get(field) or ():
            resized = found.get(container.get("name"), {})
            if "resources" in resized:
                container["resources"] = resized["resources"]
    return new


def _check_kept(kind: Kind, pod: Object, asked: Object) -> None:
    """Debugging containers are only ever added."""
    found = {one.get("name"): one for one in asked.get("ephemeralContainers") or ()}
    causes: Causes = []
    for index, one in enumerate(pod["spec"].get("ephemeralContainers") or ()):
        other, what = found.get(one["name"]), f'existing ephemeral containers "{one["name"]}" may not be'
        if other is None:
            causes.append(forbidden("spec.ephemeralContainers", f"{what} removed"))
        elif any(other.get(key, value) != value for key, value in one.items()):
            causes.append(forbidden(f"spec.ephemeralContainers[{index}]", f"{what} changed"))
    if causes:
        raise kind.invalid(pod["metadata"]["name"], causes)

"""Small edits that all snapshot controllers make: finalizers, annotations, errors in a status."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lazarus_tui.model.clock import rfc3339
from lazarus_tui.model.resources import Resource

if TYPE_CHECKING:
    from lazarus_tui.sandbox.api.local import LocalApi
    from lazarus_tui.sandbox.controllers.events import Recorder

Object = dict[str, Any]


class Unfinished(Exception):
    """What was wanted cannot be done yet; it is tried again later."""


def finalizers(obj: Object) -> list[str]:
    return list(obj["metadata"].get("finalizers") or ())


def marks_of(obj: Object) -> dict[str, str]:
    return dict(obj["metadata"].get("annotations") or {})


def status(obj: Object) -> Object:
    return dict(obj.get("status") or {})


def add_finalizers(api: LocalApi, resource: Resource, obj: Object, *names: str) -> Object:
    """The object with the finalizers it lacked."""
    before = finalizers(obj)
    missing = [one for one in names if one not in before]
    return _edit(api, resource, obj, {"finalizers": [*before, *missing]}) if missing else obj


def remove_finalizers(api: LocalApi, resource: Resource, obj: Object, *names: str) -> None:
    """Takes finalizers away; the object goes when it only waited for them."""
    before = finalizers(obj)
    kept = [one for one in before if one not in names]
    if kept != before:
        _edit(api, resource, obj, {"finalizers": kept or None})


def annotate(api: LocalApi, resource: Resource, obj: Object, name: str, value: str | None) -> Object:
    """The object with the annotation, or with None without it."""
    if marks_of(obj).get(name) == value:
        return obj
    return _edit(api, resource, obj, {"annotations": {name: value}})


def _edit(api: LocalApi, resource: Resource, obj: Object, meta: Object) -> Object:
    own = obj["metadata"]
    return api.patch(resource, own["name"], {"metadata": {"uid": own["uid"], **meta}}, own.get("namespace"))


def write_status(api: LocalApi, resource: Resource, obj: Object, fields: Object) -> Object:
    """The object with these fields of its status; None takes a field away."""
    before = status(obj)
    if all(before.get(name) == value for name, value in fields.items()):
        return obj
    meta = obj["metadata"]
    patch = {"metadata": {"uid": meta["uid"]}, "status": fields}
    return api.patch(resource, meta["name"], patch, meta.get("namespace"), subresource="status")


def say_error(
    api: LocalApi,
    recorder: Recorder,
    resource: Resource,
    obj: Object,
    reason: str,
    message: str,
    *,
    ready: bool = False,
) -> None:
    """``status.error`` and a Warning, both once for each message; not ready from then on unless ``ready`` stays."""
    if (status(obj).get("error") or {}).get("message") == message:
        return
    fields: Object = {"error": {"time": rfc3339(recorder.now()), "message": message}}
    if not ready:
        fields["readyToUse"] = False
    recorder.warning(obj, reason, message)
    write_status(api, resource, obj, fields)


def quoted(text: str) -> str:
    """As Go's %q shows a string."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'

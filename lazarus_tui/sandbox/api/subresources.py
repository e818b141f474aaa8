"""Subresources that are actions: binding and eviction of pods."""

from __future__ import annotations

from dataclasses import replace

from lazarus_tui.model.http import HttpRequest
from lazarus_tui.model.resources import PODS
from lazarus_tui.sandbox.api.answers import Answer, json_answer
from lazarus_tui.sandbox.api.bodies import decode_object
from lazarus_tui.sandbox.api.errors import bad_request, method_not_allowed, no_such_route
from lazarus_tui.sandbox.api.evictions import evict
from lazarus_tui.sandbox.api.patches import merge
from lazarus_tui.sandbox.api.routes import Route
from lazarus_tui.sandbox.api.verbs import Verbs, clone

_BINDINGS = "bindings"
_SUCCESS = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}


def pod_subresource(verbs: Verbs, request: HttpRequest, route: Route) -> Answer:
    """POST only; 409 when the pod is bound already."""
    namespace = route.namespace
    if route.plural not in (PODS.plural, _BINDINGS) or route.group or namespace is None:
        raise no_such_route()
    if request.method != "POST":
        raise method_not_allowed()
    body = decode_object(request)
    if route.plural == _BINDINGS:  # the older way names the pod in the body
        name = (body.get("metadata") or {}).get("name") or ""
        route = replace(route, plural=PODS.plural, name=name, subresource="binding")
    served = verbs.registry.served(PODS)
    pod = verbs.get(served.kind, namespace, route.name)
    if route.subresource == "eviction":
        return evict(verbs, namespace, route.name, body, dict(request.query))
    node = (body.get("target") or {}).get("name")
    if not node:
        raise bad_request("a binding needs a target")
    bound = (pod.obj.get("spec") or {}).get("nodeName")
    if bound:
        raise served.kind.conflict(route.name, f"pod {route.name} is already assigned to node {bound!r}")
    patch = {"spec": {"nodeName": node}}
    verbs.update(served, namespace, route.name, lambda base: clone(merge(base, patch)), patch=True)
    return json_answer(_SUCCESS, 201)

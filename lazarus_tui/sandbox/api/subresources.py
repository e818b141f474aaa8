"""Subresources that are actions: binding and eviction of pods, tokens of service accounts."""

from __future__ import annotations

import base64
from datetime import timedelta
from typing import Any

import msgspec

from lazarus_tui.model.clock import rfc3339
from lazarus_tui.model.http import HttpRequest
from lazarus_tui.model.resources import PODS, SERVICEACCOUNTS
from lazarus_tui.sandbox.api.answers import Answer, json_answer
from lazarus_tui.sandbox.api.bodies import decode_object
from lazarus_tui.sandbox.api.errors import Cause, bad_request, invalid, method_not_allowed, no_such_route
from lazarus_tui.sandbox.api.evictions import evict
from lazarus_tui.sandbox.api.patches import merge
from lazarus_tui.sandbox.api.routes import Route
from lazarus_tui.sandbox.api.verbs import Verbs, clone

_SUCCESS = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}


_AUDIENCE = "https://kubernetes.default.svc.cluster.local"
# Seconds a token lasts unless asked otherwise, and the least and most that may be asked (upstream's figures).
_TOKEN_SECONDS, _LEAST_TOKEN, _MOST_TOKEN = 3600, 600, 2**32


def token_request(verbs: Verbs, request: HttpRequest, route: Route) -> Answer:
    """A ``TokenRequest`` answered. The token is well-formed and lets nobody in: the sandbox knows one token only."""
    if route.plural != SERVICEACCOUNTS.plural or route.group or route.namespace is None:
        raise no_such_route()
    if request.method != "POST":
        raise method_not_allowed()
    wanted = decode_object(request).get("spec") or {}
    account = verbs.get(verbs.registry.served(SERVICEACCOUNTS).kind, route.namespace, route.name)
    seconds = wanted.get("expirationSeconds") or _TOKEN_SECONDS
    if not isinstance(seconds, int) or not _LEAST_TOKEN <= seconds <= _MOST_TOKEN:
        why = f"Invalid value: {seconds}: may not specify a duration less than 10 minutes or larger than 2^32 seconds"
        raise invalid("TokenRequest", "authentication.k8s.io", "", [Cause("spec.expirationSeconds", why)])
    ends = verbs.clock.now() + timedelta(seconds=seconds)
    claims = {
        "aud": wanted.get("audiences") or [_AUDIENCE],
        "exp": int(ends.timestamp()),
        "iss": _AUDIENCE,
        "sub": f"system:serviceaccount:{route.namespace}:{route.name}",
        "uid": account.obj["metadata"]["uid"],
    }
    answered = {
        "kind": "TokenRequest",
        "apiVersion": "authentication.k8s.io/v1",
        "metadata": {"name": route.name, "namespace": route.namespace, "creationTimestamp": verbs.stamp()},
        "spec": {"audiences": claims["aud"], "expirationSeconds": seconds, "boundObjectRef": None},
        "status": {"token": _unsigned(claims), "expirationTimestamp": rfc3339(ends)},
    }
    return json_answer(answered, 201)


def _unsigned(claims: dict[str, Any]) -> str:
    """A JSON web token with an empty signature."""
    parts = (msgspec.json.encode(part) for part in ({"alg": "none", "typ": "JWT"}, claims))
    return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts) + "."


def pod_subresource(verbs: Verbs, request: HttpRequest, route: Route) -> Answer:
    """POST only; 409 when the pod is bound already."""
    if route.plural != PODS.plural or route.group or route.namespace is None:
        raise no_such_route()
    if request.method != "POST":
        raise method_not_allowed()
    body = decode_object(request)
    served = verbs.registry.served(PODS)
    pod = verbs.get(served.kind, route.namespace, route.name)
    if route.subresource == "eviction":
        return evict(verbs, route.namespace, route.name, body, dict(request.query))
    node = (body.get("target") or {}).get("name")
    if not node:
        raise bad_request("a binding needs a target")
    bound = (pod.obj.get("spec") or {}).get("nodeName")
    if bound:
        raise served.kind.conflict(route.name, f"pod {route.name} is already assigned to node {bound!r}")
    patch = {"spec": {"nodeName": node}}
    verbs.update(served, route.namespace, route.name, lambda base: clone(merge(base, patch)), patch=True)
    return json_answer(_SUCCESS, 201)

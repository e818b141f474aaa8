"""The ``token`` subresource of service accounts."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from lazarus_tui.model.clock import rfc3339
from lazarus_tui.model.http import HttpRequest
from lazarus_tui.model.resources import SERVICEACCOUNTS
from lazarus_tui.sandbox.api.answers import Answer, json_answer
from lazarus_tui.sandbox.api.bodies import decode_object
from lazarus_tui.sandbox.api.errors import Cause, bad_request, invalid, method_not_allowed, no_such_route
from lazarus_tui.sandbox.api.routes import Route
from lazarus_tui.sandbox.api.tokens import AUDIENCE, BINDABLE, Bound, Tokens
from lazarus_tui.sandbox.api.verbs import Verbs

# Seconds a token lasts unless asked otherwise, and the least and most that may be asked (upstream's figures).
_TOKEN_SECONDS, _LEAST_TOKEN, _MOST_TOKEN = 3600, 600, 2**32


def token_request(verbs: Verbs, tokens: Tokens, request: HttpRequest, route: Route) -> Answer:
    """A ``TokenRequest`` answered with a token that lets its holder in as the service account."""
    if route.plural != SERVICEACCOUNTS.plural or route.group or route.namespace is None:
        raise no_such_route()
    if request.method != "POST":
        raise method_not_allowed()
    wanted = decode_object(request).get("spec") or {}
    account = verbs.get(verbs.registry.served(SERVICEACCOUNTS).kind, route.namespace, route.name)
    seconds = wanted.get("expirationSeconds") or _TOKEN_SECONDS
    if not isinstance(seconds, int) or not _LEAST_TOKEN <= seconds <= _MOST_TOKEN:
        bounds = "less than 10 minutes" if seconds < _LEAST_TOKEN else "larger than 2^32 seconds"
        why = f"Invalid value: {seconds}: may not specify a duration {bounds}"
        raise invalid("TokenRequest", "authentication.k8s.io", "", [Cause("spec.expirationSeconds", why)])
    audiences = wanted.get("audiences") or [AUDIENCE]
    reference = wanted.get("boundObjectRef")
    token = tokens.issue(account.obj, seconds, audiences, _bound(verbs, reference, route.namespace))
    answered = {
        "kind": "TokenRequest",
        "apiVersion": "authentication.k8s.io/v1",
        "metadata": {"name": route.name, "namespace": route.namespace, "creationTimestamp": verbs.stamp()},
        "spec": {"audiences": audiences, "expirationSeconds": seconds, "boundObjectRef": reference},
        "status": {
            "token": token,
            "expirationTimestamp": rfc3339(verbs.clock.now() + timedelta(seconds=seconds)),
        },
    }
    return json_answer(answered, 201)


def _bound(verbs: Verbs, reference: Mapping[str, Any] | None, namespace: str) -> Bound | None:
    """The object that a token shall end with: 404 when it is not there, 409 when it is another one."""
    if not reference:
        return None
    resource, name = BINDABLE.get(reference.get("kind") or ""), str(reference.get("name") or "")
    if resource is None:
        what = f"{reference.get('apiVersion', '')}, Kind={reference.get('kind', '')}"
        raise bad_request(f"cannot bind token to object of type {what}")
    kind = verbs.registry.served(resource).kind
    uid = str(verbs.get(kind, namespace, name).obj["metadata"]["uid"])
    if reference.get("uid") not in (None, "", uid):
        why = f"the UID in the bound object reference ({reference['uid']}) does not match the UID in record. "
        raise kind.conflict(name, f"{why}The object might have been deleted and then recreated")
    return Bound(resource.kind, name, uid)

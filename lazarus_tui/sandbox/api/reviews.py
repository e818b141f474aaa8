"""Reviews: what somebody may do, who somebody is, whose a token is. They ask what enforcement asks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from lazarus_tui.model.http import HttpRequest
from lazarus_tui.sandbox.api.access import Access
from lazarus_tui.sandbox.api.answers import Answer, json_answer
from lazarus_tui.sandbox.api.bodies import decode_object
from lazarus_tui.sandbox.api.errors import Cause, bad_request, invalid, method_not_allowed, no_such_route
from lazarus_tui.sandbox.api.identity import User
from lazarus_tui.sandbox.api.kinds import Served
from lazarus_tui.sandbox.api.rights import Attributes
from lazarus_tui.sandbox.api.routes import Route
from lazarus_tui.sandbox.api.tokens import AUDIENCE, TokenRefused
from lazarus_tui.sandbox.api.verbs import check_type

Object = dict[str, Any]


def review(access: Access, user: User, request: HttpRequest, route: Route, served: Served) -> Answer:
    """The answered review; it is not stored."""
    kind = served.kind
    if (route.namespace is not None) != kind.namespaced or route.subresource:
        raise no_such_route()
    if request.method != "POST" or route.name:
        raise method_not_allowed()
    obj = decode_object(request)
    check_type(served, obj)
    spec = obj.get("spec") or {}
    if not isinstance(spec, dict):
        raise bad_request(f"{kind.kind} cannot be handled: spec must be an object")
    status = _REVIEWS[kind.kind](access, user, served, spec, route.namespace or "")
    shown = {"kind": kind.kind, "apiVersion": served.api_version, "metadata": obj["metadata"], "spec": spec}
    if kind.kind == "SelfSubjectReview":
        shown.pop("spec")
        shown["metadata"] = {**obj["metadata"], "creationTimestamp": None}
    return json_answer(shown | {"status": status}, 201)


def _own_access(access: Access, user: User, served: Served, spec: Object, namespace: str) -> Object:
    _check_question(served, spec, [])
    return _access(access, user, spec)


def _others_access(access: Access, user: User, served: Served, spec: Object, namespace: str) -> Object:
    causes = []
    if not spec.get("user") and not spec.get("groups"):
        causes.append(Cause("spec.user", 'Invalid value: "": at least one of user or group must be specified'))
    if namespace:
        causes += _elsewhere(spec, namespace)
    _check_question(served, spec, causes)
    extra = {key: tuple(values) for key, values in (spec.get("extra") or {}).items()}
    asked = User(spec.get("user") or "", tuple(spec.get("groups") or ()), spec.get("uid") or "", extra)
    return _access(access, asked, spec)


def _elsewhere(spec: Object, namespace: str) -> list[Cause]:
    """A local review speaks of its own namespace alone."""
    if spec.get("nonResourceAttributes") is not None:
        return [Cause("spec.nonResourceAttributes", "Invalid value: disallowed on this kind of request")]
    asked = (spec.get("resourceAttributes") or {}).get("namespace") or ""
    if asked == namespace:
        return []
    return [Cause("spec.resourceAttributes.namespace", f'Invalid value: "{asked}": must match metadata.namespace')]


def _check_question(served: Served, spec: Object, causes: list[Cause]) -> None:
    resource, path = spec.get("resourceAttributes"), spec.get("nonResourceAttributes")
    if resource is not None and path is not None:
        why = "cannot be specified in combination with resourceAttributes"
        causes.insert(0, Cause("spec.nonResourceAttributes", f"Invalid value: {why}"))
    if resource is None and path is None:
        why = "exactly one of nonResourceAttributes or resourceAttributes must be specified"
        causes.insert(0, Cause("spec.resourceAttributes", f'Invalid value: "null": {why}'))
    if causes:  # upstream forgets the kind
        raise invalid("", served.kind.group, "", causes)


def _access(access: Access, user: User, spec: Mapping[str, Any]) -> Object:
    decision = access.rights.decide(user, _question(spec))
    return {"allowed": decision.allowed} | ({"reason": decision.reason} if decision.reason else {})


def _question(spec: Mapping[str, Any]) -> Attributes:
    asked = spec.get("nonResourceAttributes")
    if asked is not None:
        return Attributes(asked.get("verb") or "", path=asked.get("path") or "")
    asked = spec["resourceAttributes"]
    fields = ("verb", "group", "resource", "subresource", "namespace", "name")
    return Attributes(*(str(asked.get(field) or "") for field in fields))


def _own_rules(access: Access, user: User, served: Served, spec: Object, namespace: str) -> Object:
    where = spec.get("namespace")
    if not where:
        raise bad_request("no namespace on request")
    resource_rules: list[Mapping[str, Any]] = []
    path_rules: list[Mapping[str, Any]] = []
    if user.privileged:
        resource_rules.append({"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]})
        path_rules.append({"verbs": ["*"], "nonResourceURLs": ["*"]})
    for rule in access.rights.rules(user, where):
        (path_rules if rule.get("nonResourceURLs") else resource_rules).append(rule)
    return {"resourceRules": resource_rules, "nonResourceRules": path_rules, "incomplete": False}


def _who(access: Access, user: User, served: Served, spec: Object, namespace: str) -> Object:
    return {"userInfo": user.info}


def _token(access: Access, user: User, served: Served, spec: Object, namespace: str) -> Object:
    token, audiences = spec.get("token"), spec.get("audiences") or [AUDIENCE]
    if not token:
        raise bad_request("token is required for TokenReview in authentication")
    try:
        holder, meant = access.holder(token, audiences)
    except TokenRefused as refused:
        return {"user": {}, "error": f"[{refused}]"}
    told = {"audiences": meant} if spec.get("audiences") else {}
    return {"authenticated": True, "user": holder.info} | told


_REVIEWS: Mapping[str, Callable[[Access, User, Served, Object, str], Object]] = {
    "SelfSubjectAccessReview": _own_access,
    "SubjectAccessReview": _others_access,
    "LocalSubjectAccessReview": _others_access,
    "SelfSubjectRulesReview": _own_rules,
    "SelfSubjectReview": _who,
    "TokenReview": _token,
}
"""What answers each kind; a kind that can only be created and is not here is no review."""


def is_review(kind: str) -> bool:
    return kind in _REVIEWS

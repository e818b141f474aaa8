"""What a request is about, and whether a fault is meant for it."""

from __future__ import annotations

from dataclasses import dataclass

from lazarus_tui.model.http import HttpRequest
from lazarus_tui.sandbox.api import options
from lazarus_tui.sandbox.api.errors import ApiError
from lazarus_tui.sandbox.api.routes import Route, parse_route
from lazarus_tui.sandbox.api.server import header
from lazarus_tui.sandbox.faults.model import Match

_BY_METHOD = {"PUT": "update", "PATCH": "patch"}


@dataclass(frozen=True, slots=True)
class Facts:
    """``verb`` is Kubernetes'; ``resource`` is "" for paths that are no resources (/version, /healthz …)."""

    request: HttpRequest
    verb: str
    group: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""

    @property
    def group_resource(self) -> str:
        return f"{self.resource}.{self.group}" if self.group else self.resource

    @property
    def line(self) -> str:
        return f"{self.verb} {self.request.path}"


def facts_of(request: HttpRequest) -> Facts:
    try:
        route = parse_route(request.path)
    except ApiError:
        return Facts(request, request.method.lower())
    return Facts(
        request,
        _verb(request, route),
        route.group,
        route.plural,
        route.subresource,
        route.namespace or "",
        route.name,
    )


def _verb(request: HttpRequest, route: Route) -> str:
    if request.method in ("GET", "HEAD"):
        if not route.subresource and (route.watching or _watches(request)):
            return "watch"
        return "get" if route.name else "list"
    if request.method == "DELETE":
        return "delete" if route.name else "deletecollection"
    return _BY_METHOD.get(request.method, "create")


def _watches(request: HttpRequest) -> bool:
    try:
        return options.flag(dict(request.query), "watch")
    except ApiError:
        return False


def matches(match: Match, facts: Facts) -> bool:
    if match.user_agent and match.user_agent.lower() not in header(facts.request, "user-agent").lower():
        return False
    return (
        (not match.verbs or facts.verb in match.verbs)
        and (not match.resources or any(_names(one, facts) for one in match.resources))
        and (not match.namespaces or facts.namespace in match.namespaces)
        and (not match.names or facts.name in match.names)
    )


def _names(wanted: str, facts: Facts) -> bool:
    """``pods`` means the pods themselves, ``pods/*`` their subresources, ``*.group`` all of a group."""
    kind, _, sub = wanted.partition("/")
    if not facts.resource or (sub != "*" and sub != facts.subresource) or (sub == "*" and not facts.subresource):
        return False
    plural, _, group = kind.partition(".")
    if group and group != facts.group:
        return False
    return plural in ("*", facts.resource)

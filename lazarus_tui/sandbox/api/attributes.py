"""What a request wants to do, read from its method, path and query before anything else looks at it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from lazarus_tui.model.http import HttpRequest
from lazarus_tui.sandbox.api.errors import ApiError
from lazarus_tui.sandbox.api.options import flag
from lazarus_tui.sandbox.api.rights import Attributes
from lazarus_tui.sandbox.api.routes import Route, parse_route

_VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete", "GET": "get", "HEAD": "get"}
# A WebSocket comes as a GET; since 1.35 it needs what the POST of older clients needs as well.
_UPGRADED = ("attach", "exec", "portforward")


def names_resource(path: str) -> bool:
    """Whether a path leads to a resource, and not to discovery or something else."""
    parts = path.strip("/").split("/")
    return (parts[0] == "api" and len(parts) > 2) or (parts[0] == "apis" and len(parts) > 3)


def attributes_of(request: HttpRequest) -> Attributes:
    """A path that leads nowhere is judged as what it is: a path."""
    if names_resource(request.path):
        try:
            return _of_route(request.method, parse_route(request.path), dict(request.query))
        except ApiError:
            pass
    return Attributes(request.method.lower(), path=request.path)


def _of_route(method: str, route: Route, query: Mapping[str, str]) -> Attributes:
    verb, name = _VERBS.get(method, ""), route.name
    namespace = route.namespace or ""
    if route.plural == "namespaces" and not route.group:
        namespace = route.name  # a Role may speak of the namespace that it is in
    if verb in ("get", "delete") and not name:
        verb = {"get": "list", "delete": "deletecollection"}[verb]
        name = _selected_name(query.get("fieldSelector", ""))
    if verb in ("get", "list") and (route.watching or flag(query, "watch")) and not route.subresource:
        verb = "watch"
    return Attributes(verb, route.group, route.plural, route.subresource, namespace, name)


def _selected_name(selector: str) -> str:
    """The name that a field selector asks for by equality."""
    for part in selector.split(","):
        field, separator, value = part.partition("=")
        if field.strip() == "metadata.name" and separator:
            return value.removeprefix("=").strip()
    return ""


def needed(request: HttpRequest) -> list[Attributes]:
    """Everything a request needs the right to."""
    wanted = attributes_of(request)
    if wanted.resource == "pods" and not wanted.group and wanted.subresource in _UPGRADED and wanted.verb == "get":
        return [wanted, replace(wanted, verb="create")]
    return [wanted]

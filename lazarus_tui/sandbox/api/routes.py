"""What a path names: group, version, resource, namespace, name, subresource."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import unquote

from lazarus_tui.sandbox.api.errors import no_such_route


@dataclass(frozen=True, slots=True)
class Route:
    """``rest`` is the path behind the proxy subresource; ``watching`` is the legacy ``/watch/`` prefix."""

    group: str
    version: str
    plural: str
    namespace: str | None = None
    name: str = ""
    subresource: str = ""
    rest: str = ""
    watching: bool = False


def parse_route(path: str) -> Route:
    """``/api/v1/namespaces/shop/pods/web-0/log`` and its kin; ``ApiError`` 404 for anything else.

    The path is still percent-encoded, so that encoded slashes stay inside their segment.
    """
    head, *parts = path.rstrip("/").lstrip("/").split("/")
    if head == "api" and len(parts) >= 2:
        group, version, *parts = "", *parts
    elif head == "apis" and len(parts) >= 3:
        group, version, *parts = parts
    else:
        raise no_such_route()
    watching = parts[0] == "watch" and len(parts) > 1
    if watching:
        parts = parts[1:]
    if "" in parts[:4]:
        raise no_such_route()
    namespace = None
    if parts[0] == "namespaces" and len(parts) >= 3 and not _is_namespace_subresource(group, parts):
        namespace, parts = unquote(parts[1]), parts[2:]
    plural, name, subresource, *rest = (*parts, "", "")[: max(3, len(parts))]
    if rest and subresource != "proxy":
        raise no_such_route()
    tail = "/" + "/".join(rest) if rest else ""
    return Route(group, version, plural, namespace, unquote(name), subresource, tail, watching)


def _is_namespace_subresource(group: str, parts: list[str]) -> bool:
    return not group and len(parts) == 3 and parts[2] in ("status", "finalize")

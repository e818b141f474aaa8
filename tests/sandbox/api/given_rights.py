"""Roles and bindings as objects, and requests in the name of a user."""

from __future__ import annotations

from typing import Any

from lazarus_tui.sandbox.api.rights import CLUSTER_ROLE_BINDINGS, CLUSTER_ROLES, RBAC, ROLE_BINDINGS, ROLES

from .conftest import Reply, World

Object = dict[str, Any]
ACCESS = "/apis/authorization.k8s.io/v1"
CM = "/api/v1/namespaces/default/configmaps"
RULES = f"/apis/{RBAC}/v1"


def rule(verbs: str, resources: str, group: str = "", **more: Any) -> Object:
    return {"verbs": verbs.split(), "apiGroups": [group], "resources": resources.split(), **more}


def role(name: str, *rules: Object) -> Object:
    return {"metadata": {"name": name}, "rules": list(rules)}


def binding(name: str, kind: str, role: str, *users: str) -> Object:
    subjects = [{"kind": "User", "apiGroup": RBAC, "name": user} for user in users]
    return {
        "metadata": {"name": name},
        "roleRef": {"apiGroup": RBAC, "kind": kind, "name": role},
        "subjects": subjects,
    }


def grant(world: World, user: str, *rules: Object, namespace: str = "default") -> None:
    """A Role (in all namespaces for ``""``: a ClusterRole) for one user."""
    name = f"of-{user}"
    if namespace:
        world.api.create(ROLES, role(name, *rules), namespace)
        world.api.create(ROLE_BINDINGS, binding(name, "Role", name, user), namespace)
    else:
        world.api.create(CLUSTER_ROLES, role(name, *rules))
        world.api.create(CLUSTER_ROLE_BINDINGS, binding(name, "ClusterRole", name, user))


async def call_as(world: World, user: str, method: str, path: str, body: Any = None, **options: Any) -> Reply:
    headers = {"Impersonate-User": user, **options.pop("headers", {})}
    return await world.call(method, path, body, headers=headers, **options)

"""Aggregated roles: what they are put together from, at the start and after every change."""

from __future__ import annotations

from lazarus_tui.sandbox.api.identity import User
from lazarus_tui.sandbox.api.rights import CLUSTER_ROLES, ROLE_BINDINGS, Attributes, Rights

from .conftest import Rig

DELETE_POD = Attributes("delete", "", "pods", "", "shop", "web-0")
READ_BACKUPS = Attributes("list", "velero.io", "backups", "", "shop")


def bind(rig: Rig, role: str) -> None:
    rig.api.create(
        ROLE_BINDINGS,
        {
            "metadata": {"name": role},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
            "subjects": [{"kind": "User", "name": f"the-{role}"}],
        },
        "shop",
    )


async def test_view_edit_and_admin_hold_more_and_more(rig: Rig) -> None:
    rights = Rights(rig.api.store)
    for role in ("view", "edit", "admin"):
        bind(rig, role)

    def may(role: str, wanted: Attributes) -> bool:
        return rights.decide(User(f"the-{role}"), wanted).allowed

    read = Attributes("list", "", "pods", "", "shop")
    secrets = Attributes("get", "", "secrets", "", "shop", "s")
    roles = Attributes("create", "rbac.authorization.k8s.io", "roles", "", "shop")
    assert [may("view", one) for one in (read, DELETE_POD, secrets, roles)] == [True, False, False, False]
    assert [may("edit", one) for one in (read, DELETE_POD, secrets, roles)] == [True, True, True, False]
    assert [may("admin", one) for one in (read, DELETE_POD, secrets, roles)] == [True, True, True, True]
    assert not may("admin", Attributes("list", "", "nodes"))


async def test_a_part_that_comes_and_goes_changes_the_whole(rig: Rig) -> None:
    rights = Rights(rig.api.store)
    bind(rig, "view")
    assert not rights.decide(User("the-view"), READ_BACKUPS).allowed
    part = {
        "metadata": {"name": "velero-view", "labels": {"rbac.authorization.k8s.io/aggregate-to-view": "true"}},
        "rules": [{"apiGroups": ["velero.io"], "resources": ["backups"], "verbs": ["list"]}],
    }
    rig.api.create(CLUSTER_ROLES, part)
    await rig.settle()
    assert rights.decide(User("the-view"), READ_BACKUPS).allowed
    assert part["rules"][0] in rig.get(CLUSTER_ROLES, "admin", None)["rules"], "admin holds what edit holds, and so on"
    rig.api.delete(CLUSTER_ROLES, "velero-view")
    await rig.settle()
    assert not rights.decide(User("the-view"), READ_BACKUPS).allowed
    assert part["rules"][0] not in rig.get(CLUSTER_ROLES, "admin", None)["rules"]

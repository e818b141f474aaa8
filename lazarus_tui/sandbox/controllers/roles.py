"""Roles that are put together from others by their labels."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

from lazarus_tui.model.resources import Resource
from lazarus_tui.sandbox.api.rights import CLUSTER_ROLES
from lazarus_tui.sandbox.api.selectors import from_selector
from lazarus_tui.sandbox.controllers.base import Controller, Key, Object, key_of


class RoleAggregation(Controller):
    """Fills the rules of ClusterRoles that have an ``aggregationRule``."""

    name = "clusterrole-aggregation"
    watches: ClassVar[Sequence[Resource]] = (CLUSTER_ROLES,)

    def keys(self, resource: Resource, obj: Object, old: Object | None) -> Iterable[Key]:
        """Any role may be a part of any aggregated one."""
        return [key_of(role) for role in self.api.list(CLUSTER_ROLES) if role.get("aggregationRule")]

    async def reconcile(self, key: Key) -> float | None:
        role = self.api.get(CLUSTER_ROLES, key[1])
        if role is None or not role.get("aggregationRule"):
            return None
        rules: list[Object] = []
        for selector in role["aggregationRule"].get("clusterRoleSelectors") or ():
            chosen = from_selector(selector)
            for part in self.api.list(CLUSTER_ROLES):
                if part["metadata"]["name"] != key[1] and chosen.matches_object(part):
                    rules += [rule for rule in part.get("rules") or () if rule not in rules]
        if rules != (role.get("rules") or []):
            self.api.patch(CLUSTER_ROLES, key[1], {"rules": rules})
        return None

"""Setting the replicas of a kind through its scale, in the name of whoever does it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lazarus_tui.model.resources import Resource
from lazarus_tui.sandbox.api.scale import setter
from lazarus_tui.sandbox.controllers.base import Key

if TYPE_CHECKING:
    from lazarus_tui.sandbox.api.local import LocalApi


def rescale(api: LocalApi, resource: Resource, key: Key, replicas: int, *, manager: str) -> None:
    """The object's managedFields name ``manager`` for it, so that a console can say who was at work."""
    served = api.registry.served(resource)
    change = setter(served.kind, {"spec": {"replicas": replicas}})
    api.verbs.update(served, key[0], key[1], change, patch=True, manager=manager, part="scale")

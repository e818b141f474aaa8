"""What makes a cluster one with snapshots: definitions and classes, and the two programs that act on them.

The definitions may be there without the programs, and the snapshot controller without the driver's sidecar: as on real
clusters, snapshots then wait for ever without an error.
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import yaml

from lazarus_tui.model.clock import Clock
from lazarus_tui.model.resources import CRDS
from lazarus_tui.sandbox.controllers.base import Controller
from lazarus_tui.sandbox.scenarios import manifests
from lazarus_tui.sandbox.snapshots.binding import ContentController, SnapshotController
from lazarus_tui.sandbox.snapshots.driver import DirectoryDriver
from lazarus_tui.sandbox.snapshots.group_sidecar import GroupSidecar
from lazarus_tui.sandbox.snapshots.groups import GroupContentController, GroupController
from lazarus_tui.sandbox.snapshots.names import CLASSES, GROUP_CLASSES
from lazarus_tui.sandbox.snapshots.sidecar import ContentSidecar

if TYPE_CHECKING:
    from lazarus_tui.sandbox.api.local import LocalApi

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def definitions() -> list[dict[str, Any]]:
    """The CustomResourceDefinitions of the six kinds."""
    return manifests.definitions(__package__)


def install(api: LocalApi, defined: Iterable[dict[str, Any]] | None = None) -> None:
    """Creates the definitions (``defined`` or those that are shipped) and the classes, as far as they are missing."""
    for definition in definitions() if defined is None else defined:
        if api.get(CRDS, definition["metadata"]["name"]) is None:
            api.create(CRDS, definition)
    text = files(__package__).joinpath("classes.yaml").read_text(encoding="utf-8")
    for one in yaml.load_all(text, _LOADER):
        kind = CLASSES if one["kind"] == CLASSES.kind else GROUP_CLASSES
        if api.get(kind, one["metadata"]["name"]) is None:
            api.create(kind, one)


def snapshot_controller(api: LocalApi, clock: Clock) -> list[Controller]:
    """The cluster-wide program."""
    return [
        SnapshotController(api, clock),
        ContentController(api, clock),
        GroupController(api, clock),
        GroupContentController(api, clock),
    ]


def snapshot_sidecar(api: LocalApi, clock: Clock, driver: DirectoryDriver) -> list[Controller]:
    """The driver's own program."""
    return [ContentSidecar(api, clock, driver), GroupSidecar(api, clock, driver)]

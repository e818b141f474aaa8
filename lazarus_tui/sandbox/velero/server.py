"""All controllers of one Velero installation."""

from __future__ import annotations

from lazarus_tui.sandbox.controllers.base import Controller
from lazarus_tui.sandbox.velero.backup import BackupQueue, BackupRunner
from lazarus_tui.sandbox.velero.installation import Installation
from lazarus_tui.sandbox.velero.locations import BackupSync, LocationCheck
from lazarus_tui.sandbox.velero.nodeagent import VolumeBackups, VolumeRestores
from lazarus_tui.sandbox.velero.removal import Deletions, GarbageCollector
from lazarus_tui.sandbox.velero.requests import Downloads, StatusRequests
from lazarus_tui.sandbox.velero.restore import RestoreRemoval, RestoreRunner
from lazarus_tui.sandbox.velero.schedules import Schedules


def controllers(site: Installation) -> list[Controller]:
    """The server's and the node agent's controllers, for the sandbox's loop."""
    return [
        LocationCheck(site),
        BackupSync(site),
        BackupQueue(site),
        BackupRunner(site),
        VolumeBackups(site),
        VolumeRestores(site),
        RestoreRunner(site),
        RestoreRemoval(site),
        Deletions(site),
        GarbageCollector(site),
        Downloads(site),
        StatusRequests(site),
        Schedules(site),
    ]

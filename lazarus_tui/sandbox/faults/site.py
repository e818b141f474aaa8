"""Faults put into a cluster: each kind at the seam of the part that it is done to."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from lazarus_tui.sandbox.faults.effects import BrokenWatches, Compaction, Expiry
from lazarus_tui.sandbox.faults.endpoint import Endpoint
from lazarus_tui.sandbox.faults.faults import Faults
from lazarus_tui.sandbox.faults.model import PATH
from lazarus_tui.sandbox.faults.requests import Interference

if TYPE_CHECKING:
    from lazarus_tui.sandbox.cluster import SandboxCluster


def install(cluster: SandboxCluster) -> Faults:
    """The faults of this cluster; none is active."""
    faults = Faults(cluster.clock)
    server = cluster.server

    def renew() -> None:
        server.renew(secrets.token_urlsafe(32))
        cluster.on_token(server.token)

    faults.effects |= {
        "gone": Compaction(cluster.store),
        "reset": BrokenWatches(cluster.store),
        "token-expired": Expiry(server, renew),
    }
    server.around = Interference(faults, server)
    server.private[PATH] = Endpoint(faults)
    return faults

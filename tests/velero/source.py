"""A world from which a backup of one volume can be planned back."""

from __future__ import annotations

import json
from typing import Any

from tests.velero.lab import World

HELD = {
    "pvcName": "data-orders-0", "pvcNamespace": "shop", "backupMethod": "PodVolumeBackup", "result": "succeeded",
    "pvbInfo": {"Phase": "Completed", "size": 4096},
}  # fmt: skip


class Source(World):
    """A world that hands planners the artefacts too."""

    contents: dict[str, Any]

    async def artefact(self, velero: str, kind: str, name: str) -> bytes:
        return json.dumps(self.contents[kind]).encode()

"""Documents that are kept by name beside the evidence: canonical JSON, 0600, replaced as a whole."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from lazarus_tui.model.paths import private_folder, write_private
from lazarus_tui.model.plan import canonical
from lazarus_tui.model.redact import redact_value

_NAME = 80  # characters of a name that stand in its file's


class Documents:
    """One file a name in ``folder``, called by what is plain of the name (it can come from a cluster) and a hash."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def path(self, name: str) -> Path:
        plain = "".join(one if one.isascii() and (one.isalnum() or one in "-.") else "_" for one in name)
        return self._folder / f"{plain[:_NAME].lstrip('.')}-{hashlib.sha256(name.encode()).hexdigest()[:8]}.json"

    async def put(self, name: str, record: Mapping[str, Any]) -> Path:
        """Secrets are taken out. Raises ``OSError`` and ``UnsafePath``."""
        path, data = self.path(name), canonical(redact_value(record, keys=False)) + b"\n"
        await asyncio.to_thread(lambda: write_private(private_folder(self._folder) / path.name, data))
        return path

    async def remove(self, name: str) -> None:
        """It may not be there. Raises ``OSError``."""
        await asyncio.to_thread(self.path(name).unlink, missing_ok=True)

    async def get(self, name: str) -> dict[str, Any] | None:
        """None when there is none; raises ``ValueError`` when it is not what was written, and ``OSError``."""
        try:
            data = await asyncio.to_thread(self.path(name).read_bytes)
        except FileNotFoundError:
            return None
        found: dict[str, Any] = msgspec.json.decode(data, type=dict[str, Any])
        return found

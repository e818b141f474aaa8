"""Where a pod lives on its node."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from lazarus_tui.sandbox.dataplane.namespaces import Namespace


@dataclass
class Place:
    """Where a pod lives: its own directory, the root its containers see, volume directories by name, its address.

    ``namespace`` is its network; None is the machine's.
    """

    home: Path
    volumes: dict[str, Path]
    address: str
    namespace: Namespace | None = None
    root: Path = field(init=False)

    def __post_init__(self) -> None:
        self.root = self.home / "rootfs"

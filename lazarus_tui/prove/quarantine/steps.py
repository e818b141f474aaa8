"""The steps of a quarantine, as a proof composes them; each takes the proof's parameters."""

from __future__ import annotations

from lazarus_tui.prove.quarantine.clean import Clean, ShownClean
from lazarus_tui.prove.quarantine.isolation import Isolation
from lazarus_tui.prove.quarantine.space import Space

__all__ = ["Clean", "Isolation", "ShownClean", "Space"]

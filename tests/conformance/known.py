"""Where the sandbox is known to answer otherwise than a real server: case → reason.

Each entry is asserted to differ still, so it goes when the sandbox is mended; on a real cluster the case must hold.
"""

from __future__ import annotations

from collections.abc import Mapping

KNOWN: Mapping[str, str] = {}

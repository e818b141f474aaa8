"""Whether a series of samples grows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path


def slope(samples: Sequence[float]) -> float:
    """Of the straight line through the second half, per sample (the first may still warm up); 0 for fewer than 4."""
    kept = samples[len(samples) // 2 :]
    if len(samples) < 4:
        return 0.0
    middle, mean = (len(kept) - 1) / 2, sum(kept) / len(kept)
    spread = sum((x - middle) ** 2 for x in range(len(kept)))
    return sum((x - middle) * (y - mean) for x, y in enumerate(kept)) / spread


def rss(pid: int) -> int:
    """Resident memory of a process in KiB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS:")).split()[1])


def descriptors(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def threads(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/task").iterdir()))

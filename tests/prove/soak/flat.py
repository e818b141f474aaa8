"""Whether a series of samples grows, and what is sampled."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path


def growth(samples: Sequence[float]) -> float:
    """By how much the floor rises with each sample: between the third quarter and the last (before that it may still
    warm up). What goes up and comes down again is no growth. 0 for fewer than 4."""
    if len(samples) < 4:
        return 0.0
    late = samples[len(samples) // 2 :]
    third, last = late[: len(late) // 2], late[len(late) // 2 :]
    return (min(last) - min(third)) / (len(late) / 2)


def least(samples: Sequence[float]) -> float:
    """Of what is counted (descriptors, threads) the fewest in the first half of a series."""
    return min(samples[: max(1, len(samples) // 2)])


def risen(samples: Sequence[float], rest: float) -> float:
    """How many more with each sample are there at ``rest`` than were there at the least. What idle connections hold
    comes and goes by several, so two moments of a busy process say nothing."""
    return (rest - least(samples)) / len(samples)


def rss(pid: int) -> int:
    """Resident memory of a process in KiB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS:")).split()[1])


def descriptors(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def threads(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/task").iterdir()))

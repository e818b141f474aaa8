"""What a measurement returns and how it is judged."""

from __future__ import annotations

import statistics
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Row:
    """One figure. ``floor`` is the peer's or minimal app's value of the same run (None: the peer is missing).

    ``target`` says what must hold in words; ``met`` is None when the peer needed to judge it is not on this machine.
    """

    name: str
    value: float | None
    unit: str
    floor: float | None
    target: str
    met: bool | None

    def as_dict(self) -> dict[str, object]:
        return asdict(self)


def at_most(name: str, value: float, floor: float | None, times: float, unit: str, peer: str) -> Row:
    """``value`` must be at most ``times`` × the floor."""
    met = None if floor is None else value <= times * floor
    return Row(name, round(value, 3), unit, None if floor is None else round(floor, 3), f"<= {times:g} x {peer}", met)


def below(name: str, value: float, limit: float, unit: str) -> Row:
    """``value`` must be at most an absolute ``limit``."""
    return Row(name, round(value, 3), unit, None, f"<= {limit:g} {unit}", value <= limit)


def median_of(runs: int, once: Callable[[], float]) -> float:
    """The median of ``runs`` measurements after one that is thrown away (warm caches on both sides)."""
    once()
    return statistics.median(once() for _ in range(runs))


def command_seconds(command: Sequence[str], env: dict[str, str] | None = None) -> float:
    """Wall seconds of one command that must succeed."""
    started = time.perf_counter()
    subprocess.run(command, check=True, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - started

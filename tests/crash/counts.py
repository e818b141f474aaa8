"""What a whole run amounts to: how much was tried, and what was broken, each of the promises by its name."""

from __future__ import annotations

import sys
from collections import Counter
from typing import Any

from tests.crash.sweep import AGAIN, SEEN

Told = dict[str, Any]

# Beginnings of the lines of ``tests.crash.invariants`` that are counted apart (reliability §4.5).
APART = {
    "lost_volumes": "I1", "silent_zeros": "I2", "orphans": "I3", "writes_without_intent": "I4",
    "stale_fence_writes": "I5", "blank_volumes": "I6",
}  # fmt: skip


class Counts:
    """``add`` takes what a part told, and says every breach on stderr at once."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.parts: dict[str, Counter[str]] = {}
        self.points: dict[str, int] = {}
        self.ends: Counter[str] = Counter()

    def add(self, part: str, told: Told) -> None:
        here = self.parts.setdefault(part, Counter())
        had = here.copy()
        for key in ("points", "moments", "states", "writes"):
            here[key] += told.get(key, 0)
        if part == "operations":
            self.points[told["name"]] = told["points"]
        self._breaches(f"{part}, {told['name']}, to its end", told["breaches"], here)
        for case in told["cases"]:
            self._breaches(f"{part}, {told['name']}, at {case['at']}, {case['who']}", case["breaches"], here)
            if case["state"] == SEEN:
                continue
            here["cases"] += 1
            here["cut_twice"] += case["who"] == AGAIN and case.get("lives", 0) > 2
            self.ends[case["state"]] += 1
        more = ", ".join(f"{count} {key}" for key, count in (here - had).items())
        sys.stderr.write(f"{part}, {told['name']}: {more}\n")

    def _breaches(self, where: str, lines: list[str], here: Counter[str]) -> None:
        for line in lines:
            self.lines.append(line)
            here["breaches"] += 1
            sys.stderr.write(f"{where}: {line}\n")

    def found(self) -> Told:
        cuts = self.parts.get("operations", Counter[str]())
        apart = {name: sum(line.startswith(start) for line in self.lines) for name, start in APART.items()}
        parts = {
            part: {key: count for key, count in here.items() if count}
            for part, here in self.parts.items()
            if part != "operations"
        }
        return {
            "points": sum(self.points.values()), "by_operation": self.points, "cuts": cuts["moments"],
            "states": cuts["states"], "cases": cuts["cases"], "cut_twice": cuts["cut_twice"], **parts,
            "ends": dict(self.ends), "breaches": len(self.lines), **apart,
        }  # fmt: skip

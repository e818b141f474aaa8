"""What proofs said of a set counts when sets are pruned: the proven one stays, a red one holds no place."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from lazarus_tui.model.clock import rfc3339
from lazarus_tui.model.snapshots import CONTENTS, SNAPSHOTS
from lazarus_tui.model.verdict import Verdict
from lazarus_tui.sandbox.clock import VirtualClock
from lazarus_tui.snapshots import prune
from tests.posture.test_sets import member
from tests.velero.lab import START

AGES = {"s1": 900, "s2": 800, "s3": 700, "s4": 600}  # hours


class Known:
    """A cluster with four sets of shop/orders, and what proofs said of them. ``of`` answers for exactly one point."""

    context = "c"

    def __init__(self, **said: Verdict) -> None:
        self.asked = 0
        self.said: dict[tuple[str, ...], Verdict] = {
            ("shop", "StatefulSet/orders", "snapshots", name, cut(name)): said[name] for name in said
        }

    async def list(self, resource: Any, *where: Any, **how: Any) -> list[Any]:
        found = [member(name, age) for name, age in AGES.items()]
        listed: dict[Any, list[Any]] = {SNAPSHOTS: [one for one, _ in found], CONTENTS: [one for _, one in found]}
        return listed.get(resource, [])

    async def get(self, *which: Any, **how: Any) -> None:
        return None

    async def cluster_uid(self) -> str:
        return "uid"

    def proofs(self, *of: Any) -> dict[str, tuple[Verdict, str]]:
        self.asked += 1
        *about, begun = of
        keys = {name: (*about, name, start) for name, start in begun.items()}
        return {name: (self.said[key], "") for name, key in keys.items() if key in self.said}

    def took(self, namespace: str) -> list[float]:
        return []


def cut(name: str) -> str:
    return rfc3339(START - timedelta(hours=AGES[name]))


async def going(known: Known, **params: Any) -> set[str]:
    wanted = {"namespace": "shop", "statefulset": "orders", **params}
    return set((await prune.plan(known, wanted, VirtualClock(START))).params["sets"])  # type: ignore[arg-type]


async def test_the_newest_proven_set_stays_whatever_the_rules_say() -> None:
    assert await going(Known(), keep_last=1) == {"s1", "s2", "s3"}
    proven = Known(s1=Verdict.PASSED, s2=Verdict.PASSED, s3=Verdict.INCONCLUSIVE)
    assert await going(proven, keep_last=1) == {"s1", "s3"}


async def test_what_was_said_is_asked_once_for_all_sets() -> None:
    known = Known(s1=Verdict.PASSED)
    await going(known, keep_last=1)
    assert known.asked == 1


async def test_a_set_that_a_proof_condemned_takes_no_place_of_a_good_one() -> None:
    assert await going(Known(s4=Verdict.FAILED), keep_last=1) == {"s1", "s2"}


@pytest.mark.parametrize("other", ["shop/StatefulSet/other", "velero"])
async def test_what_was_said_of_another_point_of_that_name_counts_for_nothing(other: str) -> None:
    known = Known(s1=Verdict.PASSED)
    [(of, verdict)] = known.said.items()
    known.said = {(of[0], "StatefulSet/other", *of[2:]) if "/" in other else (*of[:2], other, *of[3:]): verdict}
    assert await going(known, keep_last=1) == {"s1", "s2", "s3"}

"""``python -m tests.prove.proof.sweep [STRIDE]``: a proof killed at every suspension, of a good point and of a lie.

The last line is one JSON object of counts; the exit code is not 0 on any breach. The default suite takes samples
(test_proof.py).
"""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import dataclass, field
from typing import Any

import pytest

from lazarus_tui.model.operation import Operation, OpState
from lazarus_tui.model.verdict import Verdict
from tests.prove.proof.trial import Trial, trial

# What the backup is made with, and the verdicts that are allowed then.
POINTS: dict[str, tuple[dict[str, Any], frozenset[Verdict]]] = {
    "good": ({}, frozenset({Verdict.PASSED})),
    "empty": (
        {"defaultVolumesToFsBackup": False, "snapshotVolumes": False},
        frozenset({Verdict.FAILED, Verdict.INCONCLUSIVE}),
    ),
}
_SECONDS = 120.0


@dataclass
class Count:
    cuts: int = 0
    breaches: list[str] = field(default_factory=list)


def wrong(ground: Trial, before: dict[str, str], done: Operation, allowed: frozenset[Verdict]) -> list[str]:
    """What a kill changed that it must not."""
    found = [] if done.state is OpState.DONE else [f"it is {done.state.value}: {done.message}"]
    if done.verdict not in allowed:
        found.append(f"the verdict is {done.verdict}: {(done.facts.get('prove.record') or {}).get('words')}")
    if left := ground.remains():
        found.append(f"left: {', '.join(left)}")
    if ground.everything() != before:
        found.append("something outside the quarantine changed")
    return found


async def life(point: str, k: int) -> tuple[int, list[str]]:
    """Suspensions of the first life, and the breaches of one that was killed at its ``k``-th (0: never)."""
    spec, allowed = POINTS[point]
    with pytest.MonkeyPatch.context() as patch:
        async with trial(patch, **spec) as ground:
            before, manager = ground.everything(), ground.silenced()
            async with asyncio.timeout(_SECONDS):
                points, done = await ground.lived(await ground.planned(alertmanagers=["main"]), k)
            loud = [] if (len(manager.stored), manager.standing) == (1, []) else ["it was not silenced once, and ended"]
            return points, [*wrong(ground, before, done, allowed), *loud]


async def swept(point: str, stride: int, count: Count) -> None:
    points, breaches = await life(point, 0)
    count.breaches += [f"{point} without a kill: {one}" for one in breaches]
    for k in range(1, points + 1, stride):
        try:
            _, breaches = await life(point, k)
        except Exception as error:
            breaches = [f"{type(error).__name__}: {error}"]
        count.cuts += 1
        count.breaches += [f"{point} cut at {k} of {points}: {one}" for one in breaches]


async def main(stride: int) -> int:
    count = Count()
    for point in POINTS:
        await swept(point, stride, count)
    for breach in count.breaches:
        print(breach)  # noqa: T201
    print(json.dumps({"scene": "prove.run", "cuts": count.cuts, "breaches": len(count.breaches)}))  # noqa: T201
    return 1 if count.breaches else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 1)))

"""kill -9 of real engines, at six points of every step of every operation on a StatefulSet and its sets.

``python -m tests.crash.kills``: the cluster is in one process per core, each engine is a process of its own that is
forked, killed and replaced; the last line is one JSON object of counts. Exit 1 on any breach, or on fewer kills than
the target. ``QUICK=1`` takes every 40th.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import asdict
from typing import Any

from tests.crash.arena import ROOT, SENT, Zygote, fast_clock
from tests.crash.killcase import AGAIN, FORGOTTEN, PLAIN, POINTS, Task, Told, run_task
from tests.crash.operations import SCENES

# Fewer real kills than this prove too little.
LEAST_KILLS = 200
QUICK_STRIDE = 40
# Operations under way at once in one worker: they wait more than they compute.
AT_ONCE = 8
# What the next engine finds, in turn; five of them against six points, so that every point meets each.
THEN = (PLAIN, AGAIN, FORGOTTEN, AGAIN, FORGOTTEN)


async def several(tasks: Sequence[Task]) -> AsyncIterator[tuple[Task, Told]]:
    """Run tasks, some at once, in worlds of their own; as they end."""
    clock, turns = fast_clock(), asyncio.Semaphore(AT_ONCE)
    async with Zygote.open(clock) as zygote:

        async def one(task: Task) -> tuple[Task, Told]:
            async with turns:
                return task, await run_task(task, zygote, clock)

        for done in asyncio.as_completed([one(task) for task in tasks]):
            yield await done


def kills(scene: str, steps: Sequence[str]) -> Iterator[Task]:
    """Six points for each step; ``steps`` names the step of every write. Another write of the step for each point."""
    number = 0
    for step in dict.fromkeys(steps):
        writes = [n for n, name in enumerate(steps, 1) if name == step]
        for at, point in enumerate(POINTS):
            then = THEN[number % len(THEN)]
            if then == FORGOTTEN and not SCENES[scene].capsule:
                then = PLAIN
            late = point == SENT and number % 2 == 1
            yield Task(scene, writes[at % len(writes)], point, then, step, late)
            number += 1


async def counted() -> dict[str, list[str]]:
    """The steps of every operation's writes, as it is when nobody is killed."""
    steps = {}
    async for task, told in several([Task(name) for name in SCENES]):
        if told.breaches or not told.steps:
            raise SystemExit(f"{task.scene}, not killed at all: {told.breaches or 'it writes nothing'}")
        steps[task.scene] = told.steps
    return steps


async def part(number: int, of: int, stride: int) -> None:
    """A worker's share, one JSON line each."""
    steps = await counted()
    every = [task for scene in SCENES for task in kills(scene, steps[scene])][::stride]
    async for task, told in several(every[number::of]):
        sys.stdout.write(json.dumps([asdict(task), asdict(told)]) + "\n")
        sys.stdout.flush()


async def shared(workers: int, stride: int) -> AsyncIterator[tuple[Task, Told]]:
    """All of it, by ``workers`` processes."""
    results: asyncio.Queue[tuple[Task, Told] | None] = asyncio.Queue()

    async def worker(number: int) -> None:
        words = (sys.executable, "-m", "tests.crash.kills", "part", str(number), str(workers), str(stride))
        process = await asyncio.create_subprocess_exec(*words, cwd=ROOT, stdout=asyncio.subprocess.PIPE)
        assert process.stdout is not None
        async for line in process.stdout:
            task, told = json.loads(line)
            results.put_nowait((Task(**task), Told(**told)))
        if await process.wait():
            task, told = Task("worker"), Told(breaches=[f"worker {number} ended with {process.returncode}"])
            results.put_nowait((task, told))
        results.put_nowait(None)

    running = [asyncio.create_task(worker(number)) for number in range(workers)]
    ended = 0
    while ended < workers:
        found = await results.get()
        ended += found is None
        if found is not None:
            yield found
    await asyncio.gather(*running)


async def whole(stride: int) -> dict[str, Any]:
    """Counts of everything; each breach is printed."""
    found = {"kills": 0, "cases": 0, "missed": 0, "adopted": 0, "breaches": 0}
    steps, ends, points = set[tuple[str, str]](), dict[str, int](), dict[str, int]()
    async for task, told in shared(os.cpu_count() or 2, stride):
        found["cases"] += 1
        found["kills"] += told.kills
        found["missed"] += not told.kills  # it ended before that write: it had needed fewer than when they were counted
        found["adopted"] += told.adopted
        found["breaches"] += len(told.breaches)
        steps.add((task.scene, task.step))
        ends[told.state] = ends.get(told.state, 0) + 1
        points[task.point] = points.get(task.point, 0) + 1
        for line in told.breaches:
            sys.stderr.write(f"{task}: {line}\n")
    return {**found, "steps": len(steps), "points": points, "ends": ends}


def main() -> int:
    if sys.argv[1:2] == ["part"]:
        number, of, stride = (int(word) for word in sys.argv[2:])
        asyncio.run(part(number, of, stride))
        return 0
    quick, began = bool(os.environ.get("QUICK")), time.monotonic()
    found = asyncio.run(whole(QUICK_STRIDE if quick else 1))
    found |= {"seconds": round(time.monotonic() - began, 1), "quick": quick}
    sys.stdout.write(json.dumps(found) + "\n")
    return int(found["breaches"] > 0 or (not quick and found["kills"] < LEAST_KILLS))


if __name__ == "__main__":
    sys.exit(main())

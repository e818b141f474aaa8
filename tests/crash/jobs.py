"""The parts of a whole run, for a pool of processes."""

from __future__ import annotations

import gc
from collections.abc import Iterator

from tests.crash import overtaken, schedules, sweep, troubled
from tests.crash.counts import Told
from tests.crash.lives import SCENES
from tests.crash.planted import BUGS, run_planted

# The scene with two live engines.
OVERTAKEN = "one replica"
# The longest operations first, so that the short ones fill the other cores at the end.
LONGEST = ("two volumes", "restore", "deleting policy")
PLANTED = "planted"
SWEEPS = {
    "operations": sweep.sweep, "two_engines": overtaken.sweep, "troubled_writes": troubled.sweep,
    "schedules": schedules.sweep,
}  # fmt: skip

# A part, what of it, and the stride at which its moments are taken.
Job = tuple[str, str, int]


def jobs(stride: int) -> Iterator[Job]:
    """Everything, the longest first."""
    names = [*LONGEST, *(name for name in SCENES if name not in LONGEST)]
    yield from (("operations", name, stride) for name in LONGEST)
    yield "two_engines", OVERTAKEN, stride + 1  # four cases at each moment, and none of them is like another
    yield from (("operations", name, stride) for name in names if name not in LONGEST)
    yield from (("troubled_writes", name, 1 + stride // 5) for name in names)  # an operation has few writes
    yield from (("schedules", str(part), stride) for part in range(schedules.PARTS))
    yield from ((PLANTED, bug.name, stride) for bug in BUGS)


def work(job: Job) -> tuple[Job, Told]:
    """What came of one; the collector rests, as branches end long before their garbage counts."""
    part, name, stride = job
    gc.disable()
    try:
        return job, run_planted(name) if part == PLANTED else SWEEPS[part](name, stride)
    finally:
        gc.enable()
        gc.collect()

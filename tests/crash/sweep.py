"""Every cut of every operation as tasks for a pool of processes."""

from __future__ import annotations

from collections.abc import Iterator

from tests.crash.lives import ACTORS, run_case

Task = tuple[str, int, str]
Done = tuple[Task, bool, list[str], str]


def tasks(points: dict[str, int], stride: int) -> Iterator[Task]:
    for name, count in points.items():
        for k in range(1, count + 1, stride):
            for actor in ACTORS:
                yield name, k, actor


def work(task: Task) -> Done:
    try:
        life = run_case(*task)
    except BaseException as error:
        return task, True, [f"{type(error).__name__}: {error}"], "broken"
    return task, life.cut, life.breaches, life.state

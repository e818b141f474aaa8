"""The branches of a sweep, in a process of their own: forks and the threads of a test runner do not go together."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ProcessPoolExecutor

from tests.crash.jobs import work


def test_branches_tell_their_ends_and_what_they_see_of_a_bug() -> None:
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("forkserver")) as pool:
        _, told = pool.submit(work, ("operations", "take", 12)).result()
        _, planted = pool.submit(work, ("planted", "act before intent", 1)).result()
    assert told["breaches"] == []
    assert told["moments"] >= told["points"] // 12 > 4
    assert {case["who"] for case in told["cases"]} == {"same journal", "cut again"}
    assert {(case["state"], *case["breaches"]) for case in told["cases"]} <= {("done",), ("undone",), ("seen",)}
    assert planted["seen"]

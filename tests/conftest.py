"""What holds for every test: properties are about results, so a slow machine never fails one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("lazarus", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("lazarus")

# Tests of real processes: they wait more than they compute, and some wait long.
WAITING = Path(__file__).parent / "faults"


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int | None:
    """One worker more than cores, so that no core is idle while a test waits."""
    if "PYTEST_XDIST_AUTO_NUM_WORKERS" in os.environ:
        return None
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return cores + 1


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What waits begins at once: begun last, it would be waited for alone."""
    items.sort(key=lambda item: WAITING not in item.path.parents)

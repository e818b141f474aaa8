"""Waiting is said while it goes on, and taken back with the answer."""

from __future__ import annotations

import itertools

import pytest

from lazarus_tui.kube.retry import READ
from lazarus_tui.model.http import HttpRequest, HttpResponse
from lazarus_tui.model.operation import OpState
from tests.engine.world import laboratory, plan_for


@pytest.mark.parametrize(("silent", "waits"), [(1.0, False), (2.5, True)])
async def test_a_read_that_is_sent_again_for_long_is_said_and_cleared(silent: float, waits: bool) -> None:
    """With these pauses (0.25, 0.5, 1, 2 s) the read never gives up: what is said comes from the retry alone."""
    since: list[float] = []

    async def away(request: HttpRequest) -> HttpResponse | None:
        if request.method == "GET" and "/configmaps" in request.path:
            since.append(world.clock.monotonic())
            if since[-1] - since[0] < silent:
                raise ConnectionRefusedError("nobody listens")
        return None

    async with laboratory() as (world, engine):
        engine.cluster.policy = READ
        world.faults.append(away)
        done = await engine.run(plan_for(world))
        assert done.state is OpState.DONE
        details = [detail for detail, _ in itertools.groupby(found.steps[0].detail for found in engine.published)]
        said = [detail for detail in details if detail.startswith("waiting for API")]
        assert len(said) == waits, details
        assert all("nobody listens" in detail for detail in said)
        assert not details[-1]

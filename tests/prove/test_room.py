"""What a copy asks for, as the API server fills it in: by limits, and by LimitRanges that come back with it."""

from __future__ import annotations

from typing import Any

import pytest

from lazarus_tui.model.plan import PlanRefused
from tests.prove.hostile.build import thing, workload
from tests.prove.site import Site


def limit_range(name: str, **item: Any) -> dict[str, Any]:
    return thing("v1", "LimitRange", name, spec={"limits": [{"type": "Container", **item}]})


@pytest.mark.parametrize(
    ("container", "ranges", "cpu"),
    [
        ({}, [], ""),
        ({"requests": {"cpu": "3"}}, [], "3"),
        ({"limits": {"cpu": "3"}}, [], "3"),
        ({"requests": {"cpu": "3"}, "limits": {"cpu": "4"}}, [], "3"),
        ({}, [limit_range("a", defaultRequest={"cpu": "3"}, default={"cpu": "4"})], "3"),
        ({}, [limit_range("a", default={"cpu": "4"})], "4"),
        ({}, [limit_range("a", defaultRequest={"cpu": "2500m"}), limit_range("b", defaultRequest={"cpu": "3"})], "3"),
        ({"limits": {"cpu": "2500m"}}, [limit_range("a", defaultRequest={"cpu": "3"})], "2.5"),
        ({"requests": {"memory": "1Mi"}}, [limit_range("a", defaultRequest={"cpu": "3"})], "3"),
        ({}, [limit_range("a", type="Pod", default={"cpu": "3"})], ""),
        ({}, [limit_range("a", max={"memory": "9Gi"})], ""),
    ],
)
async def test_a_container_asks_for_what_it_would_be_given(
    container: dict[str, Any], ranges: list[dict[str, Any]], cpu: str
) -> None:
    site = Site()
    site.backup("full", [workload(container={"resources": container}), *ranges])
    site.node("small", "2", "8Gi")
    told = [one for one in (await site.plan()).warnings if "cpu left" in one]
    assert told == ([f"the nodes have 2 cpu left, the copy asks for {cpu}"] if cpu else [])


async def test_what_is_filled_in_counts_against_the_limits_of_the_proof_too() -> None:
    site = Site()
    site.backup("full", [workload(), limit_range("a", defaultRequest={"memory": "3Gi"})])
    with pytest.raises(PlanRefused, match="more than the limit of 2Gi for memory"):
        await site.plan(limits={"memory": "2Gi"})
    assert (await site.plan(limits={"memory": "3Gi"})).params["limits"] == {"memory": "3Gi"}

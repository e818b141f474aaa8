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


async def test_a_container_that_asks_for_nothing_is_counted_as_the_quarantine_counts_it() -> None:
    """With limits its LimitRange gives such a container 10m and 16Mi, which its quota then counts."""
    site = Site()
    beside = [{"name": f"beside-{n}", "image": "i"} for n in (1, 2)]
    site.backup("full", [workload(containers=beside, container={"resources": {"requests": {"memory": "1Mi"}}})])
    with pytest.raises(PlanRefused, match=r"1 pod, 0\.03 CPU, .*: more than the limit of 29m for cpu"):
        await site.plan(limits={"cpu": "29m"})
    with pytest.raises(PlanRefused, match="more than the limit of 32Mi for memory"):
        await site.plan(limits={"memory": "32Mi"})
    for fits in ({"cpu": "30m"}, {"memory": "33Mi"}):
        assert (await site.plan(limits=fits)).params["limits"] == fits
    site.node("tiny", "20m", "8Gi")
    left = [one for one in (await site.plan(limits={"cpu": "1"})).warnings if "cpu left" in one]
    assert left == ["the nodes have 0.02 cpu left, the copy asks for 0.03"]
    assert not [one for one in (await site.plan()).warnings if "cpu left" in one], "without limits nothing is given"

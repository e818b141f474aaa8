"""The plan says when a copy without a priority of its own may still push others away."""

from __future__ import annotations

from typing import Any

import pytest

from lazarus_tui.kube.errors import Forbidden
from lazarus_tui.prove.precedence import CLASSES, pushing
from tests.prove.hostile.build import workload
from tests.prove.site import Site

STRONG: dict[str, Any] = {"value": 1000, "globalDefault": True, "preemptionPolicy": "PreemptLowerPriority"}


@pytest.mark.parametrize(
    ("fields", "pushes"),
    [
        (STRONG, True), ({**STRONG, "preemptionPolicy": ""}, True), ({**STRONG, "preemptionPolicy": "Never"}, False),
        ({**STRONG, "globalDefault": False}, False), ({**STRONG, "value": -5}, False),
    ],
)  # fmt: skip
async def test_only_a_default_class_that_preempts_is_warned_of(fields: dict[str, Any], pushes: bool) -> None:
    site = Site()
    site.put(CLASSES, "usual", "", **fields)
    assert bool(await pushing(site)) is pushes  # type: ignore[arg-type]


async def test_the_plan_has_the_warning() -> None:
    site = Site()
    site.put(CLASSES, "usual", "", **STRONG)
    site.backup("full", [workload()])
    warnings = (await site.plan(point="full")).warnings
    assert any(one.startswith("the copy gets the cluster's default priority class usual (1000)") for one in warnings)


async def test_what_may_not_be_read_is_not_known() -> None:
    class Closed(Site):
        async def list(self, resource: Any, *args: Any, **more: Any) -> Any:
            raise Forbidden("no", status=403)

    assert "is not known" in (await pushing(Closed()))[0]  # type: ignore[arg-type]

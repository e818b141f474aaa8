"""The plan says which policies of the whole cluster may open the quarantine for pods that no probe is one of."""

from __future__ import annotations

from typing import Any

import pytest

from lazarus_tui.kube.errors import Forbidden, NotFound
from lazarus_tui.model.resources import Resource
from lazarus_tui.prove import overrides
from tests.prove.hostile.build import workload
from tests.prove.site import Site

CALICO = Resource("crd.projectcalico.org", "v1", "globalnetworkpolicies", "GlobalNetworkPolicy", namespaced=False)


@pytest.mark.parametrize(
    ("fields", "opens"),
    [
        ({"spec": {"selector": "app == 'db'", "egress": [{"action": "Allow"}]}}, True),
        ({"spec": {"egress": [{"action": "Deny"}, {"action": "Pass"}]}}, True),
        ({"specs": [{"egress": [{"toEntities": ["world"]}]}]}, True),
        ({"spec": {"egress": [{"action": "Deny"}]}}, False), ({"spec": {"ingress": [{"action": "Allow"}]}}, False),
    ],
)  # fmt: skip
async def test_only_what_lets_something_out_is_warned_of(fields: dict[str, Any], opens: bool) -> None:
    site = Site()
    site.put(CALICO, "everywhere", "", **fields)
    assert bool(await overrides.opening(site)) is opens  # type: ignore[arg-type]


async def test_the_plan_has_the_warning() -> None:
    site = Site()
    site.put(CALICO, "everywhere", "", spec={"egress": [{"action": "Allow"}]})
    site.backup("full", [workload()])
    warnings = (await site.plan(point="full")).warnings
    assert any(one.startswith("GlobalNetworkPolicy everywhere may let pods out by their labels") for one in warnings)


async def test_what_may_not_be_read_is_not_known_and_what_is_not_there_opens_nothing() -> None:
    class Refusing(Site):
        error: Exception = Forbidden("no", status=403)

        async def list(self, resource: Any, *args: Any, **more: Any) -> Any:
            raise self.error

    refusing = Refusing()
    (words,) = await overrides.opening(refusing)  # type: ignore[arg-type]
    assert "is not known" in words
    refusing.error = NotFound("no such kind", status=404)
    assert await overrides.opening(refusing) == []  # type: ignore[arg-type]

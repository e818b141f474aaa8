"""The fault cni-ignores-policy: what it switches is tried with real pods in the data plane's own tests."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from fault_lab import Lab, open_lab

from lazarus_tui.sandbox.dataplane.network import NetworkState
from lazarus_tui.sandbox.faults.model import FaultRefused


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[Lab]:
    async with open_lab(tmp_path) as made:
        yield made


async def test_it_switches_the_relay_and_nothing_that_is_told(lab: Lab) -> None:
    network = lab.cluster.network
    network.state = NetworkState(True)
    fault = await lab.add("cni-ignores-policy", lasts=60)
    assert network.ignores_policies
    assert str(network.state) == "enforced"
    with pytest.raises(FaultRefused, match="active already"):
        await lab.add("cni-ignores-policy")
    await lab.clock.advance(61, between=lab.cluster.settle)
    assert not network.ignores_policies
    assert fault not in lab.cluster.faults.active()


async def test_where_no_policy_holds_it_is_refused_with_the_reason(lab: Lab) -> None:
    with pytest.raises(FaultRefused, match="network policies are not enforced: pods get no networks"):
        await lab.add("cni-ignores-policy")
    assert not lab.cluster.network.ignores_policies

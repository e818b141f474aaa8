"""Several sandboxes on one machine: pods that share its loopback must not meet another sandbox's services there."""

from __future__ import annotations

import asyncio
import ipaddress
from pathlib import Path

from lazarus_tui.model.resources import NAMESPACES, SERVICES
from lazarus_tui.sandbox.clock import VirtualClock
from lazarus_tui.sandbox.cluster import SandboxCluster

HTTP = {"ports": [{"port": 80}]}


def made(folder: Path) -> SandboxCluster:
    return SandboxCluster(folder, VirtualClock(), shop=False, history=False, serve_bucket=False)


async def test_no_two_sandboxes_give_their_services_the_same_addresses(tmp_path: Path) -> None:
    clusters = made(tmp_path / "one"), made(tmp_path / "two")
    await asyncio.gather(*(one.start() for one in clusters))
    try:
        found: list[list[str]] = []
        for cluster in clusters:
            cluster.api.create(NAMESPACES, {"metadata": {"name": "shop"}})
            names = [f"web-{n}" for n in range(3)]
            for name in names:
                cluster.api.create(SERVICES, {"metadata": {"name": name}, "spec": HTTP}, "shop")
            found.append([one["spec"]["clusterIP"] for one in cluster.api.list(SERVICES, "shop")])
            own = ipaddress.ip_network(cluster.addresses.services)
            assert all(ipaddress.ip_address(address) in own for address in found[-1])
        assert not set(found[0]) & set(found[1])
    finally:
        await asyncio.gather(*(one.stop() for one in clusters))


async def test_more_services_than_a_block_holds_get_addresses_all_the_same(tmp_path: Path) -> None:
    cluster = made(tmp_path)
    await cluster.start()
    try:
        cluster.api.create(NAMESPACES, {"metadata": {"name": "shop"}})
        for number in range(260):
            cluster.api.create(SERVICES, {"metadata": {"name": f"web-{number}"}, "spec": HTTP}, "shop")
        found = [one["spec"]["clusterIP"] for one in cluster.api.list(SERVICES, "shop")]
        assert len(set(found)) == 260
    finally:
        await cluster.stop()

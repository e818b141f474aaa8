"""Where an address of the cluster leads, and what the kernel is told to drop."""

from __future__ import annotations

from typing import Any

import pytest

from lazarus_tui.model.resources import ENDPOINTS, NAMESPACES, NETWORKPOLICIES, PODS, SERVICES, Resource
from lazarus_tui.sandbox.dataplane.addresses import API_SERVICE
from lazarus_tui.sandbox.dataplane.atlas import API_SERVER, DNS, Atlas, Target
from lazarus_tui.sandbox.dataplane.policy import EVERYWHERE, Block

Object = dict[str, Any]


def pod(name: str, *, port: int = 0, **spec: Any) -> Object:
    ports = [{"name": "http", "containerPort": port}] if port else []
    meta = {"name": name, "namespace": "shop", "uid": name, "labels": {"app": name}}
    return {"metadata": meta, "spec": {"containers": [{"ports": ports}], **spec}, "status": {"podIP": "127.42.0.99"}}


def service(name: str, address: str, port: int) -> Object:
    return {"metadata": {"name": name, "namespace": "shop"}, "spec": {"clusterIP": address, "ports": [{"port": port}]}}


class Objects:
    def __init__(self) -> None:
        self.kept: dict[Resource, list[Object]] = {
            NAMESPACES: [{"metadata": {"name": "shop"}}],
            PODS: [pod("web", port=8080), pod("orders", port=8081), pod("bare", port=9100, hostNetwork=True)],
            SERVICES: [
                service("orders", "127.43.0.1", 80),
                service("empty", "127.43.0.2", 80),
                service("db", "None", 1),
            ],
            ENDPOINTS: [
                {
                    "metadata": {"name": "orders", "namespace": "shop"},
                    "subsets": [{"addresses": [{"ip": "127.42.0.3"}], "ports": [{"port": 8081}]}],
                }
            ],
            NETWORKPOLICIES: [],
        }

    def get(self, resource: Resource, name: str, namespace: str | None = None) -> Object | None:
        return next((one for one in self.kept[resource] if one["metadata"]["name"] == name), None)

    def list(self, resource: Resource, namespace: str | None = None) -> list[Object]:
        return self.kept[resource]

    def policy(self, **spec: Any) -> None:
        self.kept[NETWORKPOLICIES].append({"metadata": {"name": "p", "namespace": "shop"}, "spec": spec})

    def atlas(self, **options: Any) -> Atlas:
        return Atlas(self, {"web": "127.42.0.2", "orders": "127.42.0.3"}, **options)


@pytest.fixture
def objects() -> Objects:
    return Objects()


def test_where_addresses_lead(objects: Objects) -> None:
    atlas = objects.atlas()
    orders = atlas.parties["orders"]
    assert atlas.targets("127.43.0.1", 80) == [Target(orders, 8081)]  # policies see the pod and its port
    assert atlas.targets("127.42.0.3", 8081) == [Target(orders, 8081)]
    assert atlas.targets(*API_SERVICE) == [Target(API_SERVER, 6443)]
    assert atlas.targets("127.43.0.2", 80) == []  # no endpoint
    assert atlas.targets("127.43.0.1", 81) == []
    assert atlas.targets("127.0.0.1", 80) == []  # the machine is not the outside
    assert [target.party.is_pod for target in atlas.targets("127.42.0.99", 9100)] == [False]  # in the machine's network
    (outside,) = atlas.targets("1.1.1.1", 443)
    assert (outside.party.address, outside.party.is_pod, outside.port) == ("1.1.1.1", False, 443)


def test_which_ports_and_places_there_are(objects: Objects) -> None:
    atlas = objects.atlas()
    assert atlas.ports() == {80, 443, 8080, 8081, 9100}
    assert atlas.places(80) == {"127.43.0.1", "127.43.0.2"}
    assert atlas.places(8081) == {"127.42.0.3"}
    assert atlas.places(443) == {API_SERVICE[0]}


def test_without_policies_nothing_is_filtered_and_a_service_without_endpoints_is_refused_not_dropped(
    objects: Objects,
) -> None:
    atlas = objects.atlas()
    assert atlas.ways_out(atlas.parties["web"], 80) is None
    objects.policy(podSelector={}, policyTypes=["Egress"])
    atlas = objects.atlas()
    ways = atlas.ways_out(atlas.parties["web"], 80)
    assert ways is not None
    assert dict(ways[0])["127.43.0.2"] is True
    assert dict(ways[0])["127.43.0.1"] is False
    assert ways[1] == []
    assert objects.atlas(heed=False).ways_out(atlas.parties["web"], 80) is None


def test_a_pod_that_may_go_nowhere_may_still_talk_to_itself(objects: Objects) -> None:
    objects.policy(podSelector={}, policyTypes=["Ingress", "Egress"])
    atlas = objects.atlas()
    web = atlas.parties["web"]
    ways = atlas.ways_out(web, 8080)
    assert ways is not None
    assert {address for address, passes in ways[0] if passes} == {web.address}
    assert atlas.refusal(web, Target(DNS, 53), "UDP")


def test_the_other_end_closes_a_way_out_too(objects: Objects) -> None:
    objects.policy(podSelector={"matchLabels": {"app": "orders"}}, policyTypes=["Ingress"])
    atlas = objects.atlas()
    ways = atlas.ways_out(atlas.parties["web"], 80)
    assert ways is not None
    assert dict(ways[0])["127.43.0.1"] is False
    assert ways[1] == [EVERYWHERE]


def test_blocks_are_those_of_the_rules_for_the_port(objects: Objects) -> None:
    block = {"cidr": "10.0.0.0/8", "except": ["10.9.0.0/16"]}
    rules = [{"to": [{"ipBlock": block}], "ports": [{"port": 443}]}]
    objects.policy(podSelector={}, policyTypes=["Egress"], egress=rules)
    atlas = objects.atlas()
    for port, expected in ((443, [Block.of(block)]), (80, [])):
        ways = atlas.ways_out(atlas.parties["web"], port)
        assert ways is not None
        assert ways[1] == expected

"""Where an address of the cluster leads, and what the kernel is told to drop."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Hashable

import pytest

from lazarus_tui.model.resources import ENDPOINTS, NAMESPACES, PODS, SERVICES
from lazarus_tui.sandbox.dataplane.addresses import API_SERVICE
from lazarus_tui.sandbox.dataplane.atlas import API_SERVER, DNS, Atlas, Target
from lazarus_tui.sandbox.dataplane.packetfilter import program
from lazarus_tui.sandbox.dataplane.policy import EVERYWHERE, Block
from tests.sandbox.dataplane.drawing import Object, Objects, service


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


def test_an_atlas_says_the_same_until_something_that_it_reads_is_different(objects: Objects) -> None:
    before = objects.atlas()
    objects.kept = copy.deepcopy(objects.kept)
    assert objects.atlas().says_the_same_as(before)
    changes: list[Callable[[], object]] = [
        lambda: objects.policy(podSelector={}),
        lambda: objects.kept[PODS][0]["metadata"]["labels"].update(app="other"),
        lambda: objects.kept[NAMESPACES][0]["metadata"].update(labels={"team": "store"}),
        lambda: objects.kept[SERVICES].append(service("new", "127.43.0.9", 81)),
        lambda: objects.kept[ENDPOINTS].clear(),
        lambda: objects.kept[PODS].pop(),
    ]
    for change in changes:
        objects.kept = copy.deepcopy(objects.kept)
        change()
        after = objects.atlas()
        assert not after.says_the_same_as(before)
        before = after
    assert not Atlas(objects, {"web": "127.42.0.7", "orders": "127.42.0.3"}).says_the_same_as(before)


@pytest.mark.parametrize("seed", range(12))
def test_ports_of_one_sort_have_the_same_ways_out_for_everybody(objects: Objects, seed: int) -> None:
    dice = random.Random(seed)
    peers = [{"podSelector": {}}, {"podSelector": {"matchLabels": {"app": "orders"}}},
             {"ipBlock": {"cidr": "127.42.0.0/30"}}, {"ipBlock": {"cidr": "10.0.0.0/8"}}]  # fmt: skip
    ports = [
        {"port": 80},
        {"port": 8000, "endPort": 8081},
        {"port": 9000, "endPort": 9200},
        {"protocol": "UDP", "port": 53},
    ]
    ports += [{"port": "http"}] if seed % 3 == 0 else []

    def rules(side: str) -> list[Object]:
        return [
            {side: dice.sample(peers, dice.randint(0, 2)), "ports": dice.sample(ports, dice.randint(0, 2))}
            for _ in range(dice.randint(0, 2))
        ]

    for _ in range(dice.randint(1, 3)):
        selector = dice.choice([{}, {"matchLabels": {"app": "orders"}}, {"matchLabels": {"app": "web"}}])
        objects.policy(
            podSelector=selector, policyTypes=["Ingress", "Egress"], ingress=rules("from"), egress=rules("to")
        )
    atlas = objects.atlas()
    sorts: dict[Hashable, list[int]] = {}
    for port in (22, 53, 80, 443, 5432, 8000, 8080, 8081, 8082, 9000, 9100, 9200, 9201):
        sorts.setdefault(atlas.sort(port), []).append(port)
    assert seed % 3 == 0 or max(map(len, sorts.values())) > 1
    for alike in sorts.values():
        for source in atlas.parties.values():
            assert all(atlas.ways_out(source, port) == atlas.ways_out(source, alike[0]) for port in alike)


def test_what_is_no_ipv4_address_leads_nowhere_and_keeps_no_way_from_being_judged(objects: Objects) -> None:
    (subset,) = objects.kept[ENDPOINTS][0]["subsets"]
    subset["addresses"] += [{"ip": "fd00::1"}, {"ip": "db.example.com"}, {"ip": "10.0.0.9"}]
    objects.kept[SERVICES].append(service("odd", "fd00::2", 80))
    objects.kept[PODS][-1]["status"]["podIP"] = "fd00::3"
    objects.policy(podSelector={}, policyTypes=["Egress"], egress=[{"to": [{"ipBlock": {"cidr": "0.0.0.0/0"}}]}])
    atlas = objects.atlas()
    assert {target.party.address for target in atlas.targets("127.43.0.1", 80)} == {"127.42.0.3", "10.0.0.9"}
    for port in (80, 8081, 9100, 22):
        ways = atlas.ways_out(atlas.parties["web"], port)
        assert ways is None or program(*ways)
        assert ways is None or not {"fd00::1", "fd00::2", "fd00::3", "db.example.com"} & {one for one, _ in ways[0]}


def test_a_port_of_a_service_at_the_address_of_a_pod_is_a_sort_of_its_own(objects: Objects) -> None:
    objects.kept[SERVICES].append(service("odd", "127.42.0.2", 5432))
    objects.policy(podSelector={"matchLabels": {"app": "orders"}}, policyTypes=["Egress"])
    atlas = objects.atlas()
    orders = atlas.parties["orders"]
    assert atlas.ways_out(orders, 5432) != atlas.ways_out(orders, 22)
    assert atlas.sort(5432) != atlas.sort(22)

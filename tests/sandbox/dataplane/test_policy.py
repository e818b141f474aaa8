"""What NetworkPolicies mean, row by row of the API's documentation, and what holds for all of them."""

from __future__ import annotations

import random
from typing import Any

import pytest

from lazarus_tui.sandbox.dataplane.policy import Block, Party, Policies, policy_types

NAMESPACES = {"shop": {"team": "store"}, "billing": {"team": "money", "stage": "prod"}, "kube-system": {}}
WEB = Party("10.0.0.1", "shop", {"app": "web"}, (("http", "TCP", 8080), ("metrics", "TCP", 9090)))
ORDERS = Party("10.0.0.2", "shop", {"app": "orders", "tier": "data"}, (("http", "TCP", 8081),))
LEDGER = Party("10.0.1.1", "billing", {"app": "ledger"}, (("http", "TCP", 8082),))
DNS = Party("10.0.2.1", "kube-system", {"k8s-app": "kube-dns"}, (("dns", "UDP", 53),))
INTERNET, OFFICE = Party("93.184.216.34"), Party("192.168.7.9")
NODE = Party("10.0.255.1", node=True)
EVERYONE = {"podSelector": {}}


def policy(spec: dict[str, Any], namespace: str = "shop", name: str = "p") -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": namespace}, "spec": spec}


def passes(
    policies: list[dict[str, Any]], source: Party, target: Party, port: int = 8080, protocol: str = "TCP"
) -> bool:
    return not Policies(policies, NAMESPACES).refusal(source, target, port, protocol)


def ingress(*rules: dict[str, Any], pods: dict[str, Any] | None = None) -> dict[str, Any]:
    return policy({"podSelector": pods or {}, "policyTypes": ["Ingress"], "ingress": list(rules)})


def egress(*rules: dict[str, Any], pods: dict[str, Any] | None = None) -> dict[str, Any]:
    return policy({"podSelector": pods or {}, "policyTypes": ["Egress"], "egress": list(rules)})


def test_without_policies_everything_passes() -> None:
    for source in (WEB, LEDGER, INTERNET, NODE):
        for target in (WEB, ORDERS, LEDGER):
            assert passes([], source, target)
    assert passes([], WEB, INTERNET, 443)


def test_the_documented_default_policies() -> None:
    deny_all = policy({"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}, name="deny-all")
    deny_in, deny_out = ingress(), egress()
    allow_in, allow_out = ingress({}), egress({})
    assert not passes([deny_in], LEDGER, WEB)
    assert passes([deny_in], WEB, LEDGER)  # egress of shop and ingress of billing are open
    assert not passes([deny_out], WEB, LEDGER)
    assert passes([deny_out], LEDGER, WEB)
    assert passes([deny_in, allow_in], INTERNET, WEB)
    assert passes([deny_out, allow_out], WEB, INTERNET, 1)
    assert not passes([deny_all], WEB, ORDERS)
    assert not passes([deny_all], WEB, DNS, 53, "UDP")
    assert "closed by deny-all" in Policies([deny_all], NAMESPACES).refusal(WEB, ORDERS, 8081)


def test_the_node_and_the_pod_itself_are_never_refused() -> None:
    closed = [policy({"podSelector": {}, "policyTypes": ["Ingress", "Egress"]})]
    assert passes(closed, NODE, WEB)
    assert passes(closed, WEB, WEB, 8080)
    assert not passes(closed, OFFICE, WEB)  # a service proxy, for one, comes from outside


def test_both_ends_must_agree() -> None:
    out = egress({"to": [{"podSelector": {"matchLabels": {"app": "orders"}}}]}, pods={"matchLabels": {"app": "web"}})
    closed = ingress(pods={"matchLabels": {"app": "orders"}})
    opened = ingress(
        {"from": [{"podSelector": {"matchLabels": {"app": "web"}}}]}, pods={"matchLabels": {"app": "orders"}}
    )
    assert passes([out], WEB, ORDERS)
    assert not passes([out, closed], WEB, ORDERS)
    assert passes([out, closed, opened], WEB, ORDERS)
    assert not passes([out, opened], WEB, LEDGER)


PEERS: list[tuple[str, dict[str, Any], set[str]]] = [
    ("pods of the policy's own namespace", {"podSelector": {}}, {"WEB", "ORDERS"}),
    ("by label", {"podSelector": {"matchLabels": {"app": "web"}}}, {"WEB"}),
    (
        "by expression",
        {"podSelector": {"matchExpressions": [{"key": "tier", "operator": "Exists"}]}},
        {"ORDERS"},
    ),
    (
        "not in",
        {"podSelector": {"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["web"]}]}},
        {"ORDERS"},
    ),
    ("all namespaces", {"namespaceSelector": {}}, {"WEB", "ORDERS", "LEDGER", "DNS"}),
    ("a namespace by label", {"namespaceSelector": {"matchLabels": {"team": "money"}}}, {"LEDGER"}),
    (
        "a namespace by the name every namespace is labelled with",
        {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "billing"}}},
        {"LEDGER"},
    ),
    (
        "one peer with both selectors means both",
        {"namespaceSelector": {"matchLabels": {"team": "money"}}, "podSelector": {"matchLabels": {"app": "web"}}},
        set(),
    ),
    ("addresses", {"ipBlock": {"cidr": "192.168.0.0/16"}}, {"OFFICE"}),
    ("addresses but for some", {"ipBlock": {"cidr": "0.0.0.0/0", "except": ["192.168.7.0/24"]}},
     {"WEB", "ORDERS", "LEDGER", "DNS", "INTERNET"}),
    ("addresses of pods", {"ipBlock": {"cidr": "10.0.1.0/24"}}, {"LEDGER"}),
]  # fmt: skip


@pytest.mark.parametrize(("peer", "expected"), [row[1:] for row in PEERS], ids=[row[0] for row in PEERS])
def test_peers(peer: dict[str, Any], expected: set[str]) -> None:
    parties = {"WEB": WEB, "ORDERS": ORDERS, "LEDGER": LEDGER, "DNS": DNS, "INTERNET": INTERNET, "OFFICE": OFFICE}
    victim = Party("10.0.9.9", "shop", {"app": "victim"})
    selects = {"matchLabels": {"app": "victim"}}
    inward, outward = ingress({"from": [peer]}, pods=selects), egress({"to": [peer]}, pods=selects)
    assert {name for name, one in parties.items() if passes([inward], one, victim)} == expected
    assert {name for name, one in parties.items() if passes([outward], victim, one)} == expected


def test_two_peers_of_one_rule_mean_either() -> None:
    either = ingress(
        {
            "from": [
                {"namespaceSelector": {"matchLabels": {"team": "money"}}},
                {"podSelector": {"matchLabels": {"app": "orders"}}},
            ]
        }
    )
    assert passes([either], LEDGER, WEB)
    assert passes([either], ORDERS, WEB)
    assert not passes([either], DNS, WEB)


PORTS: list[tuple[str, list[dict[str, Any]], int, str, bool]] = [
    ("by number", [{"port": 8080}], 8080, "TCP", True),
    ("another number", [{"port": 8080}], 8081, "TCP", False),
    ("TCP is the default", [{"port": 53}], 53, "UDP", False),
    ("by protocol", [{"port": 53, "protocol": "UDP"}], 53, "UDP", True),
    ("a protocol without a port", [{"protocol": "TCP"}], 5, "TCP", True),
    ("by the target's name for it", [{"port": "metrics"}], 9090, "TCP", True),
    ("a name that is of another protocol", [{"port": "metrics"}], 9090, "UDP", False),
    ("a name of another port", [{"port": "metrics"}], 8080, "TCP", False),
    ("a name nobody has", [{"port": "nothing"}], 8080, "TCP", False),
    ("first of a range", [{"port": 8000, "endPort": 8080}], 8000, "TCP", True),
    ("last of a range", [{"port": 8000, "endPort": 8080}], 8080, "TCP", True),
    ("behind a range", [{"port": 8000, "endPort": 8079}], 8080, "TCP", False),
    ("no ports mean all", [], 1, "TCP", True),
    ("either of two", [{"port": 1}, {"port": 2}], 2, "TCP", True),
]


@pytest.mark.parametrize(
    ("ports", "port", "protocol", "expected"), [row[1:] for row in PORTS], ids=[row[0] for row in PORTS]
)
def test_ports(ports: list[dict[str, Any]], port: int, protocol: str, expected: bool) -> None:
    assert passes([ingress({"ports": ports})], LEDGER, WEB, port, protocol) is expected
    only_ledger = {"matchLabels": {"app": "ledger"}}
    outward = policy({"podSelector": only_ledger, "policyTypes": ["Egress"], "egress": [{"ports": ports}]}, "billing")
    assert passes([outward], LEDGER, WEB, port, protocol) is expected


def test_a_port_outside_the_cluster_has_no_name() -> None:
    named = egress({"ports": [{"port": "http"}]})
    assert passes([named], WEB, ORDERS, 8081)
    assert not passes([named], WEB, INTERNET, 80)


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"podSelector": {}}, ("Ingress",)),
        ({"podSelector": {}, "egress": []}, ("Ingress",)),
        ({"podSelector": {}, "egress": [{}]}, ("Ingress", "Egress")),
        ({"podSelector": {}, "policyTypes": ["Egress"], "ingress": [{}]}, ("Egress",)),
    ],
)
def test_the_directions_a_policy_is_about(spec: dict[str, Any], expected: tuple[str, ...]) -> None:
    assert policy_types(spec) == expected


def test_allowing_dns_opens_names_and_nothing_else() -> None:
    closed = policy({"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}, name="closed")
    names = egress(
        {
            "to": [{"namespaceSelector": {}, "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}}}],
            "ports": [{"protocol": "UDP", "port": 53}],
        }
    )
    assert passes([closed, names], WEB, DNS, 53, "UDP")
    assert not passes([closed, names], WEB, ORDERS, 8081)
    assert not passes([closed, names], WEB, INTERNET, 53, "UDP")


@pytest.mark.parametrize(
    "rule",
    [
        {"from": [{"ipBlock": {"cidr": "300.0.0.0/8"}}]},
        {"from": [{"ipBlock": {"cidr": "10.0.0.0/8", "except": ["ten"]}}]},
        {"from": [{"podSelector": {"matchExpressions": [{"key": "app", "operator": "Like", "values": ["web"]}]}}]},
        {"ports": [{"port": 80, "endPort": "many"}]},
        {"from": "everybody"},
    ],
)
def test_a_policy_that_makes_no_sense_closes_its_namespace_and_no_other(rule: dict[str, Any]) -> None:
    broken = ingress(rule)
    assert not passes([broken], LEDGER, WEB)
    assert not passes([broken], WEB, INTERNET, 443)
    assert passes([broken], LEDGER, DNS, 53, "UDP")


def _policies(dice: random.Random) -> list[dict[str, Any]]:
    peers = [row[1] for row in PEERS]
    found = []
    for number in range(dice.randint(0, 4)):
        spec: dict[str, Any] = {"podSelector": dice.choice([{}, {"matchLabels": {"app": "web"}}])}
        spec["policyTypes"] = dice.choice([["Ingress"], ["Egress"], ["Ingress", "Egress"]])
        for direction, side in (("ingress", "from"), ("egress", "to")):
            spec[direction] = [
                {
                    side: dice.sample(peers, dice.randint(0, 2)),
                    "ports": dice.choice([[], [{"port": 8080}], [{"port": "http"}]]),
                }
                for _ in range(dice.randint(0, 2))
            ]
        found.append(policy(spec, dice.choice(["shop", "billing"]), f"p{number}"))
    return found


@pytest.mark.parametrize("seed", range(60))
def test_whatever_the_policies_are(seed: int) -> None:
    dice = random.Random(seed)
    policies = _policies(dice)
    parties = [WEB, ORDERS, LEDGER, DNS, INTERNET, OFFICE]
    source, target = dice.choice(parties), dice.choice(parties)
    port = dice.choice([8080, 8081, 443])
    now = passes(policies, source, target, port)
    everything = policy({"podSelector": {}, "policyTypes": ["Ingress", "Egress"], "ingress": [{}], "egress": [{}]})
    both = [everything, {**everything, "metadata": {"name": "e", "namespace": "billing"}}]
    shuffled = dice.sample(policies, len(policies))
    assert passes(shuffled, source, target, port) == now  # their order means nothing
    assert passes([*policies, *both], source, target, port)  # policies only add
    assert passes(policies, NODE, target, port)
    if source.is_pod and not target.is_pod:  # what the kernel is told is what the rules say
        blocks: list[Block] = Policies(policies, NAMESPACES).open_blocks(source, port)
        assert any(block.holds(target.address) for block in blocks) == now


@pytest.mark.parametrize("order", [(ORDERS, LEDGER), (LEDGER, ORDERS)])
def test_a_named_port_is_each_targets_own_whoever_was_asked_about_before(order: tuple[Party, ...]) -> None:
    named = egress({"to": [{"namespaceSelector": {}}], "ports": [{"port": "http"}]})
    policies = Policies([named], NAMESPACES)
    assert {one.address: policies.lets(WEB, one, 8081) for one in order} == {
        ORDERS.address: True,
        LEDGER.address: False,  # its port of that name is another one
    }

"""Policies of the whole cluster: which open a quarantine, for whom and where to; what cannot be told may open it."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Any

import pytest

from lazarus_tui.kube.errors import Forbidden, NotFound
from lazarus_tui.model.plan import PlanRefused
from lazarus_tui.prove import overrides
from lazarus_tui.prove.overrides import (
    ADMIN,
    ANTREA,
    ANTREA_1,
    ANTREA_INSIDE,
    AWS,
    AWS_INSIDE,
    BASELINE,
    CALICO,
    CALICO_3,
    CALICO_3_INSIDE,
    CALICO_INSIDE,
    CILIUM,
    CILIUM_INSIDE,
    CLUSTER,
    EVERY,
    GKE_INSIDE,
    PERHAPS,
    SOME,
)
from lazarus_tui.prove.proof.kinds import Kinds
from lazarus_tui.prove.quarantine.isolation import _leads_out
from lazarus_tui.prove.quarantine.targets import opened_by
from lazarus_tui.prove.rules.table import TABLE
from lazarus_tui.prove.selectors import evaluate
from tests.prove.hostile.build import workload
from tests.prove.site import Site

Json = dict[str, Any]
NAME = "lazarus-q-01234567"
LABELS = {"kubernetes.io/metadata.name": NAME, "lazarus.io/quarantine": "true"}
OURS = {"matchLabels": {"lazarus.io/quarantine": "true"}}
THEIRS = {"matchLabels": {"team": "shop"}}
OUT = [{"action": "Allow", "to": [{"networks": ["192.0.2.0/24"]}], "ports": [{"portNumber": {"port": 514}}]}]
ODD = {"matchExpressions": [{"key": "team", "operator": "Resembles", "values": ["x"]}]}


class Wide(Site):
    """Kinds of several groups have the same plural here."""

    async def list(self, resource: Any, *args: Any, **more: Any) -> Any:
        found = await super().list(resource, *args, **more)
        if "networkpolicies" not in resource.plural:
            return found
        return [one for one in found if one["apiVersion"] == resource.api_version]


async def seen(kind: Any, *, dns: bool = False, **fields: Any) -> overrides.Openings:
    site = Wide()
    site.put(kind, "wide", "", **fields)
    return await overrides.openings(site, overrides.Space(NAME, LABELS, dns=dns))  # type: ignore[arg-type]


def cilium(labels: Json, *egress: Json, **more: Any) -> Json:
    return {"endpointSelector": {"matchLabels": labels}, "egress": list(egress), **more}


IN = "k8s:io.cilium.k8s.namespace.labels.lazarus.io/quarantine"
WORLD = {"toEntities": ["world"]}
DNS_ONLY = [{"action": "Allow", "to": [{"namespaces": {}}], "ports": [{"portNumber": {"port": 53}}]}]
CASES: list[tuple[Any, Json, str]] = [
    (ADMIN, {"subject": {"namespaces": {}}, "egress": OUT}, EVERY),
    (ADMIN, {"subject": {"namespaces": OURS}, "egress": OUT}, EVERY),
    (ADMIN, {"subject": {"namespaces": THEIRS}, "egress": OUT}, ""),
    (ADMIN, {"subject": {"namespaces": ODD}, "egress": OUT}, PERHAPS),
    (ADMIN, {"subject": {"pods": {"namespaceSelector": OURS, "podSelector": THEIRS}}, "egress": OUT}, SOME),
    (ADMIN, {"subject": {"pods": {"namespaceSelector": OURS, "podSelector": {}}}, "egress": OUT}, EVERY),
    (ADMIN, {"subject": {"pods": {"namespaceSelector": THEIRS, "podSelector": {}}}, "egress": OUT}, ""),
    (ADMIN, {"subject": {"namespaces": {}}, "egress": [{**OUT[0], "action": "Pass"}]}, ""),
    (ADMIN, {"subject": {"namespaces": {}}, "egress": [{**OUT[0], "action": "Deny"}]}, ""),
    (ADMIN, {"subject": {"namespaces": {}}, "ingress": [{"action": "Allow"}]}, ""),
    (CLUSTER, {"tier": "Admin", "subject": {"namespaces": {}}, "egress": [{**OUT[0], "action": "Accept"}]}, EVERY),
    (CLUSTER, {"tier": "Baseline", "subject": {"namespaces": {}}, "egress": [{**OUT[0], "action": "Accept"}]}, ""),
    (BASELINE, {"subject": {"namespaces": {}}, "egress": OUT}, ""),
    (CALICO, {"egress": [{"action": "Allow"}]}, EVERY),
    (CALICO, {"selector": "app == 'db'", "egress": [{"action": "Allow"}]}, SOME),
    (CALICO, {"selector": "projectcalico.org/namespace == 'shop'", "egress": [{"action": "Allow"}]}, ""),
    (CALICO, {"namespaceSelector": "has(team)", "egress": [{"action": "Allow"}]}, ""),
    (CALICO, {"namespaceSelector": "has(projectcalico.org/name) && projectcalico.org/name not in {'kube-system'}",
              "egress": [{"action": "Allow", "destination": {"nets": ["192.0.2.7/32"]}}]}, EVERY),
    (CALICO, {"namespaceSelector": "team starts with 'x'", "egress": [{"action": "Allow"}]}, PERHAPS),
    (CALICO, {"egress": [{"action": "Deny"}, {"action": "Log"}]}, ""),
    (CALICO, {"egress": [{"action": "Deny"}, {"action": "Pass"}]}, EVERY),
    (CALICO, {"types": ["Ingress"], "egress": [{"action": "Allow"}]}, ""),
    (CILIUM, cilium({}, WORLD), EVERY),
    (CILIUM, cilium({IN: "true"}, WORLD), EVERY),
    (CILIUM, cilium({IN: "false"}, WORLD), ""),
    (CILIUM, cilium({"k8s:io.kubernetes.pod.namespace": NAME, "k8s:app": "db"}, WORLD), SOME),
    (CILIUM, cilium({"k8s:io.kubernetes.pod.namespace": "shop"}, WORLD), ""),
    (CILIUM, cilium({}, {}), ""),
    (CILIUM, cilium({}, egressDeny=[WORLD]), ""),
    (CILIUM, {"nodeSelector": {}, "egress": [WORLD]}, ""),
    (AWS, {"tier": "Admin", "subject": {"namespaces": {}}, "egress": [{**OUT[0], "action": "Accept"}]}, EVERY),
    (AWS, {"tier": "Admin", "subject": {"namespaces": {}}, "egress": [{**OUT[0], "action": "Pass"}]}, ""),
    (AWS, {"tier": "Baseline", "subject": {"namespaces": {}}, "egress": [{**OUT[0], "action": "Accept"}]}, ""),
    (ANTREA, {"egress": [{"action": "Allow"}]}, PERHAPS),
    (ANTREA_1, {"egress": [{"action": "Allow"}]}, PERHAPS),
    (ANTREA, {"egress": [{"action": "Drop"}]}, ""),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "spec", "who"), CASES)
async def test_whom_a_policy_lets_out(kind: Any, spec: Json, who: str) -> None:
    found = (await seen(kind, spec=spec)).found
    assert [one.who for one in found] == ([who] if who else [])
    if kind == CILIUM:
        assert [one.who for one in (await seen(kind, specs=[{}, spec])).found] == ([who] if who else [])


async def test_where_to_is_said_and_tried() -> None:
    (admin,) = (await seen(ADMIN, spec={"subject": {"namespaces": {}}, "egress": OUT})).found
    assert admin.words == f"AdminNetworkPolicy wide lets {EVERY} out to 192.0.2.0/24 port 514"
    to = {"nets": ["192.0.2.7/32", "10.0.0.0/7"], "ports": [443, "8000:9000"]}
    (calico,) = (await seen(CALICO, spec={"egress": [{"action": "Allow", "destination": to}]})).found
    nets = {"toCIDRSet": [{"cidr": "2001:db8::/32"}], "toPorts": [{"ports": [{"port": "80"}]}]}
    (cilium_,) = (await seen(CILIUM, spec=cilium({}, nets, {"toFQDNs": [{"matchName": "x"}]}))).found
    assert cilium_.to == ("2001:db8::/32 port 80", "toFQDNs")
    tried = opened_by([admin, calico, cilium_], ["globalnetworkpolicies.crd.projectcalico.org/wi*"])
    assert [(one.host, one.port, one.expected) for one in tried] == [
        ("192.0.2.1", 514, "closed"), ("192.0.2.7", 443, "either"), ("2001:db8::1", 80, "closed"),
    ]  # fmt: skip


async def test_a_way_to_names_opens_nothing_where_the_plan_lets_names_out() -> None:
    policy = {"subject": {"namespaces": {}}, "egress": DNS_ONLY}
    assert len((await seen(ADMIN, spec=policy)).found) == 1
    assert (await seen(ADMIN, spec=policy, dns=True)).found == ()
    ranged = [{**DNS_ONLY[0], "ports": [{"portNumber": {"port": 53}}, {"portRange": {"start": 1, "end": 9}}]}]
    assert len((await seen(ADMIN, spec={**policy, "egress": ranged}, dns=True)).found) == 1


PORT_53, PINGS = {"port": "53", "protocol": "UDP"}, {"icmps": [{"fields": [{"type": 8, "family": "IPv4"}]}]}


@pytest.mark.parametrize(
    ("way", "opens"),
    [
        ({"toPorts": [{"ports": [PORT_53]}]}, False),
        ({"toPorts": [{"ports": [PORT_53, {"port": "53", "protocol": "TCP", "endPort": 53}]}]}, False),
        ({"toPorts": [{"ports": [{**PORT_53, "endPort": 65535}]}]}, True),
        ({"toPorts": [{"ports": [PORT_53, {"port": "https"}]}]}, True),
        ({"toPorts": [{"ports": [PORT_53]}, {"rules": {}}]}, True),
        ({"toPorts": [{"ports": [PORT_53]}], **PINGS}, True),
        (PINGS, True),
        ({"toEntities": ["world"]}, True),
    ],
)  # fmt: skip
async def test_of_ciliums_ways_only_port_53_alone_is_one_to_names(way: Json, opens: bool) -> None:
    assert len((await seen(CILIUM, spec=cilium({}, way), dns=True)).found) == opens


async def test_a_policy_that_is_not_the_stored_one_of_its_name_is_told_too() -> None:
    """Without its own API server Calico keeps projectcalico.org itself, and what lay in storage before stays there."""
    site, space = Wide(), overrides.Space(NAME, LABELS)
    site.put(CALICO, "default.logs", "", spec={"egress": [{"action": "Deny"}]})
    for name in ("logs", "mail"):
        site.put(CALICO_3, name, "", spec={"egress": [{"action": "Allow"}]})
    found = (await overrides.openings(site, space)).found  # type: ignore[arg-type]
    assert [one.policy for one in found] == [f"{CALICO_3.group_resource}/{name}" for name in ("logs", "mail")]


@pytest.mark.parametrize(
    ("kind", "name", "spec", "told"),
    [
        (CILIUM_INSIDE, "new", cilium({"app": "db"}, WORLD), True),
        (CILIUM_INSIDE, "new", cilium({"app": "db"}, egressDeny=[WORLD]), False),
        (CILIUM_INSIDE, "new", cilium({}, {"toEndpoints": [{"matchLabels": {"app": "db"}}, {}]}), False),
        (CILIUM_INSIDE, "new", cilium({}, {"toEndpoints": [{"matchLabels": {"reserved:world": ""}}]}), True),
        (CILIUM_INSIDE, "new", cilium({}, {"toEndpoints": [{"matchExpressions": [
            {"key": "k8s:io.kubernetes.pod.namespace", "operator": "Exists"}]}]}), True),
        (CILIUM_INSIDE, "new", cilium({}, {"toEndpoints": [{}], "toEntities": ["world"]}), True),
        (CALICO_INSIDE, "default.new", {"selector": "app == 'db'", "egress": [{"action": "Allow"}]}, True),
        (CALICO_3_INSIDE, "new", {"egress": [{"action": "Allow"}]}, True),
        (CALICO_3_INSIDE, "knp.default.lazarus-inside", {"egress": [{"action": "Allow"}]}, False),
        (ANTREA_INSIDE, "new", {"egress": [{"action": "Allow"}]}, True),
        (AWS_INSIDE, "new", {"podSelector": {}, "egress": [{"to": [{"domainNames": ["x.example"]}]}]}, True),
        (AWS_INSIDE, "new", {"podSelector": {}, "policyTypes": ["Egress"]}, False),
        (GKE_INSIDE, "new", {"podSelector": {}, "egress": [{"matches": [{"name": "x.example"}]}]}, True),
        (ANTREA_INSIDE, "new", {"egress": [{"action": "Drop"}]}, False),
    ],
)  # fmt: skip
async def test_a_policy_of_the_cni_that_somebody_makes_in_the_quarantine_may_open_it(
    kind: Any, name: str, spec: Json, told: bool
) -> None:
    site, space = Wide(), overrides.Space(NAME, LABELS)
    site.put(kind, name, NAME, spec=spec)
    site.put(kind, name, "shop", spec={**spec, "egress": [{"action": "Allow", **WORLD}]})
    found = await overrides.inside(site, space)  # type: ignore[arg-type]
    what = f"{kind.group_resource}/{name}"
    assert found.names([]) == [what] * told
    assert overrides.is_one(what)
    assert found.names([what]) == []


def test_no_policy_that_could_open_a_quarantine_comes_back_into_it() -> None:
    (rule,) = [one for one in TABLE if one.id == overrides.RULE]
    for kind in (*overrides._JUDGES, *overrides._INSIDE):
        assert any(fnmatchcase(kind.group_resource, glob) for glob in rule.resources), kind.group_resource


def test_a_range_of_ports_that_begins_at_53_is_no_way_to_names() -> None:
    to: list[Json] = [{"namespaceSelector": {}}]
    for ports, outside in (([{"port": 53}], False), ([{"port": 53}, {"port": 53, "endPort": 9999}], True)):
        assert _leads_out({"egress": [{"to": to, "ports": ports}]}, dns=True) is outside


class Refusing(Wide):
    error: Exception = Forbidden("no", status=403)

    async def list(self, resource: Any, *args: Any, **more: Any) -> Any:
        if resource in (CALICO, CILIUM):
            raise self.error
        return await super().list(resource, *args, **more)


async def test_what_may_not_be_read_may_open_it_if_it_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    space, site = overrides.Space(NAME, LABELS), Refusing()

    async def known(reader: Any) -> Kinds:
        return Kinds.of([CALICO], silent)

    silent: list[str] = []
    monkeypatch.setattr(overrides, "kinds", known)
    found = await overrides.openings(site, space)  # type: ignore[arg-type]
    assert found.unread == ("globalnetworkpolicies.crd.projectcalico.org",), "Cilium's is not served: there is none"
    (words,) = found.unshown([])
    assert words == "globalnetworkpolicies.crd.projectcalico.org cannot be read (missing right: list)"
    assert found.unshown(["globalnetworkpolicies.crd.projectcalico.org/one"]) == [words]
    assert found.unshown(["globalnetworkpolicies.crd.projectcalico.org"]) == []
    silent.append("cilium.io")
    assert len((await overrides.openings(site, space)).unread) == 2  # type: ignore[arg-type]
    site.error = NotFound("no such kind", status=404)
    assert await overrides.openings(site, space) == overrides.Openings(())  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "whole", "answer"),
    [
        ("", True, True), ("all()", True, True), ("global()", True, False), ("a == '1'", True, True),
        ('a != "1"', True, False), ("has(a)", True, True), ("has(b)", True, False), ("has(b)", False, None),
        ("!has(b)", True, True), ("a in {'1', '2'}", True, True), ("a not in {'1'}", True, False),
        ("b == 'x'", False, None), ("b == 'x' && a == '2'", False, False), ("b == 'x' || a == '1'", False, True),
        ("!(a == '1' && has(b))", True, True), ("a == '1' || a == '2' && has(b)", True, True),
        ("a contains '1'", True, None), ("a ==", True, None), ("a == '1' junk", True, None), ("((has(a)", True, None),
        ("b not in {'x'}", True, True), ("%", True, None), ("!" * 5000 + "all()", True, None),
    ],
)  # fmt: skip
def test_expressions_are_true_false_or_not_known(text: str, whole: bool, answer: bool | None) -> None:
    assert evaluate(text, {"a": "1"}, whole=whole) is answer


async def test_a_policy_that_is_served_twice_is_told_once() -> None:
    site = Wide()
    spec = {"egress": [{"action": "Allow"}]}
    for kind, name in ((CALICO, "default.logs"), (CALICO_3, "logs")):
        site.put(kind, name, "", spec=spec)
        (one,) = (await overrides.openings(site, overrides.Space(NAME, LABELS))).found  # type: ignore[arg-type]
        assert one.policy == f"{CALICO.group_resource}/default.logs"
    site.drop(CALICO, "default.logs")
    (one,) = (await overrides.openings(site, overrides.Space(NAME, LABELS))).found  # type: ignore[arg-type]
    assert one.policy == f"{CALICO_3.group_resource}/logs"


async def test_a_policy_that_is_served_in_two_versions_is_told_once() -> None:
    site = Wide()
    for kind in (ANTREA, ANTREA_1):
        site.put(kind, "logs", "", spec={"egress": [{"action": "Allow"}]})
    site.list = _regardless(site)  # type: ignore[method-assign]
    found = (await overrides.openings(site, overrides.Space(NAME, LABELS))).found  # type: ignore[arg-type]
    assert [one.policy for one in found] == [f"{ANTREA.group_resource}/logs"]


def _regardless(site: Wide) -> Any:
    """Each version of Antrea's kind shows the object."""

    async def listed(resource: Any, *args: Any, **more: Any) -> Any:
        found = await Site.list(site, resource, *args, **more)
        return found if resource in (ANTREA, ANTREA_1) else []

    return listed


async def test_the_plan_says_what_would_be_open_and_lets_stand_what_is_named() -> None:
    site = Site()
    site.put(CALICO, "logs", "", spec={"egress": [{"action": "Allow", "destination": {"nets": ["192.0.2.9/32"]}}]})
    site.put(ADMIN, "theirs", "", spec={"subject": {"namespaces": THEIRS}, "egress": OUT})
    site.put(ADMIN, "ours", "", spec={"subject": {"namespaces": OURS}, "egress": OUT})
    site.backup("full", [workload()])
    said = [one for one in (await site.plan(point="full")).warnings if "Policy" in one]
    words = f"GlobalNetworkPolicy logs lets {EVERY} out to 192.0.2.9/32"
    ours = f"cannot be shown closed: AdminNetworkPolicy ours lets {EVERY} out to 192.0.2.0/24 port 514"
    assert said == [f"cannot be shown closed: {words}", ours]
    allow = {"rule": "S2", "what": f"{CALICO.group_resource}/logs", "reason": "logs", "expires": "2999-01-01T00:00:00Z"}
    plan = await site.plan(point="full", allow=[allow])
    assert [one for one in plan.warnings if "Policy" in one] == [f"{words}, which is let stand", ours]
    assert "networkpolicies.networking.k8s.io" in plan.params["restore"]["spec"]["excludedResources"]
    for what in ("networkpolicies.networking.k8s.io/open", "*", "global*/logs"):
        with pytest.raises(PlanRefused, match="S2 has no exceptions"):
            await site.plan(point="full", allow=[{**allow, "what": what}])

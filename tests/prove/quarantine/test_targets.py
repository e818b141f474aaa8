"""Where a quarantine is tried: every address of both families, by TCP and for names by UDP, with a control for each."""

from __future__ import annotations

from typing import Any

import pytest

from lazarus_tui.model.resources import NODES, PODS, SERVICES, SLICES
from lazarus_tui.prove.quarantine import names
from lazarus_tui.prove.quarantine.probing import Probe, judge, meaning
from lazarus_tui.prove.quarantine.targets import CLOSED, OPEN, TCP, UDP, Target, targets
from tests.prove.quarantine.grounds import OP, QUARANTINE
from tests.snapshots.stage import SPACE
from tests.velero.lab import Lab, World

ENV = {"KUBERNETES_SERVICE_HOST": "10.96.0.1", "KUBERNETES_SERVICE_PORT": "443"}
BOTH = {"listeners": ["10.1.0.2", "fd00::2"], "dialers": ["10.1.0.3", "fd00::3"]}
READY = {"conditions": [{"type": "Ready", "status": "True"}]}


def twofold() -> Lab:
    """A cluster with both families, two API servers, one of them on the dialer's node."""
    world = World()
    world.put(PODS, names.DIALER, QUARANTINE, spec={"nodeName": "a"}, status={"hostIP": "192.0.2.1"})
    addresses = [{"type": "InternalIP", "address": one} for one in ("192.0.2.2", "2001:db8::2")]
    world.put(NODES, "a", "", status={"addresses": []})
    world.put(NODES, "b", "", status={"addresses": addresses})
    meta = {"labels": {"component": "apiserver"}}
    world.put(SERVICES, "kubernetes", "default", metadata=meta,
              spec={"clusterIPs": ["10.96.0.1", "fd01::1"], "ports": [{"port": 443}]})  # fmt: skip
    ends = [{"addresses": ["192.0.2.1"]}, {"addresses": ["192.0.2.9"], "conditions": {"ready": True}},
            {"addresses": ["192.0.2.8"], "conditions": {"ready": False}}]  # fmt: skip
    world.put(SLICES, "kubernetes", "default", metadata={"labels": {"kubernetes.io/service-name": "kubernetes"}},
              endpoints=ends, ports=[{"port": 6443}])  # fmt: skip
    ports = [{"port": 5432}, {"port": 53, "protocol": "UDP"}]
    world.put(SERVICES, "db", SPACE, spec={"clusterIP": "10.96.0.7", "clusterIPs": ["10.96.0.7", "fd01::7"],
                                           "selector": {"app": "db"}, "ports": ports})  # fmt: skip
    world.put(SERVICES, "headless", SPACE, spec={"clusterIP": "None", "clusterIPs": ["None"], "ports": ports})
    ips = {"podIP": "10.1.0.9", "podIPs": [{"ip": "10.1.0.9"}, {"ip": "fd00::9"}]}
    world.put(PODS, "db-0", SPACE, metadata={"labels": {"app": "db"}}, status={**ips, **READY},
              spec={"containers": [{"name": "db", "ports": [{"containerPort": 5432}]}]})  # fmt: skip
    dns = {"labels": {"k8s-app": "kube-dns"}}
    world.put(SERVICES, "kube-dns", "kube-system", metadata=dns,
              spec={"clusterIPs": ["10.96.0.10", "fd01::a"],
                    "ports": [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}]})  # fmt: skip
    world.put(PODS, "coredns", "kube-system", metadata=dns, spec={}, status={"podIP": "10.1.0.10", **READY})
    lab = Lab(world)
    lab.facts["prove.space"] = {"uid": "u", **BOTH}
    return lab


async def places(lab: Lab, **params: Any) -> dict[str, list[str]]:
    wanted = names.quarantine({"op": OP, "namespace": SPACE, "workload": "StatefulSet/db", **params})
    found: dict[str, list[str]] = {}
    for one in await targets(lab, wanted, ENV):  # type: ignore[arg-type]
        found.setdefault(f"{one.kind} {one.expected}", []).append(one.place)
    return found


async def test_every_address_of_both_families_is_tried_and_listed() -> None:
    assert await places(twofold()) == {
        "control open": ["10.1.0.2:8080", "[fd00::2]:8080", "kubernetes.default.svc.cluster.local"],
        "api closed": ["10.96.0.1:443", "[fd01::1]:443", "192.0.2.9:6443"],
        "api either": ["192.0.2.1:6443"],
        "service closed": ["10.96.0.7:5432", "[fd01::7]:5432"],
        "pod closed": ["10.1.0.9:5432", "[fd00::9]:5432"],
        "metadata closed": ["169.254.169.254:80", "[fd00:ec2::254]:80", "169.254.169.254:53/udp"],
        "internet closed": ["1.1.1.1:443", "[2606:4700:4700::1111]:443", "1.1.1.1:53/udp"],
        "dns closed": [
            "kubernetes.default.svc.cluster.local", "10.96.0.10:53", "[fd01::a]:53", "10.96.0.10:53/udp",
            "[fd01::a]:53/udp", "10.1.0.10:53",
        ],
        "kubelet closed": ["192.0.2.2:10250", "[2001:db8::2]:10250"],
    }  # fmt: skip


async def test_only_families_that_the_dialer_has_are_tried() -> None:
    lab = twofold()
    lab.facts["prove.space"] = {"uid": "u", "listeners": ["10.1.0.2"], "dialers": ["10.1.0.3"]}
    assert not [one for found in (await places(lab)).values() for one in found if one.startswith("[")]
    lab.facts["prove.space"] = {"uid": "u", "listeners": ["fd00::2"], "dialers": ["fd00::3"]}
    every = [one for found in (await places(lab)).values() for one in found]
    assert [one for one in every if not one.startswith("[")] == ["kubernetes.default.svc.cluster.local"] * 2


async def test_what_an_earlier_version_wrote_down_of_the_probes_is_enough() -> None:
    lab = twofold()
    lab.facts["prove.space"] = {"uid": "u", "listener": "10.1.0.2", "dialer": "10.1.0.3"}
    assert (await places(lab))["control open"][0] == "10.1.0.2:8080"


async def test_where_names_are_open_the_name_server_is_by_every_way() -> None:
    found = await places(twofold(), network={"dns": True})
    assert "dns closed" not in found
    assert found["control open"] == ["10.1.0.2:8080", "[fd00::2]:8080"], "its own question is the control"
    assert "[fd01::a]:53/udp" in found["dns open"]


async def test_the_other_probe_asks_for_the_names_that_the_dialer_must_not_get() -> None:
    wanted = names.quarantine({"op": OP, "namespace": SPACE})
    found = [one for one in await targets(twofold(), wanted, ENV) if one.protocol == UDP and not one.host]  # type: ignore[arg-type]
    assert [(one.kind, one.probe, one.expected) for one in found] == [
        ("control", names.LISTENER, OPEN), ("dns", names.DIALER, CLOSED),
    ]  # fmt: skip
    assert found[0].argv == found[1].argv


def test_a_name_is_asked_of_the_server_that_is_meant() -> None:
    asked = Target("dns", "x", "10.96.0.10", 53, CLOSED, protocol=UDP).argv
    assert asked == ("nslookup", "-timeout=2", "kubernetes.default.svc.cluster.local", "10.96.0.10")
    assert Target("dns", "x", "", 0, CLOSED, protocol=UDP).argv == asked[:-1]


def test_a_name_server_that_knows_no_such_name_was_reached() -> None:
    way = Target("internet", "x", "1.1.1.1", 53, CLOSED, protocol=UDP)
    assert meaning(way, _done(0, b""))[0] == OPEN
    for said, seen in ((b"** server can't find x: NXDOMAIN", OPEN), (b";; no servers could be reached", CLOSED)):
        assert meaning(way, _done(1, said))[0] == seen


def _done(code: int, err: bytes) -> Any:
    class Done:
        stdout, stderr, exit_code = b"", err, code

    return Done()


def probe(
    kind: str, target: str, seen: str, *, answers: bool = False, protocol: str = TCP, family: str = "IPv4"
) -> Probe:
    expected = OPEN if kind == "control" else CLOSED
    return Probe(kind, kind, target, expected, seen, 0.1, answers, "", protocol, family)


FOUR = [probe("control", "10.1.0.2:8080", OPEN, answers=True), probe("api", "10.96.0.1:443", CLOSED, answers=True)]
SIX = probe("internet", "[2606::1]:443", CLOSED, family="IPv6")
ALIVE = probe("pod", "[fd00::9]:5432", CLOSED, answers=True, family="IPv6")
LISTENS = probe("control", "[fd00::2]:8080", OPEN, answers=True, family="IPv6")


@pytest.mark.parametrize(
    ("more", "closed", "words"),
    [
        ([], True, "closed: 1 ways out"),
        ([SIX], None, "over IPv6 nothing that surely answers could be tried"),
        ([SIX, ALIVE], None, "over IPv6 nothing that surely answers"),
        ([SIX, LISTENS], None, "over IPv6 nothing that surely answers"),
        ([SIX, ALIVE, LISTENS], True, "closed: 3 ways out"),
        ([probe("control", "[fd00::2]:8080", CLOSED, family="IPv6")], None, "reached (no answer at [fd00::2]:8080)"),
        ([probe("dns", "10.96.0.10:53/udp", OPEN, protocol=UDP)], False, "dns (10.96.0.10:53/udp) could be reached"),
        ([probe("dns", "name", CLOSED, protocol=UDP, family="")], True,
         "closed: 2 ways out were tried, none was open (by UDP only a leak would show: it has no control)"),
        ([probe("dns", "name", CLOSED, protocol=UDP, family=""),
          probe("control", "name", CLOSED, answers=True, protocol=UDP, family="")], True,
         "closed: 2 ways out were tried, none was open (by UDP only a leak would show: its control got no answer)"),
    ],
)  # fmt: skip
def test_each_family_is_shown_by_its_own_control_and_somebody_who_answers(
    more: list[Probe], closed: bool | None, words: str
) -> None:
    found = judge([*FOUR, *more])
    assert found.closed is closed
    assert words in found.words


def test_by_udp_silence_shows_something_where_the_control_is_answered() -> None:
    silent, heard = (
        probe(kind, "name", seen, answers=kind == "control", protocol=UDP, family="")
        for kind, seen in (("dns", CLOSED), ("control", OPEN))
    )
    assert judge([*FOUR, silent, heard]).words == "closed: 2 ways out were tried, none was open"
    lonely = judge([FOUR[1], silent, heard])
    assert (lonely.closed, lonely.words.startswith("the probes themselves do not work")) == (None, True), (
        "TCP has its own"
    )


@pytest.mark.parametrize("code", [126, 127, 128 + 9, 128 + 14, 128 + 15])
def test_a_command_that_a_signal_ended_shows_nothing(code: int) -> None:
    way = Target("service", "shop/db", "10.96.0.7", 5432, CLOSED, answers=True)
    assert meaning(way, _done(code, b""))[0] == "unknown"
    assert meaning(way, _done(1, b""))[0] == CLOSED

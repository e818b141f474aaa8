"""A proof's quarantine from its beginning to the proof that it is gone: virtual time, real objects and policies."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

import pytest

from lazarus_tui.model.http import HttpRequest, HttpResponse
from lazarus_tui.model.operation import OpState
from lazarus_tui.model.quantities import parse
from lazarus_tui.model.resources import (
    CRDS,
    LIMIT_RANGES,
    NAMESPACES,
    NETWORKPOLICIES,
    PODS,
    QUOTAS,
    RESTORES,
    SERVICEACCOUNTS,
    SERVICES,
    Resource,
)
from lazarus_tui.model.steps import Observation, Seen
from lazarus_tui.prove.proof.preflight import Preflight
from lazarus_tui.prove.quarantine import bodies, names
from lazarus_tui.prove.quarantine.isolation import SETTLES
from lazarus_tui.prove.quarantine.steps import Clean, Isolation, ShownClean, Space
from lazarus_tui.sandbox.api.errors import ApiError
from lazarus_tui.sandbox.dataplane.atlas import DNS, Target
from tests.prove.hostile.build import definition, thing
from tests.prove.quarantine.grounds import OP, QUARANTINE, VELERO, Grounds, Said, grounds
from tests.snapshots.stage import SPACE
from tests.velero.lab import Lab, World


def step(done: Any, name: str) -> Any:
    return next(one for one in done.steps if one.name == name)


async def test_made_closed_shown_closed_and_gone_without_a_trace() -> None:
    async with grounds() as ground:
        before = ground.everything()
        done = await ground.prove()
        assert (done.state, done.message) == (OpState.DONE, "")
        assert ground.everything() == before
        made = [one.path for one in ground.sent if one.method == "POST" and one.path.rpartition("/")[2] != "exec"]
        inside = f"/namespaces/{QUARANTINE}/"
        assert made[0] == "/api/v1/namespaces"
        pods = made.index(f"/api/v1{inside}pods")
        assert made[1:pods] == [f"/apis/networking.k8s.io/v1{inside}networkpolicies"] * 5 + [
            f"/api/v1{inside}resourcequotas"
        ]
        gone = [path.replace(QUARANTINE, "q") for path in ground.deletions()]
        assert gone == [
            "/apis/apps/v1/namespaces/q/statefulsets/db",
            "/api/v1/namespaces/q/pods/db-0",
            "/api/v1/namespaces/q/pods/lazarus-probe-dialer",
            "/api/v1/namespaces/q/pods/lazarus-probe-listener",
            "/api/v1/namespaces/q/persistentvolumeclaims/data-db-0",
            "/api/v1/namespaces/q",
            "/apis/velero.io/v1/namespaces/velero/restores/back",
            "/api/v1/namespaces/velero/configmaps/rules",
        ]
        shown = done.facts["prove.isolation"]
        assert {one["kind"] for one in shown["probes"] if one["expected"] == "closed"} == {
            "api", "service", "pod", "metadata", "internet", "dns",
        }  # fmt: skip
        assert [one["what"] for one in shown["probes"] if one["kind"] == "service"] == ["prod/db", "prod/web"]
        assert (shown["closed"], shown["rounds"]) == (True, 1)
        assert done.facts["prove.isolation_after"]["closed"] is True
        assert done.facts["prove.cleaned"] == {
            "clean": True, "kept_until": "", "leftovers": [], "lost": [], "unseen": [], "words": "nothing is left",
        }  # fmt: skip


async def test_a_cni_that_keeps_to_no_policy_lets_nothing_be_restored() -> None:
    async with grounds() as ground:
        ground.ways.heed = False
        done = await ground.prove()
        assert done.message.startswith(
            "isolation not enforced: the CNI does not enforce network policies: the API server"
        )
        assert done.facts["prove.isolation"]["closed"] is False
        assert ground.get(RESTORES, "back", VELERO) is None
        open_ways = {one["kind"] for one in done.facts["prove.isolation"]["probes"] if one["seen"] == "open"}
        assert {"api", "service", "pod", "internet", "dns", "control"} <= open_ways


async def test_one_hole_is_named() -> None:
    """Somebody's policy opens one service; before the restore, and after it."""
    async with grounds() as ground:
        way = {"to": [{"namespaceSelector": {}, "podSelector": {"matchLabels": {"app": "web"}}}]}
        hole = {"podSelector": {}, "policyTypes": ["Egress"], "egress": [way]}

        def opened(argv: tuple[str, ...]) -> Said | None:
            if ground.get(RESTORES, "back", VELERO) and not ground.get(NETWORKPOLICIES, "restored", QUARANTINE):
                ground.api.create(NETWORKPOLICIES, {"metadata": {"name": "restored"}, "spec": hole}, QUARANTINE)
            return None

        ground.ways.strange = opened
        done = await ground.prove()
        assert done.facts["prove.isolation"]["closed"] is True
        assert done.facts["prove.isolation_after"]["closed"] is False
        assert "it is not closed: prod/web (" in done.message
        assert "prod/db" not in done.message


async def test_a_policy_for_other_pods_than_the_probes_is_a_hole_too() -> None:
    """No probe can get through it: it is about pods of the copy, which are not there yet."""
    async with grounds() as ground:
        way = {"to": [{"ipBlock": {"cidr": "10.9.8.7/32"}}]}
        hole = {"podSelector": {"matchLabels": {"app": "db"}}, "policyTypes": ["Egress"], "egress": [way]}
        beside = {"podSelector": {}, "policyTypes": ["Egress"], "egress": [{"to": [{"podSelector": {}}]}]}

        def opened(argv: tuple[str, ...]) -> Said | None:
            if ground.get(RESTORES, "back", VELERO) and not ground.get(NETWORKPOLICIES, "restored", QUARANTINE):
                ground.api.create(NETWORKPOLICIES, {"metadata": {"name": "restored"}, "spec": hole}, QUARANTINE)
                ground.api.create(NETWORKPOLICIES, {"metadata": {"name": "beside"}, "spec": beside}, QUARANTINE)
            return None

        ground.ways.strange = opened
        done = await ground.prove()
        assert done.facts["prove.isolation"]["closed"] is True
        assert done.facts["prove.isolation_after"]["closed"] is False
        assert done.message.startswith("isolation not enforced: it is not closed: network policies")
        assert "open it: restored" in done.message
        assert "beside" not in done.message


async def test_policies_that_take_their_time_are_waited_for() -> None:
    async with grounds() as ground:
        rounds = iter(range(1000))
        slow = lambda argv: Said(0) if argv[0] == "nc" and next(rounds) < 20 else None  # noqa: E731
        ground.ways.strange = slow
        done = await ground.prove()
        assert done.state is OpState.DONE
        assert done.facts["prove.isolation"]["closed"] is True
        assert done.facts["prove.isolation"]["rounds"] == 4


async def test_a_round_in_which_the_engine_was_held_up_is_not_the_last() -> None:
    async with grounds() as ground:
        tried = set[tuple[str, ...]]()

        def strange(argv: tuple[str, ...]) -> Said | None:
            if argv[0] != "nc" or argv in tried:
                return None
            ground.clock._elapsed += 0.0 if tried else 2 * SETTLES
            tried.add(argv)
            return Said(1, err=b"nc: timed out")

        ground.ways.strange = strange
        done = await ground.prove()
        found = done.facts["prove.isolation"]
        assert (done.state, found["closed"], found["rounds"]) == (OpState.DONE, True, 2)


@pytest.mark.parametrize(
    ("strange", "words"),
    [
        (
            lambda argv: Said(1, err=b"nc: timed out") if argv[0] == "nc" else None,
            "the one that listens was not reached",
        ),
        (lambda argv: Said(127, err=b"nc: not found") if argv[0] == "nc" else None, "the one that listens was not"),
        (lambda argv: Said(1, err=b"Usage: nslookup") if argv[0] == "nslookup" else None, "could not be tried: the cl"),
    ],
)
async def test_probes_that_do_not_work_show_nothing(strange: Any, words: str) -> None:
    async with grounds() as ground:
        ground.ways.strange = strange
        done = await ground.prove()
        assert done.facts["prove.isolation"]["closed"] is None
        assert words in done.message
        assert ground.get(RESTORES, "back", VELERO) is None


async def test_names_are_open_only_where_the_plan_says_so() -> None:
    async with grounds() as ground:
        done = await ground.prove(network={"dns": True})
        (told,) = [one for one in done.facts["prove.isolation"]["probes"] if one["kind"] == "dns"]
        assert (told["expected"], told["seen"]) == ("open", "open")
        assert done.facts["prove.isolation"]["closed"] is True
        assert ground.get(NAMESPACES, QUARANTINE) is None


async def test_by_udp_it_is_shown_closed_against_a_probe_that_is_answered_and_nobody_else_is() -> None:
    """A pod of the copy that calls itself the listener is not let out: it lacks the proof's id."""
    async with grounds() as ground:
        asked: dict[str, str] = {}

        def posing(params: Any) -> list[Any]:
            return [Space(params), Isolation(params), Posing(ground, asked), Clean(params)]

        ground.steps = posing  # type: ignore[method-assign]
        await ground.reboot()
        done = await ground.prove()
        shown = done.facts["prove.isolation"]
        seen = {one["what"]: one["seen"] for one in shown["probes"] if one["protocol"] == "UDP"}
        assert seen["the cluster's names, asked by the other probe"] == "open"
        assert seen["the cluster's names"] == "closed"
        assert shown["words"].endswith("none was open"), "nothing is left to say about UDP"
        assert asked == {"poser": f"egress of a pod in {QUARANTINE} is closed by lazarus-deny-all, lazarus-inside"}


class Posing(Clean):
    """A restored pod with the label of the probe that listens."""

    name, title, mutates = "pose", "Pose as a probe", False

    def __init__(self, ground: Grounds, asked: dict[str, str]) -> None:
        self.ground, self.asked = ground, asked

    async def observe(self, context: Any) -> Any:
        if self.ground.get(PODS, "poser", QUARANTINE) is None:
            spec = {"containers": [{"name": "c", "image": "lazarus.dev/pause:1"}]}
            meta = {"name": "poser", "labels": {names.PROBE: "listener"}}
            self.ground.api.create(PODS, {"metadata": meta, "spec": spec}, QUARANTINE)
        address = (self.ground.there(PODS, "poser", QUARANTINE).get("status") or {}).get("podIP")
        if not address:
            return Observation(Seen.WAITING)
        atlas = self.ground.ways.atlas()
        self.asked["poser"] = atlas.refusal(atlas.party_at(address), Target(DNS, 53), "UDP")
        return Observation(Seen.DONE)


async def test_a_namespace_of_that_name_which_is_not_ours_is_left_alone() -> None:
    async with grounds() as ground:
        labels = {"lazarus.io/quarantine": "true", "lazarus.io/op": OP[:8], names.OPERATION: "ffffffffffffffff"}
        ground.api.create(NAMESPACES, {"metadata": {"name": QUARANTINE, "labels": labels}})
        ground.workload_in(QUARANTINE)
        await ground.until(lambda: ground.get(PODS, "db-0", QUARANTINE), "their workload runs")
        before, params = ground.everything(), ground.params()
        done = await ground.prove()
        assert done.message == f"a namespace {QUARANTINE} exists that this proof did not make"
        ground.steps = lambda params: [Clean(params), ShownClean(params)]  # type: ignore[method-assign]
        await ground.reboot()
        cleaned = await ground.prove(op=f"{2:016x}")
        assert cleaned.state is OpState.DONE
        assert ground.deletions() == []
        assert ground.everything() == before
        assert cleaned.facts["prove.cleaned"]["clean"] is True, "what is not ours is not left behind by us"
        assert params["quarantine"] == QUARANTINE


async def test_what_somebody_opens_or_changes_is_seen() -> None:
    async with grounds() as ground:
        ground.steps = lambda params: [Space(params), Hold(), Space(params)]  # type: ignore[method-assign]
        await ground.reboot()
        engine = ground.engine
        assert engine is not None
        running = await engine.passing(engine.runner.start(ground.plan(), ground.plan().digest(), ""))
        await ground.until(lambda: (ground.get(PODS, names.DIALER, QUARANTINE) or {}).get("status"), "probes are there")
        deny = {"spec": {"podSelector": {"matchLabels": {"app": "nobody"}}}}
        ground.api.patch(NETWORKPOLICIES, names.DENY, deny, QUARANTINE)
        ended = await engine.finish(running.id)
        assert f"NetworkPolicy {names.DENY} is not as it was made: /spec" in ended.message


class Hold(Clean):
    """Waits five seconds, so that somebody can do something."""

    name, title, mutates = "hold", "Wait", False

    def __init__(self) -> None:
        self.began: float | None = None

    async def observe(self, context: Any) -> Any:
        self.began = context.clock.monotonic() if self.began is None else self.began
        return Observation(Seen.DONE if context.clock.monotonic() - self.began >= 5 else Seen.WAITING)


async def test_limits_hold_and_ask_nothing_of_who_says_nothing() -> None:
    async with grounds() as ground:
        ground.steps = lambda params: [Space(params)]  # type: ignore[method-assign]
        await ground.reboot()
        await ground.prove(limits={"cpu": "1", "memory": "1024Mi", "storage": "2Gi", "pods": 1})
        hard = ground.there(QUOTAS, names.QUOTA, QUARANTINE)["spec"]["hard"]
        assert hard["services.loadbalancers"] == hard["services.nodeports"] == "0"
        assert hard["pods"] == "3"
        ground.there(LIMIT_RANGES, names.DEFAULTS, QUARANTINE)
        spec = {"type": "LoadBalancer", "selector": {"a": "b"}, "ports": [{"port": 80}]}
        with pytest.raises(ApiError, match="exceeded quota: lazarus-quota"):
            ground.api.create(SERVICES, {"metadata": {"name": "lb"}, "spec": spec}, QUARANTINE)
        bare = {"containers": [{"name": "c", "image": "lazarus.dev/pause:1"}]}
        pod = ground.api.create(PODS, {"metadata": {"name": "bare"}, "spec": bare}, QUARANTINE)
        assert pod["spec"]["containers"][0]["resources"] == {"requests": {"cpu": "10m", "memory": "16Mi"}}
        with pytest.raises(ApiError, match="exceeded quota"):
            ground.api.create(PODS, {"metadata": {"name": "more"}, "spec": bare}, QUARANTINE)


async def test_nothing_is_made_in_it_before_its_quota_limits_anything() -> None:
    """A real API server lets everything through until the quota controller has written the quota's status."""
    async with grounds() as ground:
        ground.steps = lambda params: [Space(params)]  # type: ignore[method-assign]
        ground.refusals.append(partial(_uncounted, ground))
        await ground.reboot()
        engine = ground.engine
        assert engine is not None
        running = await engine.passing(engine.runner.start(ground.plan(), ground.plan().digest(), ""))
        waits = "its quota limits nothing yet: the quota controller has not counted"
        await ground.until(lambda: engine.runner.open[0].steps[0].detail == waits, "it waits")
        assert ground.get(SERVICEACCOUNTS, "default", QUARANTINE) is not None
        assert ground.api.list(PODS, QUARANTINE) == []
        ground.refusals.clear()
        done = await engine.finish(running.id)
        assert (done.state, done.message) == (OpState.DONE, "")
        assert len(ground.api.list(PODS, QUARANTINE)) == 2


async def _uncounted(ground: Grounds, request: HttpRequest) -> HttpResponse | None:
    """What a read of the quota answers before its controller has looked at it."""
    if request.method != "GET" or not request.path.endswith(f"/resourcequotas/{names.QUOTA}"):
        return None
    found = ground.get(QUOTAS, names.QUOTA, QUARANTINE)
    return None if found is None else HttpResponse(200, {}, json.dumps({**found, "status": {}}).encode())


def test_what_the_proof_starts_itself_comes_on_top_of_what_the_copy_may_ask_for() -> None:
    """A copy that asks for all of its limits is not refused for the probes, and the pods of checks and a control."""
    checks = {"checks": [{"kind": "pod"}, {"kind": "job", "job": "nightly"}, {"kind": "http"}]}
    limits = {"cpu": "500m", "memory": "1Gi", "storage": "2Gi", "pods": 3}
    hard = bodies.quota(names.quarantine({"op": OP, "limits": limits, "checks": checks, "control": "flip"}))["spec"][
        "hard"
    ]
    assert parse(hard["requests.cpu"]) == parse("540m")
    assert parse(hard["requests.memory"]) == parse("1Gi") + parse("112Mi")
    assert (hard["requests.storage"], hard["pods"]) == ("2Gi", "8")


def test_bodies_pass_pod_security_and_carry_their_owner() -> None:
    wanted = names.quarantine({"op": OP, "velero": VELERO, "namespace": SPACE})
    listener, dialer = bodies.probes(wanted)
    for pod in (listener, dialer):
        assert pod["spec"]["automountServiceAccountToken"] is False
        assert pod["spec"]["securityContext"]["runAsNonRoot"] is True
        (container,) = pod["spec"]["containers"]
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    made = [*bodies.policies(wanted), bodies.quota(wanted), listener, dialer]
    assert all(one["metadata"]["labels"][names.OPERATION] == OP for one in made)
    assert bodies.policies(wanted)[0]["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    assert bodies.defaults(wanted) is None


async def test_what_cannot_be_cleaned_is_not_made() -> None:
    """Of the rights it needs, the one to keep volumes is missing: that is known before anything is there."""
    lab = Lab(World())
    asked: list[tuple[str, str, str]] = []

    async def can_i(verb: str, resource: Any, namespace: str = "", name: str = "", subresource: str = "") -> bool:
        asked.append((verb, resource.plural, subresource))
        return (verb, resource.plural) != ("patch", "persistentvolumes")

    lab.world.can_i = can_i  # type: ignore[method-assign]
    params = {"op": OP, "quarantine": QUARANTINE, "velero": VELERO, "source": "velero", "namespace": SPACE}
    missing = await Preflight(params)._missing_rights(lab.world)  # type: ignore[arg-type]
    assert missing == ["patch persistentvolumes"]
    assert {("create", "pods", "exec"), ("create", "resourcequotas", ""), ("delete", "restores", "")} <= set(asked)
    assert lab.world.writes == []


ADMIN_POLICIES = Resource("policy.networking.k8s.io", "v1alpha1", "adminnetworkpolicies", "AdminNetworkPolicy", False)


@pytest.mark.parametrize("allowed", [False, True])
async def test_a_policy_of_the_whole_cluster_that_opens_it_forbids_closed_unless_it_is_let_stand(allowed: bool) -> None:
    """It is about pods with a label that no probe has: every probe is silent, and that shows nothing."""
    async with grounds() as ground:
        subject = {"pods": {"namespaceSelector": {"matchLabels": {names.QUARANTINE: "true"}},
                            "podSelector": {"matchLabels": {"app": "db"}}}}  # fmt: skip
        ways = [{"action": "Allow", "to": [{"networks": ["192.0.2.7/32"]}]}]
        policy = thing(
            ADMIN_POLICIES.api_version, ADMIN_POLICIES.kind, "logs", spec={"subject": subject, "egress": ways}
        )
        ground.api.create(CRDS, definition(policy))
        await ground.until(lambda: ADMIN_POLICIES in ground.cluster.kinds(), "the kind is served")
        ground.api.create(ADMIN_POLICIES, policy)
        what = f"{ADMIN_POLICIES.group_resource}/logs"
        allow = {"rule": "S2", "what": what, "reason": "logs", "expires": "2999-01-01T00:00:00Z"}
        done = await ground.prove(allow=[allow] if allowed else [])
        found = done.facts["prove.isolation"]
        (told,) = found["policies"]
        assert told.startswith("AdminNetworkPolicy logs lets pods of it with certain labels")
        (tried,) = [one for one in found["probes"] if one["kind"] == "policy"]
        assert (tried["target"], tried["seen"]) == ("192.0.2.7:443", "closed")
        assert tried["expected"] == ("either" if allowed else "closed")
        if allowed:
            assert found["closed"] is True
            assert done.state is OpState.DONE
        else:
            assert found["closed"] is None
            assert found["rounds"] == 1, "waiting changes nothing of it"
            assert f"isolation is not shown for what policies of the whole cluster open: {told}" in done.message
            assert ground.get(RESTORES, "back", VELERO) is None

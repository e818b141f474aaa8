"""What a plan may ask for: Secrets without their values, Ingresses that nobody serves."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from lazarus_tui.model.plan import PlanRefused
from lazarus_tui.model.resources import SECRETS
from lazarus_tui.prove.points import Contents, Item
from lazarus_tui.prove.proof.compare import _Look
from lazarus_tui.prove.proof.kinds import kinds
from lazarus_tui.prove.rules import Options, Ruling, judge
from tests.prove.hostile import resource_of
from tests.prove.hostile.build import service, thing, workload
from tests.prove.site import Site
from tests.velero.lab import World

HERE, THERE = "shop", "lazarus-q-01234567"
REAL = base64.b64encode(b"sk-live-1234").decode()


def ruled(*objects: dict[str, Any], **wishes: Any) -> Ruling:
    items = tuple(Item(resource_of(one), HERE, one["metadata"]["name"], one) for one in objects)
    return judge(Contents("velero", "p", HERE, items), Options(target=THERE, **wishes))


def secret(name: str = "payments", **more: Any) -> dict[str, Any]:
    return thing("v1", "Secret", name, data={"TOKEN": REAL, "USER": REAL, **more})


def route() -> dict[str, Any]:
    path = {"path": "/", "pathType": "Prefix", "backend": {"service": {"name": "web", "port": {"number": 80}}}}
    spec = {
        "ingressClassName": "nginx", "tls": [{"hosts": ["shop.example.com"], "secretName": "t"}],
        "rules": [{"host": host, "http": {"paths": [path]}} for host in ("shop.example.com", "www.example.com")],
    }  # fmt: skip
    notes = {"nginx.ingress.kubernetes.io/rewrite-target": "/", "external-dns.alpha.kubernetes.io/hostname": "a.b"}
    return thing("networking.k8s.io/v1", "Ingress", "shop", notes=notes, spec=spec)


def applied(found: Ruling, body: dict[str, Any]) -> dict[str, Any]:
    made = found.apply({**body, "metadata": {**body["metadata"], "namespace": HERE}})
    assert made is not None
    return made


def test_a_key_that_is_asked_for_comes_without_its_value_and_is_listed() -> None:
    body = secret(**{".dockerconfigjson": REAL})
    found = ruled(body, secret("other"), placeholders=("payments/TOKEN", "payments/.docker*"))
    made = applied(found, body)
    assert base64.b64decode(made["data"]["TOKEN"]) == b"lazarus-placeholder"
    assert json.loads(base64.b64decode(made["data"][".dockerconfigjson"])) == {}
    assert made["data"]["USER"] == REAL
    assert applied(found, secret("other"))["data"]["TOKEN"] == REAL
    (line,) = [one for one in found.lines if one.rule == "S13"]
    assert (line.resource, line.name) == ("secrets", "payments")
    assert line.words.startswith(".dockerconfigjson, TOKEN: a placeholder")
    assert {one["pointer"] for one in found.expected} == {"/data/TOKEN", "/data/.dockerconfigjson"}
    assert REAL not in json.dumps([found.modifiers, found.expected]), "no value of a Secret gets into a plan"


async def test_a_value_that_came_back_all_the_same_is_a_violation_that_does_not_tell_it() -> None:
    world, values = World(), {"TOKEN": "sk-live-1234"}
    world.put(SECRETS, "payments", THERE)  # only metadata of it is ever listed

    async def credential(namespace: str, name: str, key: str) -> str | None:
        assert (namespace, name) == (THERE, "payments")
        return values.get(key)

    world.credential = credential  # type: ignore[attr-defined]
    found = ruled(secret(), placeholders=("payments/TOKEN",))
    look = _Look(world, await kinds(world), THERE)  # type: ignore[arg-type]
    (words,) = [await look._violation(one) for one in found.expected]
    assert words == "S13: secrets/payments has something else than a placeholder under TOKEN"
    values.clear()
    assert await look._violation(found.expected[0]) == words, "a key that cannot be read shows nothing"
    values["TOKEN"] = "lazarus-placeholder"
    assert await look._violation(found.expected[0]) == ""


def test_routes_are_left_out_unless_they_are_asked_for() -> None:
    found = ruled(route(), service())
    assert "ingresses.networking.k8s.io" in found.excluded
    assert ruled(service(), routes=True).created.get("ingresses.networking.k8s.io") is None


def test_a_route_that_is_asked_for_has_names_class_and_marks_of_nobody() -> None:
    found = ruled(route(), service(), routes=True)
    assert "ingresses.networking.k8s.io" not in found.excluded
    assert found.created["ingresses.networking.k8s.io"] == ("shop",)
    made = applied(found, route())
    assert [one["host"] for one in made["spec"]["rules"]] == ["shop.01234567.invalid", "shop-1.01234567.invalid"]
    assert made["spec"]["rules"][0]["http"]["paths"][0]["backend"]["service"]["name"] == "web"
    assert made["spec"]["ingressClassName"] == "lazarus-quarantine"
    assert not made["metadata"].get("annotations")
    assert "tls" not in made["spec"]
    assert not found.forbidden
    values = {one["pointer"]: one["value"] for one in found.expected if one["resource"] == "ingresses"}
    assert values["/spec/rules/1/host"] == "shop-1.01234567.invalid"
    assert values["/spec/tls"] is None
    other = thing("networking.istio.io/v1", "VirtualService", "shop", spec={})
    assert "virtualservices.networking.istio.io" in ruled(other, routes=True).excluded


async def test_the_plan_lists_them_and_refuses_what_it_cannot_do() -> None:
    site = Site()
    site.backup("full", [secret(), route(), workload()])
    plan = await site.plan(point="full", placeholders=["payments/TOKEN"], ingress="rewrite")
    assert (plan.params["placeholders"], plan.params["ingress"]) == (["payments/TOKEN"], "rewrite")
    assert "ingresses.networking.k8s.io" not in plan.params["restore"]["spec"]["excludedResources"]
    told = {(one.verb, one.what): one.detail for one in plan.effects}
    assert "a placeholder instead of the value" in told[("change", "secrets/payments")]
    assert ".invalid" in told[("change", "ingresses.networking.k8s.io/shop")]
    assert REAL not in json.dumps(plan.params)
    for wrong, words in (
        ({"placeholders": ["payments/NOTHING"]}, "holds no Secret with payments/NOTHING"),
        ({"placeholders": ["payments"]}, "no key of a Secret"),
        ({"ingress": "keep"}, "there is no 'keep'"),
    ):
        with pytest.raises(PlanRefused, match=words):
            await site.plan(point="full", **wrong)

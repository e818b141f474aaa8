"""Tokens of service accounts, and the numbers at /metrics."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest

from lazarus_tui.model.resources import PODS, SERVICEACCOUNTS
from lazarus_tui.sandbox.api.memory import MemoryTransport
from lazarus_tui.sandbox.api.server import ApiServer

from .conftest import World, config_map, pod

PATH = "/api/v1/namespaces/default/serviceaccounts/robot/token"


async def test_a_token_says_whose_it_is_and_when_it_ends(world: World) -> None:
    world.api.create(SERVICEACCOUNTS, {"metadata": {"name": "robot"}}, "default")
    made = await world.call("POST", PATH, {"spec": {"audiences": ["x"], "expirationSeconds": 600}})
    assert made.status == 201
    assert made.body["kind"] == "TokenRequest"
    _, claims, signature = made.body["status"]["token"].split(".")
    told = json.loads(base64.urlsafe_b64decode(claims + "=="))
    assert (told["sub"], told["aud"]) == ("system:serviceaccount:default:robot", ["x"])
    assert (told["kubernetes.io"]["namespace"], told["exp"] - told["iat"]) == ("default", 600)
    assert len(signature) == 43
    assert made.body["status"]["expirationTimestamp"] == "2026-01-01T00:10:00Z"


async def test_a_token_is_not_made_for_nobody_or_for_a_moment(world: World) -> None:
    assert (await world.call("POST", PATH, {"spec": {}})).status == 404
    world.api.create(SERVICEACCOUNTS, {"metadata": {"name": "robot"}}, "default")
    short = await world.call("POST", PATH, {"spec": {"expirationSeconds": 5}})
    assert (short.status, short.reason) == (422, "Invalid")
    assert (await world.call("GET", PATH)).status == 405


async def test_metrics_count_what_is_stored(world: World) -> None:
    for name in ("a", "b"):
        await world.call("POST", "/api/v1/namespaces/default/configmaps", config_map(name))
    lines = (await world.call("GET", "/metrics")).raw.decode().splitlines()
    assert 'apiserver_storage_objects{resource="configmaps"} 2' in lines
    assert f"lazarus_sandbox_revision {world.store.revision}" in lines


async def test_kubectl_asks_for_tokens_in_protobuf(world: World) -> None:
    world.api.create(SERVICEACCOUNTS, {"metadata": {"name": "robot"}}, "default")
    identity = b"\x0a\x18authentication.k8s.io/v1\x12\x0cTokenRequest"
    asked = b"\x12\x06\x0a\x01x\x20\xd8\x04"  # spec: audiences ["x"], expirationSeconds 600
    envelope = b"k8s\x00" + b"\x0a" + bytes([len(identity)]) + identity + b"\x12" + bytes([len(asked)]) + asked
    made = await world.call("POST", PATH, envelope, type="application/vnd.kubernetes.protobuf")
    assert (made.status, made.body["spec"]["audiences"]) == (201, ["x"])
    assert made.body["spec"]["expirationSeconds"] == 600


async def minted(world: World, **spec: object) -> dict[str, str]:
    """The headers of a request with a fresh token of the robot."""
    made = await world.call("POST", PATH, {"spec": spec})
    assert made.status == 201, made.raw
    return {"authorization": f"Bearer {made.body['status']['token']}"}


async def who(world: World, headers: dict[str, str]) -> Any:
    """The userInfo of whom the headers let in, or the status that refuses them."""
    answer = await world.call("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", {}, headers=headers)
    return answer.body["status"]["userInfo"] if answer.status == 201 else answer.status


@pytest.fixture
def robots(worlds: Callable[..., World]) -> World:
    """A world that wants tokens, with a service account."""
    world = worlds(token="secret")
    world.api.create(SERVICEACCOUNTS, {"metadata": {"name": "robot"}}, "default")
    return world


async def test_a_token_lets_its_holder_in_as_the_account(robots: World) -> None:
    told = await who(robots, await minted(robots))
    account = robots.api.get(SERVICEACCOUNTS, "robot", "default")
    assert account is not None
    assert (told["username"], told["uid"]) == ("system:serviceaccount:default:robot", account["metadata"]["uid"])
    assert told["groups"] == ["system:serviceaccounts", "system:serviceaccounts:default", "system:authenticated"]
    assert told["extra"]["authentication.kubernetes.io/credential-id"][0].startswith("JTI=")


async def test_a_token_ends_when_it_says(robots: World) -> None:
    headers = await minted(robots, expirationSeconds=600)
    await robots.clock.advance(599)
    assert (await who(robots, headers))["username"].endswith(":robot")
    await robots.clock.advance(1)
    assert await who(robots, headers) == 401


async def test_a_token_ends_with_the_account_and_not_with_one_of_the_same_name(robots: World) -> None:
    headers = await minted(robots)
    robots.api.delete(SERVICEACCOUNTS, "robot", "default")
    assert await who(robots, headers) == 401
    robots.api.create(SERVICEACCOUNTS, {"metadata": {"name": "robot"}}, "default")
    assert await who(robots, headers) == 401
    assert (await who(robots, await minted(robots)))["username"].endswith(":robot")


async def test_a_token_of_a_pod_ends_with_the_pod(robots: World) -> None:
    made = robots.api.create(PODS, pod("p"), "default")
    reference = {"kind": "Pod", "apiVersion": "v1", "name": "p"}
    headers = await minted(robots, boundObjectRef=reference)
    assert (await who(robots, headers))["extra"]["authentication.kubernetes.io/pod-uid"] == [made["metadata"]["uid"]]
    robots.api.delete(PODS, "p", "default")
    assert await who(robots, headers) == 401
    gone = await robots.call("POST", PATH, {"spec": {"boundObjectRef": reference}})
    assert (gone.status, gone.body["details"]["kind"]) == (404, "pods")
    robots.api.create(PODS, pod("p"), "default")
    other = reference | {"uid": made["metadata"]["uid"]}
    assert (await robots.call("POST", PATH, {"spec": {"boundObjectRef": other}})).status == 409
    strange = {"kind": "Deployment", "apiVersion": "apps/v1", "name": "p"}
    assert (await robots.call("POST", PATH, {"spec": {"boundObjectRef": strange}})).status == 400


async def test_a_token_for_others_or_of_others_is_refused(robots: World, worlds: Callable[..., World]) -> None:
    assert await who(robots, await minted(robots, audiences=["vault"])) == 401
    headers = await minted(robots)
    token = headers["authorization"]
    head, claims, signature = token.split(".")
    forged = json.loads(base64.urlsafe_b64decode(claims + "=="))
    forged["sub"] = forged["kubernetes.io"]["serviceaccount"]["name"] = "admin"
    changed = base64.urlsafe_b64encode(json.dumps(forged).encode()).decode().rstrip("=")
    for wrong in (f"{head}.{changed}.{signature}", f"{head}.{claims}.", f"{head}.{claims}.{signature[:-2]}AA"):
        assert await who(robots, {"authorization": wrong}) == 401
    unsigned = base64.urlsafe_b64encode(b'{"alg":"none"}').decode().rstrip("=")
    assert await who(robots, {"authorization": f"Bearer {unsigned}.{claims}."}) == 401
    other = worlds(token="another")
    other.api.create(SERVICEACCOUNTS, {"metadata": {"name": "robot"}}, "default")
    assert await who(other, headers) == 401, "every cluster signs with a key of its own"


async def test_a_token_outlives_the_server_when_the_administrators_does(robots: World) -> None:
    headers = await minted(robots)
    again = ApiServer(robots.store, robots.registry, robots.clock, token="secret")
    robots.call.transport = MemoryTransport(again)
    assert (await who(robots, headers))["username"].endswith(":robot")


async def test_a_token_review_tells_whose_it_is(robots: World) -> None:
    path = "/apis/authentication.k8s.io/v1/tokenreviews"
    token = (await minted(robots, audiences=["vault"]))["authorization"].removeprefix("Bearer ")
    told = (await robots.call("POST", path, {"spec": {"token": token, "audiences": ["vault", "x"]}})).body["status"]
    assert (told["authenticated"], told["audiences"]) == (True, ["vault"])
    assert told["user"]["username"] == "system:serviceaccount:default:robot"
    told = (await robots.call("POST", path, {"spec": {"token": token}})).body["status"]
    assert (told.get("authenticated", False), "audiences" in told["error"]) == (False, True)
    told = (await robots.call("POST", path, {"spec": {"token": "secret"}})).body["status"]
    assert told["user"]["username"] == "lazarus-admin"
    assert (await robots.call("POST", path, {"spec": {}})).status == 400

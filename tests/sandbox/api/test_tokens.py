"""Tokens of service accounts, and the numbers at /metrics."""

from __future__ import annotations

import base64
import json

from lazarus_tui.model.resources import SERVICEACCOUNTS

from .conftest import World, config_map

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

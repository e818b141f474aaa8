"""Logs through the API server, over a scripted kubelet."""

from __future__ import annotations

import pytest

from lazarus_tui.sandbox.runtime import RuntimeRefused

from .conftest import World, pod, quiet
from .scripted_kubelet import PODS, Kubelet, request


async def test_logs_pass_their_options_on(world: World, kubelet: Kubelet) -> None:
    query = {"tailLines": "5", "sinceSeconds": "9", "timestamps": "true", "limitBytes": "100", "previous": "1"}
    reply = await world.call("GET", f"{PODS}/a/log", accept="", **query)
    assert (reply.status, reply.raw) == (200, b"one\ntwo\n")
    expected = {
        "follow": False,
        "previous": True,
        "tail": 5,
        "since_seconds": 9,
        "timestamps": True,
        "limit_bytes": 100,
    }
    assert kubelet.asked == [("default", "a", "main", expected)]


async def test_following_answers_before_there_is_a_line(world: World, kubelet: Kubelet) -> None:
    async with world.transport.stream(request(f"{PODS}/a/log", ("follow", "true"))) as stream:
        assert stream.status == 200
        kubelet.gate.set()
        assert [chunk async for chunk in stream.chunks()] == [b"one\n", b"two\n"]


async def test_leaving_a_followed_log_stops_it(world: World, kubelet: Kubelet) -> None:
    async with world.transport.stream(request(f"{PODS}/a/log", ("follow", "true"))):
        await quiet()
        assert not kubelet.closed
    await quiet()
    assert kubelet.closed


@pytest.mark.parametrize(
    ("path", "status"),
    [(f"{PODS}/none/log", 404), (f"{PODS}/a/log?container=zz", 400)],
)
async def test_logs_of_nothing(world: World, kubelet: Kubelet, path: str, status: int) -> None:
    plain, _, query = path.partition("?")
    pairs = dict([query.split("=")]) if query else {}
    assert (await world.call("GET", plain, **pairs)).status == status


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({"tailLines": "-1"}, "tailLines: Invalid value: -1: must be greater than or equal to 0"),
        ({"limitBytes": "0"}, "limitBytes: Invalid value: 0: must be greater than 0"),
        ({"sinceSeconds": "0"}, "sinceSeconds: Invalid value: 0: must be greater than 0"),
        (
            {"sinceSeconds": "5", "sinceTime": "2026-01-01T00:00:00Z"},
            "Forbidden: at most one of `sinceTime` or `sinceSeconds` may be specified",
        ),
    ],
)
async def test_log_options_that_make_no_sense(
    world: World, kubelet: Kubelet, query: dict[str, str], words: str
) -> None:
    reply = await world.call("GET", f"{PODS}/a/log", **query)
    assert (reply.status, reply.reason) == (422, "Invalid")
    assert reply.body["message"] == f'PodLogOptions "a" is invalid: {words}'
    assert kubelet.asked == []


async def test_refusals_of_the_kubelet_are_answers(world: World, kubelet: Kubelet) -> None:
    kubelet.refusal = RuntimeRefused(400, "BadRequest", 'container "main" in pod "a" is waiting to start')
    for query in ({}, {"follow": "true"}):
        reply = await world.call("GET", f"{PODS}/a/log", **query)
        assert (reply.status, reply.body["message"]) == (400, 'container "main" in pod "a" is waiting to start')


async def test_without_a_kubelet_it_says_so(world: World) -> None:
    await world.call("POST", PODS, pod("a"))
    assert (await world.call("GET", f"{PODS}/a/log")).status == 503


async def test_a_container_must_be_named_among_several(world: World, kubelet: Kubelet) -> None:
    many = pod("many", node="n1")
    many["spec"]["containers"].append(many["spec"]["containers"][0] | {"name": "side"})
    many["spec"]["initContainers"] = [many["spec"]["containers"][0] | {"name": "first"}]
    await world.call("POST", PODS, many)
    reply = await world.call("GET", f"{PODS}/many/log")
    text = "a container name must be specified for pod many, choose one of: [first main side]"
    assert (reply.status, reply.body["message"]) == (400, text)

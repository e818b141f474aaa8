"""Exec and attach over WebSockets, with a scripted kubelet: channels, exit codes, refusals."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lazarus_tui.model.http import HandshakeRefused
from lazarus_tui.sandbox.runtime import RuntimeRefused

from .conftest import World, pod, quiet
from .scripted_kubelet import PODS, V4, V5, Cat, Kubelet, frames, request


@pytest.mark.parametrize(("code", "status"), [(0, "Success"), (3, "Failure")])
async def test_exec_separates_channels_and_tells_the_exit_code(
    world: World, kubelet: Kubelet, code: int, status: str
) -> None:
    kubelet.session = Cat(code, lines=[(1, b"out"), (2, b"err"), (1, b"x" * 70_000)])
    wanted = request(f"{PODS}/a/exec", ("command", "sh"), ("command", "-c"), ("stdout", "1"), ("stderr", "1"))
    async with world.transport.websocket(wanted, (V5, V4)) as socket:
        assert socket.subprotocol == V5
        found = await frames(socket)
    assert kubelet.asked == [("main", ["sh", "-c"], False, False)]
    assert found[:2] == [b"\x01out", b"\x02err"]
    assert b"".join(frame[1:] for frame in found[2:-1]) == b"x" * 70_000
    assert found[-1][0] == 3
    last = json.loads(found[-1][1:])
    assert last["status"] == status
    if code:
        assert last["details"]["causes"] == [{"reason": "ExitCode", "message": "3"}]


async def test_exec_reads_input_to_its_end(world: World, kubelet: Kubelet) -> None:
    wanted = request(f"{PODS}/a/exec", ("command", "cat"), ("stdin", "true"), ("stdout", "true"))
    async with world.transport.websocket(wanted, (V5,)) as socket:
        await socket.send(b"\x00hello")
        await socket.send(b'\x04{"Width":80,"Height":24}')
        assert await socket.receive() == b"\x01hello"
        await socket.send(b"\xff\x00")
        assert json.loads((await frames(socket))[-1][1:])["status"] == "Success"
    assert kubelet.session.sizes == [(80, 24)]


@pytest.mark.parametrize("size", [b"", b"[]", b'{"Width":0,"Height":5}', b'{"Width":99999999,"Height":5}', b"{"])
async def test_sizes_that_are_none_change_nothing(world: World, kubelet: Kubelet, size: bytes) -> None:
    wanted = request(f"{PODS}/a/exec", ("command", "cat"), ("stdin", "true"), ("tty", "true"))
    async with world.transport.websocket(wanted, (V5,)) as socket:
        await socket.send(b"\x04" + size)
        await socket.send(b"\xff\x00")
        assert json.loads((await frames(socket))[-1][1:])["status"] == "Success"
    assert kubelet.session.sizes == []


async def test_input_that_was_not_asked_for_is_dropped(world: World, kubelet: Kubelet) -> None:
    async with world.transport.websocket(request(f"{PODS}/a/exec", ("command", "cat")), (V5,)) as socket:
        await socket.send(b"\x00hello")
        await socket.send(b"\xff\x00")
        await quiet()
    assert kubelet.session.input.empty()


async def test_an_output_that_was_not_asked_for_is_not_sent(world: World, kubelet: Kubelet) -> None:
    kubelet.session = Cat(0, lines=[(1, b"out"), (2, b"err")])
    wanted = request(f"{PODS}/a/exec", ("command", "ls"), ("stdout", "true"), ("stderr", "false"))
    async with world.transport.websocket(wanted, (V5,)) as socket:
        assert [frame[:4] for frame in await frames(socket)] == [b"\x01out", b'\x03{"m']


async def test_attach_talks_to_the_container_itself(world: World, kubelet: Kubelet) -> None:
    wanted = request(f"{PODS}/a/attach", ("stdin", "true"), ("stdout", "true"))
    async with world.transport.websocket(wanted, (V5, V4)) as socket:
        await socket.send(b"\x00hello")
        assert await socket.receive() == b"\x01hello"
        await socket.send(b"\xff\x00")
        assert json.loads((await frames(socket))[-1][1:]) == {"metadata": {}, "status": "Success"}
    assert kubelet.asked == [("attach", "main", True, False)]


@pytest.mark.parametrize("subresource", ["exec", "attach"])
async def test_what_the_kubelet_refuses_is_told_inside_the_conversation(
    world: World, kubelet: Kubelet, subresource: str
) -> None:
    kubelet.refusal = RuntimeRefused(500, "InternalError", 'unable to upgrade connection: container not found ("main")')
    async with world.transport.websocket(request(f"{PODS}/a/{subresource}", ("command", "ls")), (V5,)) as socket:
        (frame,) = await frames(socket)
    told = json.loads(frame[1:])
    assert (frame[0], told["status"], told["reason"], told["code"]) == (3, "Failure", "InternalError", 500)
    text = 'unable to upgrade connection: container not found ("main")'
    assert told["message"] == f"Internal error occurred: {text}"
    assert told["details"] == {"causes": [{"message": text}]}


async def test_a_pod_without_a_node_has_no_log_and_no_streams(world: World, kubelet: Kubelet) -> None:
    await world.call("POST", PODS, pod("b"))
    reply = await world.call("GET", f"{PODS}/b/log", accept="")
    assert (reply.status, reply.raw) == (200, b"")
    for path in ("exec", "attach", "portforward"):
        with pytest.raises(HandshakeRefused) as caught:
            async with world.transport.websocket(request(f"{PODS}/b/{path}", ("command", "ls")), (V5,)):
                pass
        assert json.loads(caught.value.response.body)["message"] == "pod b does not have a host assigned"
    assert kubelet.asked == []


async def test_hanging_up_kills_the_command(world: World, kubelet: Kubelet) -> None:
    wanted = request(f"{PODS}/a/exec", ("command", "cat"), ("stdin", "true"))
    async with world.transport.websocket(wanted, (V4,)) as socket:
        assert socket.subprotocol == V4
        await socket.send(b"\x00x")
        await socket.receive()
        await socket.close()
        await quiet()
        assert kubelet.session.killed


@pytest.mark.parametrize(
    ("path", "query", "offered", "status"),
    [
        ("none/exec", (("command", "ls"),), (V5,), 404),
        ("a/exec", (), (V5,), 400),
        ("a/exec", (("command", "ls"), ("container", "zz")), (V5,), 400),
        ("a/exec", (("command", "ls"),), ("v1.channel.k8s.io",), 403),
        ("a/portforward", (), (V4,), 400),
        ("a/portforward", (("ports", "99999"),), (V4,), 400),
    ],
)
async def test_refused_upgrades(
    world: World, kubelet: Kubelet, path: str, query: Any, offered: tuple[str, ...], status: int
) -> None:
    with pytest.raises(HandshakeRefused) as caught:
        async with world.transport.websocket(request(f"{PODS}/{path}", *query), offered):
            pass
    assert caught.value.response.status == status


@pytest.mark.parametrize(
    ("upgrade", "message"), [({}, "Upgrade request required"), ({"upgrade": "SPDY/3.1"}, "kubectl 1.31 or newer")]
)
async def test_streams_need_a_websocket(world: World, kubelet: Kubelet, upgrade: dict[str, str], message: str) -> None:
    reply = await world.call("POST", f"{PODS}/a/exec", headers=upgrade, command="ls")
    assert reply.status == 400
    assert message in reply.body["message"]
    assert kubelet.asked == []

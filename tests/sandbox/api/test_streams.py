"""Logs, exec, port-forward and the proxies, over a scripted kubelet and real loopback connections."""

from __future__ import annotations

import asyncio
import json
import struct
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from lazarus_tui.model.http import HandshakeRefused, HttpRequest, WebSocket
from lazarus_tui.model.resources import ENDPOINTS
from lazarus_tui.sandbox.runtime import ExecSession, RuntimeRefused

from .conftest import World, pod, quiet

PODS = "/api/v1/namespaces/default/pods"
V5, V4 = "v5.channel.k8s.io", "v4.channel.k8s.io"


class Cat:
    """An exec that repeats its input and then ends with ``code``."""

    def __init__(self, code: int, *, lines: Sequence[tuple[int, bytes]] = ()) -> None:
        self.code, self.lines = code, lines
        self.input: asyncio.Queue[bytes | None] = asyncio.Queue()
        self.killed = False
        self.sizes: list[tuple[int, int]] = []

    async def resize(self, columns: int, rows: int) -> None:
        self.sizes.append((columns, rows))

    async def write_stdin(self, data: bytes) -> None:
        self.input.put_nowait(data)

    async def close_stdin(self) -> None:
        self.input.put_nowait(None)

    async def output(self) -> AsyncIterator[tuple[int, bytes]]:
        for line in self.lines:
            yield line
        while not self.lines and (data := await self.input.get()) is not None:
            yield 1, data

    async def wait(self) -> int:
        return self.code

    async def kill(self) -> None:
        self.killed = True


@dataclass
class Kubelet:
    """``gate`` holds followed logs open; ``asked`` remembers the calls."""

    session: Cat = field(default_factory=lambda: Cat(0))
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    asked: list[Any] = field(default_factory=list)
    refusal: RuntimeRefused | None = None
    port: int = 0
    closed: bool = False

    async def logs(self, namespace: str, pod: str, container: str, **options: Any) -> AsyncIterator[bytes]:
        self.asked.append((namespace, pod, container, options))
        if self.refusal:
            raise self.refusal
        try:
            if options["follow"]:
                await self.gate.wait()
            yield b"one\n"
            yield b"two\n"
        finally:
            self.closed = True

    async def exec(
        self, namespace: str, pod: str, container: str, argv: Sequence[str], *, stdin: bool, tty: bool
    ) -> ExecSession:
        self.asked.append((container, list(argv), stdin, tty))
        if self.refusal:
            raise self.refusal
        return self.session

    async def attach(self, namespace: str, pod: str, container: str, *, stdin: bool, tty: bool) -> ExecSession:
        self.asked.append(("attach", container, stdin, tty))
        if self.refusal:
            raise self.refusal
        return self.session

    async def connect(
        self, namespace: str, pod: str, port: int, *, outside: bool = False
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        self.asked.append((pod, port))
        if self.refusal:
            raise self.refusal
        return await asyncio.open_connection("127.0.0.1", self.port)


@pytest.fixture
async def kubelet(world: World) -> Kubelet:
    made = Kubelet()
    world.server.runtime = made
    await world.call("POST", PODS, pod("a", node="n1"))
    return made


def request(path: str, *query: tuple[str, str]) -> HttpRequest:
    return HttpRequest("GET", path, query)


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


async def frames(socket: WebSocket) -> list[bytes]:
    found = []
    while (frame := await socket.receive()) is not None:
        found.append(frame)
    return found


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


async def test_a_container_must_be_named_among_several(world: World, kubelet: Kubelet) -> None:
    many = pod("many", node="n1")
    many["spec"]["containers"].append(many["spec"]["containers"][0] | {"name": "side"})
    many["spec"]["initContainers"] = [many["spec"]["containers"][0] | {"name": "first"}]
    await world.call("POST", PODS, many)
    reply = await world.call("GET", f"{PODS}/many/log")
    text = "a container name must be specified for pod many, choose one of: [first main side]"
    assert (reply.status, reply.body["message"]) == (400, text)


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


async def _serve(handler: Any) -> asyncio.Server:
    return await asyncio.start_server(handler, "127.0.0.1", 0)


async def _echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(100):
        writer.write(data.upper())
        await writer.drain()
        if data.endswith(b"end"):
            break
    writer.close()
    await writer.wait_closed()


async def test_port_forward_relays_both_ways(world: World, kubelet: Kubelet) -> None:
    server = await _serve(_echo)
    kubelet.port = server.sockets[0].getsockname()[1]
    async with server:
        wanted = request(f"{PODS}/a/portforward", ("ports", "8080"))
        async with world.transport.websocket(wanted, (V4,)) as socket:
            assert await socket.receive() == b"\x00" + struct.pack("<H", 8080)
            assert await socket.receive() == b"\x01" + struct.pack("<H", 8080)
            await socket.send(b"\x00hello")
            assert await socket.receive() == b"\x00HELLO"
            await socket.send(b"\x00the end")
            assert await frames(socket) == [b"\x00THE END"]
    assert kubelet.asked == [("a", 8080)]


async def test_a_port_nobody_listens_on(world: World, kubelet: Kubelet) -> None:
    kubelet.refusal = RuntimeRefused(500, "", "connection refused")
    async with world.transport.websocket(request(f"{PODS}/a/portforward", ("ports", "81")), (V4,)) as socket:
        found = await frames(socket)
    uid = (await world.call("GET", f"{PODS}/a")).body["metadata"]["uid"]
    assert found[2] == f"\x01error forwarding port 81 to pod a, uid {uid}: connection refused".encode()


def _http(answer: bytes, seen: list[bytes]) -> Any:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next((int(one.split(b":")[1]) for one in head.split(b"\r\n") if one.startswith(b"Content-Length")), 0)
        seen.append(head + await reader.readexactly(length))
        writer.write(answer)
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    return handle


async def _service(world: World) -> None:
    ports = [{"name": "http", "port": 8080, "targetPort": 80}]
    service = {"metadata": {"name": "web"}, "spec": {"ports": ports, "selector": {"app": "web"}}}
    await world.call("POST", "/api/v1/namespaces/default/services", service)
    address = {"ip": "127.42.0.1", "targetRef": {"kind": "Pod", "name": "a"}}
    subset = {"addresses": [address], "ports": [{"name": "http", "port": 80}]}
    world.api.create(ENDPOINTS, {"metadata": {"name": "web"}, "subsets": [subset]}, "default")


PROXY = "/api/v1/namespaces/default/services/{}/proxy/stats"


@pytest.mark.parametrize("target", ["web", "web:8080", "web:http", "http:web:8080"])
@pytest.mark.parametrize(
    ("answer", "status", "body"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-A: b\r\n\r\nhello", 200, b"hello"),
        (b"HTTP/1.1 500 Oops\r\n\r\nuntil the end", 500, b"until the end"),
        (b"HTTP/1.1 201 C\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n", 201, b"abcde"),
        (b"HTTP/1.1 204 No\r\n\r\n", 204, b""),
    ],
)
async def test_service_proxy(
    world: World, kubelet: Kubelet, target: str, answer: bytes, status: int, body: bytes
) -> None:
    seen: list[bytes] = []
    server = await _serve(_http(answer, seen))
    kubelet.port = server.sockets[0].getsockname()[1]
    await _service(world)
    async with server:
        reply = await world.call("GET", PROXY.format(target), headers={"x-mine": "1"}, q="a b")
    assert (reply.status, reply.raw) == (status, body)
    assert seen[0].startswith(b"GET /stats?q=a+b HTTP/1.1\r\n")
    assert b"x-mine: 1" in seen[0]
    assert b"uthorization" not in seen[0]
    assert kubelet.asked == [("a", 80)]


async def test_proxied_bodies_and_pods(world: World, kubelet: Kubelet) -> None:
    seen: list[bytes] = []
    server = await _serve(_http(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", seen))
    kubelet.port = server.sockets[0].getsockname()[1]
    async with server:
        reply = await world.call("POST", f"{PODS}/a:9000/proxy/orders", {"n": 1})
    assert reply.status == 200
    assert seen[0].endswith(b'\r\n\r\n{"n": 1}')
    assert kubelet.asked == [("a", 9000)]


@pytest.mark.parametrize(("target", "status"), [("none", 404), ("web:9", 503), ("https:web:8080", 400)])
async def test_proxy_targets_that_are_none(world: World, kubelet: Kubelet, target: str, status: int) -> None:
    await _service(world)
    assert (await world.call("GET", PROXY.format(target))).status == status


async def test_no_endpoints_and_no_answer(world: World, kubelet: Kubelet) -> None:
    await _service(world)
    kubelet.refusal = RuntimeRefused(503, "ServiceUnavailable", "dial tcp 127.42.0.1:80: connect: connection refused")
    told = (await world.call("GET", PROXY.format("web"))).body["message"]
    assert told == "error trying to reach service: dial tcp 127.42.0.1:80: connect: connection refused"
    kubelet.refusal = RuntimeRefused(400, "BadRequest", "no such pod")
    assert (await world.call("GET", PROXY.format("web"))).body["message"] == "no such pod"
    kubelet.refusal = None
    server = await _serve(_http(b"", []))
    kubelet.port = server.sockets[0].getsockname()[1]
    async with server:
        reply = await world.call("GET", PROXY.format("web"))
    assert (reply.status, reply.reason) == (503, "ServiceUnavailable")
    world.api.patch(ENDPOINTS, "web", {"subsets": None}, "default")
    reply = await world.call("GET", PROXY.format("web"))
    assert reply.body["message"] == 'no endpoints available for service "web"'

"""Exec, port-forward, logs, service proxy and access reviews, over scripted sockets."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from kube_fakes import ManualClock, ScriptedTransport, Stream, answer, settle, status

from lazarus_tui.kube import exec as exec_module
from lazarus_tui.kube.access import Question
from lazarus_tui.kube.cluster import Cluster
from lazarus_tui.kube.errors import (
    Forbidden,
    Invalid,
    NotFound,
    ServerFault,
    TimedOut,
    Unexpected,
    Unreachable,
)
from lazarus_tui.kube.retry import ONCE
from lazarus_tui.model.http import HandshakeRefused, HttpRequest, HttpResponse
from lazarus_tui.model.resources import BACKUPS, PODS
from lazarus_tui.model.steps import Outcome

V5, V4 = "v5.channel.k8s.io", "v4.channel.k8s.io"
SUCCESS = b'\x03{"metadata":{},"status":"Success"}'


class Socket:
    """Frames are given in order; an Event holds the rest back; None is the peer's close; then it hangs."""

    def __init__(self, frames: list[Any], subprotocol: str = V5) -> None:
        self.frames, self.subprotocol = frames, subprotocol
        self.sent: list[bytes] = []
        self.closed = False

    async def send(self, data: bytes) -> None:
        self.sent.append(data)

    async def receive(self) -> bytes | None:
        while self.frames:
            frame = self.frames.pop(0)
            if isinstance(frame, asyncio.Event):
                await frame.wait()
                continue
            if isinstance(frame, Exception):
                raise frame
            return frame
        await asyncio.Event().wait()
        return None

    async def close(self) -> None:
        self.closed = True


class Pods(ScriptedTransport):
    def __init__(self, socket: Socket | OSError, *script: Any) -> None:
        super().__init__(*script)
        self.socket = socket
        self.offered: tuple[str, ...] = ()

    @asynccontextmanager
    async def websocket(self, request: HttpRequest, subprotocols: tuple[str, ...]) -> AsyncIterator[Socket]:
        self.sent.append(request)
        self.offered = subprotocols
        if isinstance(self.socket, OSError):
            raise self.socket
        yield self.socket


def cluster(socket: Socket | OSError, *script: Any) -> Cluster:
    return Cluster(Pods(socket, *script), "test", ManualClock(), policy=ONCE)


async def run(frames: list[Any], *, stdin: bytes = b"", subprotocol: str = V5, timeout: float = 60.0) -> Any:
    return await cluster(Socket(frames, subprotocol)).exec(
        "shop", "orders-0", "app", ["ls", "-l", "a b"], stdin=stdin, timeout=timeout
    )


def failure(code: str) -> bytes:
    causes = [{"reason": "ExitCode", "message": code}]
    body = {"status": "Failure", "reason": "NonZeroExitCode", "details": {"causes": causes}}
    return b"\x03" + json.dumps(body).encode()


async def test_exec_separates_output_and_keeps_the_exit_code() -> None:
    found = await run([b"\x01", b"\x01out \xc3", b"\x02err", b"\x01\xa4", failure("3")])
    assert (found.exit_code, found.stdout, found.stderr, found.truncated) == (3, b"out \xc3\xa4", b"err", False)
    assert (await run([b"\x01x", SUCCESS])).exit_code == 0


async def test_exec_asks_for_the_container_and_each_word_of_the_command() -> None:
    socket = Socket([SUCCESS])
    found = cluster(socket)
    await found.exec("shop", "orders-0", "app", ["sh", "-c", "a b"], stdin=b"x" * 70_000)
    transport = found.transport
    assert isinstance(transport, Pods)
    assert transport.offered == (V5, V4)
    assert transport.sent[0].path == "/api/v1/namespaces/shop/pods/orders-0/exec"
    assert [value for key, value in transport.sent[0].query if key == "command"] == ["sh", "-c", "a b"]
    assert ("container", "app") in transport.sent[0].query
    assert [len(frame) for frame in socket.sent] == [32769, 32769, 4465, 2]
    assert socket.sent[-1] == b"\xff\x00"


async def test_stdin_needs_a_protocol_that_can_end_it() -> None:
    with pytest.raises(Unexpected, match="cannot close stdin"):
        await run([SUCCESS], stdin=b"x", subprotocol=V4)
    assert (await run([SUCCESS], subprotocol=V4)).exit_code == 0


async def test_a_status_in_two_frames_and_the_end_without_one() -> None:
    text = failure("42")
    assert (await run([text[:20], b"\x03" + text[20:], None])).exit_code == 42
    with pytest.raises(Unreachable, match="before the exit code"):
        await run([b"\x01partial", None])
    with pytest.raises(Unreachable):
        await run([b"\x01partial", ConnectionResetError("reset")])


async def test_output_beyond_the_cap_is_dropped_and_said_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exec_module, "STDOUT_LIMIT", 10)
    found = await run([b"\x01" + b"x" * 8, b"\x01" + b"y" * 8, SUCCESS])
    assert (found.stdout, found.truncated, found.cut) == (b"x" * 8 + b"yy", True, True)
    monkeypatch.setattr(exec_module, "STDERR_LIMIT", 100)
    found = await run([b"\x01" + b"x" * 10, b"\x02" + b"y" * 101, SUCCESS])
    assert (found.stdout, found.truncated, found.cut) == (b"x" * 10, True, False)


async def test_exec_without_an_end_times_out() -> None:
    with pytest.raises(TimedOut, match=r"no exit code within 0\.05 s"):
        await run([b"\x01x"], timeout=0.05)


async def test_time_for_which_this_process_was_held_up_is_not_the_commands(monkeypatch: pytest.MonkeyPatch) -> None:
    passed = [0.0]

    class HeldUp(Socket):
        async def receive(self) -> bytes | None:
            passed[0] += 600
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            return await super().receive()

    monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: passed[0])
    found = await cluster(HeldUp([b"\x01out", failure("3")])).exec("shop", "orders-0", "app", ["ls"], timeout=60)
    assert (found.exit_code, found.stdout) == (3, b"out")


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ({"status": "Failure", "reason": "InternalError", "message": "OCI runtime exec failed"}, ServerFault),
        ({"status": "Failure", "message": "no such file"}, ServerFault),
        ({"status": "Failure", "reason": "BadRequest", "message": "container is not running"}, Invalid),
    ],
)
async def test_a_command_that_could_not_start_is_an_error(body: dict[str, Any], kind: type[Exception]) -> None:
    with pytest.raises(kind):
        await run([b"\x03" + json.dumps(body).encode()])


def test_exec_output_is_not_in_the_repr() -> None:
    assert "CANARY" not in repr(exec_module.ExecResult(0, b"CANARY", b"CANARY"))


def refused(code: int, body: bytes = b"") -> HandshakeRefused:
    return HandshakeRefused(HttpResponse(code, {"content-type": "application/json"}, body))


async def test_a_refused_exec_is_explained_by_its_answer_or_by_the_pod() -> None:
    told = refused(403, b'{"kind":"Status","code":403,"message":"pods exec is forbidden"}')
    with pytest.raises(Forbidden, match="pods exec is forbidden"):
        await cluster(told).exec("shop", "x", "", ["ls"])
    with pytest.raises(NotFound, match="pod shop/x does not exist"):
        await cluster(refused(404), status(404, "gone", "NotFound")).exec("shop", "x", "", ["ls"])
    pending = answer({"kind": "Pod", "status": {"phase": "Pending"}})
    with pytest.raises(Invalid, match="is Pending, not Running"):
        await cluster(refused(500), pending).exec("shop", "x", "", ["ls"])
    running = answer({"kind": "Pod", "status": {"phase": "Running"}})
    with pytest.raises(ServerFault):
        await cluster(refused(500), running).exec("shop", "x", "", ["ls"])
    with pytest.raises(ServerFault):
        await cluster(refused(500), ConnectionResetError()).exec("shop", "x", "", ["ls"])


async def test_a_pod_that_its_kubelet_does_not_know_yet_may_be_asked_again() -> None:
    """What a kubelet answers that was started again, until it has heard of its pods (pkg/kubelet/server, getExec)."""
    said = HandshakeRefused(HttpResponse(404, {"content-type": "text/plain; charset=utf-8"}, b"pod does not exist"))
    running = answer({"kind": "Pod", "status": {"phase": "Running"}})
    with pytest.raises(ServerFault, match="the kubelet does not know pod shop/x yet") as refused:
        await cluster(said, running).exec("shop", "x", "", ["ls"])
    assert refused.value.outcome is Outcome.AMBIGUOUS


PORT = (8080).to_bytes(2, "little")


async def test_port_forward_carries_bytes_both_ways() -> None:
    socket = Socket([b"\x00" + PORT, b"\x01" + PORT, b"\x00HTTP/1.1 200", b"\x00 OK\r\n", None], V4)
    found = cluster(socket)
    async with found.forward("shop", "web-0", 8080) as (reader, writer):
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        await writer.drain()
        assert await reader.readline() == b"HTTP/1.1 200 OK\r\n"
        assert await reader.read() == b""
        writer.close()
        await writer.wait_closed()
        with pytest.raises(ConnectionResetError):
            writer.write(b"more")
    assert socket.sent == [b"\x00GET / HTTP/1.1\r\n\r\n"]
    assert socket.closed
    transport = found.transport
    assert isinstance(transport, Pods)
    assert transport.offered == (V4,)
    assert transport.sent[0].query == (("ports", "8080"),)


async def test_a_refused_port_is_an_error_on_read_in_the_kubelets_words() -> None:
    frames = [b"\x00" + PORT, b"\x01" + PORT, b"\x01dial tcp4 127.0.0.1:8080: connect: connection refused"]
    async with cluster(Socket(frames, V4)).forward("shop", "web-0", 8080) as (reader, _):
        with pytest.raises(Unreachable, match="connection refused"):
            await reader.read()


async def test_a_connection_that_breaks_shows_on_read_and_on_drain() -> None:
    socket = Socket([b"\x00" + PORT, ConnectionResetError("gone")], V4)

    async def broken(data: bytes) -> None:
        raise ConnectionResetError("gone")

    socket.send = broken  # type: ignore[method-assign]
    async with cluster(socket).forward("shop", "web-0", 8080) as (reader, writer):
        with pytest.raises(ConnectionResetError):
            await reader.read()
        writer.write(b"x")
        with pytest.raises(ConnectionResetError):
            await writer.drain()


async def test_a_pod_that_floods_is_paused_until_somebody_reads() -> None:
    frames = [b"\x00" + PORT] + [b"\x00" + b"x" * 65536 for _ in range(100)]
    socket = Socket(frames, V4)
    async with cluster(socket).forward("shop", "web-0", 8080) as (reader, _):
        await settle()
        assert len(socket.frames) > 80
        assert len(await reader.readexactly(100 * 65536)) == 100 * 65536


async def test_port_forward_leaves_no_task_behind() -> None:
    before = asyncio.all_tasks()
    async with cluster(Socket([], V4)).forward("shop", "web-0", 8080):
        pass
    assert asyncio.all_tasks() == before


def streaming(code: int, *parts: bytes | Exception) -> Cluster:
    found = cluster(Socket([]))
    transport = found.transport
    assert isinstance(transport, Pods)
    kind = "application/json" if parts and isinstance(parts[0], bytes) and parts[0][:1] == b"{" else "text/plain"
    transport.streams = [Stream(code, {"content-type": kind}, list(parts))]
    return found


def query(found: Cluster) -> dict[str, str]:
    transport = found.transport
    assert isinstance(transport, Pods)
    return dict(transport.sent[0].query)


async def test_logs_are_bytes_as_they_come_with_their_options() -> None:
    found = streaming(200, b"one\ntw", b"o\n")
    options: dict[str, Any] = {"follow": True, "tail": 0, "since_seconds": 60, "previous": True}
    assert [chunk async for chunk in found.logs("shop", "web-0", "app", **options)] == [b"one\ntw", b"o\n"]
    assert query(found) == {
        "container": "app",
        "follow": "true",
        "previous": "true",
        "tailLines": "0",
        "sinceSeconds": "60",
    }


async def test_a_log_is_capped_and_the_server_asked_for_no_more() -> None:
    found = streaming(200, b"x" * 600, b"y" * 600, b"z" * 600)
    assert b"".join([chunk async for chunk in found.logs("shop", "web-0", limit=1000)]) == b"x" * 600 + b"y" * 400
    assert query(found)["limitBytes"] == "1000"


async def test_a_missing_pod_is_an_error_and_not_a_log_line() -> None:
    body = b'{"kind":"Status","code":404,"reason":"NotFound","message":"pods x not found"}'
    with pytest.raises(NotFound):
        _ = [chunk async for chunk in streaming(404, body).logs("shop", "x")]


async def test_a_log_that_breaks_is_an_error_after_what_came() -> None:
    got: list[bytes] = []

    async def read() -> None:
        async for chunk in streaming(200, b"first", ConnectionResetError("reset")).logs("shop", "x", follow=True):
            got.append(chunk)

    with pytest.raises(Unreachable):
        await read()
    assert got == [b"first"]


async def test_the_service_proxy_gives_the_applications_answer() -> None:
    found = streaming(503, b"<html>", b"maintenance</html>")
    assert await found.service_proxy("shop", "orders", 8080, "/stats?a=1&b=") == (503, b"<html>maintenance</html>")
    transport = found.transport
    assert isinstance(transport, Pods)
    assert transport.sent[0].path == "/api/v1/namespaces/shop/services/orders:8080/proxy/stats"
    assert query(found) == {"a": "1", "b": ""}


async def test_the_service_proxy_raises_what_the_api_server_says() -> None:
    body = b'{"kind":"Status","code":503,"reason":"ServiceUnavailable","message":"no endpoints available"}'
    with pytest.raises(ServerFault, match="no endpoints available"):
        await streaming(503, body).service_proxy("shop", "orders", "http", "/")
    with pytest.raises(Invalid):
        await streaming(200).service_proxy("shop", "orders", 80, "/a/../../secrets")
    with pytest.raises(Invalid):
        await streaming(200).service_proxy("shop", "orders/../x", 80, "/")


async def test_the_service_proxy_keeps_its_limit_and_its_time() -> None:
    assert await streaming(200, b"x" * 100, b"y" * 100).service_proxy("s", "o", 80, "/", limit=150) == (
        200,
        b"x" * 100 + b"y" * 50,
    )
    silent = cluster(Socket([]))
    with pytest.raises(TimedOut):
        await silent.service_proxy("s", "o", 80, "/", timeout=0.05)


def review(allowed: bool) -> HttpResponse:
    return answer({"kind": "SelfSubjectAccessReview", "status": {"allowed": allowed}}, 201)


async def test_access_is_true_false_or_unknown() -> None:
    found = cluster(Socket([]), review(True), review(False), status(403, "no"), answer({"kind": "X"}, 201))
    assert await found.can_i("create", BACKUPS, "velero") is True
    assert await found.can_i("get", PODS, "shop", "x", "log") is False
    assert await found.can_i("get", PODS) is None
    with pytest.raises(Unexpected):
        await found.can_i("get", PODS)
    transport = found.transport
    assert isinstance(transport, Pods)
    asked = [json.loads(request.body)["spec"]["resourceAttributes"] for request in transport.sent]
    assert asked[0] == {
        "verb": "create",
        "group": "velero.io",
        "version": "v1",
        "resource": "backups",
        "namespace": "velero",
    }
    assert (asked[1]["name"], asked[1]["subresource"]) == ("x", "log")


async def test_many_questions_are_asked_eight_at_a_time() -> None:
    class Slow(ScriptedTransport):
        now = most = 0

        async def send(self, request: HttpRequest) -> HttpResponse:
            self.now += 1
            self.most = max(self.most, self.now)
            await asyncio.sleep(0)
            self.now -= 1
            return review(json.loads(request.body)["spec"]["resourceAttributes"]["verb"] == "get")

    transport = Slow()
    questions = [Question(verb, BACKUPS, f"n{n}") for n in range(20) for verb in ("get", "delete")]
    found = await Cluster(transport, "test", ManualClock()).can_i_all(questions)
    assert transport.most == 8
    assert [found[question] for question in questions] == [True, False] * 20
    assert str(questions[0]) == "get backups.velero.io"

"""The engine's end of the link under clients that lie, stall, flood and leave."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import stat
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lazarus_tui.link import server as link_server
from lazarus_tui.link.client import Client, LinkFault, LinkLost
from lazarus_tui.link.codec import MAX_CALL
from lazarus_tui.link.server import MAX_UNDER_WAY, EngineRunning, LinkServer, peer_uid


async def talk(path: Path, data: bytes, *, lines: int = 1, limit: int = 1 << 20) -> list[Any]:
    """Send raw bytes and decode ``lines`` answers."""
    reader, writer = await asyncio.open_unix_connection(str(path), limit=limit)
    try:
        writer.write(data)
        with contextlib.suppress(OSError):
            await writer.drain()
        answers = [await asyncio.wait_for(reader.readline(), 60) for _ in range(lines)]
        return [json.loads(line) if line else None for line in answers]
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def until(condition: Any) -> None:
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.001)


HELLO = b'{"id":1,"method":"hello","params":{"protocol":1}}\n'


async def test_the_socket_is_for_its_owner_alone(socket_path: Path) -> None:
    assert stat.S_IMODE(os.stat(socket_path).st_mode) == 0o600


def test_the_peer_is_known_by_the_kernel() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX)
    with ours, theirs:
        assert peer_uid(ours) == os.getuid()


async def test_another_user_is_refused(socket_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link_server, "peer_uid", lambda sock: os.getuid() + 1)
    with pytest.raises(LinkLost):
        await Client.connect(socket_path)
    [answer] = await talk(socket_path, HELLO)
    assert answer["fault"]["code"] == "refused"
    assert "another user" in answer["fault"]["what"]


async def test_calls_before_hello_are_refused(socket_path: Path) -> None:
    [answer] = await talk(socket_path, b'{"id":7,"method":"echo","params":{}}\n')
    assert answer["id"] == 7
    assert answer["fault"]["code"] == "version"


async def test_another_protocol_is_refused_by_name(socket_path: Path) -> None:
    [answer] = await talk(socket_path, b'{"id":1,"method":"hello","params":{"protocol":99}}\n')
    assert answer["fault"]["code"] == "version"


async def test_a_defect_in_the_engine_is_a_fault_without_its_text(socket_path: Path) -> None:
    client = await Client.connect(socket_path)
    with pytest.raises(LinkFault) as caught:
        await client.call("boom", {}, dict)
    assert caught.value.fault.code == "unexpected"
    assert "RuntimeError" in caught.value.fault.what
    assert "sesame" not in repr(caught.value.fault)
    assert await client.call("echo", {"a": 1}, dict) == {"a": 1}
    await client.close()


lines = st.one_of(
    st.binary(max_size=200),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
        max_leaves=12,
    ).map(lambda value: json.dumps(value).encode()),
    st.fixed_dictionaries(
        {"id": st.integers(-(2**70), 2**70) | st.text(max_size=3), "method": st.text(max_size=12)},
        optional={"params": st.dictionaries(st.text(max_size=5), st.integers(), max_size=3) | st.none()},
    ).map(lambda value: json.dumps(value).encode()),
    st.just(b"[" * 100_000),
    st.just(b'{"id":1,"method":"echo","params":' + b'{"a":' * 5000 + b"1" + b"}" * 5000 + b"}"),
).map(lambda line: line.replace(b"\n", b" ") + b"\n")


@settings(max_examples=60, deadline=None)
@given(hostile=st.lists(lines, max_size=6))
def test_no_line_stops_the_engine(hostile: list[bytes]) -> None:
    asyncio.run(_hostile(hostile))


async def _hostile(hostile: list[bytes]) -> None:
    class Echo:
        async def answer(self, peer: Any, method: str, params: dict[str, Any]) -> bytes:
            peer.greeted = True
            return json.dumps(sorted(params)).encode()

    with tempfile.TemporaryDirectory(prefix="lz") as name:
        path = Path(name) / "e.sock"
        server = LinkServer(path, Echo())
        await server.start()
        try:
            answers = await talk(path, HELLO + b"".join(hostile), lines=1 + len(hostile))
            assert all(answer is not None for answer in answers)
            assert all(("fault" in answer) != ("result" in answer) for answer in answers)
            assert (await talk(path, HELLO))[0]["result"] == ["protocol"]
        finally:
            await server.stop()


async def test_an_endless_line_is_answered_and_closed(socket_path: Path) -> None:
    reader, writer = await asyncio.open_unix_connection(str(socket_path))
    writer.write(b"x" * (MAX_CALL + 70_000))
    with contextlib.suppress(OSError):
        await writer.drain()
    answer = json.loads(await asyncio.wait_for(reader.readline(), 60))
    assert answer["fault"]["code"] == "usage"
    assert await reader.read() == b""
    writer.close()


async def test_a_client_has_a_bounded_number_of_calls_under_way(socket_path: Path, service: Any) -> None:
    reader, writer = await asyncio.open_unix_connection(str(socket_path))
    writer.write(HELLO)
    assert b"result" in await reader.readline()
    stuck = b"".join(b'{"id":%d,"method":"stuck"}\n' % n for n in range(2, 2 + 3 * MAX_UNDER_WAY))
    writer.write(stuck)
    await until(lambda: service.stuck == MAX_UNDER_WAY)
    await asyncio.sleep(0.01)
    assert service.stuck == MAX_UNDER_WAY
    other = await Client.connect(socket_path)
    assert await other.call("echo", {"still": "served"}, dict) == {"still": "served"}
    await other.close()
    writer.close()
    await until(lambda: service.released == MAX_UNDER_WAY)
    assert service.stuck == MAX_UNDER_WAY


async def test_a_client_that_leaves_takes_its_pull_with_it(socket_path: Path, hub: Any, server: LinkServer) -> None:
    hub.open("contexts")
    reader, writer = await asyncio.open_unix_connection(str(socket_path))
    writer.write(HELLO + b'{"id":2,"method":"pull","params":{"known":{"contexts":999},"wait":20}}\n')
    await reader.readline()
    await until(lambda: len(server.peers) == 1)
    writer.close()
    await until(lambda: not server.peers)
    assert not hub._waiting


async def test_a_reader_that_stalls_does_not_hold_the_others(socket_path: Path, server: LinkServer) -> None:
    sock = socket.socket(socket.AF_UNIX)
    sock.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(sock, str(socket_path))
    await loop.sock_sendall(sock, HELLO)
    big = b"".join(b'{"id":%d,"method":"big","params":{"size":500000}}\n' % n for n in range(2, 200))
    await loop.sock_sendall(sock, big)
    other = await Client.connect(socket_path)
    assert await other.call("echo", {"n": 1}, dict, timeout=60) == {"n": 1}
    await until(lambda: server.calls > 10)
    await asyncio.sleep(0.02)
    # What the stalled client asked for beyond its room stays unread; nothing piles up for it.
    assert server.calls <= 4 + 2 * MAX_UNDER_WAY
    await other.close()
    sock.close()
    await until(lambda: not server.peers)


async def test_a_reader_that_stalls_does_not_hold_the_engines_end(socket_path: Path, server: LinkServer) -> None:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(sock, str(socket_path))
        await loop.sock_sendall(sock, HELLO + b'{"id":2,"method":"big","params":{"size":5000000}}\n')
        await until(lambda: server.calls == 2)
        await asyncio.wait_for(server.stop(), 60)
    assert not server.peers


async def test_two_clients_get_their_own_answers(socket_path: Path) -> None:
    one, two = await Client.connect(socket_path), await Client.connect(socket_path)
    answers = await asyncio.gather(*(c.call("echo", {"n": n}, dict) for n in range(50) for c in (one, two)))
    assert answers == [{"n": n} for n in range(50) for _ in (one, two)]
    await one.close()
    await two.close()


async def test_a_second_engine_is_told_so(socket_path: Path, service: Any) -> None:
    with pytest.raises(EngineRunning, match="an engine listens at"):
        await LinkServer(socket_path, service).start()


async def test_a_stale_socket_is_replaced(short_dir: Path, service: Any) -> None:
    path = short_dir / "old.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    server = LinkServer(path, service)
    await server.start()
    client = await Client.connect(path)
    await client.close()
    await server.stop()
    assert not path.exists()


async def test_a_file_in_the_way_is_not_removed(short_dir: Path, service: Any) -> None:
    path = short_dir / "notes.txt"
    path.write_text("mine")
    with pytest.raises(OSError, match="in the way"):
        await LinkServer(path, service).start()
    assert path.read_text() == "mine"


async def test_a_path_too_long_is_refused_before_the_system_does(short_dir: Path, service: Any) -> None:
    with pytest.raises(OSError, match="longer than"):
        await LinkServer(short_dir / ("x" * 100), service).start()

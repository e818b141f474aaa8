"""The clients: what they say when the engine lies, stalls or goes, and what they cost to import."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from lazarus_tui.link.client import Client, LinkFault, LinkLost, SyncClient
from lazarus_tui.link.client.greeting import effective_kubeconfig
from lazarus_tui.link.server import LinkServer
from tests.link.conftest import PlainService


async def in_thread(work: Callable[[], Any]) -> Any:
    """Blocking calls beside the server's loop."""
    return await asyncio.to_thread(work)


async def test_a_command_asks_and_gets_answers(socket_path: Path) -> None:
    def work() -> Any:
        with SyncClient.connect(socket_path) as client:
            assert client.hello.protocol == 1
            return [client.call("echo", {"n": n}, dict) for n in range(20)]

    assert await in_thread(work) == [{"n": n} for n in range(20)]


async def test_an_answer_of_megabytes_arrives_whole(socket_path: Path) -> None:
    def work() -> int:
        with SyncClient.connect(socket_path) as client:
            first = len(client.call("big", {"size": 3_000_000}, str))
            return first + len(client.call("big", {"size": 5}, str))

    assert await in_thread(work) == 3_000_005
    client = await Client.connect(socket_path)
    assert len(await client.call("big", {"size": 3_000_000}, str)) == 3_000_000
    await client.close()


async def test_a_refusal_carries_what_where_and_next(socket_path: Path) -> None:
    def work() -> None:
        with SyncClient.connect(socket_path) as client:
            client.call("nonsense", {}, dict)

    with pytest.raises(LinkFault) as caught:
        await in_thread(work)
    assert caught.value.fault.what == "no method nonsense"


async def test_whoever_is_cancelled_while_it_closes_stays_cancelled(socket_path: Path) -> None:
    client = await Client.connect(socket_path)
    closing = asyncio.create_task(client.close())
    await asyncio.sleep(0)  # it waits for its reader now
    closing.cancel()
    await asyncio.wait({closing})
    assert closing.cancelled()


def test_nobody_listening_is_one_sentence(short_dir: Path) -> None:
    with pytest.raises(LinkLost, match="no engine listens at"):
        SyncClient.connect(short_dir / "none.sock")


async def test_nobody_listening_is_one_sentence_for_the_console_too(short_dir: Path) -> None:
    with pytest.raises(LinkLost, match="no engine listens at"):
        await Client.connect(short_dir / "none.sock")


async def test_a_console_that_was_held_up_does_not_take_its_engine_for_gone(
    socket_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop = asyncio.get_running_loop()
    time, late = loop.time, [0.0]
    monkeypatch.setattr(loop, "time", lambda: time() + late[0])
    connecting = asyncio.create_task(Client.connect(socket_path))
    while not connecting.done():
        await asyncio.sleep(0)
        late[0] += 20  # each turn of it takes longer than an engine that says nothing is listened to
    client = await connecting
    assert client.hello.protocol == 1
    await client.close()


async def test_the_engine_going_away_ends_every_call(
    socket_path: Path, server: LinkServer, service: PlainService
) -> None:
    client = await Client.connect(socket_path)
    calls = [asyncio.create_task(client.call("stuck", {}, dict)) for _ in range(3)]
    async with asyncio.timeout(60):
        while service.stuck < 3:
            await asyncio.sleep(0.001)
    await server.stop()
    for call in calls:
        with pytest.raises(LinkLost, match="went away"):
            await asyncio.wait_for(call, 60)
    assert client.lost.is_set()
    with pytest.raises(LinkLost):
        await client.call("echo", {}, dict)
    await client.close()


async def test_a_call_given_up_does_not_disturb_the_next(socket_path: Path) -> None:
    client = await Client.connect(socket_path)
    with pytest.raises(LinkLost, match="did not answer stuck"):
        await client.call("stuck", {}, dict, timeout=0.01)
    assert await client.call("echo", {"n": 1}, dict) == {"n": 1}
    await client.close()


@pytest.fixture
async def impostor(short_dir: Path) -> AsyncIterator[Callable[[bytes], Any]]:
    """Something that listens, answers the first line with given bytes, and hangs up."""
    servers = []

    async def listen(answer: bytes) -> Path:
        async def session(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readline()
            writer.write(answer)
            await writer.drain()
            writer.close()

        path = short_dir / "i.sock"
        servers.append(await asyncio.start_unix_server(session, str(path)))
        return path

    yield listen
    for server in servers:
        server.close()


@pytest.mark.parametrize(
    "answer",
    [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"{}\n", b'{"id":1,"result":7}\n', b'{"id":1,"result":{"pid":"x"}}\n'],
)
async def test_what_is_no_engine_is_not_believed(impostor: Callable[[bytes], Any], answer: bytes) -> None:
    path = await impostor(answer)
    with pytest.raises(LinkLost):
        await Client.connect(path, timeout=60)
    with pytest.raises(LinkLost):
        await in_thread(lambda: SyncClient.connect(path, timeout=60))


async def test_an_engine_that_says_nothing_is_given_up(short_dir: Path) -> None:
    gone = asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await gone.wait()
        writer.close()

    server = await asyncio.start_unix_server(silent, str(short_dir / "s.sock"))
    with pytest.raises(LinkLost, match="did not answer hello within"):
        await in_thread(lambda: SyncClient.connect(short_dir / "s.sock", timeout=0.05))
    with pytest.raises(LinkLost, match="did not answer hello within"):
        await Client.connect(short_dir / "s.sock", timeout=0.05)
    gone.set()
    server.close()


def test_a_command_loads_no_asyncio_and_no_http() -> None:
    code = (
        "import sys, json; import lazarus_tui.link.client; "
        "print(json.dumps(sorted(set(sys.modules) & {'asyncio', 'aiohttp', 'httpx', 'pydantic', 'kubernetes_asyncio',"
        " 'lazarus_tui.engine', 'textual', 'ssl'})))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, timeout=90)
    assert json.loads(result.stdout) == []


def test_the_kubeconfig_a_command_means_is_absolute(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.delenv("KUBECONFIG", raising=False)
    assert effective_kubeconfig(None) == "/home/me/.kube/config"
    assert effective_kubeconfig("here.yaml") == str(tmp_path / "here.yaml")
    monkeypatch.setenv("KUBECONFIG", "a:/b::~/c")
    assert effective_kubeconfig(None) == f"{tmp_path}/a:/b:/home/me/c"


async def test_answers_to_two_threads_do_not_mix(socket_path: Path) -> None:
    found: list[Any] = []

    def work(n: int) -> None:
        with SyncClient.connect(socket_path) as client:
            found.extend(client.call("echo", {"n": n}, dict)["n"] == n for _ in range(20))

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    await in_thread(lambda: [thread.join() for thread in threads])
    assert found == [True] * 80

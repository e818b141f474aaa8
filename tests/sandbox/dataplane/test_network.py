"""NetworkPolicies with real processes: what a pod reaches is what the policies let through, whoever asks.

Where this machine does not allow namespaces, the same tests demand that the sandbox says so.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from lazarus_tui.model.resources import NETWORKPOLICIES, NODES, PODS, SERVICES
from lazarus_tui.sandbox.dataplane import kubelet
from lazarus_tui.sandbox.dataplane.atlas import Atlas
from lazarus_tui.sandbox.dataplane.gateway import Gateway
from lazarus_tui.sandbox.dataplane.namespaces import KEEPER, Namespaces, NotPossible, Wanted
from lazarus_tui.sandbox.dataplane.network import CONDITION, ENFORCEMENT, NetworkState
from lazarus_tui.sandbox.runtime import RuntimeRefused

DENY_ALL = {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
NAMES = {
    "podSelector": {},
    "policyTypes": ["Egress"],
    "egress": [
        {
            "to": [{"namespaceSelector": {}, "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}}}],
            "ports": [{"protocol": "UDP", "port": 53}],
        }
    ],
}


@pytest.fixture
async def web(node: Any) -> Any:
    """The order book and a pod that uses it, on a node that holds policies; None where it says that it does not."""
    told = node.api.get(NODES, "sandbox-node")
    (condition,) = [one for one in told["status"]["conditions"] if one["type"] == CONDITION]
    assert told["metadata"]["annotations"][ENFORCEMENT] == condition["message"] == str(node.network.state)
    if not node.network.state.enforced:
        assert condition["status"] == "False"
        assert str(node.network.state).startswith("not enforced: ")
        assert len(str(node.network.state)) > len("not enforced: ")
        return None
    assert condition["status"] == "True"
    spec = {"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": 8080}]}
    node.api.create(SERVICES, {"metadata": {"name": "web"}, "spec": spec}, "shop")
    node.pod("web", "web", readinessProbe={"httpGet": {"path": "/healthz", "port": 8080}, "periodSeconds": 1})
    node.api.patch(PODS, "web", {"metadata": {"labels": {"app": "web"}}}, "shop")
    await node.orders()
    await node.until(lambda: node.ready("web"))
    return node


def _command(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_text()


def policy(node: Any, name: str, spec: dict[str, Any]) -> None:
    node.api.create(NETWORKPOLICIES, {"metadata": {"name": name}, "spec": spec}, "shop")


async def run(node: Any, pod: str, *argv: str) -> tuple[int, bytes, bytes]:
    """A command in the pod; once more when the name server, which is this process, was held up for too long for it."""
    end, silence = time.monotonic() + 60, b"timed out" if argv[0] == "wget" else b"no answer from the name server"
    while True:
        code, out, said = await node.run(pod, *argv)
        if silence not in said or time.monotonic() > end:
            return code, out, said


async def reach(node: Any, host: str, port: int, pod: str = "web", patience: float = 60) -> str:
    """``open``, or why nc in the pod says that it is not."""
    code, out, said = await run(node, pod, "nc", "-z", "-w", str(patience), host, str(port))
    assert code == (0 if out else 1)
    return "open" if out else said.decode().strip().partition("): ")[2] or said.decode().strip()


async def each(node: Any, places: list[tuple[str, int]], **options: float) -> list[str]:
    return list(await asyncio.gather(*(reach(node, *place, **options) for place in places)))


async def exchange(streams: Any, path: str) -> bytes:
    reader, writer = streams
    try:
        writer.write(f"GET {path} HTTP/1.0\r\n\r\n".encode())
        return bytes(await reader.read())
    finally:
        writer.close()
        await writer.wait_closed()


async def listener(answer: bytes) -> asyncio.Server:
    async def speak(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        await writer.drain()
        writer.close()

    return await asyncio.start_server(speak, "127.0.0.1", 0)


async def test_a_closed_namespace_is_closed_unless_the_cni_lies_and_opens_again(
    web: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    if web is None:
        return
    monkeypatch.setattr(kubelet, "DROPPED_SECONDS", 0.01)
    server = await listener(b"hello")
    web.network.api_address = server.sockets[0].getsockname()[:2]
    api = (await web.run("web", "env"))[1].decode().partition("KUBERNETES_SERVICE_HOST=")[2].split()[0]
    address = web.get(SERVICES, "orders")["spec"]["clusterIP"]
    pod = web.get(PODS, "orders-0")["status"]["podIP"]
    places = [("orders", 8080), (address, 8080), (pod, 8080), (api, 443)]
    assert await each(web, places) == ["open"] * 4
    policy(web, "deny-all", DENY_ALL)
    assert await each(web, [*places[1:], ("169.254.169.254", 80)], patience=0.4) == ["Connection timed out"] * 4
    code, _, said = await web.run("web", "nslookup", "-timeout=0.2", "orders")
    assert (code, said) == (1, b";; connection timed out; no servers could be reached\n")
    with pytest.raises(RuntimeRefused) as refused:  # the API server's service proxy
        await web.kubelet.connect("shop", "web", 8080, outside=True)
    assert (refused.value.status, "i/o timeout" in refused.value.message) == (503, True)
    # What comes by the node does: probes, port-forward, exec.
    assert (await exchange(await web.kubelet.connect("shop", "web", 8080), "/healthz")).endswith(b"ok")
    await web.until(lambda: web.ready("web"))
    said = web.api.get(NODES, "sandbox-node")["metadata"]["annotations"]
    web.network.ignores_policies = True  # a CNI that lies can only be found out by trying
    assert await each(web, places) == ["open"] * 4
    assert (await exchange(await web.kubelet.connect("shop", "web", 8080, outside=True), "/healthz")).endswith(b"ok")
    assert web.api.get(NODES, "sandbox-node")["metadata"]["annotations"] == said
    assert web.network.state.enforced
    web.network.ignores_policies = False
    assert await reach(web, *places[1], patience=0.4) == "Connection timed out"
    web.api.delete(NETWORKPOLICIES, "deny-all", "shop")
    assert await each(web, places) == ["open"] * 4
    assert (await exchange(await web.kubelet.connect("shop", "web", 8080, outside=True), "/")).startswith(
        b"HTTP/1.1 200"
    )
    server.close()


async def test_policies_open_exactly_what_they_name(web: Any) -> None:
    if web is None:
        return
    policy(web, "deny-all", DENY_ALL)
    policy(web, "names", NAMES)
    to_orders = {"to": [{"podSelector": {"matchLabels": {"app": "orders"}}}], "ports": [{"port": "http"}]}
    policy(
        web, "out", {"podSelector": {"matchLabels": {"app": "web"}}, "policyTypes": ["Egress"], "egress": [to_orders]}
    )
    closed = await reach(web, "orders", 8080, patience=0.4)
    assert closed == "Connection timed out"  # the other end has not agreed
    by_web = {"from": [{"podSelector": {"matchLabels": {"app": "web"}}}]}
    policy(web, "in", {"podSelector": {"matchLabels": {"app": "orders"}}, "ingress": [by_web]})
    assert await reach(web, "orders", 8080) == "open"
    code, page, _ = await run(web, "web", "wget", "-qO-", "http://orders:8080/stats")
    assert (code, json.loads(page)["orders"]) == (0, 0)
    closed = await reach(web, "web", 80, pod="orders-0", patience=0.4)
    assert closed == "Connection timed out"  # nobody named that way
    web.pod("bare", "web", spec={"hostNetwork": True})
    await web.until(lambda: web.ready("bare"))
    assert await reach(web, "web", 80, pod="bare") == "open"  # no policy holds a pod in the machine's network


async def test_what_a_pod_is_and_what_it_meets_where_nobody_is(web: Any) -> None:
    if web is None:
        return
    orders = web.get(PODS, "orders-0")["status"]["podIP"]
    assert await reach(web, orders, 4) == "Connection refused"
    code, _, said = await web.run("web", "wget", "-T", "60", "http://127.43.200.1:443/")
    assert (code, b"Connection reset by peer" in said) == (1, True)  # an address of the cluster without an owner
    with pytest.raises(RuntimeRefused, match=r"dial tcp [0-9.]+:5432: connect: connection refused"):
        await web.kubelet.connect("shop", "web", 5432)
    code, _, said = await web.run("web", "nslookup", "-timeout=60", "nobody")
    assert (code, b"NXDOMAIN" in said) == (1, True)

    # A pod has its own namespaces, the rights of nobody, and a node whose helper may die.
    link = os.readlink("/proc/self/ns/net")
    (pid,) = [int(name) for name in os.listdir(web.root / "pids") if "orders" in _command(int(name))]
    assert os.readlink(f"/proc/{pid}/ns/net") != link
    assert os.readlink(f"/proc/{pid}/ns/user") != os.readlink("/proc/self/ns/user")
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    status = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
    assert int(status["CapEff"], 16) == int(status["CapPrm"], 16) == 0
    assert status["NoNewPrivs"] == "1"
    assert status["Uid"].split()[1] == str(os.geteuid())
    process = web.network._namespaces._process
    process.kill()
    await process.wait()
    assert (await exchange(await web.kubelet.connect("shop", "web", 8080), "/healthz")).endswith(b"ok")
    assert await reach(web, "orders", 8080) == "open"


async def test_a_keeper_is_listened_to_for_as_long_as_the_sandbox_itself_is_held_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Else pods would share the machine's network because the machine was busy."""
    loop, namespaces = asyncio.get_running_loop(), Namespaces()
    now = loop.time()

    async def late(*asked: object) -> tuple[dict[str, Any], list[int]]:
        nonlocal now
        for _ in range(6):
            now += 60.0
            await asyncio.sleep(0)
        return {"errors": ["taken"]}, []

    monkeypatch.setattr(namespaces, "_begin", late)
    monkeypatch.setattr(namespaces, "_exchange", late)
    monkeypatch.setattr(loop, "time", lambda: now)
    assert await namespaces.sockets(0, [Wanted("dial")]) == ["taken"]


async def test_a_keeper_that_does_not_answer_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    async def silent() -> None:
        await asyncio.Event().wait()

    namespaces = Namespaces()
    monkeypatch.setattr(namespaces, "_begin", silent)
    monkeypatch.setattr("lazarus_tui.sandbox.dataplane.namespaces._REPLY_SECONDS", 0.01)
    with pytest.raises(OSError, match="the keeper of the pods' namespaces does not answer"):
        await namespaces.open("127.42.0.2")


async def test_the_other_end_sees_who_calls(node: Any) -> None:
    if not node.network.state.enforced:
        assert node.network.state.why
        return
    namespaces = node.network._namespaces
    place = await namespaces.open("127.42.0.2")

    async def nobody(*_: object) -> None:
        return None

    gateway = Gateway(
        "uid", place, {8080}, namespaces, atlas=lambda: Atlas(NoObjects(), {}), connect=nobody, answer=nobody
    )
    try:
        (app,) = await namespaces.sockets(place.net, [Wanted("listen", "127.42.0.2", 8080)])
        assert isinstance(app, socket.socket)
        with app:
            _, writer = await gateway.dial(8080, "127.42.0.77")
            taken, caller = await asyncio.get_running_loop().sock_accept(app)
            taken.close()
            writer.close()
            await writer.wait_closed()
        assert caller[0] == "127.42.0.77"
        with pytest.raises(ConnectionRefusedError):  # the program has ended
            await gateway.dial(8080, "127.42.0.77")
    finally:
        await gateway.close()


class NoObjects:
    def get(self, *_: object) -> None:
        return None

    def list(self, *_: object) -> list[Any]:
        return []


async def test_pods_that_share_the_loopback_are_reported(shared_node: Any) -> None:
    node = shared_node
    assert not node.network.state.enforced
    assert node.api.get(NODES, "sandbox-node")["metadata"]["annotations"][ENFORCEMENT].startswith("not enforced: ")
    await node.orders()
    policy(node, "deny-all", DENY_ALL)
    await node.loop.settle()
    reader, writer = await node.kubelet.connect("shop", "orders-0", 8080, outside=True)  # nothing is pretended
    assert (await exchange((reader, writer), "/healthz")).endswith(b"ok")


async def test_a_machine_without_namespaces_says_why(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tmp_path / "keeper.py"
    reply = json.dumps({"number": 0, "error": "Operation not permitted"}).encode()
    broken.write_text(f"import socket, sys\nsocket.socket(fileno=int(sys.argv[2])).send({reply!r})\n")
    monkeypatch.setattr("lazarus_tui.sandbox.dataplane.namespaces.KEEPER", broken)
    with pytest.raises(NotPossible, match=r"Operation not permitted|Linux only"):
        await Namespaces().start()


async def test_a_change_that_says_nothing_new_keeps_the_atlas(node: Any) -> None:
    network = node.network
    network.state = NetworkState(True)
    service = node.api.create(SERVICES, {"metadata": {"name": "web"}, "spec": {"ports": [{"port": 80}]}}, "shop")
    before = network.atlas
    labelled = node.api.patch(SERVICES, "web", {"metadata": {"labels": {"a": "b"}}}, "shop")
    changed = node.api.patch(SERVICES, "web", {"spec": {"sessionAffinity": "ClientIP"}}, "shop")
    assert list(network.keys(SERVICES, labelled, service)) == []
    assert list(network.keys(SERVICES, changed, labelled)) == [("", "network")]
    assert network.atlas is before
    policy(node, "closed", DENY_ALL)
    made = node.api.get(NETWORKPOLICIES, "closed", "shop")
    assert list(network.keys(NETWORKPOLICIES, made, None)) == [("", "network")]
    assert network.atlas is not before


def test_no_privilege_is_needed() -> None:
    program = Path(__file__).with_name("unprivileged.py")
    done = subprocess.run([sys.executable, "-I", "-B", program, KEEPER], capture_output=True, text=True, check=True)
    if sys.platform == "linux":  # elsewhere nothing of this exists
        assert done.stdout.strip() == asyncio.run(_possible())


async def _possible() -> str:
    """``made``, or what the sandbox says is forbidden here."""
    namespaces = Namespaces()
    try:
        await namespaces.start()
    except NotPossible as fault:
        return str(fault).rpartition(": ")[2]
    await namespaces.stop()
    return "made"

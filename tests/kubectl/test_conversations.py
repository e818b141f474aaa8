"""What is no single answer: terminals, input, files, forwarded ports, watches, followed logs, the proxy."""

from __future__ import annotations

import json
import re
import select
import signal
import socket
import subprocess
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from .everything import COUNT, manifest
from .kubectl_run import WITHIN, Kubectl
from .terminal import Person


def ready(kubectl: Kubectl, name: str, *, image: str = "pause", more: str = "") -> None:
    answer = kubectl.run(f"run {name} --image=lazarus.dev/{image}:1 {more}")
    assert (answer.code, answer.out) == (0, f"pod/{name} created\n")
    assert kubectl.run(f"wait --for=condition=Ready pod/{name} --timeout=80s").code == 0


class Output:
    """The lines a process writes, while it runs."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process, self.text = process, ""

    def until(self, pattern: str) -> re.Match[str]:
        stream = self.process.stdout
        assert stream is not None
        end = time.monotonic() + WITHIN
        while not (found := re.search(pattern, self.text, re.MULTILINE)):
            there = select.select([stream], [], [], max(0.0, end - time.monotonic()))[0]
            data = stream.read1(65536) if there else b""  # type: ignore[attr-defined]
            assert data, f"no {pattern!r} in {self.text!r}"
            self.text += data.decode(errors="replace")
        return found


@contextmanager
def started(kubectl: Kubectl, line: str, *, end: signal.Signals = signal.SIGINT) -> Iterator[Output]:
    process = kubectl.start(line)
    try:
        yield Output(process)
    finally:
        process.send_signal(end)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout:
            process.stdout.close()


def get(port: int, path: str) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=WITHIN) as answer:
        return str(answer.read().decode())


def test_exec_on_a_terminal(there: Kubectl) -> None:
    ready(there, "box")
    with Person(there, "exec -it box -- sh", columns=97, rows=31) as person:
        person.see("# ")
        assert told_size(person, "31 97") == "31 97"
        person.resize(120, 40)
        assert told_size(person, "40 120") == "40 120"
        person.type("exit 7\r")
        assert person.code() == 7
        assert "command terminated with exit code 7" in person.seen


def told_size(person: Person, wanted: str) -> str:
    """What the shell says of its terminal's size; a size travels beside the keys, so it is asked for it again."""
    end = time.monotonic() + WITHIN
    while True:
        person.type("stty size\r")
        person.see("stty size\r\n")
        if (size := person.see("\r\n# ")) == wanted or time.monotonic() > end:
            return size


def test_exec_with_input_output_and_codes(there: Kubectl) -> None:
    ready(there, "box")
    text = "line\n" * 60_000
    answer = there.run("exec -i box -- cat", stdin=text)
    assert (answer.code, answer.out, answer.err) == (0, text, "")
    answer = there.run("exec box -- sh -c 'echo out; cat /absent; exit 42'")
    assert (answer.code, answer.out) == (42, "out\n")
    assert "cat: " in answer.err
    assert "command terminated with exit code 42" in answer.err
    assert there.run("exec box -- true").code == 0
    shop = there.within("shop")
    assert shop.run("exec statefulset/orders -- orders-cli integrity").out == "ok\n"
    assert shop.run("exec service/web -- echo here").out == "here\n"
    assert there.run("exec deployment/absent -- true").code == 1


def test_exec_chooses_the_container(there: Kubectl) -> None:
    left, right = ({"name": name, "image": "lazarus.dev/pause:1"} for name in ("left", "right"))
    containers = [left, {**right, "env": [{"name": "SIDE", "value": "right"}]}]
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "two"}, "spec": {"containers": containers}}
    assert there.run("create -f -", stdin=json.dumps(pod)).code == 0
    assert there.run("wait --for=condition=Ready pod/two --timeout=80s").code == 0
    answer = there.run("exec two -- env")
    assert "SIDE" not in answer.out
    assert 'Defaulted container "left" out of: left, right' in answer.err
    assert "SIDE=right\n" in there.run("exec two -c right -- env").out


def test_files_are_copied_in_and_out(there: Kubectl) -> None:
    ready(there, "box")
    tree = there.folder / "tree"
    (tree / "deep").mkdir(parents=True)
    (tree / "a.txt").write_text("hello\n")
    (tree / "deep" / "b.bin").write_bytes(bytes(range(256)) * 4096)
    assert there.run("cp {dir}/tree box:/tree").code == 0
    assert there.run("exec box -- ls /tree").out == "a.txt\ndeep\n"
    assert there.run("cp box:/tree {dir}/back").code == 0
    assert (there.folder / "back" / "deep" / "b.bin").read_bytes() == bytes(range(256)) * 4096
    assert there.run("cp {dir}/tree/a.txt box:/one.txt").code == 0
    assert there.run("exec box -- cat /one.txt").out == "hello\n"
    assert there.run("cp box:one.txt {dir}/one.txt").code == 0
    assert (there.folder / "one.txt").read_text() == "hello\n"
    refused = there.run("cp box:/absent {dir}/absent")
    assert refused.code != 0
    assert "tar: /absent: No such file or directory" in refused.out + refused.err


def test_a_pod_that_is_run_attached_and_removed(there: Kubectl) -> None:
    answer = there.run(
        "run talk --image=lazarus.dev/task:1 --restart=Never --attach --rm -i -- cat - exit 5", stdin="one\ntwo\n"
    )
    assert (answer.code, re.sub(r"^pod .*deleted.*\n?", "", answer.out, flags=re.MULTILINE)) == (5, "one\ntwo\n")
    assert "terminated (Error)" in answer.err
    is_gone(there, "talk")


def is_gone(kubectl: Kubectl, name: str) -> None:
    """kubectl has deleted it, but does not wait for that to be done."""
    assert kubectl.run(f"wait --for=delete pod/{name} --timeout=80s").code == 0
    assert kubectl.run(f"get pod {name}").code == 1


def test_attach_hears_a_running_container(there: Kubectl) -> None:
    ready(there, "talk", image="task", more="--stdin --attach=false --restart=Never -- cat -")
    with started(there, "attach talk -v=6") as heard:
        heard.until(r"101 Switching Protocols")
        answer = there.run("attach talk -i", stdin="hello\n")
        assert answer.code == 0, answer
        assert "hello" in answer.out
        heard.until("^hello$")
    assert there.run("wait --for=jsonpath={.status.phase}=Succeeded pod/talk --timeout=80s").code == 0


def test_attach_on_a_terminal(there: Kubectl) -> None:
    ready(there, "talk", image="task", more="--stdin --tty --attach=false --restart=Never -- cat - exit 0")
    with Person(there, "attach -it talk") as person:
        person.see("If you don't see a command prompt, try pressing enter.")
        person.type("hello\r")
        person.see("hello\r\n")
        person.see("hello\r\n")  # once as it is typed, once from the container: kubectl is connected
        person.type("\x04")
        assert person.code() == 0
    assert there.run("wait --for=jsonpath={.status.phase}=Succeeded pod/talk --timeout=80s").code == 0


def test_a_pod_that_is_run_on_a_terminal(there: Kubectl) -> None:
    with Person(there, "run talk --image=lazarus.dev/task:1 --restart=Never --rm -it -- cat - exit 3") as person:
        person.see("If you don't see a command prompt, try pressing enter.")
        person.type("hello\r")
        person.see("hello\r\n")
        person.see("hello\r\n")
        person.type("\x04")
        assert person.code() == 3
    is_gone(there, "talk")


def test_a_forwarded_port_carries_many_connections(there: Kubectl) -> None:
    with started(there.within("shop"), "port-forward service/orders 0:8080") as forward:
        port = int(forward.until(r"Forwarding from 127\.0\.0\.1:(\d+) -> 8080")[1])
        before = json.loads(get(port, "/stats"))
        assert before["orders"] > 0
        order = urllib.request.Request(f"http://127.0.0.1:{port}/orders", data=b'{"item": "lamp"}', method="POST")
        with urllib.request.urlopen(order, timeout=WITHIN) as answer:
            placed = json.loads(answer.read())
        assert placed["id"] > before["last_id"]
        numbers: list[int] = []
        many = [threading.Thread(target=lambda: numbers.append(len(get(port, "/orders/ids")))) for _ in range(12)]
        for thread in many:
            thread.start()
        for thread in many:
            thread.join(WITHIN)
        assert len(numbers) == 12
        assert min(numbers) > 1000
        for _ in range(40):
            assert get(port, "/healthz") == "ok"
        with socket.create_connection(("127.0.0.1", port), timeout=WITHIN) as half:
            half.sendall(b"GET /healthz HTTP/1.1\r\nHost: orders\r\nConnection: close\r\n\r\n")
            half.shutdown(socket.SHUT_WR)
            said = b""
            while data := half.recv(65536):
                said += data
        assert said.endswith(b"\r\n\r\nok")


def test_two_ports_and_one_that_nobody_listens_on(there: Kubectl) -> None:
    ready(there, "web", image="web", more="--port=8080")
    with started(there, "port-forward pod/web :8080 :9999") as forward:
        good = int(forward.until(r"Forwarding from 127\.0\.0\.1:(\d+) -> 8080")[1])
        bad = int(forward.until(r"Forwarding from 127\.0\.0\.1:(\d+) -> 9999")[1])
        assert get(good, "/healthz") == "ok"
        with socket.create_connection(("127.0.0.1", bad), timeout=WITHIN) as refused:
            assert refused.recv(10) == b""
        forward.until(r"error forwarding port 9999 to pod web, uid [0-9a-f-]{36}: ")
        forward.until("lost connection to pod")
        assert forward.process.wait(WITHIN) == 1


def test_a_pod_that_goes_ends_its_forwarded_connections(there: Kubectl) -> None:
    ready(there, "web", image="web", more="--port=8080")
    with started(there, "port-forward pod/web :8080") as forward:
        port = int(forward.until(r"Forwarding from 127\.0\.0\.1:(\d+) -> 8080")[1])
        with socket.create_connection(("127.0.0.1", port), timeout=WITHIN) as held:
            held.sendall(b"GET /healthz HTTP/1.1\r\nHost: web\r\n\r\n")
            said = b""
            while not said.endswith(b"\r\n\r\nok"):  # in as many pieces as it likes
                data = held.recv(65536)
                assert data, said
                said += data
            assert there.run("delete pod web --grace-period=1").code == 0
            assert held.recv(10) == b""
        with socket.create_connection(("127.0.0.1", port), timeout=WITHIN) as late:
            assert late.recv(10) == b""
        forward.until(r"pods .{1,2}web.{1,2} not found")


def test_a_watch_tells_what_happens(there: Kubectl) -> None:
    with started(there, "get pods -w --output-watch-events") as watch:
        ready(there, "box")
        watch.until(r"^(ADDED|MODIFIED) +box +1/1 +Running")  # how much was there at the first look is a race
        assert there.run("annotate pod box seen=yes").code == 0
        watch.until(r"^MODIFIED +box +1/1 +Running")
        assert there.run("delete pod box --grace-period=1").code == 0
        watch.until(r"^DELETED +box +")
    with started(there.within("shop"), "get pods orders-0 -w --watch-only=false") as watch:
        watch.until(r"^orders-0 +1/1 +Running")


@pytest.mark.parametrize(
    "wanted", ["logs -f talk", "logs -f talk --tail=0 --timestamps", "logs -f -l run=talk --prefix"]
)
def test_logs_are_followed_to_the_end_of_the_container(there: Kubectl, wanted: str) -> None:
    ready(there, "talk", image="task", more="--stdin --attach=false --restart=Never -- cat - say end")
    with started(there, f"{wanted} -v=6") as follow:
        follow.until(r"/log\?.*follow=true.*200 OK")
        answer = there.run("attach talk -i", stdin="hello\n")
        assert answer.code == 0, answer
        follow.until(r"hello$")
        follow.until(r"end$")
        assert follow.process.wait(WITHIN) == 0


def test_waiting_for_what_comes(there: Kubectl) -> None:
    with started(there, "wait --for=create configmap/late --timeout=80s -v=6") as wait:
        wait.until(r"configmaps.*200 OK|configmaps.*404 Not Found")
        assert there.run("create configmap late").code == 0
        wait.until("configmap/late condition met")
        assert wait.process.wait(WITHIN) == 0
    with started(there, "wait --for=delete configmap/late --timeout=80s -v=6") as wait:
        wait.until(r"watch=true.*200 OK")
        assert there.run("delete configmap late").code == 0
        wait.until("configmap/late condition met")
        assert wait.process.wait(WITHIN) == 0


def test_the_local_proxy(there: Kubectl) -> None:
    with started(there, "proxy --port=0") as proxy:
        port = int(proxy.until(r"Starting to serve on 127\.0\.0\.1:(\d+)")[1])
        assert json.loads(get(port, "/api/v1/namespaces/shop/pods/orders-0"))["metadata"]["name"] == "orders-0"
        stats = json.loads(get(port, "/api/v1/namespaces/shop/services/orders:http/proxy/stats"))
        assert stats["orders"] > 1000
        order = b'{"item": "candle"}'
        post = urllib.request.Request(
            f"http://127.0.0.1:{port}/api/v1/namespaces/shop/services/orders:8080/proxy/orders",
            data=order,
            method="POST",
        )
        with urllib.request.urlopen(post, timeout=WITHIN) as answer:
            assert answer.status == 201


def test_describe_knows_every_kind(there: Kubectl) -> None:
    """kubectl's describers dereference what a real server always fills in: none may stumble."""
    ready(there, "box")
    made = there.run("create -f -", stdin=manifest(there.namespace))
    assert (made.code, made.out.count(" created\n")) == (0, COUNT), made
    try:
        kinds = there.run("api-resources --verbs=list,get -o name").out.split()
        # kubectl below 1.34 asks for its v1beta1, which a 1.36 server no longer has.
        kinds.remove("volumeattributesclasses.storage.k8s.io")
        assert len(kinds) >= 60
        described = [kind for kind in kinds if "Name:" in described_as(there, kind)]
        assert len(described) >= 55, sorted(set(kinds) - set(described))
    finally:
        assert there.run("delete -f - --wait=false", stdin=manifest(there.namespace)).code == 0


def described_as(kubectl: Kubectl, kind: str) -> str:
    for _ in range(20):
        answer = kubectl.run(f"describe {kind} --all-namespaces")
        # What went between the list and the look at it is nothing that a describer stumbled over.
        if not (answer.code and re.fullmatch(r"(Error from server \(NotFound\): .* not found\n)+", answer.err)):
            break
    assert answer.code == 0, (kind, answer)
    assert "panic" not in answer.err, (kind, answer)
    return answer.out

"""The kubelet with real processes: restarts, probes, logs, exec, and what is left after a crash."""

from __future__ import annotations

import asyncio
import io
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tarfile
import time
from itertools import pairwise

import pytest

from lazarus_tui.model.resources import DEPLOYMENTS, EVENTS, PODS, SERVICES
from lazarus_tui.sandbox.dataplane.catalog import START, TOOLS, standard_catalog
from lazarus_tui.sandbox.dataplane.ledger import Ledger, is_stopped, start_mark
from lazarus_tui.sandbox.runtime import RuntimeRefused


async def test_a_task_that_ends_well_succeeds_and_one_that_fails_fails(node):
    node.pod("good", "task", "say", "hello", "exit", "0", spec={"restartPolicy": "Never"})
    node.pod("bad", "task", "exit", "3", spec={"restartPolicy": "Never"})
    await node.until(lambda: node.get(PODS, "good")["status"].get("phase") == "Succeeded")
    await node.until(lambda: node.get(PODS, "bad")["status"].get("phase") == "Failed")
    assert node.container("bad")["state"]["terminated"]["exitCode"] == 3
    assert await node.log("good") == [b"hello\n"]


async def test_a_container_that_keeps_failing_backs_off(node):
    node.pod("bad", "task", "say", "once more", "exit", "1")
    await node.until(lambda: (node.container("bad")["state"].get("waiting") or {}).get("reason") == "CrashLoopBackOff")
    status = node.container("bad")
    assert status["restartCount"] == 1
    assert status["lastState"]["terminated"]["exitCode"] == 1
    assert node.get(PODS, "bad")["status"]["phase"] == "Running"
    assert await node.log("bad", previous=True) == [b"once more\n"]


async def test_init_containers_run_first_and_one_that_fails_stops_the_pod(node):
    init = {"name": "prepare", "image": "lazarus.dev/task:1", "args": ["sleep", "0.2", "exit", "4"]}
    node.pod("stuck", "pause", spec={"initContainers": [init], "restartPolicy": "Never"})
    await node.until(lambda: node.get(PODS, "stuck")["status"].get("phase") == "Failed")
    status = node.get(PODS, "stuck")["status"]
    assert status["initContainerStatuses"][0]["state"]["terminated"]["exitCode"] == 4
    assert status["containerStatuses"][0]["state"]["waiting"]["reason"] == "PodInitializing"


async def test_restore_wait_ends_when_the_done_file_of_its_restore_is_there(node):
    init = {
        "name": "restore-wait",
        "image": "velero/velero-restore-helper:v1.17.0",
        "args": ["the-uid"],
        "volumeMounts": [{"name": "data", "mountPath": "/restores/data"}],
    }
    node.pod("restored", "pause", spec={"initContainers": [init], "volumes": [{"name": "data", "emptyDir": {}}]})

    def running():
        statuses = node.get(PODS, "restored")["status"].get("initContainerStatuses")
        return statuses and "running" in statuses[0]["state"]

    await node.until(running)
    folder = node.root / "pods" / node.get(PODS, "restored")["metadata"]["uid"] / "volumes" / "data" / ".velero"
    folder.mkdir()
    (folder / "another-uid").touch()
    await asyncio.sleep(0.3)
    assert running()
    (folder / "the-uid").touch()
    await node.until(lambda: node.ready("restored"))
    assert not folder.exists()
    assert await node.log("restored") == []


async def test_liveness_restarts_and_readiness_only_hides(node):
    broken = {"exec": {"command": ["false"]}, "periodSeconds": 1, "failureThreshold": 1}
    node.pod("sick", "web", livenessProbe=broken)
    node.pod("hidden", "web", readinessProbe=broken, ports=[{"containerPort": 8080}])
    await node.until(lambda: node.container("sick")["restartCount"] >= 1)
    await node.until(lambda: "running" in node.container("hidden")["state"])
    assert not node.ready("hidden")
    assert node.container("hidden")["restartCount"] == 0
    assert "running" in node.container("hidden")["state"]
    told = [one["message"] for one in node.api.list(EVENTS, "shop") if one["reason"] == "Killing"]
    assert "Container main failed liveness probe, will be restarted" in told


async def test_sigterm_is_given_its_grace_and_then_there_is_sigkill(node):
    node.pod("stubborn", "task", "say", "up", "sleep", "600", spec={"terminationGracePeriodSeconds": 600})
    await node.until(lambda: node.ready("stubborn"))
    await anext(_lines(node, "stubborn"))
    (pid,) = [int(entry.name) for entry in (node.root / "pids").iterdir()]
    os.kill(pid, signal.SIGSTOP)  # it cannot answer SIGTERM once it stands still: before, it would take that first
    await node.until(lambda: is_stopped(pid))
    began = time.monotonic()
    node.api.delete(PODS, "stubborn", "shop", grace=1)
    await node.until(lambda: node.api.get(PODS, "stubborn", "shop") is None)  # the pod's own grace is ten minutes
    assert time.monotonic() - began > 0.9
    assert start_mark(pid) == ""


async def test_a_forced_delete_kills_at_once(node):
    node.pod("gone", "task", "sleep", "60")
    await node.until(lambda: node.ready("gone"))
    (pid,) = [int(entry.name) for entry in (node.root / "pids").iterdir()]
    node.api.delete(PODS, "gone", "shop", grace=0)
    await node.until(lambda: start_mark(pid) == "")
    assert node.api.get(PODS, "gone", "shop") is None


def _lines(node, pod):
    return node.kubelet.logs(
        "shop", pod, "", follow=True, previous=False, tail=None, since_seconds=None, timestamps=False, limit_bytes=None
    )


async def test_logs_follow_until_the_container_ends(node):
    words = ["say", "one", "cat", "-", "say", "two", "exit", "0"]
    node.pod("talker", "task", *words, spec={"restartPolicy": "Never"}, stdin=True, stdinOnce=True)
    await node.until(lambda: "running" in node.container("talker")["state"])
    followed = _lines(node, "talker")
    assert await anext(followed) == b"one\n"
    await (await node.kubelet.attach("shop", "talker", "main", stdin=True, tty=False)).close_stdin()
    assert [line async for line in followed] == [b"two\n"]
    assert await node.log("talker", tail=1) == [b"two\n"]
    assert await node.log("talker", limit_bytes=5) == [b"one\n", b"t"]
    assert await node.log("talker", since_seconds=3600) == [b"one\n", b"two\n"]
    (first, _) = await node.log("talker", timestamps=True)
    assert first.split()[0].endswith(b"Z")
    with pytest.raises(RuntimeRefused, match="previous terminated container"):
        await node.log("talker", previous=True)
    with pytest.raises(RuntimeRefused, match="container other is not valid"):
        async for _ in node.kubelet.logs(
            "shop", "talker", "other", follow=False, previous=False, tail=None, since_seconds=None,
            timestamps=False, limit_bytes=None,
        ):  # fmt: skip
            pass


def _begun(node, name):
    return bool(node.get(PODS, name)["status"].get("containerStatuses"))


async def test_exec_runs_what_the_image_allows_and_nothing_else(node):
    await node.orders()
    await node.ask("POST", "/orders")
    assert await node.run("orders-0", "orders-cli", "count") == (0, b"1\n", b"")
    assert await node.run("orders-0", "orders-cli", "integrity") == (0, b"ok\n", b"")
    assert (await node.run("orders-0", "ls", "/var/lib/orders"))[1].splitlines()[0] == b"orders.db"
    assert await node.run("orders-0", "cat", stdin=b"through") == (0, b"through", b"")
    assert (await node.run("orders-0", "false"))[0] == 1
    code, _, said = await node.run("orders-0", "cat", "/nowhere")
    assert (code, b"No such file" in said) == (1, True)
    for argv in (["bash", "-c", "true"], ["/usr/bin/env"], ["python3"], []):
        with pytest.raises(RuntimeRefused) as refused:
            await node.run("orders-0", *argv)
        assert refused.value.status == 403
    with pytest.raises(RuntimeRefused) as refused:
        await node.run("nobody", "ls")
    assert refused.value.status == 404


@pytest.mark.parametrize("path", ["/../../../../etc/passwd", "../../../etc/passwd", "/link"])
async def test_exec_never_reads_outside_the_pod(node, path, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("token")
    node.pod("box", "web")
    await node.until(lambda: node.ready("box"))
    root = node.root / "pods" / node.get(PODS, "box")["metadata"]["uid"] / "rootfs"
    (root / "link").symlink_to(secret)
    code, out, said = await node.run("box", "cat", path)
    assert code == 1
    assert out == b""
    assert said


async def test_files_go_in_and_out_as_tar(node):
    await node.orders()
    packed = (await node.run("orders-0", "tar", "cf", "-", "/var/lib/orders"))[1]
    assert b"orders.db" in packed
    assert (await node.run("orders-0", "tar", "xf", "-", "-C", "/", stdin=packed))[0] in (0, 1)
    assert (await node.run("orders-0", "tar", "czvf", "/out.tgz", "/"))[0] == 2


async def test_variables_come_from_the_pod_its_services_and_its_fields(node):
    await node.orders()
    env = [
        {"name": "NAMESPACE", "valueFrom": {"fieldRef": {"fieldPath": "metadata.namespace"}}},
        {"name": "GREETING", "value": "from $(NAMESPACE) $(MISSING)"},
    ]
    node.pod("box", "web", env=env)
    await node.until(lambda: node.ready("box"))
    lines = (await node.run("box", "env"))[1].decode().splitlines()
    found = dict(line.split("=", 1) for line in lines if "=" in line)
    assert found["GREETING"] == "from shop $(MISSING)"
    place = f"{found['ORDERS_SERVICE_HOST']}:{found['ORDERS_SERVICE_PORT']}"
    own = f"{node.get(SERVICES, 'orders')['spec']['clusterIP']}:8080"
    assert place == (own if node.network.state.enforced else node.proxy.where("shop", "orders", 8080))
    assert not {"HOME", "SSH_AUTH_SOCK", "KUBECONFIG"} & found.keys()


async def test_a_service_whose_address_is_taken_answers_elsewhere_and_pods_are_told(shared_node):
    node = shared_node
    address = "127.43.9.9" if sys.platform == "linux" else "127.0.0.1"
    with socket.create_server((address, 0)) as taken:
        port = taken.getsockname()[1]
        spec = {"clusterIP": address, "ports": [{"port": port}]}
        node.api.create(SERVICES, {"metadata": {"name": "busy"}, "spec": spec}, "shop")
        await node.until(lambda: node.proxy.where("shop", "busy", port))
        place = node.proxy.where("shop", "busy", port)
        assert place.startswith("127.0.0.1:")
        assert place != f"{address}:{port}"
        node.pod("box", "web")
        await node.until(lambda: node.ready("box"))
        found = (await node.run("box", "env"))[1].decode().splitlines()
    host, _, number = place.partition(":")
    assert {f"BUSY_SERVICE_HOST={host}", f"BUSY_SERVICE_PORT={number}"} <= set(found)


async def test_a_reference_that_is_missing_is_named(node):
    source = {"configMapKeyRef": {"name": "settings", "key": "colour"}}
    node.pod("box", "web", env=[{"name": "COLOUR", "valueFrom": source}])
    await node.until(lambda: _begun(node, "box"))
    waiting = node.container("box")["state"]["waiting"]
    assert waiting["reason"] == "CreateContainerConfigError"
    assert waiting["message"] == 'configmap "settings" not found'


async def test_the_writer_never_gives_up(node):
    env = [{"name": "PERIOD_SECONDS", "value": "0.05"}]
    template = {
        "metadata": {"labels": {"app": "writer"}},
        "spec": {
            "terminationGracePeriodSeconds": 1,
            "containers": [{"name": "writer", "image": "lazarus.dev/writer:1", "env": env}],
        },
    }
    spec = {"selector": {"matchLabels": {"app": "writer"}}, "template": template}
    node.api.create(DEPLOYMENTS, {"metadata": {"name": "writer"}, "spec": spec}, "shop")
    await node.until(lambda: any(pod["metadata"]["name"].startswith("writer") for pod in node.api.list(PODS, "shop")))
    (name,) = [pod["metadata"]["name"] for pod in node.api.list(PODS, "shop")]
    await node.until(lambda: node.ready(name))
    await anext(_lines(node, name))
    await node.orders()
    end = time.monotonic() + 60
    while (await node.ask("GET", "/stats"))[1]["orders"] < 5:
        assert time.monotonic() < end
        await asyncio.sleep(0.05)
    away, back, *more = await node.log(name)
    assert away.startswith(b"orders is away: ")
    assert re.fullmatch(rb"order \d+ placed", back.strip())
    told = [line.split()[0] for line in (back, *more)]
    assert all(one != other for one, other in pairwise(told))  # one that is held up may be away again, and come back
    assert node.container(name)["restartCount"] == 0


async def test_the_front_shows_the_count_and_says_when_it_cannot(node):
    node.pod("web", "web", ports=[{"containerPort": 8080}])
    await node.until(lambda: node.ready("web"))

    async def page():
        with_retries = 1200
        for _ in range(with_retries):
            try:
                reader, writer = await node.kubelet.connect("shop", "web", 8080)
                break
            except RuntimeRefused:
                await asyncio.sleep(0.05)
        writer.write(b"GET / HTTP/1.0\r\n\r\n")
        answer = await reader.read()
        writer.close()
        await writer.wait_closed()
        return answer

    assert b" 503 " in (await page()).splitlines()[0]
    await node.orders()
    await node.ask("POST", "/orders")
    end = time.monotonic() + 60
    while b" 200 " not in (answer := await page()).splitlines()[0]:  # the order book is held up
        assert time.monotonic() < end
    assert b"<b>1</b>" in answer


def test_processes_left_behind_are_ended_and_strangers_are_not(tmp_path):
    ledger = Ledger(tmp_path / "pids")
    command = [sys.executable, "-I", "-S", "-c", "import time; time.sleep(60)"]
    ours, stranger = (subprocess.Popen(command, start_new_session=True) for _ in range(2))
    try:
        ledger.add(ours.pid)
        (tmp_path / "pids" / str(stranger.pid)).write_text(json.dumps({"start": "another start"}))
        (tmp_path / "pids" / "nonsense").write_text("{")
        assert ledger.reap() == [ours.pid]
        assert ours.wait(60) == -signal.SIGKILL
        assert stranger.poll() is None
        assert ledger.reap() == []
    finally:
        stranger.kill()
        stranger.wait()
        if ours.poll() is None:
            ours.kill()
            ours.wait()


_PARENT = """
import os, subprocess, sys
child = subprocess.Popen([sys.executable, "-I", "-S", sys.argv[1], str(os.getpid()), sys.argv[2], "say", "up", "sleep",
                          "60"], start_new_session=True)
print(child.pid, flush=True)
child.wait()
"""


def test_a_pod_does_not_outlive_a_killed_sandbox(tmp_path):
    command = [sys.executable, "-c", _PARENT, str(START), str(TOOLS.with_name("task.py"))]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        lines = {parent.stdout.readline().strip(), parent.stdout.readline().strip()}
        (pid,) = (int(line) for line in lines - {b"up"})
        ledger = Ledger(tmp_path)
        ledger.add(pid)
        parent.kill()
    if sys.platform != "linux":  # there the next start of the sandbox ends it
        assert ledger.reap() == [pid]
    deadline = time.monotonic() + 60
    while start_mark(pid):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_every_image_of_the_catalogue_has_its_program():
    catalog = standard_catalog()
    for reference in catalog.references():
        image = catalog.find(reference)
        assert image is not None
        assert image.source is None or image.source.is_file()
    assert catalog.find("velero/velero-restore-helper:sandbox") is not None
    assert catalog.find("velero/velero:v1.17.0") is not None
    for reference in ("busybox:1.36", "docker.io/library/busybox:latest"):
        assert catalog.find(reference).name == "busybox"
    for reference in ("alpine", "evil/busybox:1.36", "lazarus.dev/orders:2", "evil/velero/velero:1", ""):
        assert catalog.find(reference) is None


async def test_a_manifest_cannot_choose_where_programs_write_or_what_they_load(node, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    hostile = {"DATA_DIR": str(elsewhere), "LD_PRELOAD": "/evil.so", "PYTHONPATH": "/evil", "POD_ROOT": "/", "OK": "1"}
    node.pod("box", "orders", env=[{"name": name, "value": value} for name, value in hostile.items()])
    await node.until(lambda: "running" in node.container("box")["state"])
    await anext(_lines(node, "box"))
    found = (await node.run("box", "env"))[1].decode()
    assert "OK=1" in found
    assert "evil" not in found
    assert not elsewhere.exists()


async def test_an_archive_with_absolute_names_stays_in_the_pod(node, tmp_path):
    target = tmp_path / "host-file"
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name in (str(target), "plain"):
            entry = tarfile.TarInfo(name)
            entry.size = 2
            archive.addfile(entry, io.BytesIO(b"hi"))
        climbing = tarfile.TarInfo("../../climbed")
        archive.addfile(climbing)
    node.pod("box", "web")
    await node.until(lambda: node.ready("box"))
    code, _, said = await node.run("box", "tar", "xf", "-", "-C", "/", stdin=packed.getvalue())
    assert not target.exists()
    assert (await node.run("box", "cat", "/plain"))[1] == b"hi"
    assert (await node.run("box", "cat", str(target)))[1] == b"hi"
    assert code == 1
    assert said
    assert list(node.root.rglob("climbed")) == []


async def test_an_exec_ends_with_its_pod(node):
    node.pod("box", "web")
    await node.until(lambda: node.ready("box"))
    session = await node.kubelet.exec("shop", "box", "", ["sleep", "60"], stdin=False, tty=False)
    node.api.delete(PODS, "box", "shop")
    assert await asyncio.wait_for(session.wait(), 60) == 128 + signal.SIGKILL


async def test_logs_of_the_run_before_a_crash_of_the_sandbox_are_kept(node):
    node.pod("talker", "task", "say", "before", "sleep", "60")
    await node.until(lambda: node.ready("talker"))
    await anext(_lines(node, "talker"))
    await node.loop.stop()
    node.build()
    await node.loop.start()
    assert not node.ready("talker")
    await node.until(lambda: node.container("talker")["restartCount"] == 1 and node.ready("talker"))
    assert await node.log("talker", previous=True) == [b"before\n"]

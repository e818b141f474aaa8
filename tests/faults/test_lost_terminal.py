"""SSH gone in the middle of a restore: the engine goes on, the next look finds it at once, nothing is left behind."""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Iterator

from lazarus_tui.link.client import SyncClient
from lazarus_tui.link.protocol import PullResult, TopicUpdate
from lazarus_tui.model.resources import NAMESPACES
from lazarus_tui.sandbox import process
from tests.faults.conftest import GOOD, Field, until


def restore(name: str) -> list[str]:
    words = ["restore", "create", "--from-backup", GOOD, "-n", "shop", "--namespace-mapping", f"shop:{name}"]
    return ["--sandbox", *words, "--confirm", name]


def test_a_closed_terminal_takes_the_command_along_and_nothing_else(shop: Field) -> None:
    assert shop.asked("operation", "list"), "an engine is there"
    engine = shop.engine()
    window = shop.window(*restore("hungup"))
    window.until(b"Restore the")
    window.hang_up()
    found = next(each for each in shop.asked("operation", "list") if each["target"] == "hungup")
    assert shop.engine() == engine

    console = shop.window("--sandbox")
    console.until(b"hungup", b"ungup")
    console.hang_up()
    ended = shop.run("--sandbox", "watch", found["id"])
    assert ended.returncode == 0, ended.stderr
    assert "verdict: PASSED" in ended.stdout

    # What is done is taken back by name only, and then really.
    refused = shop.run("--sandbox", "undo", found["id"])
    assert refused.returncode == 5
    assert "--confirm hungup" in refused.stderr
    assert shop.api("GET", "/api/v1/namespaces/hungup")["kind"] == NAMESPACES.kind
    undone = shop.run("--sandbox", "undo", found["id"], "--confirm", "hungup")
    assert undone.returncode == 0, undone.stderr
    assert "hungup" not in [each["metadata"]["name"] for each in shop.api("GET", "/api/v1/namespaces")["items"]]


def test_ctrl_c_ends_the_watching_and_a_cluster_that_pauses_is_waited_for(shop: Field) -> None:
    """Its process is stopped, so requests are taken and not answered; what is known stays on show meanwhile."""
    pid = shop.serving()
    with slow_copies(shop), shop.start(*restore("stopped")) as child:
        assert child.stderr is not None
        next(line for line in child.stderr if "Create the restore" in line)
        with shop.halted():
            child.send_signal(signal.SIGINT)
            said = child.stderr.read()
            began = time.monotonic()
            while True:
                listed = shop.run("--sandbox", "backup", "list", "-o", "name")
                assert listed.returncode == 0
                assert GOOD in listed.stdout.split()
                (running,) = [each for each in shop.asked("operation", "list") if each["state"] == "running"]
                if time.monotonic() - began > 2:
                    break
    assert child.returncode == 130
    assert "goes on in the engine" in said
    assert running["target"] == "stopped"
    assert shop.run("--sandbox", "watch", running["id"]).returncode == 0
    assert shop.serving() == pid


def test_a_cluster_that_died_leaves_its_data_with_their_age_and_comes_back_where_it_was(shop: Field) -> None:
    before = shop.api("GET", "/api/v1/namespaces/kube-system")["metadata"]["uid"], shop.token()
    assert shop.asked("backup", "list")
    engine = shop.engine()
    with SyncClient.connect(shop.sandbox.socket, kubeconfig=str(process.kubeconfig_path(shop.sandbox.cluster))) as link:
        shop.kill_sandbox()
        try:
            stale = until(lambda: [u for u in pull(link) if u.state == "stale"])
            assert len(stale[0].keys) >= 1
            assert stale[0].as_of
            assert stale[0].reason
        finally:  # others use it too, whatever was seen here
            up = shop.run("sandbox", "up")
        assert up.returncode == 0
        until(lambda: [u for u in pull(link) if u.state == "ready"])
    assert (shop.api("GET", "/api/v1/namespaces/kube-system")["metadata"]["uid"], shop.token()) == before
    assert shop.engine() == engine, "the engine never ended"


@contextlib.contextmanager
def slow_copies(shop: Field) -> Iterator[None]:
    """No volume is copied in a test's time: a restore cannot end before somebody has looked."""
    added = shop.run("sandbox", "fault", "add", "slow-disk", "--speed", "1", "-o", "name")
    assert added.returncode == 0, added.stderr
    try:
        yield
    finally:
        cleared = shop.run("sandbox", "fault", "clear", *added.stdout.split())
    assert cleared.returncode == 0, cleared.stderr


def pull(link: SyncClient) -> list[TopicUpdate]:
    return link.call("pull", {"known": {"backups/lazarus-sandbox": 0}, "wait": 0}, PullResult).updates

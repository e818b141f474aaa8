"""/metrics of a whole engine, and what happens where it cannot be served."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import pytest

from lazarus_tui.engine.metrics.server import MetricsServer, NotServed, place
from lazarus_tui.journal import JournalError
from lazarus_tui.model.verdict import Verdict
from lazarus_tui.sandbox.cluster import SandboxCluster
from tests.engine.metrics.book import ask, of, plan, read, run
from tests.engine.scene import SANDBOX, Scene


@pytest.mark.parametrize(
    ("listen", "public", "found"),
    [
        ("127.0.0.1:9808", False, ("127.0.0.1", 9808)),
        (":9808", False, ("127.0.0.1", 9808)),
        ("[::1]:1", False, ("::1", 1)),
        ("0.0.0.0:9808", True, ("0.0.0.0", 9808)),
    ],
)
def test_places(listen: str, public: bool, found: tuple[str, int]) -> None:
    assert place(listen, public=public) == found


@pytest.mark.parametrize(
    "listen",
    ["9808", "localhost:9808", "127.0.0.1", "127.0.0.1:x", "127.0.0.1:70000", "u@[::1]:1", "::1:9", "127.0.0.1:1/x"],
)
def test_what_is_no_place(listen: str) -> None:
    with pytest.raises(NotServed, match="is not ADDRESS:PORT"):
        place(listen, public=True)


@pytest.mark.parametrize("listen", ["0.0.0.0:9808", "10.0.0.1:9808", "[::]:9808"])
def test_other_machines_have_to_be_meant(listen: str) -> None:
    with pytest.raises(NotServed, match="can be reached from other machines") as refused:
        place(listen, public=False)
    assert "metrics.public" in refused.value.hint


async def test_a_port_that_is_taken_is_said() -> None:
    async def gather() -> list[object]:
        return []

    with socket.create_server(("127.0.0.1", 0)) as taken:
        server = MetricsServer(gather)  # type: ignore[arg-type]
        with pytest.raises(NotServed, match="cannot be listened at"):
            await server.start("127.0.0.1", taken.getsockname()[1])
        assert server.port == 0
        await server.close()


async def unreadable() -> None:
    raise JournalError("the journal cannot be read", hint="look at the disk")


async def test_a_whole_engine_is_scraped(
    tmp_path: Path, cluster: SandboxCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAZARUS_METRICS__SANDBOX_LISTEN", "127.0.0.1:0")
    monkeypatch.setenv("LAZARUS_METRICS__LISTEN", "127.0.0.1:1")  # another engine's
    async with Scene(tmp_path, cluster, sandbox=True) as scene:
        await scene.use()
        overview = f"overview/{SANDBOX}"
        await scene.follow(overview, until=lambda t: t.state(overview).state == "ready" and t.state(overview).records)
        port = scene.house.metrics.port
        status, kind, body = await ask(port)
        assert (status, kind.split(";")[0]) == (200, "text/plain")
        found = read(body)
        assert of(found, "lazarus_context_state", context=SANDBOX, state="ready") == [1.0]
        assert of(found, "lazarus_workload_protected", context=SANDBOX, workload="shop/StatefulSet/orders") == [0.0]
        assert of(found, "lazarus_proof_queue_length", context=SANDBOX) == [0.0]
        assert of(found, "lazarus_outbox_waiting") == [0.0]
        assert of(found, "lazarus_restore_tests_total") == []
        assert of(found, "lazarus_engine_memory_bytes")[0] > 1e6
        for part in ("the scheduler", f"the janitor of {SANDBOX}"):
            assert of(found, "lazarus_engine_part_state", part=part, state="running") == [1.0]
        assert 0.0 in of(found, "lazarus_schedule_overdue_seconds", context=SANDBOX)
        assert of(found, "lazarus_metrics_incomplete") == [0.0]
        for n, verdict in enumerate((Verdict.PASSED, Verdict.FAILED)):
            done = await run(scene.house._journal, plan(f"{n:016x}"), verdict, f"2026-03-01T0{n}:00:00Z")
            scene.house._changed(done)
        found = read((await ask(port))[2])
        assert of(found, "lazarus_restore_tests_total", result="success", workload="shop", policy="nightly") == [1.0]
        assert of(found, "lazarus_restore_tests_total", result="failure") == [1.0]
        assert of(found, "lazarus_proof_last_result", result="failed") == [1.0]
        assert (await scene.call("stats"))["metrics"] == "served at 127.0.0.1:0"
        doctor = await scene.call("doctor", context=SANDBOX)
        assert [one["what"] for one in doctor if one["check"] == "metrics"] == ["served at 127.0.0.1:0"]
        open_metrics = await ask(port, "GET /metrics HTTP/1.1", "Accept: application/openmetrics-text; version=1.0.0")
        assert open_metrics[1].startswith("application/openmetrics-text")
        assert open_metrics[2].endswith("# EOF\n")
        others = await asyncio.gather(
            ask(port, "GET / HTTP/1.1"), ask(port, "POST /metrics HTTP/1.1", "Content-Length: 0")
        )
        assert [status for status, _, _ in others] == [404, 405]
        monkeypatch.setattr(scene.house.metrics._tally, "settle", unreadable)
        assert of(read((await ask(port))[2]), "lazarus_metrics_incomplete") == [1.0], "and it is served all the same"
    with pytest.raises(ConnectionRefusedError):
        await ask(port)


async def test_an_address_that_is_not_meant_is_an_error_of_the_doctor(
    tmp_path: Path, cluster: SandboxCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAZARUS_METRICS__SANDBOX_LISTEN", "0.0.0.0:0")
    async with Scene(tmp_path, cluster, sandbox=True) as scene:
        assert scene.house.metrics.port == 0
        found = [one for one in await scene.call("doctor", context=SANDBOX) if one["check"] == "metrics"]
    assert [(one["severity"], one["hint"]) for one in found] == [
        ("error", "set metrics.public = true if that is meant")
    ]
    assert "can be reached from other machines" in found[0]["what"]


async def test_without_an_address_nothing_listens_and_nothing_is_counted(scene: Scene) -> None:
    assert scene.house.metrics.port == 0
    assert "no address is set" in (await scene.call("stats"))["metrics"]

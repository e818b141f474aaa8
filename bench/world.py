"""A real API server over TLS with 10 000 Backups in it, and an engine of its own: nothing of the user's is touched."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.pages import backup
from bench.servers import LAZARUS, own_state, served

COUNT = 10_000
WORKLOAD = "ledger"


@dataclass(frozen=True)
class World:
    """``env`` points kubectl and lazarus at the server; ``lazarus`` is the command line to extend."""

    env: dict[str, str]
    lazarus: list[str]


async def serve(root: Path, count: int) -> None:
    from lazarus_tui.model.clock import SystemClock
    from lazarus_tui.model.resources import BACKUPS, NAMESPACES, STATEFULSETS
    from lazarus_tui.sandbox.api import http
    from lazarus_tui.sandbox.api.kubeconfig import kubeconfig
    from lazarus_tui.sandbox.cluster import SandboxCluster
    from lazarus_tui.sandbox.scenarios.manifests import apply, define

    cluster = SandboxCluster(root, SystemClock(), token="bench", history=False, shop=False, serve_bucket=False)
    cluster.api.bootstrap()
    define(cluster.api)
    apply(cluster.api, "cluster")
    apply(cluster.api, "velero")
    if cluster.api.get(NAMESPACES, "shop") is None:
        cluster.api.create(NAMESPACES, {"metadata": {"name": "shop"}})
    container = {"name": "main", "image": "lazarus.dev/pause:1"}
    labels = {"app": WORKLOAD}
    spec = {"replicas": 1, "serviceName": WORKLOAD, "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}}}  # fmt: skip
    cluster.api.create(STATEFULSETS, {"metadata": {"name": WORKLOAD, "namespace": "shop"}, "spec": spec}, "shop")
    for number in range(count):
        made = backup(number)
        meta = made["metadata"]
        assert isinstance(meta, dict)
        for field in ("uid", "resourceVersion", "creationTimestamp", "generation", "managedFields"):
            kept = meta.pop(field, None)
            if field == "managedFields":
                meta["annotations"] = {"bench/managed": str(kept)}
        cluster.api.create(BACKUPS, made, "velero")
    serving = await http.serve(cluster.server, root / "pki")
    (root / "kubeconfig").write_text(kubeconfig(serving.url, serving.ca_pem, "bench"))
    print("ready", flush=True)
    await asyncio.Event().wait()


@contextmanager
def world(count: int = COUNT) -> Iterator[World]:
    """The server and a warm engine; both end with the block."""
    with tempfile.TemporaryDirectory(prefix="lzb") as folder:
        root = Path(folder)
        (root / "cluster").mkdir()
        env = own_state(str(root / "state")) | {
            "KUBECONFIG": str(root / "cluster" / "kubeconfig"),
            "LAZARUS_ENGINE__IDLE_SECONDS": "600",
        }
        with served("bench.world", str(root / "cluster"), str(count)):
            try:
                names = subprocess.run(
                    [*LAZARUS, "backup", "list", "-o", "name"], check=True, env=env, capture_output=True
                )
                if len(names.stdout.split()) != count:
                    raise RuntimeError(f"the engine sees {len(names.stdout.split())} of {count} backups")
                yield World(env, LAZARUS)
            finally:
                subprocess.run([*LAZARUS, "engine", "stop", "--park"], env=env, capture_output=True, check=False)


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1]), int(sys.argv[2])))

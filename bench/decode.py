"""A list of 10 000 Backups from recorded pages: the engine's path against the client library's default.

Both clients run in a process of their own; CPU is that process's user and system time for the list alone, memory is the
growth of its peak.
"""

from __future__ import annotations

import asyncio
import json
import resource
import subprocess
import sys
import time

from bench.pages import page_server
from bench.rows import Row, at_most, below

COUNT = 10_000


async def engine(url: str) -> int:
    from lazarus_tui.kube.cluster import Cluster
    from lazarus_tui.kube.contexts import Context
    from lazarus_tui.kube.kubeconfig import ClusterEntry
    from lazarus_tui.model.objects import Backup
    from lazarus_tui.model.resources import BACKUPS

    async with await Cluster.open(Context(name="bench", cluster=ClusterEntry(server=url))) as cluster:
        kept: list[Backup] = []
        baseline()
        async for page in cluster.pages(BACKUPS, "velero", type=Backup):
            kept += page.items
        return len(kept)


async def default(url: str) -> int:
    from kubernetes_asyncio import client

    configuration = client.Configuration(host=url)
    async with client.ApiClient(configuration) as api:
        custom, kept, token = client.CustomObjectsApi(api), [], ""
        baseline()
        while True:
            page = await custom.list_namespaced_custom_object(
                "velero.io", "v1", "velero", "backups", limit=500, _continue=token
            )
            kept += page["items"]
            token = page["metadata"].get("continue", "")
            if not token:
                return len(kept)


_START: dict[str, float] = {}


def baseline() -> None:
    _START.update(cpu=time.process_time(), rss=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


def measure(kind: str, url: str) -> dict[str, float]:
    found = subprocess.run(
        [sys.executable, "-m", "bench.decode", kind, url], check=True, capture_output=True, text=True
    ).stdout
    result: dict[str, float] = json.loads(found)
    if result["count"] != COUNT:
        raise RuntimeError(f"{kind} saw {result['count']} of {COUNT} backups")
    return result


def rows() -> list[Row]:
    with page_server(COUNT) as url:
        runs = [(measure("engine", url), measure("default", url)) for _ in range(3)]
    ours = sorted(run[0]["cpu"] for run in runs)[1]
    theirs = sorted(run[1]["cpu"] for run in runs)[1]
    memory = max(run[0]["megabytes"] for run in runs)
    return [
        at_most("list of 10 000 backups, engine path, client CPU", ours * 1000, theirs * 1000, 1 / 8, "ms", "default"),
        below("list of 10 000 backups, engine path, more memory", memory, 30, "MB"),
    ]


if __name__ == "__main__":
    counted = asyncio.run(engine(sys.argv[2]) if sys.argv[1] == "engine" else default(sys.argv[2]))
    spent = time.process_time() - _START["cpu"]
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - _START["rss"]
    print(json.dumps({"count": counted, "cpu": spent, "megabytes": grown / 1024}))

"""An order book that keeps its orders in a file of its volume and is asked over HTTP, in the sandbox of a trial.

It answers in every namespace from the file that lies in the volume there: a copy of nothing knows no orders. Pods are
no processes; a connection into one is answered in this process.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from lazarus_tui.model.clock import parse_rfc3339, rfc3339
from lazarus_tui.model.resources import CLAIMS, CONFIGMAPS, CRONJOBS, SERVICES, VOLUMES, Resource
from lazarus_tui.sandbox.runtime import not_reached
from tests.prove.proof.trial import Trial
from tests.snapshots.stage import SPACE

Json = dict[str, Any]
INGRESSES = Resource("networking.k8s.io", "v1", "ingresses", "Ingress", True)
CLAIM, PORT, ORDERS = "data-db-0", 8080, 3
# How long before the backup the newest order was taken.
AGE = timedelta(minutes=5)
WATERMARK: Mapping[str, Any] = {
    "kind": "http", "service": "db", "port": 80, "path": "/stats", "field": "last_at", "countField": "orders",
    "untilPath": "/until/{until_ms}/stats",
}  # fmt: skip
COUNTED: Mapping[str, Any] = {
    "kind": "http", "name": "orders counted", "service": "db", "port": 80, "path": "/stats", "rung": "data right",
    "json": [{"path": "orders", "atLeast": ORDERS}],
}  # fmt: skip
ALIVE: Mapping[str, Any] = {
    "kind": "http", "name": "answers", "service": "db", "port": 80, "path": "/healthz", "contains": "ok",
}  # fmt: skip
CHECKS: Mapping[str, Any] = {"checks": [ALIVE, COUNTED], "watermark": WATERMARK, "readySeconds": 60, "checkSeconds": 20}


class Shop(Trial):
    """The trial's set ``db`` takes orders; beside it what the rules change: a NodePort, a CronJob, settings."""

    patch: pytest.MonkeyPatch
    planned_for: str  # the quarantine that the last plan named

    async def open(self) -> None:
        self.answers: dict[str, Callable[[str], tuple[int, bytes]]] = {}
        self.cluster.kubelet.connect = self._connect  # type: ignore[method-assign]
        await super().open()
        now = self.clock.now()
        self.keep(*(now - AGE - timedelta(minutes=n) for n in range(ORDERS)))
        ports = [{"port": 80, "targetPort": PORT, "nodePort": 30080}]
        front = {"selector": {"app": "db"}, "type": "NodePort", "ports": ports}
        self.api.create(SERVICES, {"metadata": {"name": "front"}, "spec": front}, SPACE)
        pod = {"restartPolicy": "Never", "containers": [{"name": "mail", "image": "lazarus.dev/pause:1"}]}
        cron = {"schedule": "0 0 1 1 *", "jobTemplate": {"spec": {"template": {"spec": pod}}}}
        self.api.create(CRONJOBS, {"metadata": {"name": "invoices"}, "spec": cron}, SPACE)
        web = {"defaultBackend": {"service": {"name": "web", "port": {"number": 80}}}}
        self.api.create(INGRESSES, {"metadata": {"name": "web"}, "spec": web}, SPACE)
        self.api.create(CONFIGMAPS, {"metadata": {"name": "settings"}, "data": {"mode": "shop"}}, SPACE)

    def keep(self, *moments: datetime, namespace: str = SPACE) -> None:
        """The order book of a namespace holds one order of each moment and nothing else."""
        lines = [json.dumps({"id": n, "at": rfc3339(at, micro=True)}) for n, at in enumerate(moments)]
        self.file(namespace).write_text("".join(f"{line}\n" for line in lines))

    def file(self, namespace: str) -> Path:
        claim = self.there(CLAIMS, CLAIM, namespace)
        return self.cluster.volumes.path(self.there(VOLUMES, claim["spec"]["volumeName"])) / "data"

    async def _connect(self, namespace: str, pod: str, port: int, *, outside: bool = False) -> Any:
        if port != PORT or not pod.startswith("db-"):
            raise not_reached(pod, port, "connect: connection refused")
        reader = asyncio.StreamReader()
        return reader, _Taking(reader, lambda path: self._answer(namespace, path))

    def _answer(self, namespace: str, path: str) -> tuple[int, bytes]:
        known = self.answers.get(path.rpartition("/")[2])
        if known is not None and namespace != SPACE:
            return known(path)
        if path == "/healthz":
            return 200, b"ok"
        until = datetime.fromtimestamp(int(path.split("/")[2]) / 1000, UTC) if path.startswith("/until/") else None
        file = self.file(namespace)
        lines = file.read_text().splitlines() if file.exists() else []
        moments = [parse_rfc3339(json.loads(line)["at"]) for line in lines]
        kept = sorted(at for at in moments if until is None or at <= until)
        last = rfc3339(kept[-1], micro=True) if kept else None
        return 200, json.dumps({"orders": len(kept), "last_at": last}).encode()


class _Taking:
    """The other end of a connection: a whole request is answered once, and the connection ends."""

    def __init__(self, reader: asyncio.StreamReader, answer: Callable[[str], tuple[int, bytes]]) -> None:
        self._reader, self._answer, self._asked = reader, answer, b""

    def write(self, data: bytes) -> None:
        self._asked += data
        if b"\r\n\r\n" not in self._asked:
            return
        status, body = self._answer(self._asked.split()[1].decode())
        head = f"HTTP/1.1 {status} Said\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        self._asked = b""
        self._reader.feed_data(head.encode() + b"Connection: close\r\n\r\n" + body)
        self._reader.feed_eof()

    async def drain(self) -> None: ...

    def can_write_eof(self) -> bool:
        return False

    def close(self) -> None: ...

    async def wait_closed(self) -> None: ...

"""What 10 000 pods cost in memory: growth of the sandbox's process, and of kube-apiserver and etcd beside it."""

from __future__ import annotations

import asyncio
import json

from bench.rows import Row
from bench.server_client import Connection
from bench.server_targets import Target, real, sandbox

PODS, SERVICES, CONNECTIONS = 10_000, 100, 8
LIMIT = 12 * 1024
NAMESPACE = "bench-pods"
# Seconds for controllers to have looked at them all.
SETTLE = 3.0


def rows() -> list[Row]:
    """Bytes for each pod that is kept: at most 12 KB (KiB)."""
    with sandbox() as ours:
        value = asyncio.run(fill(ours))
    with real() as peer:
        floor = asyncio.run(fill(peer)) if peer else None
    shown = None if floor is None else round(floor)
    return [Row(f"API server, memory of one of {PODS} pods", round(value), "B", shown, "<= 12 KB", value <= LIMIT)]


def pod(number: int) -> bytes:
    """Of one of 100 services: 1.8 KB as it is sent, 5.7 KB as it is kept. Its gate stays shut: no kubelet takes it."""
    service = f"service-{number % SERVICES}"
    env = [{"name": f"SETTING_{n}", "value": f"{service}-{n}"} for n in range(6)]
    probe = {"httpGet": {"path": "/healthz", "port": 8080}, "periodSeconds": 5}
    container = {
        "name": "main",
        "image": f"registry.example.com/team/{service}:1.2.3",
        "env": env,
        "ports": [{"name": "http", "containerPort": 8080}],
        "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": "256Mi"}},
        "readinessProbe": probe,
        "livenessProbe": probe,
        "volumeMounts": [{"name": "config", "mountPath": "/etc/service"}],
    }
    spec = {
        "schedulingGates": [{"name": "bench.example.com/never"}],
        "schedulerName": "none",
        "automountServiceAccountToken": False,
        "containers": [container, {**container, "name": "side", "ports": []}],
        "volumes": [{"name": "config", "configMap": {"name": service}}],
    }
    labels = {"app": service, "tier": "backend", "pod-template-hash": f"{number:x}"}
    return json.dumps({"metadata": {"name": f"{service}-{number:05}", "labels": labels}, "spec": spec}).encode()


async def fill(target: Target) -> float:
    connections = [await Connection.open(target.address) for _ in range(CONNECTIONS)]
    ask, kind = connections[0].ask, "application/json"
    await ask("POST", "/api/v1/namespaces", json.dumps({"metadata": {"name": NAMESPACE}}).encode(), kind)
    path = f"/api/v1/namespaces/{NAMESPACE}/pods"
    await ask("POST", path.replace("pods", "serviceaccounts"), b'{"metadata":{"name":"default"}}', kind)
    before, numbers = target.resident(), iter(range(PODS))

    async def work(connection: Connection) -> None:
        for number in numbers:
            status, answer = await connection.ask("POST", path, pod(number), kind)
            if status != 201:
                raise RuntimeError(f"POST {path}: {status} {answer[:200]!r}")

    await asyncio.gather(*(work(connection) for connection in connections))
    await asyncio.sleep(SETTLE)
    grown = target.resident() - before
    await asyncio.gather(*(connection.close() for connection in connections))
    return grown / PODS

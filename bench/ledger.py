"""A StatefulSet of three replicas with data in a sandbox, and a set of snapshots to bring it back to."""

from __future__ import annotations

import base64
import json
import ssl
import subprocess
import time
import urllib.request
from collections.abc import Callable
from typing import Any

import yaml

from bench.servers import LAZARUS
from lazarus_tui.model.paths import StateRoot
from lazarus_tui.sandbox import process

REPLICAS = 3
NAME = "ledger/books"


def manifest() -> dict[str, Any]:
    labels = {"app": "books"}
    container = {
        "name": "books", "image": "lazarus.dev/pause:1", "volumeMounts": [{"name": "data", "mountPath": "/data"}]
    }  # fmt: skip
    claim = {
        "metadata": {"name": "data"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "64Mi"}}},
    }
    return {
        "apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "books", "namespace": "ledger"},
        "spec": {
            "replicas": REPLICAS, "serviceName": "books", "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
            "volumeClaimTemplates": [claim],
        },
    }  # fmt: skip


class Ledger:
    """``env`` is that of a sandbox which is up."""

    def __init__(self, env: dict[str, str]) -> None:
        self.env = env
        self._config = yaml.safe_load(process.kubeconfig(StateRoot(True, env=env).cluster))

    def api(self, method: str, path: str, body: Any = None) -> Any:
        cluster = self._config["clusters"][0]["cluster"]
        trust = ssl.create_default_context(cadata=base64.b64decode(cluster["certificate-authority-data"]).decode())
        token = self._config["users"][0]["user"]["token"]
        headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(cluster["server"] + path, method=method, data=data, headers=headers)
        with urllib.request.urlopen(request, context=trust) as answer:
            return json.loads(answer.read())

    def workload(self) -> Any:
        return self.api("GET", "/apis/apps/v1/namespaces/ledger/statefulsets/books")

    def fill(self) -> None:
        """The set is there and ready, and has a usable set of snapshots."""
        space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "ledger"}}
        self.api("POST", "/api/v1/namespaces", space)
        self.api("POST", "/apis/apps/v1/namespaces/ledger/statefulsets", manifest())
        until(lambda: (self.workload().get("status") or {}).get("readyReplicas") == REPLICAS)
        self.run("snapshot", "create", NAME, "--confirm", NAME)

    def run(self, *words: str) -> Any:
        """The JSON a command answers with, once it has ended well."""
        command = [*LAZARUS, "--sandbox", *words, "-o", "json"]
        done = subprocess.run(command, env=self.env, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"lazarus {' '.join(words)}: {done.stderr}")
        return json.loads(done.stdout)


def until(seen: Callable[[], Any], seconds: float = 60.0) -> Any:
    """The first true value of ``seen``; raises ``TimeoutError``."""
    end = time.perf_counter() + seconds
    while not (found := seen()):
        if time.perf_counter() > end:
            raise TimeoutError("it did not happen in time")
        time.sleep(0.02)
    return found

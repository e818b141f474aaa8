"""The whole of it: a sandbox of its own with real processes, its engine, and the command that pipelines use."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from bench.ledger import Ledger
from bench.servers import LAZARUS, sandbox
from lazarus_tui.model.paths import StateRoot
from lazarus_tui.sandbox.api.store import HISTORY
from tests.prove.soak.flat import descriptors, growth, rss, threads

# KiB that a proof may add to a process for good: the engine keeps the records of the newest 400 operations, no more.
# In a short run the interpreter's own warming up is in it.
MOST_GROWTH, SHORT_GROWTH, SHORT = 512.0, 1536.0, 40
# KiB that the sandbox keeps of a change, as long as its history of them for watches is not full.
EVENT = 6.0
# Moments that are looked at after each proof, and seconds between them.
_LOOKS, _BETWEEN = 5, 0.2
_LISTS = {
    "namespaces": "/api/v1/namespaces",
    "volumes": "/api/v1/persistentvolumes",
    "restores": "/apis/velero.io/v1/namespaces/velero/restores",
    "copies": "/apis/velero.io/v1/namespaces/velero/podvolumerestores",
    "downloads": "/apis/velero.io/v1/namespaces/velero/downloadrequests",
    "settings": "/api/v1/namespaces/velero/configmaps",
    "contents": "/apis/snapshot.storage.k8s.io/v1/volumesnapshotcontents",
    "roles": "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
}


class Watched:
    """Engine and sandbox, sampled after each proof."""

    def __init__(self, pids: Mapping[str, int]) -> None:
        self._pids = pids
        self.rows: dict[str, list[tuple[int, int, int]]] = {name: [] for name in pids}

    def look(self) -> None:
        """The least of some moments: connections of what has just ended are still closing."""
        looks: dict[str, list[tuple[int, int, int]]] = {name: [] for name in self._pids}
        for _ in range(_LOOKS):
            time.sleep(_BETWEEN)
            for name, pid in self._pids.items():
                looks[name].append((rss(pid), descriptors(pid), threads(pid)))
        for name, found in looks.items():
            memory, files, work = (min(column) for column in zip(*found, strict=True))
            self.rows[name].append((memory, files, work))

    def found(self) -> dict[str, dict[str, float]]:
        told = {}
        for name, rows in self.rows.items():
            memory, files, work = zip(*rows, strict=True)
            told[name] = {
                "rss_kib": memory[-1], "kib_per_proof": round(growth(memory), 1), "descriptors": files[-1],
                "descriptors_per_proof": round(growth(files), 2), "threads": work[-1],
                "threads_per_proof": round(growth(work), 2),
            }  # fmt: skip
        return told


def soak(rows: int, at_once: int) -> dict[str, Any]:
    """Counts, and ``breaches`` in words."""
    with sandbox() as env:
        breaches: list[str] = []
        prove(env, breaches)  # what is made once is made
        cluster = Ledger(env)
        before, watched = there(cluster), Watched(pids(env))
        began = revision(cluster)
        for number in range(rows):
            prove(env, breaches)
            watched.look()
            newest = {name: samples[-1] for name, samples in watched.rows.items()}
            sys.stderr.write(f"{number + 1} of {rows}: {json.dumps(newest)}\n")
        found, each = watched.found(), (revision(cluster) - began) / rows
        with ThreadPoolExecutor(at_once) as pool:
            list(pool.map(lambda _: prove(env, breaches), range(at_once)))
        after = there(cluster)
    breaches += [f"{kind} {name} stayed" for kind in before for name in sorted(after[kind] - before[kind])]
    breaches += [f"{kind} {name} is gone" for kind in before for name in sorted(before[kind] - after[kind])]
    for name, one in found.items():
        filling = name == "sandbox" and each * rows / 2 < HISTORY
        most = SHORT_GROWTH if rows < SHORT else MOST_GROWTH
        if one["kib_per_proof"] > most + filling * each * EVENT:
            breaches.append(f"{name} grows by {one['kib_per_proof']} KiB with each proof")
        breaches += [f"{what} of {name} grow" for what in ("descriptors", "threads") if one[f"{what}_per_proof"] > 0.5]
    return {"proofs": rows + 1, "at_once": at_once, **found, "changes_per_proof": round(each), "breaches": breaches}


def prove(env: Mapping[str, str], breaches: list[str]) -> None:
    command = [*LAZARUS, "--sandbox", "prove", "run", "--workload", "shop", "-o", "json"]
    done = subprocess.run(command, env=dict(env), capture_output=True, text=True, check=False)
    if done.returncode:
        breaches.append(
            f"a proof ended with {done.returncode}: {why(done.stdout) or done.stderr.strip().splitlines()[-1:]}"
        )


def why(said: str) -> str:
    """What a proof that is not green says of itself."""
    try:
        found = json.loads(said)
    except ValueError:
        return ""
    proof = found["proof"] or {}
    told = {key: proof.get(key) for key in ("verdict", "words", "troubles", "left", "not_green")}
    rungs = [rung for one in proof.get("ladders", ()) for rung in one["rungs"] if rung["verdict"] != "PASSED"]
    checks = [(one["name"], one["summary"]) for one in found["checks"] if one["verdict"] != "PASSED"]
    return json.dumps({"operation": found["operation"], **told, "rungs": rungs, "checks": checks})


def there(cluster: Ledger) -> dict[str, set[str]]:
    """Names of what a proof could leave; the sandbox's own backups make and remove nothing of it."""
    return {
        kind: {one["metadata"]["name"] for one in cluster.api("GET", path)["items"]} for kind, path in _LISTS.items()
    }


def revision(cluster: Ledger) -> int:
    return int(cluster.api("GET", "/api/v1/namespaces?limit=1")["metadata"]["resourceVersion"])


def pids(env: Mapping[str, str]) -> dict[str, int]:
    status = subprocess.run([*LAZARUS, "--sandbox", "engine", "status", "-o", "json"], env=dict(env),
                            capture_output=True, text=True, check=True)  # fmt: skip
    root = StateRoot(True, env=dict(env)).cluster
    return {"engine": int(json.loads(status.stdout)["pid"]), "sandbox": int((root / "serve.pid").read_text())}

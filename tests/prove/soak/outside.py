"""The whole of it: a sandbox of its own with real processes, its engine, and the command that pipelines use."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from bench.ledger import Ledger
from bench.servers import LAZARUS, sandbox
from lazarus_tui.link.client import SyncClient
from lazarus_tui.model.paths import StateRoot
from lazarus_tui.sandbox.api.store import HISTORY
from tests.prove.soak.flat import descriptors, growth, least, risen, rss, threads

# KiB that a proof may add to a process for good: the engine keeps the records of the newest 400 operations, no more.
# In a short run caches that are not full yet are in what is resident; the engine's objects are counted exactly in any.
MOST_GROWTH, SHORT_GROWTH, SHORT = 512.0, 1536.0, 40
# Bytes of one of Python's blocks, on average: its own have at most 512, most are objects of 48 to 112.
BLOCK = 96
# KiB that the sandbox keeps of a change, as long as its history of them for watches is not full.
EVENT = 6.0
# Moments that are looked at after each proof, and seconds between them.
_LOOKS, _BETWEEN = 5, 0.2
# What is counted, and comes and goes with connections.
_COUNTED = ("descriptors", "threads")
# Seconds after which a download that is still there, or a connection, has been left behind.
_PATIENCE = 60.0
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
    """Engine and sandbox, sampled after each proof: KiB resident and (the engine) of objects; descriptors, threads."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self._socket, self._pids = StateRoot(True, env=dict(env)).socket, pids(env)
        self.rows: dict[str, list[dict[str, float]]] = {name: [] for name in self._pids}
        self.rest: dict[str, dict[str, float]] = {}

    def look(self) -> None:
        """The least of some moments: connections of what has just ended are still closing."""
        looks: dict[str, list[dict[str, float]]] = {name: [] for name in self._pids}
        for _ in range(_LOOKS):
            time.sleep(_BETWEEN)
            held = objects(self._socket)
            for name, pid in self._pids.items():
                looks[name].append({"rss": rss(pid), "descriptors": descriptors(pid), "threads": threads(pid)})
            looks["engine"][-1]["objects"] = held
        for name, found in looks.items():
            self.rows[name].append({what: min(look[what] for look in found) for what in found[0]})

    def come_to_rest(self) -> None:
        """Descriptors and threads are counted again until they are as few as they were, or for so long in vain: idle
        connections are closed by themselves."""
        end = time.monotonic() + _PATIENCE
        self.rest = {name: {what: rows[-1][what] for what in _COUNTED} for name, rows in self.rows.items()}
        while time.monotonic() < end and any(
            self.rest[name][what] > least([row[what] for row in rows])
            for name, rows in self.rows.items()
            for what in _COUNTED
        ):
            time.sleep(_BETWEEN)
            for name, pid in self._pids.items():
                now = {"descriptors": descriptors(pid), "threads": threads(pid)}
                self.rest[name] = {what: min(self.rest[name][what], now[what]) for what in _COUNTED}

    def found(self) -> dict[str, dict[str, float]]:
        """The last sample of each, and by how much it grows with each proof."""
        told = {}
        for name, rows in self.rows.items():
            grown = {what: growth([row[what] for row in rows]) for what in rows[0]}
            grown |= {what: risen([row[what] for row in rows], rest) for what, rest in self.rest[name].items()}
            told[name] = {**rows[-1], **{f"{what}_per_proof": round(more, 2) for what, more in grown.items()}}
        return told


def objects(socket: Path) -> float:
    """KiB of what the engine's interpreter holds, garbage of cycles aside: what is kept for good shows here at once,
    where resident memory comes and goes by megabytes."""
    with SyncClient.attach(socket) as client:
        found = client.call("stats", {"collect": True}, dict[str, Any])
    return round(found["python_blocks"] * BLOCK / 1024, 1)


def soak(rows: int, at_once: int) -> dict[str, Any]:
    """Counts, and ``breaches`` in words. Those at once come first: what has a bound is full then."""
    with sandbox() as env:
        breaches: list[str] = []
        prove(env, breaches)  # what is made once is made
        cluster = Ledger(env)
        before, watched = there(cluster), Watched(env)
        with ThreadPoolExecutor(at_once) as pool:
            list(pool.map(lambda _: prove(env, breaches), range(at_once)))
        began = revision(cluster)
        for number in range(rows):
            prove(env, breaches)
            watched.look()
            newest = {name: samples[-1] for name, samples in watched.rows.items()}
            sys.stderr.write(f"{number + 1} of {rows}: {json.dumps(newest)}\n")
        watched.come_to_rest()
        found, each = watched.found(), (revision(cluster) - began) / rows
        after = there(cluster)
    breaches += [f"{kind} {name} stayed" for kind in before for name in sorted(after[kind] - before[kind])]
    breaches += [f"{kind} {name} is gone" for kind in before for name in sorted(before[kind] - after[kind])]
    breaches += grown(found, rows, each)
    return {"proofs": rows + 1, "at_once": at_once, **found, "changes_per_proof": round(each), "breaches": breaches}


def grown(found: Mapping[str, Mapping[str, float]], rows: int, changes: float) -> list[str]:
    """What grows more than it may, in words; ``changes`` of the sandbox's objects for each proof."""
    engine, cluster = found["engine"], found["sandbox"]
    filling = changes * EVENT if changes * rows / 2 < HISTORY else 0.0
    most = SHORT_GROWTH if rows < SHORT else MOST_GROWTH
    bounds = [
        ("engine holds", engine["objects_per_proof"], MOST_GROWTH),
        ("engine takes", engine["rss_per_proof"], most),
        ("sandbox takes", cluster["rss_per_proof"], most + filling),
    ]
    told = [f"{what} {more} KiB more with each proof" for what, more, most in bounds if more > most]
    for name, one in found.items():
        told += [f"{what} of {name} grow" for what in _COUNTED if one[f"{what}_per_proof"] > 0.5]
    return told


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
    """Names of what a proof could leave; the sandbox's own backups make and remove nothing of it.

    What the engine downloads for its Overview it removes a moment later: that is waited for, though not for ever.
    """
    end = time.monotonic() + _PATIENCE
    while True:
        found = {
            kind: {one["metadata"]["name"] for one in cluster.api("GET", path)["items"]}
            for kind, path in _LISTS.items()
        }
        if not found["downloads"] or time.monotonic() > end:
            return found
        time.sleep(_BETWEEN)


def revision(cluster: Ledger) -> int:
    return int(cluster.api("GET", "/api/v1/namespaces?limit=1")["metadata"]["resourceVersion"])


def pids(env: Mapping[str, str]) -> dict[str, int]:
    status = subprocess.run([*LAZARUS, "--sandbox", "engine", "status", "-o", "json"], env=dict(env),
                            capture_output=True, text=True, check=True)  # fmt: skip
    root = StateRoot(True, env=dict(env)).cluster
    return {"engine": int(json.loads(status.stdout)["pid"]), "sandbox": int((root / "serve.pid").read_text())}

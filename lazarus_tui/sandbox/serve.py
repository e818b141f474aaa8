"""The sandbox's own process: state from disk, real pods, TLS on loopback, and a clean end."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import logging
import os
import resource
import secrets
import shutil
import signal
import sys
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import urlsplit

import yaml

from lazarus_tui.model.clock import SystemClock, listened, rfc3339
from lazarus_tui.model.paths import write_private
from lazarus_tui.model.resources import DEPLOYMENTS, STATEFULSETS
from lazarus_tui.sandbox.api import http
from lazarus_tui.sandbox.api.kubeconfig import kubeconfig
from lazarus_tui.sandbox.api.persist import Persistence, StateUnusable
from lazarus_tui.sandbox.api.pki import authority_pem, load_authority
from lazarus_tui.sandbox.api.server import KUBERNETES_VERSION
from lazarus_tui.sandbox.api.store import Store
from lazarus_tui.sandbox.clock import ScaledClock
from lazarus_tui.sandbox.cluster import SandboxCluster
from lazarus_tui.sandbox.dataplane.launcher import ProcessLauncher
from lazarus_tui.sandbox.dataplane.ledger import Ledger
from lazarus_tui.sandbox.process import asked, ending_path, kubeconfig_path, state_path
from lazarus_tui.sandbox.velero.installation import Settings

SHOP = "shop"
# An ephemeral sandbox ends when no client has been connected for this long; the first may take its time.
_UNUSED_SECONDS, _FIRST_USE_SECONDS = 4.0, 60.0
_LOOK_SECONDS = 1.0
_SETTLE_SECONDS = 10.0
_FILES = 8192
# What a sandbox must have written before it counts as filled; without it a half-made one is made anew.
_FILLED = "filled"

# What a small real installation takes: a data mover's pod, and a tenth of a second for an object. Scaled like the rest.
PACE = Settings(kubernetes_version=KUBERNETES_VERSION, prepare_seconds=10.0, item_seconds=0.1)

log = logging.getLogger(__name__)


def serve(root: Path, factor: float, *, ephemeral: bool) -> int:
    """Run until SIGTERM or SIGINT; the exit code. The caller holds the lock of ``root``."""
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    try:
        asyncio.run(_Process(root, factor, ephemeral).run())
    except (StateUnusable, OSError) as error:
        log.error("the sandbox cannot run: %s", error)
        return 1
    return 0


class _Process:
    def __init__(self, root: Path, factor: float, ephemeral: bool) -> None:
        self.root, self.factor, self._ephemeral = root, factor, ephemeral
        self._end = asyncio.Event()
        self._changed = asyncio.Event()
        self._started = ""
        self._settled = False
        self._bucket = ""
        self._network = ""

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        for signum in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(signum, self._end.set)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        _allow_files()
        clear_half_made(self.root)
        ending_path(self.root).unlink(missing_ok=True)
        clock = SystemClock()
        self._started = rfc3339(clock.now())
        keeper = Persistence.open(self.root / "cluster.db")
        store = Store(keeper=keeper)
        keeper.load(store)
        keeper.start()
        try:
            cluster = SandboxCluster(
                self.root,
                clock,
                velero_clock=ScaledClock(self.factor),
                launcher=ProcessLauncher(Ledger(self.root / "ledger.json")),
                store=store,
                token=_token(self.root),
                ca=authority_pem(load_authority(self.root / "pki")).decode(),
                settings=PACE,
            )
            await self._serve(cluster, store)
        finally:
            await keeper.close()
            state_path(self.root).unlink(missing_ok=True)

    async def _serve(self, cluster: SandboxCluster, store: Store) -> None:
        serving: http.Serving | None = None
        try:
            await cluster.start()
            await store.durable(store.revision)
            (self.root / _FILLED).touch(mode=0o600)
            serving = await self._front(cluster)
            cluster.network.api_address = ("127.0.0.1", urlsplit(serving.url).port or 443)
            self._network = str(cluster.network.state)
            gc.collect()
            gc.freeze()  # the loaded objects live for ever: the collector need not look at them again
            self._bucket = cluster.objects.base_url
            self._write_kubeconfig(serving)
            cluster.on_token = lambda token: self._renewed(serving, token)
            await self._until_the_end(cluster, serving)
        finally:
            await cluster.stop()
            if serving is not None:
                await serving.close()

    def _write_kubeconfig(self, serving: http.Serving) -> None:
        text = kubeconfig(serving.url, serving.ca_pem, _token(self.root))
        write_private(kubeconfig_path(self.root), text.encode())

    def _renewed(self, serving: http.Serving, token: str) -> None:
        write_private(self.root / "token", token.encode())
        self._write_kubeconfig(serving)

    async def _front(self, cluster: SandboxCluster) -> http.Serving:
        """On the port of the last run if it is free: kubeconfigs and consoles then stay right."""
        pki = self.root / "pki"
        with contextlib.suppress(OSError):
            return await http.serve(cluster.server, pki, _last_port(self.root))
        return await http.serve(cluster.server, pki)

    async def _until_the_end(self, cluster: SandboxCluster, serving: http.Serving) -> None:
        unsubscribe = cluster.api.subscribe(lambda _kind, resource, *_: self._heard(resource.plural))
        tasks = [asyncio.ensure_future(self._settle(cluster))]
        if self._ephemeral:
            tasks.append(asyncio.ensure_future(self._end_when_unused(serving)))
        try:
            while not self._end.is_set():
                self._changed.clear()
                self._tell(serving, self._settled and _ready(cluster))
                ends = asyncio.ensure_future(self._end.wait())
                changes = asyncio.ensure_future(self._changed.wait())
                await asyncio.wait({ends, changes}, return_when=asyncio.FIRST_COMPLETED)
                ends.cancel()
                changes.cancel()
        finally:
            unsubscribe()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _settle(self, cluster: SandboxCluster) -> None:
        """What was kept says that pods are ready which have yet to be started: believe it only after a first look."""
        with contextlib.suppress(TimeoutError):
            await listened(_SETTLE_SECONDS, cluster.settle())
        self._settled = True
        self._changed.set()

    def _heard(self, plural: str) -> None:
        if plural in (DEPLOYMENTS.plural, STATEFULSETS.plural):
            self._changed.set()

    def _tell(self, serving: http.Serving, ready: bool) -> None:
        told = {
            "pid": os.getpid(),
            "server": serving.url,
            "bucket": self._bucket,
            "factor": self.factor,
            "started": self._started,
            "ready": ready,
            "network": self._network,
        }
        data = json.dumps(told).encode()
        path = state_path(self.root)
        if not path.exists() or path.read_bytes() != data:
            write_private(path, data)

    async def _end_when_unused(self, serving: http.Serving) -> None:
        """End when nobody is connected or has asked for it, unless somebody has said that the sandbox is to stay."""
        unused, heard, before = 0.0, asked(self.root), 0  # before: requests until somebody asked, -1 if they came
        while not (self.root / "keep").exists():
            await asyncio.sleep(_LOOK_SECONDS)
            low = serving.runner.server
            if low is None or low.connections:
                unused, heard, before = 0.0, asked(self.root), -1
                continue
            if asked(self.root) != heard:
                unused, heard, before = 0.0, asked(self.root), low.requests_count
            unused += _LOOK_SECONDS
            if unused < (_FIRST_USE_SECONDS if low.requests_count == before else _UNUSED_SECONDS):
                continue
            with contextlib.suppress(FileNotFoundError):  # its folder was removed: nobody can come any more
                ending_path(self.root).touch(mode=0o600)
            if asked(self.root) == heard or not self.root.is_dir():
                log.info("nobody is connected any more")
                self._end.set()
                return
            ending_path(self.root).unlink(missing_ok=True)


def _allow_files() -> None:
    """As many open files as this process may have: the network of a pod takes about 30, and the usual limit is 1024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _FILES if hard == resource.RLIM_INFINITY else min(hard, _FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def clear_half_made(root: Path) -> None:
    """A first start that was killed leaves parts; they are removed, since nothing of them was in use yet."""
    if (root / _FILLED).exists() or not (root / "cluster.db").exists():
        return
    for name in ("volumes", "snapshots", "bucket", "pods"):
        shutil.rmtree(root / name, ignore_errors=True)
    for path in root.glob("cluster.db*"):
        path.unlink()


def _ready(cluster: SandboxCluster) -> bool:
    """Every workload the shop still has is as it should be; a shop that was deleted is nobody's to wait for."""

    def complete(objects: Iterable[dict[str, object]]) -> bool:
        for obj in objects:
            spec, status = obj.get("spec"), obj.get("status")
            wanted = spec.get("replicas", 1) if isinstance(spec, dict) else 1
            there = status.get("readyReplicas", 0) if isinstance(status, dict) else 0
            if there < wanted:
                return False
        return True

    return complete(cluster.api.list(STATEFULSETS, SHOP)) and complete(cluster.api.list(DEPLOYMENTS, SHOP))


def _token(root: Path) -> str:
    path = root / "token"
    if not path.exists():
        write_private(path, secrets.token_urlsafe(32).encode())
    return path.read_text(encoding="ascii")


def _last_port(root: Path) -> int:
    try:
        config = yaml.safe_load(kubeconfig_path(root).read_text(encoding="utf-8"))
        return urlsplit(config["clusters"][0]["cluster"]["server"]).port or 0
    except (FileNotFoundError, yaml.YAMLError, KeyError, IndexError, TypeError, ValueError):
        return 0

"""What the table runs against: the sandbox, served over HTTPS as in earnest, or the cluster of a named kubeconfig.

A kubeconfig has to be named on purpose (``LAZARUS_CONFORMANCE_KUBECONFIG``); one that is merely exported for kubectl is
never looked at, and a server that is not on this machine is only touched when its context is confirmed by name.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from lazarus_tui.kube.cluster import Cluster
from lazarus_tui.kube.contexts import Context, is_loopback, load_kubeconfig
from lazarus_tui.model.clock import SystemClock
from lazarus_tui.model.http import HttpRequest
from lazarus_tui.model.resources import CONFIGMAPS
from lazarus_tui.sandbox.api.http import serve
from lazarus_tui.sandbox.api.kubeconfig import kubeconfig
from lazarus_tui.sandbox.api.store import Store
from lazarus_tui.sandbox.cluster import SandboxCluster

VARIABLE, CONFIRM = "LAZARUS_CONFORMANCE_KUBECONFIG", "CONFIRM"
# What a case may need besides an API server.
CONTROLLERS, NODE = "controllers", "node"
_TOKEN = "conformance"
# Versions that the sandbox remembers: far more than one case needs.
_HISTORY = 1024


@dataclass(frozen=True, slots=True)
class Facts:
    """What a cluster has: its minor version, and which of ``CONTROLLERS`` and ``NODE``."""

    minor: int
    has: frozenset[str]


SANDBOX = Facts(36, frozenset({CONTROLLERS, NODE}))


def chosen(environ: Mapping[str, str]) -> Context | None:
    """The context to run against, None for the sandbox; ``ValueError`` says why it may not be touched."""
    named = environ.get(VARIABLE, "")
    if not named:
        return None
    try:
        context = load_kubeconfig([named], environ={}).context()
    except Exception as error:
        raise ValueError(f"{VARIABLE}: {error}") from error
    if not is_loopback(context.cluster.server) and environ.get(CONFIRM, "") != context.name:
        raise ValueError(f"{context.server} is not on this machine: confirm with {CONFIRM}={context.name}")
    return context


async def facts_of(context: Context) -> Facts:
    """Ask a cluster what it has; nodes and controllers are told by their traces."""

    async with await Cluster.open(context) as cluster:

        async def ask(path: str) -> tuple[int, dict[str, object]]:
            answer = await cluster.transport.send(HttpRequest("GET", path, headers={"accept": "application/json"}))
            return answer.status, json.loads(answer.body)

        version = await cluster.version()
        nodes = await ask("/api/v1/nodes")
        account = await ask("/api/v1/namespaces/default/serviceaccounts/default")
    has = {NODE} if nodes[1].get("items") else set()
    has |= {CONTROLLERS} if account[0] == 200 else set()
    return Facts(int("".join(c for c in version.minor if c.isdigit())), frozenset(has))


def facts(environ: Mapping[str, str]) -> Facts:
    """For the time of collection, when no event loop runs yet."""
    context = chosen(environ)
    return SANDBOX if context is None else asyncio.run(facts_of(context))


@asynccontextmanager
async def sandbox(root: Path) -> AsyncIterator[Context]:
    """A sandbox with its controllers and no scenario, behind TLS and a token, and the context that leads to it."""
    store = Store(history=_HISTORY)
    cluster = SandboxCluster(root / "cluster", SystemClock(), token=_TOKEN, shop=False, serve_bucket=False, store=store)
    await cluster.start()
    _grow_old(cluster)
    try:
        serving = await serve(cluster.server, root / "pki")
        try:
            file = root / "kubeconfig"
            file.touch(mode=0o600)
            file.write_text(kubeconfig(serving.url, serving.ca_pem, _TOKEN))
            yield load_kubeconfig([file], environ={}).context()
        finally:
            await serving.close()
    finally:
        await cluster.stop()


def _grow_old(cluster: SandboxCluster) -> None:
    """Let the first versions be forgotten, as on any cluster that has been up for a while."""
    cluster.api.create(CONFIGMAPS, {"metadata": {"name": "age"}}, "default")
    for year in range(_HISTORY):
        cluster.api.patch(CONFIGMAPS, "age", {"data": {"year": str(year)}}, "default")


@asynccontextmanager
async def target(environ: Mapping[str, str], root: Path) -> AsyncIterator[Context]:
    """The context of the target, for as long as it is there."""
    context = chosen(environ)
    if context is not None:
        yield context
        return
    async with sandbox(root) as made:
        yield made

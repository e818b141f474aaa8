"""Faults of the node and of what runs on it."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from lazarus_tui.model.clock import Clock, rfc3339
from lazarus_tui.model.resources import NODES, PODS
from lazarus_tui.sandbox.controllers.base import Object, key_of
from lazarus_tui.sandbox.controllers.nodes import NODE, NodeController
from lazarus_tui.sandbox.dataplane.catalog import Catalog, Image
from lazarus_tui.sandbox.dataplane.launcher import Launch, Launcher, Running, Stillness
from lazarus_tui.sandbox.faults.effects import Done
from lazarus_tui.sandbox.faults.model import Fault, FaultRefused

if TYPE_CHECKING:
    from lazarus_tui.sandbox.api.local import LocalApi
    from lazarus_tui.sandbox.dataplane.kubelet import Kubelet
    from lazarus_tui.sandbox.dataplane.logs import LogFile

_UNREACHABLE = "node.kubernetes.io/unreachable"
# What the admission plugin DefaultTolerationSeconds gives every pod that says nothing itself.
TOLERATION_SECONDS = 300.0


class NodeOutage:
    """Kind ``node-not-ready``: what the node lifecycle controller does once a kubelet has been silent long enough."""

    def __init__(self, api: LocalApi, clock: Clock, kubelet: Kubelet, nodes: NodeController) -> None:
        self._api, self._clock, self._kubelet, self._nodes = api, clock, kubelet, nodes
        self._evictions: list[asyncio.Task[None]] = []

    async def begin(self, fault: Fault) -> Done:
        self._kubelet.silent = self._nodes.silent = True
        self._taint([{"key": _UNREACHABLE, "effect": effect} for effect in ("NoSchedule", "NoExecute")])
        self._condition()
        done = [(f"node {NODE}", "not ready")]
        for pod in self._pods():
            self._unready(pod)
            stays = tolerated(pod)
            if stays is not None:
                self._evictions.append(asyncio.create_task(self._evict(pod, stays), name="eviction"))
        return done

    async def end(self, fault: Fault) -> Done:
        for task in self._evictions:
            task.cancel()
        await asyncio.gather(*self._evictions, return_exceptions=True)
        self._evictions.clear()
        self._taint([])
        self._kubelet.silent = self._nodes.silent = False
        self._nodes.enqueue(("", NODE))
        for pod in self._pods():
            self._kubelet.enqueue(key_of(pod))
        return [(f"node {NODE}", "ready again")]

    def _pods(self) -> list[Object]:
        return [pod for pod in self._api.list(PODS) if pod["spec"].get("nodeName") == NODE]

    def _taint(self, taints: list[dict[str, str]]) -> None:
        if self._api.get(NODES, NODE) is None:
            raise FaultRefused("there is no node yet")
        set_taints(self._api, taints)

    def _condition(self) -> None:
        node = self._api.get(NODES, NODE)
        assert node is not None
        now = rfc3339(self._clock.now())
        unknown = {"status": "Unknown", "reason": "NodeStatusUnknown",
                   "message": "Kubelet stopped posting node status.", "lastTransitionTime": now}  # fmt: skip
        conditions = [one | unknown for one in (node.get("status") or {}).get("conditions") or ()]
        self._api.update_status(NODES, {**node, "status": node["status"] | {"conditions": conditions}})

    def _unready(self, pod: Object) -> None:
        status = pod.get("status") or {}
        conditions = [
            one | {"status": "False", "reason": "NodeNotReady"} if one["type"] == "Ready" else one
            for one in status.get("conditions") or ()
        ]
        if conditions:
            self._api.update_status(PODS, {**pod, "status": status | {"conditions": conditions}})

    async def _evict(self, pod: Object, seconds: float) -> None:
        """Deletes the pod; nobody is there to end it, so it stays Terminating."""
        await self._clock.sleep(seconds)
        meta = pod["metadata"]
        self._api.delete(PODS, meta["name"], meta["namespace"], uid=meta["uid"])


def set_taints(api: LocalApi, taints: list[dict[str, str]]) -> None:
    """The node's taints of being unreachable; those of others stay."""
    node = api.get(NODES, NODE)
    had = (node or {"spec": {}})["spec"].get("taints") or ()
    wanted = [*(one for one in had if one["key"] != _UNREACHABLE), *taints]
    if node is not None and wanted != list(had):
        api.patch(NODES, NODE, {"spec": {"taints": wanted or None}})


def tolerated(pod: Object) -> float | None:
    """Seconds a pod stays on an unreachable node; None for ever."""
    for one in pod["spec"].get("tolerations") or ():
        if one.get("key") in (None, "", _UNREACHABLE) and one.get("effect") in (None, "", "NoExecute"):
            seconds = one.get("tolerationSeconds")
            return None if seconds is None else max(0.0, float(seconds))
    owners: Iterable[dict[str, Any]] = pod["metadata"].get("ownerReferences") or ()
    return None if any(one["kind"] == "DaemonSet" for one in owners) else TOLERATION_SECONDS


class Crashing:
    """A launcher whose containers end at once, if their pod's name begins with one of ``doomed`` ("ns/name")."""

    def __init__(self, inner: Launcher) -> None:
        self._inner = inner
        self.doomed: set[str] = set()
        self._running: WeakKeyDictionary[Running, str] = WeakKeyDictionary()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    async def start(self, launch: Launch, log: LogFile) -> Running:
        pod = f"{launch.env.get('POD_NAMESPACE', '')}/{launch.env.get('HOSTNAME', '')}"
        if self._hits(pod):
            log.append(b"fatal: crashed by a fault on demand\n")
            return _Crashed()
        running = await self._inner.start(launch, log)
        self._running[running] = pod
        return running

    def _hits(self, pod: str) -> bool:
        return any(pod == one or pod.startswith(f"{one}-") for one in self.doomed)

    async def begin(self, fault: Fault) -> Done:
        workload = str(fault.parameters["workload"])
        namespace, _, name = workload.partition("/")
        if not namespace or not name:
            raise FaultRefused(f"a workload is named namespace/name, not {workload!r}")
        self.doomed.add(workload)
        hit = sorted({pod for pod in self._running.values() if self._hits(pod)})
        for running, pod in list(self._running.items()):
            if self._hits(pod):
                running.signal(signal.SIGKILL)
                del self._running[running]
        return [(f"pod {pod}", "killed") for pod in hit]

    async def end(self, fault: Fault) -> Done:
        workload = str(fault.parameters["workload"])
        self.doomed.discard(workload)
        return [(f"workload {workload}", "may run again")]


class _Crashed(Stillness):
    def __init__(self) -> None:
        super().__init__()
        self._code.set_result(1)


class Unpullable(Catalog):
    """A catalogue some of whose images cannot be had."""

    def __init__(self, inner: Catalog) -> None:
        self._inner = inner
        self.refused: set[str] = set()

    def find(self, reference: str) -> Image | None:
        return None if reference in self.refused else self._inner.find(reference)

    def references(self) -> list[str]:
        return self._inner.references()

    async def begin(self, fault: Fault) -> Done:
        image = str(fault.parameters["image"])
        self.refused.add(image)
        return [(f"image {image}", "cannot be pulled")]

    async def end(self, fault: Fault) -> Done:
        image = str(fault.parameters["image"])
        self.refused.discard(image)
        return [(f"image {image}", "can be pulled again")]

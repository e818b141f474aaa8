"""The node of the sandbox: runs the pods that are bound to it and serves their logs, execs and connections."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from lazarus_tui.model.clock import Clock, listened
from lazarus_tui.model.resources import CLAIMS, CONFIGMAPS, PODS, SECRETS, Resource
from lazarus_tui.sandbox.controllers.base import Controller, Key, Object, key_of
from lazarus_tui.sandbox.controllers.endpoints import PORT_MAP
from lazarus_tui.sandbox.controllers.events import Recorder
from lazarus_tui.sandbox.controllers.nodes import NODE
from lazarus_tui.sandbox.dataplane.addresses import Addresses
from lazarus_tui.sandbox.dataplane.catalog import Catalog
from lazarus_tui.sandbox.dataplane.containers import Started, Waiting, pod_status, unready_status, waiting_status
from lazarus_tui.sandbox.dataplane.copy import remove_tree
from lazarus_tui.sandbox.dataplane.deadlines import TOO_LONG, deadline_in
from lazarus_tui.sandbox.dataplane.environment import (
    NotMountable,
    claim_names,
    environment,
    fill_volumes,
    from_the_node,
    volume_directories,
)
from lazarus_tui.sandbox.dataplane.launcher import Launcher
from lazarus_tui.sandbox.dataplane.logs import since_moment
from lazarus_tui.sandbox.dataplane.network import PodNetwork
from lazarus_tui.sandbox.dataplane.place import Place
from lazarus_tui.sandbox.dataplane.pod_tokens import PodTokens
from lazarus_tui.sandbox.dataplane.pod_worker import PodWorker
from lazarus_tui.sandbox.dataplane.proxy import read_hosts
from lazarus_tui.sandbox.dataplane.relay import Streams
from lazarus_tui.sandbox.dataplane.sources import mentions
from lazarus_tui.sandbox.dataplane.volumes import VolumeStore
from lazarus_tui.sandbox.runtime import ExecSession, RuntimeRefused, not_reached

if TYPE_CHECKING:
    from lazarus_tui.sandbox.api.local import LocalApi

__all__ = ["NODE", "Kubelet"]

log = logging.getLogger(__name__)


# Seconds until a pod whose volumes are not there yet is looked at again, if no event comes first.
_MOUNT_RETRY = 10.0
_FINISHED = ("Succeeded", "Failed")
# How long the API server waits for a pod whose packets a policy drops; a real one gives up after 30 s.
DROPPED_SECONDS = 3.0
_KUBELET_ADDRESS = "127.0.0.1:10250"


class Kubelet(Controller):
    """Keeps the processes of this node as the Pod objects want them; also the ``PodRuntime`` of the API server.

    ``root`` holds one directory for each pod uid; ``hosts`` is the file that lists where services answer.
    """

    name = "kubelet"
    watches: ClassVar[Sequence[Resource]] = (PODS, CLAIMS, CONFIGMAPS, SECRETS)

    def __init__(
        self,
        api: LocalApi,
        clock: Clock,
        *,
        root: Path,
        hosts: Path,
        volumes: VolumeStore,
        launcher: Launcher,
        catalog: Catalog,
        addresses: Addresses,
        network: PodNetwork | None = None,
    ) -> None:
        super().__init__(api, clock)
        self.launcher, self.catalog, self.volumes = launcher, catalog, volumes
        self._root, self._hosts, self._addresses = root, hosts, addresses
        self._network = network or PodNetwork(api, clock, catalog=catalog, separate=False)
        self._workers: dict[Key, PodWorker] = {}
        self._freezes: list[tuple[set[Key], list[PodWorker]]] = []
        self.issue: PodTokens | None = None  # makes the tokens in projected volumes
        self.silent = False  # the node answers nobody and tells nothing; its processes go on
        self._recorder = Recorder(api, clock, "kubelet")

    # --- as a controller

    def keys(self, resource: Resource, obj: Object, old: Object | None) -> Iterable[Key]:
        if resource == PODS:
            return (key_of(obj),)
        namespace, name = key_of(obj)
        pods = self.api.list(PODS, namespace)
        if resource != CLAIMS:
            return [key_of(pod) for pod in pods if mentions(pod, resource, name)]
        return [key_of(pod) for pod in pods if key_of(pod) not in self._workers and name in claim_names(pod).values()]

    @property
    def idle(self) -> bool:
        return super().idle and not any(worker.busy for worker in self._workers.values())

    async def start(self) -> None:
        """Ends what an earlier run left behind, and forgets the directories of pods that are gone."""
        self._root.mkdir(parents=True, exist_ok=True, mode=0o700)
        for pid in self.launcher.reap():
            log.warning("ended process %d, left behind by an earlier sandbox", pid)
        self._addresses.hold()
        known = {pod["metadata"]["uid"] for pod in self.api.list(PODS)}
        for folder in self._root.iterdir():
            if folder.is_dir() and folder.name not in known:
                await asyncio.to_thread(remove_tree, folder)
        for pod in self.api.list(PODS):
            self._nothing_runs(pod)

    def _nothing_runs(self, pod: Object) -> None:
        """Takes back what an earlier run said of readiness: no process of it is there any more."""
        status = pod.get("status") or {}
        if pod["spec"].get("nodeName") != NODE or status.get("phase") != "Running":
            return
        self._put_status(pod, unready_status(status, self.clock.now()))

    async def stop(self) -> None:
        """Ends every pod's processes: SIGTERM first, SIGKILL after at most 3 s. Pod objects stay as they are."""
        workers = list(self._workers.values())
        for worker in workers:
            worker.terminate(min(worker.grace, 3.0))
        await asyncio.gather(*(worker.ended.wait() for worker in workers))
        self._workers.clear()
        self._addresses.release()

    async def reconcile(self, key: Key) -> float | None:
        if self.silent:
            return _MOUNT_RETRY
        pod = self.api.get(PODS, key[1], key[0])
        worker = self._workers.get(key)
        if worker and (pod is None or pod["metadata"]["uid"] != worker.uid):
            await self._forget(worker)
            worker = None
        if pod is None or pod["spec"].get("nodeName") != NODE:
            return None
        if pod["metadata"].get("deletionTimestamp"):
            self._end(pod, worker)
            return None
        if worker is None:
            if (pod.get("status") or {}).get("phase") in _FINISHED:
                return None
            return await self._begin(key, pod)
        left = deadline_in(pod, self.clock.now())
        if left is not None and left <= 0 and not worker.ending:
            self._recorder.normal(pod, *TOO_LONG)
            worker.cut = TOO_LONG
            worker.terminate(worker.grace)
        self._write_status(pod, worker)
        renewal = self._renew(pod, worker)
        return min((one for one in (left, renewal) if one is not None and one > 0), default=None)

    def _renew(self, pod: Object, worker: PodWorker) -> float | None:
        """Brings files from the API up to date; seconds until a token in them is to be renewed."""
        with contextlib.suppress(NotMountable):  # what was mounted once stays as it is
            fill_volumes(self.api, pod, worker.place.home, self.issue)
        return self.issue.renew_in(pod) if self.issue else None

    async def _begin(self, key: Key, pod: Object) -> float | None:
        uid = pod["metadata"]["uid"]
        home = self._root / uid
        try:
            volumes = volume_directories(self.api, self.volumes, pod, home, self.issue)
        except NotMountable as fault:
            self._recorder.warning(pod, "FailedMount", str(fault))
            self._put_status(pod, waiting_status(pod, self.clock.now()))
            return _MOUNT_RETRY
        address = self._addresses.pod(uid)
        try:
            namespace = await self._network.join(pod, address)
        except OSError as fault:
            self._recorder.warning(pod, "FailedCreatePodSandBox", f"Failed to create pod sandbox: {fault}")
            self._put_status(pod, waiting_status(pod, self.clock.now()))
            return _MOUNT_RETRY
        self._map_ports(pod)
        worker = PodWorker(pod, Place(home, volumes, address, namespace), self)
        for claims, frozen in self._freezes:
            if self._mounts(worker, claims):
                await worker.freeze()
                frozen.append(worker)
        self._workers[key] = worker
        worker.start()
        return None

    def _map_ports(self, pod: Object) -> None:
        if not self._addresses.mapped:
            return
        uid = pod["metadata"]["uid"]
        ports = [port["containerPort"] for one in pod["spec"]["containers"] for port in one.get("ports") or ()]
        text = ",".join(f"{port}={self._addresses.port(uid, port)}" for port in ports)
        patch = {"metadata": {"annotations": {PORT_MAP: text}}}
        self.api.patch(PODS, pod["metadata"]["name"], patch, pod["metadata"]["namespace"])

    def _end(self, pod: Object, worker: PodWorker | None) -> None:
        """What follows from a deletion: end the processes, and when they have ended, remove the object."""
        namespace, name = key_of(pod)
        if worker is not None and not worker.ended.is_set():
            if not worker.ending:
                self._recorder.normal(pod, "Killing", f"Stopping pod {name}")
                worker.terminate(float(pod["metadata"].get("deletionGracePeriodSeconds") or 0))
            self._write_status(pod, worker)
            return
        if worker is not None:
            self._write_status(pod, worker)
        self.api.delete(PODS, name, namespace, uid=pod["metadata"]["uid"], grace=0)

    async def _forget(self, worker: PodWorker) -> None:
        """A pod whose object is gone: its processes end at once, its directory goes."""
        if not worker.ended.is_set():
            worker.terminate(0)
            await worker.ended.wait()
        self._workers.pop(worker.key, None)
        await self._network.leave(worker.uid)
        self._addresses.free_pod(worker.uid)
        await asyncio.to_thread(remove_tree, self._root / worker.uid)

    def _write_status(self, pod: Object, worker: PodWorker) -> None:
        now = self.clock.now()
        address = worker.place.address
        self._put_status(pod, pod_status(pod, worker.inits, worker.mains, address=address, now=now, cut=worker.cut))

    def _put_status(self, pod: Object, status: Object) -> None:
        if status != {key: value for key, value in (pod.get("status") or {}).items() if key in status}:
            self.api.update_status(
                PODS, {**pod, "metadata": _identity(pod), "status": (pod.get("status") or {}) | status}
            )

    # --- as the surroundings of its workers

    def environment(self, worker: PodWorker, container: Object) -> dict[str, str]:
        ports = [port["containerPort"] for port in container.get("ports") or ()]
        given = from_the_node(worker.pod, container, worker.place, self._hosts)
        given |= {f"PORT_{port}": str(self._addresses.port(worker.uid, port)) for port in ports}
        # In its own network a pod finds every service at its own address.
        hosts = {} if worker.place.namespace else read_hosts(self._hosts)
        return environment(self.api, worker.pod, container, given, hosts)

    def changed(self, worker: PodWorker) -> None:
        self.enqueue(worker.key)

    def happened(self, worker: PodWorker, kind: str, reason: str, message: str) -> None:
        tell = self._recorder.warning if kind == "Warning" else self._recorder.normal
        tell(worker.pod, reason, message)

    async def dial(self, worker: PodWorker, container: Object, port: int | str) -> Streams:
        if isinstance(port, str):
            named = [one["containerPort"] for one in container.get("ports") or () if one.get("name") == port]
            if not named:
                raise ValueError(f"no port is named {port!r}")
            port = int(named[0])
        return await self._network.dial(worker.place.address, self._addresses.port(worker.uid, port))

    # --- for whoever copies volumes

    @contextlib.asynccontextmanager
    async def frozen(self, claims: Iterable[Key]) -> AsyncIterator[list[Key]]:
        """All pods that mount one of ``claims`` (namespace, name) stand still meanwhile, so a copy is of one moment.

        Gives the keys of these pods. Pods that start meanwhile wait. Raises ``TimeoutError`` when one does not stop.
        """
        wanted, workers = set(claims), list[PodWorker]()
        entry = (wanted, workers)
        self._freezes.append(entry)
        try:
            for worker in list(self._workers.values()):
                if self._mounts(worker, wanted) and worker not in workers:
                    workers.append(worker)
                    await worker.freeze()
            yield [worker.key for worker in workers]
        finally:
            self._freezes.remove(entry)
            for worker in workers:
                worker.thaw()

    @staticmethod
    def _mounts(worker: PodWorker, claims: set[Key]) -> bool:
        namespace = worker.key[0]
        return any((namespace, claim) in claims for claim in claim_names(worker.pod).values())

    # --- as the API server's PodRuntime

    async def logs(
        self,
        namespace: str,
        pod: str,
        container: str,
        *,
        follow: bool,
        previous: bool,
        tail: int | None,
        since_seconds: int | None,
        timestamps: bool,
        limit_bytes: int | None,
    ) -> AsyncIterator[bytes]:
        worker, spec = self._find(namespace, pod, container)
        record = next(one for one in worker.records if one.name == spec["name"])
        run = record.restarts - (1 if previous else 0)
        kept = worker.logs.of(record.name, run)
        if kept is None:
            if previous:
                text = f'previous terminated container "{record.name}" in pod "{pod}" not found'
                raise RuntimeRefused(400, "BadRequest", text)
            kept = worker.logs.of(record.name, run - 1)
        if kept is None:
            reason = record.state.reason if isinstance(record.state, Waiting) else "ContainerCreating"
            text = f'container "{record.name}" in pod "{pod}" is waiting to start: {reason}'
            raise RuntimeRefused(400, "BadRequest", text)
        left = limit_bytes
        since = since_moment(self.clock, since_seconds)
        async for line in kept.read(follow=follow, tail=tail, since=since, timestamps=timestamps):
            yield line if left is None else line[:left]
            if left is not None:
                left -= len(line)
                if left <= 0:
                    return

    def append_log(self, namespace: str, pod: str, container: str, line: str) -> None:
        """A line in the log of a container that has no process of its own; without such a container it is lost."""
        worker = self._workers.get((namespace, pod))
        record = next((one for one in worker.records if one.name == container), None) if worker else None
        kept = worker.logs.of(container, record.restarts) if worker and record else None
        if kept and not kept.closed:
            kept.append(line.encode() + b"\n")

    async def exec(
        self, namespace: str, pod: str, container: str, argv: Sequence[str], *, stdin: bool, tty: bool
    ) -> ExecSession:
        worker, spec = self._find_running(namespace, pod, container)
        try:
            return await worker.exec(spec, argv, stdin=stdin, tty=tty)
        except (ValueError, NotMountable) as fault:
            raise RuntimeRefused(403, "Forbidden", str(fault)) from fault

    async def attach(self, namespace: str, pod: str, container: str, *, stdin: bool, tty: bool) -> ExecSession:
        worker, spec = self._find_running(namespace, pod, container)
        session = worker.attach(spec, stdin=stdin)
        if session is None:
            raise _upgrade_refused(f'container not found ("{spec["name"]}")')
        return session

    async def connect(self, namespace: str, pod: str, port: int, *, outside: bool = False) -> Streams:
        worker, _ = self._find(namespace, pod, "")
        address, port = worker.place.address, self._addresses.port(worker.uid, port)
        if outside and (why := self._network.refusal_from_outside(address, port)):
            log.info("from outside to %s:%d: %s", address, port, why)
            await self.clock.sleep(DROPPED_SECONDS)
            raise not_reached(address, port, "i/o timeout")
        try:
            return await listened(5, self._network.dial(address, port))
        except OSError as fault:
            why = "connect: connection refused" if isinstance(fault, ConnectionRefusedError) else "i/o timeout"
            raise not_reached(address, port, why) from fault

    def _find_running(self, namespace: str, pod: str, container: str) -> tuple[PodWorker, Object]:
        """As a kubelet sees it: what does not run is not there."""
        worker = self._workers.get((namespace, pod))
        if worker is None:
            if self.api.get(PODS, pod, namespace) is None:
                raise RuntimeRefused(404, "NotFound", f'pods "{pod}" not found')
            raise _upgrade_refused("pod does not exist")
        spec = worker.container(container)
        record = next((one for one in worker.records if spec and one.name == spec["name"]), None)
        if spec is None or record is None or not isinstance(record.state, Started) or worker.ending:
            raise _upgrade_refused(f'container not found ("{spec["name"] if spec else container}")')
        return worker, spec

    def _find(self, namespace: str, pod: str, container: str) -> tuple[PodWorker, Object]:
        if self.silent:
            text = f"error dialing backend: dial tcp {_KUBELET_ADDRESS}: i/o timeout"
            raise RuntimeRefused(500, "InternalError", text)
        worker = self._workers.get((namespace, pod))
        if worker is None:
            if self.api.get(PODS, pod, namespace) is None:
                raise RuntimeRefused(404, "NotFound", f'pods "{pod}" not found')
            raise RuntimeRefused(400, "BadRequest", f'pod "{pod}" is not running on a node')
        spec = worker.container(container)
        if spec is None:
            raise RuntimeRefused(400, "BadRequest", f"container {container} is not valid for pod {pod}")
        return worker, spec


def _upgrade_refused(why: str) -> RuntimeRefused:
    return RuntimeRefused(500, "InternalError", f"unable to upgrade connection: {why}")


def _identity(pod: Object) -> Object:
    """What names this very pod, without the revision: a status is written over any other change."""
    meta = pod["metadata"]
    return {"name": meta["name"], "namespace": meta["namespace"], "uid": meta["uid"]}

"""One pod on the node: its containers are started in order, watched, probed, restarted and ended."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

from lazarus_tui.model.clock import Clock
from lazarus_tui.sandbox.dataplane.attaching import attach
from lazarus_tui.sandbox.dataplane.catalog import Catalog, Image
from lazarus_tui.sandbox.dataplane.containers import Ended, Record, Started, Waiting, container_id, continued
from lazarus_tui.sandbox.dataplane.environment import NotMountable, expand, mount
from lazarus_tui.sandbox.dataplane.launcher import Exec, Launch, Launcher, Running
from lazarus_tui.sandbox.dataplane.ledger import is_stopped, signal_all
from lazarus_tui.sandbox.dataplane.lifecycle import Hooks
from lazarus_tui.sandbox.dataplane.logs import PodLogs
from lazarus_tui.sandbox.dataplane.place import Place
from lazarus_tui.sandbox.dataplane.probes import Probe, RunCommand, ask
from lazarus_tui.sandbox.dataplane.probing import Prober
from lazarus_tui.sandbox.dataplane.relay import Streams
from lazarus_tui.sandbox.runtime import ExecSession

Object = dict[str, Any]

# The kubelet's restart back-off: first wait, longest wait, and how long a run must last to begin anew.
_BACKOFF_FIRST, _BACKOFF_MOST, _BACKOFF_RESET = 10.0, 300.0, 600.0
# How long a container with a reference that is missing waits before it looks again.
_CONFIG_RETRY = 2.0
# How often and how far apart to look whether a stopped process stands still: 8 s, for one that waits for its disk.
_STOP_LOOKS, _STOP_LOOK_SECONDS = 4000, 0.002


class Surroundings(Protocol):
    """What a worker needs from its kubelet."""

    clock: Clock
    launcher: Launcher
    catalog: Catalog

    def environment(self, worker: PodWorker, container: Object) -> dict[str, str]: ...

    def changed(self, worker: PodWorker) -> None:
        """A record is different now: the pod's status is to be written."""
        ...

    def happened(self, worker: PodWorker, kind: str, reason: str, message: str) -> None: ...

    async def dial(self, worker: PodWorker, container: Object, port: int | str) -> Streams:
        """A connection to a container's port, given as a number or a name; raises ``OSError`` and ``ValueError``."""
        ...


class PodWorker:
    """Runs one pod until it is over or told to end. All that happens is kept in ``inits`` and ``mains``."""

    def __init__(self, pod: Object, place: Place, kubelet: Surroundings) -> None:
        self.pod, self.place, self._kubelet = pod, place, kubelet
        self.uid: str = pod["metadata"]["uid"]
        self.key = (pod["metadata"]["namespace"], pod["metadata"]["name"])
        spec = pod["spec"]
        self.policy: str = spec.get("restartPolicy", "Always")
        self.inits = [self._record(one, "initContainerStatuses") for one in spec.get("initContainers") or ()]
        self.mains = [self._record(one, "containerStatuses") for one in spec["containers"]]
        self.logs = PodLogs(place.home / "logs", kubelet.clock)
        self._execs: list[Exec] = []
        self.ending = False
        self.cut = ("", "")  # reason and message, when the node itself ends the pod
        self._hooks = Hooks(
            kubelet.clock,
            lambda one: lambda port: kubelet.dial(self, one, port),
            self._commands,
            lambda kind, reason, text: kubelet.happened(self, kind, reason, text),
        )
        self.ended = asyncio.Event()
        self._running: dict[str, Running] = {}
        self._busy = 0
        self._frozen = 0
        self._thawed = asyncio.Event()
        self._thawed.set()
        self._told = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._ends: asyncio.Task[None] | None = None

    def _record(self, container: Object, statuses: str) -> Record:
        known = (self.pod.get("status") or {}).get(statuses) or ()
        return continued(container, known, self._kubelet.clock.now())

    @property
    def busy(self) -> bool:
        """Doing something now, rather than waiting for an exit, a probe or a time."""
        return self._busy > 0

    @property
    def records(self) -> list[Record]:
        return self.inits + self.mains

    def start(self) -> None:
        self.place.root.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._busy = 1
        self._task = asyncio.create_task(self._run(), name=f"pod {'/'.join(self.key)}")

    @contextlib.contextmanager
    def _parked(self) -> Iterator[None]:
        self._busy -= 1
        try:
            yield
        finally:
            self._busy += 1

    async def _run(self) -> None:
        """All init containers one after the other, then the others side by side."""
        try:
            for container, record in zip(self.pod["spec"].get("initContainers") or (), self.inits, strict=True):
                # One that is over stays so after a restart of the sandbox: Velero's wait would never end again.
                if not _succeeded(record):
                    await self._container(container, record, init=True)
                if self.ending or not _succeeded(record):
                    return
            containers = self.pod["spec"]["containers"]
            self._busy += len(containers)
            tasks = [
                asyncio.create_task(self._main(container, record), name=f"{record.name} of {'/'.join(self.key)}")
                for container, record in zip(containers, self.mains, strict=True)
            ]
            try:
                with self._parked():
                    await asyncio.gather(*tasks)
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
        finally:
            self._busy -= 1
            self._kubelet.changed(self)

    async def _main(self, container: Object, record: Record) -> None:
        try:
            if not isinstance(record.state, Ended) or self._again(record.state, init=False):
                await self._container(container, record, init=False)
        finally:
            self._busy -= 1

    def _again(self, ended: Ended, *, init: bool) -> bool:
        if self.ending:
            return False
        if init:
            return ended.code != 0 and self.policy != "Never"
        return self.policy == "Always" or (self.policy == "OnFailure" and ended.code != 0)

    async def _container(self, container: Object, record: Record, *, init: bool) -> None:
        """Runs a container again and again, as the restart policy wants."""
        backoff = 0.0
        while (launch := await self._prepared(container, record)) is not None:
            ended = await self._once(container, record, launch, init=init)
            if ended is None or not self._again(ended, init=init):
                return
            if (ended.finished - ended.started).total_seconds() >= _BACKOFF_RESET:
                backoff = 0.0
            record.last = ended.wire()
            if backoff:
                text = f"back-off {backoff:g}s restarting failed container={record.name} pod={'_'.join(self.key[::-1])}"
                record.state = Waiting("CrashLoopBackOff", text)
                self._kubelet.happened(
                    self, "Warning", "BackOff", f"Back-off restarting failed container {record.name}"
                )
                await self._pause(backoff)
            # The first restart comes at once, as on a real node; the second waits.
            backoff = min(backoff * 2, _BACKOFF_MOST) or _BACKOFF_FIRST
            record.restarts += 1

    async def _prepared(self, container: Object, record: Record) -> Launch | None:
        """All that the start needs; waits for as long as something is missing. None when the pod is to end."""
        backoff = _BACKOFF_FIRST
        while not self.ending:
            image = self._kubelet.catalog.find(record.image)
            missing = "it is not in the catalogue of the sandbox" if image is None else self._absence(image)
            if image is None or missing:
                text = f'image "{record.image}": {missing}'
                reason = "ImagePullBackOff" if backoff > _BACKOFF_FIRST else "ErrImagePull"
                record.state = Waiting(reason, text)
                self._kubelet.happened(self, "Warning", "Failed", f"Failed to pull {text}")
                await self._pause(backoff)
                backoff = min(backoff * 2, _BACKOFF_MOST)
                continue
            try:
                return self._launch(container, image)
            except NotMountable as fault:
                record.state = Waiting("CreateContainerConfigError", str(fault))
                self._kubelet.happened(self, "Warning", "Failed", f"Error: {fault}")
                await self._pause(_CONFIG_RETRY)
        return None

    def _absence(self, image: Image) -> str:
        return image.absence() if image.engine and self._kubelet.launcher.processes else ""

    async def _pause(self, seconds: float) -> None:
        """Waits, with the status told; ends early when the pod is to end."""
        self._kubelet.changed(self)
        sleep = asyncio.ensure_future(self._kubelet.clock.sleep(seconds))
        told = asyncio.ensure_future(self._told.wait())
        try:
            with self._parked():
                await asyncio.wait({sleep, told}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            sleep.cancel()
            told.cancel()
            await asyncio.gather(sleep, told, return_exceptions=True)

    def _launch(self, container: Object, image: Image) -> Launch:
        env = self._kubelet.environment(self, container)
        mount(self.place.root, container, self.place.volumes, env)
        words = [*(container.get("command") or () if image.command else ()), *(container.get("args") or ())]
        args = tuple(expand(str(word), env) for word in words)
        volumes = tuple(self.place.volumes.values())
        stdin, tty = bool(container.get("stdin")), bool(container.get("tty"))
        return Launch(image, args, env, self.place.root, volumes, stdin, tty, self.place.namespace)

    async def _once(self, container: Object, record: Record, launch: Launch, *, init: bool) -> Ended | None:
        """One run from start to end; None when the pod is to end before the start."""
        with self._parked():
            await self._thawed.wait()
        if self.ending:
            return None
        kubelet, log = self._kubelet, self.logs.begin(record.name, record.restarts)
        running = await kubelet.launcher.start(launch, log)
        self._running[record.name] = running
        started = kubelet.clock.now()
        record.container_id = container_id(self.uid, record.name, record.restarts)
        record.state = Started(started)
        probed = kubelet.launcher.probes and not init
        record.started = not (probed and container.get("startupProbe"))
        record.ready = not init and record.started and not (probed and container.get("readinessProbe"))
        kubelet.changed(self)
        present = f'Container image "{record.image}" already present on machine'
        for reason, text in (("Pulled", present), ("Created", f"Created container: {record.name}")):
            kubelet.happened(self, "Normal", reason, text)
        kubelet.happened(self, "Normal", "Started", f"Started container {record.name}")
        if self.ending:
            running.signal(signal.SIGTERM)
        watch = asyncio.create_task(self._beside(container, record, running, probed))
        try:
            with self._parked():
                code = await running.wait()
        except asyncio.CancelledError:
            running.signal(signal.SIGKILL)
            raise
        finally:
            watch.cancel()
            await asyncio.gather(watch, return_exceptions=True)
            self._running.pop(record.name, None)
            log.close()
        ended = Ended(code, started, kubelet.clock.now(), record.container_id)
        record.state, record.ready, record.started = ended, init and code == 0, False
        kubelet.changed(self)
        return ended

    async def _beside(self, container: Object, record: Record, running: Running, probed: bool) -> None:
        """What goes on beside a container's run: its hook, then its probes."""
        if not await self._hooks.after_start(container):
            running.signal(signal.SIGTERM)
            await self._kubelet.clock.sleep(self.grace)
            running.signal(signal.SIGKILL)
        elif probed:
            await self._prober(container, record, running).run()

    def _prober(self, container: Object, record: Record, running: Running) -> Prober:
        def happened(kind: str, reason: str, message: str) -> None:
            self._kubelet.happened(self, kind, reason, message)

        async def attempt(probe: Probe) -> str:
            await self._thawed.wait()
            return await ask(probe, lambda port: self._kubelet.dial(self, container, port), self._commands(container))

        return Prober(
            container, record, running, self._kubelet.clock, attempt,
            frozen=lambda: not self._thawed.is_set(), changed=lambda: self._kubelet.changed(self), happened=happened,
            grace=self.grace,
        )  # fmt: skip

    def _commands(self, container: Object) -> RunCommand:
        async def run(argv: list[str]) -> int:
            session = await self.exec(container, argv, stdin=False, tty=False)
            try:
                async for _ in session.output():
                    continue
                return await session.wait()
            except asyncio.CancelledError:
                await session.kill()
                raise

        return run

    async def exec(self, container: Object, argv: Sequence[str], *, stdin: bool, tty: bool) -> ExecSession:
        """Runs one of the commands that the image allows; raises ``ValueError`` for all others."""
        image = self._kubelet.catalog.find(container.get("image", ""))
        if image is None or not argv or argv[0] not in image.commands:
            allowed = ", ".join(sorted(image.commands)) if image else ""
            raise ValueError(
                f"the sandbox does not run {' '.join(argv[:1])!r} in this image; it knows: {allowed or 'nothing'}"
            )
        await self._thawed.wait()
        session = await self._kubelet.launcher.exec(self._launch(container, image), argv, stdin=stdin, tty=tty)
        self._execs = [one for one in self._execs if not one.done] + [session]
        return session

    def attach(self, container: Object, *, stdin: bool) -> ExecSession | None:
        """A session beside the container's own process; None when it has none."""
        record = next(one for one in self.records if one.name == container["name"])
        return attach(self._running.get(record.name), self.logs.of(record.name, record.restarts), container, stdin)

    @property
    def grace(self) -> float:
        """Seconds between SIGTERM and SIGKILL."""
        return float(self.pod["spec"].get("terminationGracePeriodSeconds", 30))

    def container(self, name: str) -> Object | None:
        """The container ``name`` as the pod's spec has it; the first one for an empty name."""
        spec = self.pod["spec"]
        if not name:
            first: Object = spec["containers"][0]
            return first
        return next(
            (one for one in (*spec["containers"], *(spec.get("initContainers") or ())) if one["name"] == name), None
        )

    def terminate(self, grace: float) -> None:
        """Begins the end: SIGTERM, ``grace`` seconds, SIGKILL. A shorter grace than before takes over."""
        self.ending = True
        self._told.set()
        if self._ends and not self.ended.is_set():
            self._ends.cancel()
        if not self.ended.is_set():
            self._busy += 1
            self._ends = asyncio.create_task(self._terminate(grace), name=f"end of {'/'.join(self.key)}")

    async def _terminate(self, grace: float) -> None:
        try:
            with self._parked():
                grace = await self._hooks.before_end(filter(None, map(self.container, list(self._running))), grace)
            for running in list(self._running.values()):
                running.signal(signal.SIGTERM)
            if self._task and grace > 0:
                await self._over_within(self._task, grace)
            for running in list(self._running.values()):
                running.signal(signal.SIGKILL)
            for session in self._execs:
                await session.kill()
            if self._task:
                self._thawed.set()
                with self._parked():
                    # Not gather(): another terminate() cancels this one, and the task must still see its processes out.
                    await asyncio.wait({self._task})
            self.ended.set()
        finally:
            self._busy -= 1
            self._kubelet.changed(self)

    async def _over_within(self, task: asyncio.Task[None], grace: float) -> None:
        sleep = asyncio.ensure_future(self._kubelet.clock.sleep(grace))
        try:
            with self._parked():
                await asyncio.wait({task, sleep}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            sleep.cancel()
            await asyncio.gather(sleep, return_exceptions=True)

    async def freeze(self) -> None:
        """Stops all processes of the pod where they are; returns once they stand still."""
        self._frozen += 1
        self._thawed.clear()
        pids = self._leaders()
        for _ in range(_STOP_LOOKS):
            for pid in pids:
                signal_all(pid, signal.SIGSTOP)
            pids = [pid for pid in pids if not is_stopped(pid)]
            if not pids:
                return
            await asyncio.sleep(_STOP_LOOK_SECONDS)
        raise TimeoutError(f"pod {'/'.join(self.key)} did not stand still")

    def thaw(self) -> None:
        self._frozen -= 1
        if self._frozen:
            return
        for pid in self._leaders():
            signal_all(pid, signal.SIGCONT)
        self._thawed.set()

    def _leaders(self) -> list[int]:
        """Who leads a process group of the pod: its containers' processes, and what was executed in them."""
        execs = [one.pid for one in self._execs if not one.done]
        return [pid for pid in (*(running.pid for running in self._running.values()), *execs) if pid]


def _succeeded(record: Record) -> bool:
    return isinstance(record.state, Ended) and record.state.code == 0

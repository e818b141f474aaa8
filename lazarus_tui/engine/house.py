"""The engine put together: journal, hub, contexts, runner, link; started and ended in order."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from lazarus_tui import __version__, config
from lazarus_tui.engine import late_evidence, memory, silencing, subjects
from lazarus_tui.engine.artefacts import Artefacts
from lazarus_tui.engine.context import Surroundings
from lazarus_tui.engine.contexts import SANDBOX_CONTEXT, Connection, Contexts, Opener
from lazarus_tui.engine.doctor import Doctor
from lazarus_tui.engine.download import download
from lazarus_tui.engine.evidence_calls import EvidenceCalls
from lazarus_tui.engine.following import Following
from lazarus_tui.engine.gate import Gate
from lazarus_tui.engine.heartbeat import Heartbeat
from lazarus_tui.engine.hub import Hub
from lazarus_tui.engine.identity import identify
from lazarus_tui.engine.idle import IdleWatch, idle_seconds
from lazarus_tui.engine.kubeconfigs import KubeconfigFiles
from lazarus_tui.engine.lease import holder_name
from lazarus_tui.engine.metrics.service import Metrics
from lazarus_tui.engine.mirror import Mirror
from lazarus_tui.engine.notices import Notices
from lazarus_tui.engine.objects import raw_object
from lazarus_tui.engine.oplogs import OperationTopics
from lazarus_tui.engine.part_notices import PartNotices
from lazarus_tui.engine.person import person
from lazarus_tui.engine.place import Place
from lazarus_tui.engine.planning import PlanningReader
from lazarus_tui.engine.registry import Registry
from lazarus_tui.engine.runner import Runner
from lazarus_tui.engine.sandbox_life import SandboxLife
from lazarus_tui.engine.service import About, Reads, Service
from lazarus_tui.engine.supervisor import Supervisor
from lazarus_tui.engine.sweeping import Sweeping
from lazarus_tui.engine.timetable import Timetable
from lazarus_tui.evidence import EvidenceStore
from lazarus_tui.evidence.signing import Signer
from lazarus_tui.journal import Journal
from lazarus_tui.kube.cluster import Cluster
from lazarus_tui.kube.contexts import is_loopback
from lazarus_tui.link.codec import LinkFault
from lazarus_tui.link.server import LinkServer
from lazarus_tui.model.addresses import AddressPolicy, policy
from lazarus_tui.model.clock import Clock, SystemClock, rfc3339
from lazarus_tui.model.freezes import pods_held
from lazarus_tui.model.operation import Operation
from lazarus_tui.model.parts import RUNNING, Part
from lazarus_tui.model.paths import StateRoot
from lazarus_tui.model.plan import Plan
from lazarus_tui.model.proofs import ProofView
from lazarus_tui.model.silences import Alertmanager
from lazarus_tui.model.topics import Topic
from lazarus_tui.prove.proof.compose import KIND as PROOF

log = logging.getLogger(__name__)

# Seconds running work gets to stop at a safe point when the engine is told to end; while an application is held still
# by a hook, its post hook gets the time it may take by itself (below the 90 s after which systemd kills).
DRAIN, THAW = 10.0, 75.0
# Object stores usually live in private networks; metadata services and loopback stay closed (reliability §5.7).
STORAGE_NETWORKS = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7")


class House:
    """One engine. ``open`` takes the journal (and with it the right to be the engine); ``start`` begins to listen."""

    def __init__(
        self, options: argparse.Namespace, journal: Journal, settings: config.Settings, end: Callable[[], None],
        clock: Clock, connect: Opener | None = None,
    ) -> None:  # fmt: skip
        self._connect = connect or (lambda context: Cluster.open(context, clock=clock))
        self._options, self._journal, self._settings, self._end, self._clock = options, journal, settings, end, clock
        root: StateRoot = options.root
        self._began = time.monotonic()
        self.heartbeat, self.sandbox = Heartbeat(), SandboxLife(root.cluster, clock)
        self.hub = Hub(clock)
        self.hub.open(Topic.ENGINE)
        self.supervisor = Supervisor(clock, changed=self._part_changed, failing=self._failing, steady=self._steady)
        self.contexts = self._make_contexts()
        self._topics = OperationTopics(self.hub)
        evidence = EvidenceStore(root.evidence, journal, clock, Signer(settings.evidence.key))
        self.registry = Registry(subjects.operation_types())
        around = self._surroundings(evidence)
        self.runner = Runner(self.registry, around)
        ca = settings.storage.ca_file.read_text() if settings.storage.ca_file else ""
        self.artefacts = Artefacts(clock, fetch=self._fetch, gate=self._small_gate, ca=ca)
        self.sweeping = Sweeping(self.runner, journal, clock, writable=self.contexts.writable, plan=self._plan)
        self.following = Following(
            self.hub, clock, self.contexts, self.runner, self.artefacts, self.sweeping, self.supervisor,
            told_of=self._told_of, words=self._words,
        )  # fmt: skip
        mirrors = self.following.mirrors
        self.notices = Notices(
            journal, clock, settings.notify, self.contexts, sandbox=root.sandbox, known=self._topics.known,
            mirrors=mirrors, proofs=self._topics.proofs.of,
        )  # fmt: skip
        self._alarms = PartNotices(self.notices.desk, clock, sandbox=root.sandbox, could_run=self.following.could_run)
        self.timetable = Timetable(
            journal, self.runner, clock, self.contexts, settings, hub=self.hub, mirrors=mirrors, plan=self._plan,
            agreed=partial(self._plan, consent=True),
        )  # fmt: skip
        self.metrics = Metrics(
            settings.metrics, journal, clock, self.hub, self.contexts, sandbox=root.sandbox, heartbeat=self.heartbeat,
            known=self._topics.known, queued=self.timetable.waiting, owed=self.timetable.owed, late=self.timetable.late,
            outbox=lambda: [n.queued for n in self.notices.desk.outbox.waiting], parts=lambda: self.supervisor.parts,
            green=self.timetable.green,
        )  # fmt: skip
        papers = EvidenceCalls(evidence, partial(late_evidence.write, around), self.timetable.follow)
        told = {"notify": self.notices.findings, "evidence": papers.findings, "metrics": self.metrics.findings}
        told = {"engine": self.supervisor.findings, **told}
        self.doctor = Doctor(root, self.contexts, journal, clock, told=told)
        reads = Reads(self._plan, self._object, self._artefact, self._preview, self.doctor.run, self._log)
        about = About(
            os.getpid(), rfc3339(clock.now()), str(root.home), root.sandbox, settings.console.model_dump(mode="json"),
            tuple(f"{found.what}; next: {found.hint}" for found in journal.findings if found.severity == "error"),
        )  # fmt: skip
        self.service = Service(
            about, self.hub, self.contexts, self.runner, evidence, reads,
            stats=self.stats, stop=self._stop, others=self._others,
            more={**self.timetable.methods, **self.notices.methods, **papers.methods},
        )  # fmt: skip
        self.idle = IdleWatch(clock, idle_seconds(settings, root), self._busy)
        self.server = LinkServer(root.socket, self.service, on_peers=self.idle.peers)

    @classmethod
    async def open(
        cls,
        options: argparse.Namespace,
        end: Callable[[], None],
        *,
        clock: Clock | None = None,
        connect: Opener | None = None,
    ) -> House:
        """``connect`` makes the connection to a context, over the network unless told otherwise.

        Raises ``JournalError`` and its kin, ``SettingsRefused``, ``OSError``."""
        clock = clock or SystemClock()
        settings = config.load()
        journal = await Journal.open(options.root.journal, clock=clock)
        try:
            return cls(options, journal, settings, end, clock, connect)
        except BaseException:
            await journal.close()
            raise

    def _make_contexts(self) -> Contexts:
        wanted, sandbox = self._settings.velero.namespace or "", self._options.sandbox
        folder = self._options.root.cluster if sandbox else None
        return Contexts(
            self.hub,
            self._clock,
            load=KubeconfigFiles(),
            open=self._connect,
            identify=lambda cluster: identify(cluster, wanted=wanted, sandbox=folder),
            follow=self._follow,
            busy=lambda name: any(operation.context == name for operation in self.runner.open),
            armed=self._armed,
            words=self._words,
            sandbox=sandbox,
        )

    def _armed(self, name: str, writable: bool) -> None:
        """A context may be written now, or no more: then what runs there stops before its next write."""
        if writable:
            self.runner.permit(name)
        else:
            self.runner.revoke(name)
        self.following.touch(name)  # volume lists are read where writing is allowed

    def _follow(self, connection: Connection) -> Mirror:
        name = connection.context.name
        self._topics.proofs.opened(name, self._uid(name))
        self.timetable.shown.opened(name)
        return self.following.mirror(connection)

    def _uid(self, context: str) -> str:
        """Of the cluster that a context leads to, "" where that is not known."""
        connection = self.contexts.in_use.get(context)
        return connection.identity.cluster_uid if connection is not None and connection.identity is not None else ""

    def _told_of(self, context: str) -> list[Operation | ProofView]:
        """Operations of the cluster that a context leads to; its proofs as their views, which are kept longer."""
        known = [one for one in self._topics.known() if one.context == context and one.kind != PROOF]
        known = [one for one in known if one.cluster_uid and one.cluster_uid == self._uid(context)]
        return [*known, *self._topics.proofs.of(context)]

    def _changed(self, operation: Operation) -> None:
        self._topics.changed(operation)
        self.notices.wake()
        self.metrics.changed(operation)
        if not operation.state.open and operation.context in self.following.mirrors:
            self.following.touch(operation.context)
            self.sweeping.wake(operation.context if operation.kind == PROOF else "")

    def _surroundings(self, evidence: EvidenceStore) -> Surroundings:
        return Surroundings(
            journal=self._journal,
            evidence=evidence,
            clusters=self.contexts.cluster_for,
            clock=self._clock,
            armed=self.contexts.writable,
            addresses=self._addresses,
            lease_namespace=self._lease_namespace,
            disposable=lambda context: self._options.sandbox and context == SANDBOX_CONTEXT,
            holder=holder_name(self._options.root.journal),
            person=person(),
            version=__version__,
            on_change=self._changed,
            on_lines=self._topics.said,
            alertmanager=self._alertmanager,
        )

    # --- a life

    async def start(self) -> None:
        """Take up what was open, then listen; raises ``EngineRunning`` when somebody listens already."""
        for found in self._journal.findings:
            log.warning("%s; next: %s", found.what, found.hint)
        self.supervisor.start("the heartbeat", self.heartbeat.run)
        if self._options.sandbox:
            self.supervisor.start("the watch over the sandbox", self.sandbox.run)
        self.contexts.read(self._options.kubeconfig)
        async for page in self._journal.pages_of(PROOF):
            self._topics.proofs.listed(page)
        self._topics.listed(await self.runner.operations())
        recovered = await self.runner.recover()
        for operation in recovered:
            log.info("operation %s (%s) is %s", operation.id, operation.title, operation.state.value)
        await self.timetable.load()
        await self.notices.load()
        await self.server.start()
        log.info("listening at %s", self._options.root.socket)
        for name, work in {**self.timetable.work(), **self.notices.work()}.items():
            self.supervisor.start(name, work)
        await self.metrics.start()
        if self._options.context:
            self.supervisor.start("the first connection", partial(self._first, self._options.context), ends=True)

    async def _first(self, context: str) -> None:
        try:
            await self.contexts.use(context)
        except LinkFault as error:
            log.warning("context %s: %s; next: %s", context, error.fault.what, error.fault.hint)

    async def serve_until(self, ended: asyncio.Event) -> None:
        """Until ``ended``, or idle and unwatched."""
        waits: set[asyncio.Task[Any]] = {asyncio.create_task(ended.wait())}
        if not self._options.stay:
            waits.add(asyncio.create_task(self.supervisor.keep("the watch for idleness", self.idle.run, ends=True)))
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            log.info("ending: %s", "as asked" if ended.is_set() else self._why_idle())
        finally:
            for wait in waits:
                wait.cancel()
            await asyncio.gather(*waits, return_exceptions=True)

    @property
    def drain(self) -> float:
        """Seconds that running work gets to stop."""
        return THAW if any(map(pods_held, self.runner.open)) else DRAIN

    async def close(self) -> None:
        """End in order; an operation that runs stays open in the journal and goes on with the next engine."""
        within = self.drain
        try:
            async with asyncio.timeout(within):
                await self.server.stop()
                await self.metrics.close()
                await self.runner.close()
        except TimeoutError:
            log.warning("not everything stopped within %d s", within)
        await self.supervisor.close()
        await self.contexts.close()
        await self.hub.stop()
        await self._journal.close()

    def _why_idle(self) -> str:
        still = ", ".join(each.id for each in self.runner.open)
        if not (self._options.sandbox and self.sandbox.lost and still):
            return "idle"
        return f"{self.sandbox.trouble()}, and nobody watches; the next engine takes up {still}"

    def _busy(self) -> bool:
        """Whether there is something to stay for, watched or not; without its sandbox an engine can do nothing."""
        if self._options.sandbox and self.sandbox.lost:
            return False
        stays = self.timetable.stays_for() or self.sweeping.stays_for()
        return bool(self.runner.open or stays or self.notices.busy)

    def _words(self, context: str, reason: str, hint: str) -> tuple[str, str]:
        """Why a context does not answer, and what to do."""
        ours = self._options.sandbox and context == SANDBOX_CONTEXT
        return self.sandbox.words(reason, hint) if ours else (reason, hint)

    async def _stop(self, park: bool) -> None:
        """As ``engine.stop`` asks: with ``park`` after running operations have reached a safe point."""
        await self.runner.close(park=park)
        asyncio.get_running_loop().call_later(0.05, self._end)  # after the answer has left

    # --- how the parts stand

    def _part_changed(self, name: str, part: Part | None) -> None:
        self.hub.publish(Topic.ENGINE, {name: part} if part is not None else {}, [] if part is not None else [name])
        self.hub.set_state(Topic.ENGINE, "ready")

    async def _failing(self, part: Part) -> None:
        await self._alarms.failing(part)

    async def _steady(self, name: str) -> None:
        await self._alarms.steady(name)

    # --- what the parts ask of each other

    def _others(self, peer: Any) -> Sequence[Any]:
        return [other for other in self.server.peers if other is not peer]

    def _addresses(self, name: str) -> AddressPolicy:
        """For downloads from object storage: a cluster on loopback may keep its storage there too."""
        connection = self.contexts.in_use.get(name)
        loopback = connection is not None and is_loopback(connection.context.cluster.server)
        return policy(STORAGE_NETWORKS, loopback=loopback)

    def _lease_namespace(self, plan: Plan) -> str:
        """Beside the target where the plan names one, else Velero's."""
        if beside := plan.params.get("lease_namespace"):
            return str(beside)
        connection = self.contexts.in_use.get(plan.context)
        return connection.row.velero_namespace if connection is not None else ""

    def _alertmanager(self, context: str, name: str) -> Alertmanager | None:
        return silencing.alertmanager(self._settings.prove, context, name, self.notices.outside, self._clock)

    async def _fetch(self, context: str, url: str, limit: int, ca: str) -> bytes:
        return await download(url, limit=limit, policy=self._addresses(context), ca=ca)

    def _small_gate(self, where: Any, op: str, plan: Plan) -> Gate:
        """A gate for a write outside an operation: journalled and checked like any other."""
        return Gate(
            where.cluster, self._journal, op, plan,
            approved=plan.digest(), clock=self._clock, permitted=where.writable,
        )  # fmt: skip

    async def _plan(self, kind: str, context: str, params: Mapping[str, Any], *, consent: bool = False) -> Plan:
        place, known = Place(self.contexts, context, consent), self._told_of(context)
        reader = PlanningReader(place, self.artefacts, self.registry, known)
        wanted = {"owner": person(), **self._with_velero(context, params)}
        if kind == PROOF:
            wanted = {**silencing.asked(self._settings.prove, context), **wanted}
        return await self.registry.plan(kind, reader, wanted, self._clock)

    def _with_velero(self, context: str, params: Mapping[str, Any]) -> dict[str, Any]:
        """Which Velero the plan means: the one of this context, unless the parameters name another."""
        chosen = self.contexts.connection(context).row.velero_namespace
        return {"velero": chosen, **params} if chosen else dict(params)

    async def _object(self, context: str, resource: str, namespace: str | None, name: str) -> dict[str, Any]:
        velero = self.contexts.connection(context).row.velero_namespace
        return await raw_object(self.contexts.reader(context), resource, velero, namespace, name)

    async def _artefact(self, context: str, kind: str, name: str) -> dict[str, Any]:
        return await self.artefacts.get(Place(self.contexts, context), kind, name)

    async def _preview(self, context: str, params: Mapping[str, Any]) -> Any:
        return await subjects.preview(self.contexts.reader(context), self._with_velero(context, params))

    async def _log(self, op: str) -> None:
        await self._topics.fetch(self.runner, op)

    def stats(self, collect: bool = False) -> dict[str, Any]:
        """Figures of this process, times in seconds unless the name says otherwise; ``collect``: its garbage first."""
        return {
            "pid": os.getpid(),
            "version": __version__,
            "uptime": round(time.monotonic() - self._began, 1),
            "sandbox": self._options.sandbox,
            "clients": len(self.server.peers),
            "calls": self.server.calls,
            **memory.figures(collect=collect),
            "loop_lag_max_ms": round(self.heartbeat.worst * 1000, 1),
            "loop_lag_recent_ms": round(self.heartbeat.recent * 1000, 1),
            "beats": self.heartbeat.beats,
            "contexts": {name: connection.row.state for name, connection in self.contexts.in_use.items()},
            "open_operations": [operation.id for operation in self.runner.open],
            "stays_for_schedules": list(self.timetable.stays_for()),
            "stays_for_kept": list(self.sweeping.stays_for()),
            "metrics": self.metrics.said,
            "parts": {name: part.state for name, part in self.supervisor.parts.items()},
            "troubles": [part.words for part in self.supervisor.parts.values() if part.state != RUNNING],
        }

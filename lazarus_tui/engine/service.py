"""The methods of the link: thin, validated, and each answered by a record or a fault.

The work behind them lives elsewhere: contexts, hub, runner, objects, artefacts, doctor.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol, TypeVar

import msgspec

from lazarus_tui import __version__
from lazarus_tui.engine.contexts import Contexts
from lazarus_tui.engine.errors import Refused
from lazarus_tui.engine.hub import Hub
from lazarus_tui.engine.stopping import refusal
from lazarus_tui.journal.errors import JournalError
from lazarus_tui.kube.errors import Forbidden, Invalid, KubeError, NotFound
from lazarus_tui.link.codec import LinkFault, encode
from lazarus_tui.link.protocol import PROTOCOL, Fault, Hello
from lazarus_tui.model.operation import Operation
from lazarus_tui.model.plan import Plan, PlanRefused
from lazarus_tui.model.steps import StepStopped
from lazarus_tui.model.topics import Topic

T = TypeVar("T")

# Seconds a pull may be held, and topics it may name.
MAX_WAIT = 25.0
MAX_TOPICS = 128
# How often, and how many seconds apart, a switch of kubeconfig looks whether the other clients have gone.
SWITCH_LOOKS, SWITCH_PAUSE = 6, 0.05


class Peer(Protocol):
    """What the service keeps of a client."""

    greeted: bool
    kubeconfig: str
    pull: asyncio.Task[Any] | None


class Operations(Protocol):
    """The runner, as the link sees it; ``Refused`` says why not."""

    @property
    def open(self) -> Sequence[Operation]: ...

    async def start(self, plan: Plan, digest: str, confirm: str = "") -> Operation: ...

    async def get(self, prefix: str) -> Operation: ...

    async def undo(self, prefix: str, confirm: str = "") -> Operation: ...

    async def resume(self, prefix: str, confirm: str = "") -> Operation: ...

    async def park(self, prefix: str) -> Operation: ...

    async def close_operation(self, prefix: str, confirm: str, reason: str = "") -> Operation: ...


class Evidence(Protocol):
    """Stored evidence records."""

    async def list(self) -> Sequence[Any]: ...

    async def get(self, prefix: str) -> Mapping[str, Any]:
        """Raises ``LookupError``, and ``ValueError`` for one that is not what was written."""
        ...


@dataclass
class About:
    """What ``hello`` and ``stats`` tell of this process."""

    pid: int
    started: str
    state_root: str
    sandbox: bool
    console: dict[str, Any]
    trouble: tuple[str, ...] = ()


class HelloParams(msgspec.Struct):
    protocol: int
    version: str = ""
    kubeconfig: str = ""
    cwd: str = ""


class PullParams(msgspec.Struct):
    known: dict[str, int]
    wait: float = 0.0


class UseParams(msgspec.Struct):
    context: str | None = None


class ArmParams(msgspec.Struct):
    context: str
    minutes: float


class PlanParams(msgspec.Struct):
    kind: str
    context: str
    params: dict[str, Any] = {}


class StartParams(msgspec.Struct):
    plan: Plan
    digest: str
    confirm: str = ""


class IdParams(msgspec.Struct):
    id: str


class ConfirmedParams(msgspec.Struct):
    id: str
    confirm: str = ""


class CloseParams(msgspec.Struct):
    id: str
    confirm: str = ""
    reason: str = ""


class ObjectParams(msgspec.Struct):
    context: str
    resource: str
    name: str
    namespace: str | None = None


class ArtefactParams(msgspec.Struct):
    context: str
    kind: str
    name: str


class PreviewParams(msgspec.Struct):
    context: str
    params: dict[str, Any] = {}


class StopParams(msgspec.Struct):
    park: bool = False


class StatsParams(msgspec.Struct):
    collect: bool = False


class NoParams(msgspec.Struct):
    pass


def refused(what: str, where: str = "", hint: str = "", code: str = "refused") -> LinkFault:
    return LinkFault(Fault(code, what, where, hint))


@dataclass
class Reads:
    """Answers that need the cluster; each raises ``LinkFault`` or ``KubeError``."""

    plan: Callable[[str, str, Mapping[str, Any]], Awaitable[Plan]]  # kind, context, params
    object: Callable[[str, str, str | None, str], Awaitable[Any]]  # context, resource, namespace, name
    artefact: Callable[[str, str, str], Awaitable[Any]]  # context, kind, name
    preview: Callable[[str, Mapping[str, Any]], Awaitable[Any]]  # context, params
    doctor: Callable[[str | None], Awaitable[Any]]
    log: Callable[[str], Awaitable[None]]  # make oplog/<id> known


class Service:
    """Implements ``link.server.Service``."""

    def __init__(
        self,
        about: About,
        hub: Hub,
        contexts: Contexts,
        operations: Operations,
        evidence: Evidence,
        reads: Reads,
        *,
        stats: Callable[[bool], dict[str, Any]],
        stop: Callable[[bool], Awaitable[None]],
        others: Callable[[Any], Sequence[Peer]],
        more: Mapping[str, tuple[type[Any], Callable[[Any, Any], Awaitable[Any]]]] = {},
    ) -> None:
        self._about, self._hub, self._contexts, self._operations = about, hub, contexts, operations
        self._evidence, self._reads, self._stats, self._stop, self._others = evidence, reads, stats, stop, others
        self._stopping: asyncio.Future[None] | None = None
        self._methods: dict[str, tuple[type[Any], Callable[[Peer, Any], Awaitable[Any]]]] = {
            "hello": (HelloParams, self._hello),
            "pull": (PullParams, self._pull),
            "context.use": (UseParams, self._use),
            "context.arm": (ArmParams, self._arm),
            "plan.make": (PlanParams, self._plan),
            "operation.start": (StartParams, self._start),
            "operation.get": (IdParams, self._get),
            "operation.undo": (ConfirmedParams, self._undo),
            "operation.resume": (ConfirmedParams, self._resume),
            "operation.park": (IdParams, self._park),
            "operation.close": (CloseParams, self._close),
            "object.get": (ObjectParams, self._object),
            "artefact.get": (ArtefactParams, self._artefact),
            "preview.backup": (PreviewParams, self._preview),
            "doctor": (UseParams, self._doctor),
            "evidence.list": (NoParams, self._evidence_list),
            "evidence.get": (IdParams, self._evidence_get),
            "stats": (StatsParams, self._statistics),
            "engine.stop": (StopParams, self._engine_stop),
            **more,
        }

    async def answer(self, peer: Any, method: str, params: dict[str, Any]) -> bytes:
        """JSON of the answer; every foreseen failure becomes a ``LinkFault``."""
        if method not in self._methods:
            raise refused(f"no method {method[:64]!r}", code="usage")
        type, handler = self._methods[method]
        try:
            wanted = msgspec.convert(params, type)
        except (msgspec.ValidationError, RecursionError) as error:
            raise refused(f"{method}: {error}", code="usage") from None
        with faults(method):
            result = await handler(peer, wanted)
        return result if isinstance(result, bytes) else encode(result)

    # --- the link itself

    async def _hello(self, peer: Peer, wanted: HelloParams) -> Hello:
        if wanted.protocol != PROTOCOL:
            what = f"the engine (version {__version__}) speaks protocol {PROTOCOL}, not {wanted.protocol}"
            raise refused(what, "hello", "lazarus engine stop, then start again", "version")
        if wanted.kubeconfig and wanted.kubeconfig != self._contexts.kubeconfig:
            await self._switch(peer, wanted.kubeconfig)
        peer.greeted, peer.kubeconfig = True, wanted.kubeconfig
        return Hello(
            protocol=PROTOCOL,
            version=__version__,
            pid=self._about.pid,
            started=self._about.started,
            state_root=self._about.state_root,
            sandbox=self._about.sandbox,
            open_operations=tuple(op.id for op in self._operations.open),
            console=self._about.console,
            trouble=self._about.trouble,
        )

    async def _switch(self, peer: Peer, kubeconfig: str) -> None:
        """Read another kubeconfig, unless somebody relies on the one in use: names could mean other clusters."""
        where = f"the engine works with {self._contexts.kubeconfig}, not {kubeconfig}"
        if self._operations.open:
            ids = ", ".join(op.id for op in self._operations.open)
            raise refused(where, "hello", f"wait until operation {ids} has ended, or use the same kubeconfig")
        for _ in range(SWITCH_LOOKS):
            if not any(other.greeted for other in self._others(peer)):
                break
            await asyncio.sleep(SWITCH_PAUSE)  # a command that has just ended may not be gone from here yet
        else:
            raise refused(where, "hello", "close the other console first, or use the same kubeconfig")
        await self._contexts.close()
        self._contexts.read(kubeconfig)

    async def _pull(self, peer: Peer, wanted: PullParams) -> bytes:
        if len(wanted.known) > MAX_TOPICS:
            raise refused(f"a pull names at most {MAX_TOPICS} topics", "pull", code="usage")
        if peer.pull is not None:
            peer.pull.cancel()  # a newer pull ends the older one, which is answered as empty
        for topic in wanted.known:
            if topic.startswith(f"{Topic.OPERATION_LOG}/"):
                await self._reads.log(topic.partition("/")[2])
        wait = min(MAX_WAIT, max(0.0, wanted.wait))
        task = asyncio.ensure_future(self._hub.pull(wanted.known, wait))
        peer.pull = task
        try:
            await asyncio.wait([task])
            return b'{"updates":[]}' if task.cancelled() else task.result()
        finally:
            task.cancel()
            if peer.pull is task:
                peer.pull = None

    async def _statistics(self, peer: Peer, wanted: StatsParams) -> dict[str, Any]:
        return self._stats(wanted.collect)

    async def _engine_stop(self, peer: Peer, wanted: StopParams) -> dict[str, Any]:
        against = refusal(self._operations.open, datetime.now(UTC), park=wanted.park, sandbox=self._about.sandbox)
        if against is not None:
            raise refused(against[0], "engine.stop", against[1])
        if self._stopping is None or self._stopping.done():
            self._stopping = asyncio.ensure_future(self._stop(wanted.park))
        await asyncio.shield(self._stopping)  # whoever asked may go: half stopped it would do nothing any more
        return {}

    # --- contexts

    async def _use(self, peer: Peer, wanted: UseParams) -> Any:
        return await self._contexts.use(wanted.context)

    async def _arm(self, peer: Peer, wanted: ArmParams) -> Any:
        return await self._contexts.arm(wanted.context, wanted.minutes)

    # --- operations

    async def _plan(self, peer: Peer, wanted: PlanParams) -> Plan:
        return await self._reads.plan(wanted.kind, wanted.context, wanted.params)

    async def _start(self, peer: Peer, wanted: StartParams) -> Operation:
        self._contexts.connection(wanted.plan.context)
        return await self._operations.start(wanted.plan, wanted.digest, wanted.confirm)

    async def _get(self, peer: Peer, wanted: IdParams) -> Operation:
        return await self._operations.get(wanted.id)

    async def _undo(self, peer: Peer, wanted: ConfirmedParams) -> Operation:
        return await self._operations.undo(wanted.id, wanted.confirm)

    async def _resume(self, peer: Peer, wanted: ConfirmedParams) -> Operation:
        return await self._operations.resume(wanted.id, wanted.confirm)

    async def _park(self, peer: Peer, wanted: IdParams) -> Operation:
        return await self._operations.park(wanted.id)

    async def _close(self, peer: Peer, wanted: CloseParams) -> Operation:
        return await self._operations.close_operation(wanted.id, wanted.confirm, wanted.reason)

    # --- reads

    async def _object(self, peer: Peer, wanted: ObjectParams) -> Any:
        return await self._reads.object(wanted.context, wanted.resource, wanted.namespace, wanted.name)

    async def _artefact(self, peer: Peer, wanted: ArtefactParams) -> Any:
        return await self._reads.artefact(wanted.context, wanted.kind, wanted.name)

    async def _preview(self, peer: Peer, wanted: PreviewParams) -> Any:
        return await self._reads.preview(wanted.context, wanted.params)

    async def _doctor(self, peer: Peer, wanted: UseParams) -> Any:
        return await self._reads.doctor(wanted.context)

    async def _evidence_list(self, peer: Peer, wanted: NoParams) -> Any:
        return await self._evidence.list()

    async def _evidence_get(self, peer: Peer, wanted: IdParams) -> Any:
        try:
            return await self._evidence.get(wanted.id)
        except ValueError as error:
            raise Refused(str(error), hint="take it from a bundle that was exported before") from None


@contextlib.contextmanager
def faults(where: str) -> Any:
    """Turns the failures the engine foresees into faults with a code, a sentence and a next step."""
    try:
        yield
    except PlanRefused as error:
        raise LinkFault(Fault(error.code, error.what, error.where or where, error.hint, error.details)) from None
    except Refused as error:
        raise refused(error.what, error.where or where, error.hint, error.code) from None
    except StepStopped as error:
        raise refused(error.what, where, error.hint) from None
    except JournalError as error:
        raise refused(error.what, where, error.hint) from None
    except LookupError as error:
        raise refused(str(error.args[0]) if error.args else "there is no such thing", where, code="not-found") from None
    except NotFound as error:
        raise refused(error.message, error.request or where, error.hint, "not-found") from None
    except Forbidden as error:
        raise refused(error.message, error.request or where, error.hint, "forbidden") from None
    except Invalid as error:
        raise refused(error.message, error.request or where, error.hint, "refused") from None
    except KubeError as error:
        raise refused(error.message, error.request or where, error.hint, "unreachable") from None

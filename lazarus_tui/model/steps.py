"""What subject packages write and the engine runs: steps, the gate's protocol, and what a step can see.

A subject (velero, prove, drill …) never writes to a cluster by itself. It defines steps; the engine's runner calls
``observe``, ``act`` and ``undo`` and hands in a context whose gate is the only way to change anything (design.md §5).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, MutableMapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol, TypeVar, runtime_checkable

from lazarus_tui.model.clock import Clock
from lazarus_tui.model.operation import CheckResult, Figures, StageProgress, StepState
from lazarus_tui.model.plan import Params, Plan
from lazarus_tui.model.resources import Resource
from lazarus_tui.model.streams import Streams
from lazarus_tui.model.verdict import Verdict

T = TypeVar("T")


class Seen(StrEnum):
    """What ``observe`` found, by a fresh read, never from a cache."""

    ABSENT = "absent"  # the step's effect is not there: acting is right
    WAITING = "waiting"  # acted, not finished: look again later
    DONE = "done"  # the post-condition holds
    FAILED = "failed"  # it ended, and not well
    DIVERGED = "diverged"  # somebody else's doing: stop and ask


@dataclass(frozen=True, slots=True)
class Observation:
    """The result of one look. ``facts`` are journalled when the step is done, for later steps and the record.

    ``shown`` is how a step that is done is shown, where that says more: failed or skipped, and the operation goes on.
    """

    seen: Seen
    detail: str = ""
    progress: tuple[StageProgress, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    hint: str = ""
    shown: StepState = StepState.DONE


class Outcome(StrEnum):
    """How a write ended; an unknown outcome is a value, not an exception (reference: reliability §3.1)."""

    APPLIED = "applied"
    NOT_SENT = "not sent"
    PUSHBACK = "pushback"
    AMBIGUOUS = "ambiguous"
    CONFLICT = "conflict"
    AUTH = "auth"
    FORBIDDEN = "forbidden"
    GONE = "gone"
    EXPIRED = "expired"
    PERMANENT = "permanent"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Write:
    """One change to one object. ``verb``: create, merge-patch, json-patch or delete.

    Everything but a create carries the uid it means (precondition); ``expect`` says in words what must hold after it,
    ``undo`` holds what is needed to take it back. ``users``: what is created stays the user's own, so it gets none of
    Lazarus's labels.
    """

    verb: str
    resource: Resource
    namespace: str | None
    name: str
    body: Any = None
    uid: str = ""
    resource_version: str = ""
    expect: str = ""
    undo: Any = None
    subresource: str = ""
    users: bool = False


@dataclass(frozen=True, slots=True)
class WriteResult:
    """``object``: the server's answer when applied; else ``reason``, redacted, and what to do if more is known."""

    outcome: Outcome
    object: Mapping[str, Any] = field(default_factory=dict)
    status: int = 0
    reason: str = ""
    hint: str = ""


class StepStopped(Exception):
    """A step cannot go on: ``what`` went wrong, ``hint`` says what to do next; ``park`` True waits for a person."""

    def __init__(self, what: str, *, hint: str = "", park: bool = False) -> None:
        super().__init__(what)
        self.what, self.hint, self.park = what, hint, park


class Halted(StepStopped):
    """No failure of the step: the engine may not go on by itself (the gate is closed, somebody asked it to stop)."""


class Closing(Protocol):
    """Something that must not outlive whoever opened it."""

    async def close(self) -> None: ...


class Gate(Protocol):
    """The one function through which every change to a cluster goes."""

    @property
    def doubt(self) -> str:
        """Why nobody knows whether the last write was carried out; "" when that is known."""
        ...

    async def write(self, write: Write) -> WriteResult:
        """Journal the intent, send with preconditions, journal the result. NOT_SENT and PUSHBACK are retried inside."""
        ...

    async def announce(self, write: Write) -> int:
        """All checks, and the intent of a change that is no API write: a command in a container (verb ``exec``)."""
        ...

    async def settled(self, intent: int, outcome: Outcome, reason: str = "") -> None:
        """Journal how what was announced ended."""
        ...


class Exec(Protocol):
    """What a finished exec gave; ``cut``: there was more on stdout than is kept."""

    stdout: bytes
    stderr: bytes
    exit_code: int
    cut: bool


class Session(Protocol):
    """A command in a container whose stdin stays open; its end, however it comes, ends what it holds.

    ``heard`` returns when the bytes stand in the output, and raises a KubeError when the command ends before.
    """

    @property
    def alive(self) -> bool: ...

    @property
    def stderr(self) -> bytes: ...

    async def say(self, text: bytes) -> None: ...

    async def heard(self, marker: bytes) -> None: ...

    async def end(self) -> Exec: ...

    async def close(self) -> None: ...


class Reader(Protocol):
    """Reads from one cluster; every call has its timeout and goes to the API server, never to a cache.

    ``kube.Cluster`` implements it. Errors are kube's exception tree; ``get`` returns None on 404.
    """

    context: str

    async def get(self, resource: Resource, name: str, namespace: str | None = None, *, type: type[T]) -> T | None: ...

    async def list(
        self,
        resource: Resource,
        namespace: str | None = None,
        *,
        type: type[T],
        label_selector: str = "",
        field_selector: str = "",
    ) -> list[T]: ...

    async def service_proxy(
        self, namespace: str, service: str, port: int | str, path: str, *, timeout: float = 5.0, limit: int = 65536
    ) -> tuple[int, bytes]:
        """GET through the API server: status and at most ``limit`` bytes of the body."""
        ...

    async def exec(
        self,
        namespace: str,
        pod: str,
        container: str,
        argv: Sequence[str],
        *,
        stdin: bytes = b"",
        timeout: float = 30.0,
    ) -> Exec: ...

    async def hold(
        self, namespace: str, pod: str, container: str, argv: Sequence[str], *, timeout: float = 30.0
    ) -> Session: ...

    def forward(
        self, namespace: str, pod: str, port: int, *, timeout: float = 10.0
    ) -> AbstractAsyncContextManager[Streams]:
        """A connection to ``port`` of the pod, through the API server; a refused port shows on the first read."""
        ...

    async def credential(self, namespace: str, name: str, key: str) -> str | None:
        """One value of a Secret as text, for a check that has to log in; None when there is no such thing."""
        ...

    async def secret(self, namespace: str, name: str) -> dict[str, Any] | None:
        """A whole Secret, to be made again beside a copy: ``get`` and ``list`` give its metadata alone."""
        ...

    def logs(
        self,
        namespace: str,
        pod: str,
        container: str = "",
        *,
        follow: bool = False,
        tail: int | None = None,
        since_seconds: int | None = None,
        previous: bool = False,
    ) -> AsyncIterator[bytes]: ...

    async def cluster_uid(self) -> str:
        """The uid of namespace kube-system: the identity of a cluster."""
        ...

    async def can_i(
        self, verb: str, resource: Resource, namespace: str = "", name: str = "", subresource: str = ""
    ) -> bool | None:
        """Whether the API would allow it (a SelfSubjectAccessReview); None when it does not even answer that."""
        ...

    async def dry_run(self, resource: Resource, obj: Mapping[str, Any], namespace: str | None = None) -> str:
        """Why the server would not create ``obj``, "" when it would; nothing is made."""
        ...


@runtime_checkable
class ArtefactReader(Protocol):
    """A Reader that can also fetch what Velero keeps in object storage; planners use it when they are handed one."""

    async def artefact(self, velero: str, kind: str, name: str) -> bytes:
        """The unpacked artefact of a Backup or Restore in Velero's namespace ``velero``; raises when it cannot."""
        ...


class StepContext(Protocol):
    """What a running step can see and do."""

    op: str
    plan: Plan
    gate: Gate
    reader: Reader
    clock: Clock
    facts: Mapping[str, Any]  # journalled results of earlier steps (and of this one, after remember)
    held: MutableMapping[str, Closing]  # what this run keeps open over several steps; the engine closes it at its end

    @property
    def checks(self) -> Sequence[CheckResult]:
        """What checks found so far, as the journal has it."""
        ...

    @property
    def fence(self) -> int:
        """The number this engine writes to the cluster as its own (see ``Fence``); 0 where there is none."""
        ...

    async def remember(self, **facts: Any) -> None:
        """Journal facts now (before an act that depends on them): names, uids, chosen points, clock readings."""
        ...

    async def say(self, text: str) -> None:
        """One line for the operation's log."""
        ...

    async def checked(self, *results: CheckResult) -> None: ...

    async def measured(self, figures: Figures) -> None: ...

    async def judged(self, verdict: Verdict) -> None: ...

    async def fetch(self, url: str, *, limit: int, ca: str = "") -> bytes:
        """Download from object storage under the address policy; at most ``limit`` bytes; raises ``OSError``."""
        ...

    async def artefact(self, velero: str, kind: str, name: str) -> bytes:
        """The unpacked artefact of a Backup or Restore in Velero's namespace ``velero`` (BackupContents stays packed);
        raises ``StepStopped`` when it cannot be had."""
        ...

    async def evidence(self, record: Mapping[str, Any]) -> str:
        """Write an evidence record (canonical JSON, hash-chained) and return its path."""
        ...

    async def keep(self, name: str, record: Mapping[str, Any]) -> str:
        """Keep a document by name on this machine, instead of an earlier one, and return its path."""
        ...

    async def kept(self, name: str) -> dict[str, Any] | None:
        """That document, or None. Raises ``ValueError`` or ``OSError`` when it cannot be read."""
        ...

    async def forget(self, name: str) -> None:
        """Remove that document; there may be none."""


class Step(Protocol):
    """One part of an operation. Observe decides; act changes through the gate; undo takes it back.

    The runner always observes first, also after a crash: ABSENT → act → observe until DONE. ``poll`` is the number of
    seconds between looks, ``limit`` the seconds after which waiting becomes a failure.
    """

    name: str
    version: int
    title: str
    mutates: bool
    poll: float
    limit: float

    async def observe(self, context: StepContext) -> Observation: ...

    async def act(self, context: StepContext) -> None: ...

    async def undo(self, context: StepContext) -> str | None:
        """Take the step back; a step that changed nothing does nothing. Raises StepStopped if it cannot.

        What it leaves on purpose it says in a sentence.
        """
        ...


class Fence(Protocol):
    """Where an operation's fence is kept in the cluster, for operations that another engine may take over.

    The step that makes that place says so with the fact ``capsule``: without it, it was taken away by somebody.
    """

    async def read(self, context: StepContext) -> int | None:
        """The number that is written, by a fresh read; None when there is no place for it."""
        ...

    async def write(self, context: StepContext) -> None:
        """Write ``context.fence`` through the gate; raises ``StepStopped`` when somebody else is ahead."""
        ...


class Planner(Protocol):
    """Makes the plan of one kind of operation from parameters, reading the cluster; raises ``PlanRefused``."""

    async def __call__(self, reader: Reader, params: Params, clock: Clock) -> Plan: ...


StepBuilder = Callable[[Plan, "Catalog"], Sequence[Step]]

# Lets go of what ``HELD`` names, from plan and facts alone: without the steps, a lease, or the right to write.
# Raises StepStopped.
LetGo = Callable[[StepContext], Awaitable[None]]


class Catalog(Protocol):
    """Steps of other subjects by kind, so that a drill can be composed without importing them."""

    def steps(self, kind: str, plan: Plan) -> Sequence[Step]: ...


@dataclass(frozen=True, slots=True)
class OperationType:
    """One entry of the engine's registry: how to plan it and which steps run it.

    ``undo`` is "auto" (a failure undoes the finished steps by itself), "ask" (park and offer it) or "none".
    ``pivot`` names the step from which on a failure asks although ``undo`` is "auto".
    ``fence`` keeps out an engine whose operation was taken over by another one.
    ``verdict_required``: an operation that ends without PASSED or FAILED was not proven (exit code 4).
    ``let_go`` is called whenever the operation does not go on: when a run begins, before it parks or is undone, at its
    end, and for what a parked one still holds.
    ``waits`` tells in the cluster, with the reason in words, that a person is waited for; its failure fails nothing.
    """

    kind: str
    plan: Planner
    steps: StepBuilder
    undo: str = "none"
    pivot: str = ""
    verdict_required: bool = False
    fence: Fence | None = None
    let_go: LetGo | None = None
    waits: Callable[[StepContext, str], Awaitable[None]] | None = None

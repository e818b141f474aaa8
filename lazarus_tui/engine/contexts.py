"""The clusters of the kubeconfig: which are connected, what they are, and whether they may be written to.

A context is used because somebody named it; a kubeconfig that changes on disk never moves a connection to another
cluster. Every context but the sandbox's is read-only until it is armed, and then for minutes only.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Protocol

import msgspec

from lazarus_tui.engine.hub import Hub
from lazarus_tui.kube.cluster import Cluster
from lazarus_tui.kube.contexts import Context, Kubeconfig, is_loopback
from lazarus_tui.kube.errors import ConfigError, KubeError, NotSent
from lazarus_tui.link.codec import LinkFault
from lazarus_tui.link.protocol import Fault
from lazarus_tui.model.clock import Clock, listened, rfc3339
from lazarus_tui.model.topics import ContextRow, Topic

log = logging.getLogger(__name__)

SANDBOX_CONTEXT = "lazarus-sandbox"
# Seconds context.use listens for the first answer of a cluster; the attempt itself goes on. What the engine takes for
# itself meanwhile, as to load the client, is not the cluster's.
FIRST_ANSWER = 8.0
# Seconds between attempts to connect: doubled from the first to the last.
RETRY_FIRST, RETRY_LAST = 2.0, 60.0
MAX_ARM_MINUTES = 60
NO_CONTEXT_HINT = "name one with --kubeconfig, or try: lazarus --sandbox"


class Followed(Protocol):
    """What a connection keeps up to date while it stands (the mirror)."""

    async def run(self) -> None: ...


@dataclass
class Identity:
    """What a cluster said of itself when it was connected."""

    cluster_uid: str
    server_version: str = ""
    velero: tuple[str, ...] = ()
    velero_namespace: str = ""
    velero_version: str = ""
    cron_rule: str = "velero"
    time_factor: float = 1.0
    denied: tuple[str, ...] = ()


@dataclass(eq=False)
class Connection:
    """One context in use. ``cluster`` is None until it could be made; ``identity`` until the cluster answered."""

    context: Context
    row: ContextRow
    cluster: Cluster | None = None
    identity: Identity | None = None
    armed_until: float = float("-inf")
    answered: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None


Opener = Callable[[Context], Awaitable[Cluster]]
Identifier = Callable[[Cluster], Awaitable[Identity]]
Follower = Callable[[Connection], Followed]


class Contexts:
    """All contexts, by name. ``load`` reads the kubeconfig at a path list; ``busy(name)``: an operation is open.

    ``armed(name, writable)`` is told when a context becomes writable, or read-only again. ``words(name, reason, hint)``
    may say better why a context does not answer, and what to do.
    """

    def __init__(
        self,
        hub: Hub,
        clock: Clock,
        *,
        load: Callable[[str], Kubeconfig],
        open: Opener,
        identify: Identifier,
        follow: Follower,
        busy: Callable[[str], bool] = lambda name: False,
        armed: Callable[[str, bool], None] = lambda name, writable: None,
        words: Callable[[str, str, str], tuple[str, str]] = lambda name, reason, hint: (reason, hint),
        sandbox: bool = False,
    ) -> None:
        self._hub, self._clock, self._busy, self._sandbox = hub, clock, busy, sandbox
        self._armed, self._words = armed, words
        self._load, self._open, self._identify, self._follow = load, open, identify, follow
        self._connections: dict[str, Connection] = {}
        self._listed: dict[str, Context] = {}
        self._current = ""
        self._disarming: dict[str, asyncio.Task[None]] = {}
        self.kubeconfig = ""
        self._paths: tuple[str, ...] = ()
        self.problems: tuple[str, ...] = ()
        self.warnings: tuple[str, ...] = ()
        hub.open(Topic.CONTEXTS)

    # --- the list

    def read(self, kubeconfig: str) -> None:
        """Read the kubeconfig and publish its contexts. Connections stay what they are."""
        found = self._load(kubeconfig)
        self.kubeconfig = kubeconfig
        self.problems, self.warnings = tuple(found.errors), tuple(found.warnings)
        self._listed, self._current, self._paths = dict(found.contexts), found.current, found.paths
        self._publish()

    def _publish(self) -> None:
        rows = {name: self._row(name, context) for name, context in self._listed.items()}
        rows |= {name: c.row for name, c in self._connections.items() if name not in rows}
        self._hub.replace(Topic.CONTEXTS, rows)
        if rows:
            self._hub.set_state(Topic.CONTEXTS, "ready", as_of=rfc3339(self._clock.now()))
        else:
            self._hub.set_state(Topic.CONTEXTS, "failed", reason=self._why_none(), hint=NO_CONTEXT_HINT)

    def _why_none(self) -> str:
        """Why the kubeconfig gives no context at all: what is wrong with a file comes first."""
        if self.problems:
            return self.problems[0]
        there = [path for path in self._paths if os.path.exists(path)]
        if there:
            return f"the kubeconfig names no context ({', '.join(there)})"
        return f"no kubeconfig was found ({', '.join(self._paths) or self.kubeconfig})"

    def _row(self, name: str, context: Context) -> ContextRow:
        current = name == self._current
        connection = self._connections.get(name)
        if connection is not None:
            return msgspec.structs.replace(connection.row, current=current)
        return ContextRow(
            name=name,
            cluster=context.cluster.name,
            server=context.server,
            user=context.user.name,
            current=current,
            sandbox=self._is_sandbox(name),
            write_until="always" if self._is_sandbox(name) else "",
        )

    @property
    def names(self) -> tuple[str, ...]:
        """Contexts of the kubeconfig."""
        return tuple(sorted(self._listed))

    def _is_sandbox(self, name: str) -> bool:
        """Always writable, so it must be the real one: this engine's, by its name, on this machine."""
        connection = self._connections.get(name)
        context = connection.context if connection is not None else self._listed.get(name)
        local = context is not None and is_loopback(context.cluster.server)
        return self._sandbox and name == SANDBOX_CONTEXT and local

    # --- connections

    async def use(self, name: str | None) -> ContextRow:
        """Connect to a context (None: the current one) and say how it stands; an unreachable one is tried for ever."""
        self.read(self.kubeconfig)
        name = self._resolve(name)
        connection = self._connections.get(name)
        if connection is not None and self._moved(name, connection.context):
            # Somebody asks for it by name and the file says something new: that is a choice, not a silent switch.
            await self._drop(name)
            connection = None
        if connection is None:
            connection = self._connect(name)
        with contextlib.suppress(TimeoutError):  # the row says "connecting"; the attempt goes on
            await listened(FIRST_ANSWER, connection.answered.wait())
        return self._row(name, connection.context)

    def _moved(self, name: str, used: Context) -> bool:
        """Whether the file says something new. A new token is nothing new to an open operation: its connection keeps
        the old one until that is refused, then finds the new one by itself."""
        listed = self._listed.get(name, used)
        return listed != used and not (self._busy(name) and listed.same_apart_from_secret(used))

    def _resolve(self, name: str | None) -> str:
        if not self._listed and not self._connections:
            raise LinkFault(Fault("refused", self._why_none(), "", NO_CONTEXT_HINT))
        if name is None and not self._current:
            names = ", ".join(sorted(self._listed)) or "none"
            what = "the kubeconfig names no current context"
            raise LinkFault(Fault("refused", what, self.kubeconfig, f"choose one with --context (there are: {names})"))
        name = name or self._current
        if name not in self._listed and name not in self._connections:
            names = ", ".join(sorted(self._listed)) or "none"
            raise LinkFault(Fault("not-found", f"no context {name}", self.kubeconfig, f"there are: {names}"))
        return name

    async def _drop(self, name: str) -> None:
        connection = self._connections[name]
        if self._busy(name):
            what = f"the kubeconfig has changed for {name}, and an operation of it is open"
            raise LinkFault(Fault("refused", what, self.kubeconfig, "wait until it has ended"))
        del self._connections[name]
        await _end(connection.task, self._disarming.pop(name, None))
        if connection.cluster is not None:
            await connection.cluster.close()

    def _connect(self, name: str) -> Connection:
        context = self._listed[name]
        row = msgspec.structs.replace(self._row(name, context), state="connecting")
        connection = Connection(context, row)
        self._connections[name] = connection
        connection.task = asyncio.create_task(self._keep(connection), name=f"context {name}")
        self._publish()
        return connection

    async def _keep(self, connection: Connection) -> None:
        """Connect, identify, follow: until cancelled, with growing pauses while the cluster does not answer."""
        pause = RETRY_FIRST
        while True:
            try:
                if connection.cluster is None:
                    connection.cluster = await self._open(connection.context.usable())
                identity = await self._identify(connection.cluster)
                self._identified(connection, identity)
                await self._follow(connection).run()
                pause = RETRY_FIRST
            except KubeError as error:
                self._failed(connection, error.message, error.hint)
            except (OSError, ValueError) as error:
                self._failed(connection, str(error) or type(error).__name__, "see lazarus doctor")
            except LinkFault as error:
                self._failed(connection, error.fault.what, error.fault.hint)
            except Exception as error:
                log.exception("context %s", connection.context.name)
                self._failed(connection, f"unexpected {type(error).__name__} in the engine", "see engine.log")
            await self._clock.sleep(pause)
            pause = min(RETRY_LAST, pause * 2)

    def _identified(self, connection: Connection, found: Identity) -> None:
        known = connection.identity
        if known is not None and known.cluster_uid != found.cluster_uid:
            raise LinkFault(
                Fault(
                    "refused",
                    f"another cluster answers for this context now (uid {found.cluster_uid}, was {known.cluster_uid})",
                    connection.context.server,
                    "lazarus engine stop forgets the old one; check the kubeconfig first",
                )
            )
        connection.identity = found
        self._change(
            connection,
            state="ready",
            reason="",
            hint="",
            cluster_uid=found.cluster_uid,
            server_version=found.server_version,
            velero=found.velero,
            velero_namespace=found.velero_namespace,
            velero_version=found.velero_version,
            time_factor=found.time_factor,
            denied=found.denied,
        )
        connection.answered.set()

    def _failed(self, connection: Connection, reason: str, hint: str) -> None:
        state = "failed" if connection.identity is None else "stale"
        reason, hint = self._words(connection.context.name, reason, hint)
        self._change(connection, state=state, reason=reason, hint=hint)
        connection.answered.set()

    def _change(self, connection: Connection, **fields: Any) -> None:
        connection.row = msgspec.structs.replace(connection.row, **fields)
        self._publish()

    def heard(self, connection: Connection, *, reason: str = "", hint: str = "") -> None:
        """The mirror says how the cluster answers: with a reason it does not, and the row is stale."""
        state = "stale" if reason else "ready"
        if reason:
            reason, hint = self._words(connection.context.name, reason, hint)
        if (connection.row.state, connection.row.reason) != (state, reason):
            self._change(connection, state=state, reason=reason, hint=hint)

    def connection(self, name: str) -> Connection:
        """The connection of a context in use; refuses one that is not, or that has not answered yet."""
        found = self._connections.get(name)
        if found is None:
            raise LinkFault(Fault("not-found", f"context {name} is not in use", "context.use", "connect to it first"))
        if found.cluster is None or found.identity is None:
            what = found.row.reason or f"context {name} has not answered yet"
            raise LinkFault(Fault("unreachable", what, found.context.server, found.row.hint))
        return found

    def reader(self, name: str) -> Cluster:
        """The cluster of a context in use."""
        cluster = self.connection(name).cluster
        assert cluster is not None
        return cluster

    async def cluster_for(self, name: str) -> Cluster:
        """The cluster of a context, connected if need be: what operations run on. Raises ``KubeError``."""
        if name not in self._connections:
            try:
                await self.use(name)
            except LinkFault as fault:
                raise ConfigError(fault.fault.what, reason="NoContext", hint=fault.fault.hint) from None
        found = self._connections[name]
        if found.cluster is None or found.identity is None:
            raise NotSent(found.row.reason or f"context {name} has not answered yet", hint=found.row.hint)
        return found.cluster

    # --- arming

    async def arm(self, name: str, minutes: float) -> ContextRow:
        """Allow writes for ``minutes``; 0 takes it back. The sandbox is always writable."""
        connection = self.connection(name)
        if not 0 <= minutes <= MAX_ARM_MINUTES:
            raise LinkFault(Fault("usage", f"minutes must be 0 to {MAX_ARM_MINUTES}", "context.arm"))
        if self._is_sandbox(name):
            return self._row(name, connection.context)
        seconds = minutes * 60
        connection.armed_until = self._clock.monotonic() + seconds
        until = rfc3339(self._clock.now() + timedelta(seconds=seconds)) if minutes else ""
        log.info("context %s: %s", name, f"armed until {until}" if minutes else "disarmed")
        self._change(connection, write_until=until)
        old = self._disarming.pop(name, None)
        if old is not None:
            old.cancel()
        if minutes:
            self._disarming[name] = asyncio.create_task(self._disarm(name, connection, seconds))
        self._armed(name, bool(minutes))
        return self._row(name, connection.context)

    async def _disarm(self, name: str, connection: Connection, seconds: float) -> None:
        await self._clock.sleep(seconds)
        self._change(connection, write_until="")
        log.info("context %s: read-only again", name)
        self._armed(name, False)

    def writable(self, name: str) -> bool:
        """Whether an operation may be started now; decided on the monotonic clock, not by what a row shows."""
        if self._is_sandbox(name):
            return True
        found = self._connections.get(name)
        return found is not None and self._clock.monotonic() < found.armed_until

    # --- the end

    @property
    def in_use(self) -> Mapping[str, Connection]:
        return self._connections

    async def close(self) -> None:
        """Stop following and close every connection; the list stays."""
        await _end(*(c.task for c in self._connections.values()), *self._disarming.values())
        for connection in self._connections.values():
            if connection.cluster is not None:
                await connection.cluster.close()
        self._connections.clear()
        self._disarming.clear()


async def _end(*tasks: asyncio.Task[None] | None) -> None:
    given = [task for task in tasks if task is not None]
    for task in given:
        task.cancel()
    await asyncio.gather(*given, return_exceptions=True)

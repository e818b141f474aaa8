"""What one command line works with: which cluster, which engine, how to ask it.

Imports here decide how fast ``lazarus backup list`` answers: no asyncio, no HTTP, no pydantic.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from lazarus_tui.link.protocol import Fault

if TYPE_CHECKING:
    from lazarus_tui.link.client import SyncClient
    from lazarus_tui.model.paths import StateRoot
    from lazarus_tui.model.topics import ContextRow

T = TypeVar("T")

# How long a command waits for a cluster's first list before it says that there is none.
FIRST_LIST_SECONDS = 45.0


class Refused(Exception):
    """A command that will not go on; carries a ``Fault`` as the engine's own refusals do."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.what)
        self.fault = fault


def say_error(text: str) -> None:
    sys.stderr.write(f"lazarus: {text}\n")


def say(text: str) -> None:
    """Progress for a person: stderr, so that stdout stays the answer."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


@dataclass
class Session:
    """One command's view of the world; the engine is started on first use."""

    sandbox: bool = False
    context_name: str | None = None
    kubeconfig: str | None = None
    ephemeral: bool = False
    _client: SyncClient | None = field(default=None, repr=False)
    _context: ContextRow | None = None

    def state_root(self) -> StateRoot:
        from lazarus_tui.model.paths import StateRoot

        return StateRoot(sandbox=self.sandbox)

    def client(self) -> SyncClient:
        """The link to the engine, which is started (with the sandbox, if asked for) when nobody listens."""
        if self._client is None:
            from lazarus_tui.cli.spawn import ensure_engine

            self._client = ensure_engine(self.state_root(), kubeconfig=self.cluster_kubeconfig())
        return self._client

    def fresh_client(self) -> SyncClient:
        """A new link, for when the engine (or the sandbox) has ended and is wanted again."""
        self._client = None
        return self.client()

    def cluster_kubeconfig(self) -> str | None:
        """The kubeconfig the engine should read; with ``--sandbox`` the sandbox's own, started when it is down."""
        if not self.sandbox:
            return self.kubeconfig
        from lazarus_tui.cli.sandbox import ensure_up

        return str(ensure_up(self.state_root(), ephemeral=self.ephemeral))

    def call(self, method: str, params: dict[str, Any], type: type[T], *, timeout: float = 60.0) -> T:
        return self.client().call(method, params, type, timeout=timeout)

    def context(self) -> str:
        """The context in use, connected; without ``--context`` the kubeconfig's current one."""
        if self._context is None:
            from lazarus_tui.model.topics import ContextRow

            self._context = self.call("context.use", {"context": self.context_name}, ContextRow)
        return self._context.name

    @property
    def connected(self) -> bool:
        """Whether a context is known to be in use."""
        return self._context is not None

    def _answering(self) -> str:
        """The context in use; one that has never answered has no records, not even old ones."""
        name, row = self.context(), self._context
        if row is not None and row.state in ("failed", "connecting"):
            what = row.reason or f"the cluster of context {name} has not answered yet"
            raise Refused(Fault("unreachable", what, row.server, row.hint or "lazarus doctor says what is wrong"))
        return name

    def refresh(self, *, link: bool = False) -> None:
        """With the next question ask anew how the same context answers, whatever the kubeconfig's current one is by
        then; ``link``: of another engine, this one is gone."""
        if self._context is not None:
            self.context_name = self._context.name
        self._context = None
        if link:
            self._client = None

    def records(self, name: str, *, fresh: bool = False) -> dict[str, Any]:
        """Every record of topic ``name`` for this context by key, once the first list is complete.

        ``fresh``: what is not all seen now is refused; else it is said on stderr.
        """
        import msgspec

        from lazarus_tui.link.protocol import PullResult
        from lazarus_tui.model.topics import record

        topic = name if name in ("contexts", "operations") else f"{name}/{self._answering()}"
        deadline = time.monotonic() + FIRST_LIST_SECONDS
        held: dict[str, bytes] = {}
        known = 0
        while time.monotonic() < deadline:
            result = self.call("pull", {"known": {topic: known}, "wait": 2.0}, PullResult)
            for update in result.updates:
                known = update.version
                if update.base is None:
                    held.clear()
                held.update(zip(update.keys, map(bytes, update.upserts), strict=True))
                for key in update.removed:
                    held.pop(key, None)
                if update.state == "failed" or (fresh and update.state == "stale"):
                    what = update.reason or f"{name} cannot be listed"
                    raise Refused(Fault("unreachable", what, topic, update.hint))
                if update.state == "stale":
                    say_error(f"the cluster does not answer; this was seen at {update.as_of}: {update.reason}")
                if update.state in ("ready", "stale"):
                    decode = msgspec.json.Decoder(record(name)).decode
                    return {key: decode(raw) for key, raw in held.items()}
        what = f"no answer for {name} within {FIRST_LIST_SECONDS:.0f} s"
        raise Refused(Fault("unreachable", what, topic, "lazarus doctor says what is wrong"))

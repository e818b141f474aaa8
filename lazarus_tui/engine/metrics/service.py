"""Metrics in the engine: counts proofs as they end and, where an address is set, serves what it knows."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec

from lazarus_tui import __version__
from lazarus_tui.config import MetricsSettings
from lazarus_tui.engine import memory
from lazarus_tui.engine.contexts import Contexts
from lazarus_tui.engine.heartbeat import Heartbeat
from lazarus_tui.engine.hub import Hub
from lazarus_tui.engine.metrics.owed import Owed
from lazarus_tui.engine.metrics.tally import Subject, Tally
from lazarus_tui.journal import Journal, JournalError
from lazarus_tui.model.clock import Clock
from lazarus_tui.model.operation import Operation
from lazarus_tui.model.parts import Part
from lazarus_tui.model.topics import Finding, Topic, WorkloadRow

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric as Family

    from lazarus_tui.engine.metrics.server import MetricsServer

log = logging.getLogger(__name__)

_ROW = msgspec.json.Decoder(WorkloadRow)


class Metrics:
    """Nothing is loaded, counted or kept while no address is set. ``known``: operations, oldest first;

    ``queued``: since when proofs wait for their turn, by context; ``outbox``: since when notices wait. ``owed``: what
    policies owe, by context and name; ``late``: seconds, by context and Schedule; ``parts``: of the engine, by name;
    ``green``: whether a policy stands behind a workload.
    """

    def __init__(
        self, settings: MetricsSettings, journal: Journal, clock: Clock, hub: Hub, contexts: Contexts, *, sandbox: bool,
        heartbeat: Heartbeat, known: Callable[[], Sequence[Operation]],
        queued: Callable[[], Mapping[str, Sequence[datetime]]] = dict,
        outbox: Callable[[], Sequence[datetime]] = tuple,
        owed: Callable[[], Mapping[tuple[str, str], Owed]] = dict,
        late: Callable[[], Mapping[tuple[str, str], float]] = dict,
        parts: Callable[[], Mapping[str, Part]] = dict,
        green: Callable[[], Mapping[Subject, bool]] = dict,
    ) -> None:  # fmt: skip
        self._listen = settings.sandbox_listen if sandbox else settings.listen
        self._public, self._clock, self._hub, self._contexts = settings.public, clock, hub, contexts
        self._heartbeat, self._known, self._queued, self._outbox = heartbeat, known, queued, outbox
        self._owed, self._late, self._parts, self._green = owed, late, parts, green
        self._started = clock.now()
        self._tally = Tally(journal)
        self._server: MetricsServer | None = None
        self.said, self._hint = "not served: no address is set (metrics.listen)", ""

    @property
    def port(self) -> int:
        """Where it is served, 0 where it is not."""
        return self._server.port if self._server is not None else 0

    def changed(self, operation: Operation) -> None:
        if self._server is not None:
            self._tally.changed(operation)

    async def start(self) -> None:
        """Serve, if an address is set; that it cannot be is logged and said by the doctor, and stops nothing."""
        if not self._listen:
            return
        from lazarus_tui.engine.metrics.server import MetricsServer, NotServed, place

        server = MetricsServer(self.gather)
        try:
            await server.start(*place(self._listen, public=self._public))
        except NotServed as error:
            log.warning("metrics are not served: %s; next: %s", error.what, error.hint)
            self.said, self._hint = f"not served: {error.what}", error.hint
            return
        self._server, self.said = server, f"served at {self._listen}"
        for operation in self._known():
            self._tally.changed(operation)

    async def close(self) -> None:
        if self._server is not None:
            await self._server.close()
            self._server = None

    async def findings(self) -> list[Finding]:
        """For the doctor: where it is served, or why it is not; nothing while no address is set."""
        if not self._listen:
            return []
        severity = "info" if self._server is not None else "error"
        return [Finding(severity, self.said, self._hint)]

    async def gather(self) -> list[Family]:
        """The families of this moment."""
        from lazarus_tui.engine.metrics.families import Sight, families

        tally, incomplete = self._tally, False
        try:
            await tally.settle()
        except JournalError as error:
            log.warning("metrics: proofs were not counted: %s", error)
            incomplete = True
        return families(
            Sight(
                now=self._clock.now(), started=self._started, version=__version__, lag=self._heartbeat.recent,
                memory=memory.resident(), contexts={name: one.row.state for name, one in self._contexts.in_use.items()},
                operations=self._known(), proofs=tally.proofs, checks=tally.checks, folded=len(tally.folded),
                rows=self._rows(), clusters=self._clusters(), queued=self._queued(), outbox=self._outbox(),
                owed=self._owed(), late=self._late(), parts=self._parts(), green=self._green(), incomplete=incomplete,
            )
        )  # fmt: skip

    def _clusters(self) -> dict[str, str]:
        """Of the contexts whose cluster answers now: another one may answer next."""
        return {
            name: one.identity.cluster_uid
            for name, one in self._contexts.in_use.items()
            if one.identity is not None and one.row.state == "ready"
        }

    def _rows(self) -> dict[str, dict[str, WorkloadRow]]:
        """The Overview of each context in use, as it was published last."""
        found: dict[str, Any] = {}
        for context in self._contexts.in_use:
            records = self._hub.records(f"{Topic.OVERVIEW}/{context}")
            found[context] = {key: _ROW.decode(raw) for key, raw in records.items()}
        return found

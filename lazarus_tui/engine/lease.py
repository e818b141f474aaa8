"""A Lease per target, for politeness between engines; safety comes from preconditions (reference: reliability §4.3).

The arithmetic: a lease lasts 30 s and is renewed every 5 s. Its holder sends no write once 15 s have passed since the
start of the last good renewal; a write takes at most 10 s, so the last one has ended after 25 s, before anybody may
take over at 30 s. Another holder is judged by its record changing on our own monotonic clock, never by its timestamps.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import socket
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from lazarus_tui.engine.errors import GateClosed
from lazarus_tui.kube.cluster import Cluster
from lazarus_tui.kube.errors import AuthError, Conflict, Forbidden, KubeError, NotAdmitted, NotFound, NotYet, Pushback
from lazarus_tui.model.clock import Clock, parse_rfc3339, rfc3339
from lazarus_tui.model.objects import Meta, Wire
from lazarus_tui.model.resources import LEASES

DURATION = 30.0
RENEW = 5.0
WRITES_STOP = 15.0
# After the 30 s another host's late requests may still be on their way (reliability §4.3).
QUARANTINE = 60.0
# A record that says it was last renewed so long ago, more than clocks differ, is only watched for two renewals.
EXPIRED = 600.0
# Seconds for which renewals are refused before that is believed: API servers that are being upgraded refuse what is
# allowed (reliability §3.1: three tries). Longer, and writes would have stopped for it.
REFUSED = 2 * RENEW
# Renewals in a row while the record changes under our own name: late requests of an engine that was killed.
_TRIES = 5


class LeaseSpec(Wire, frozen=True):
    holder_identity: str | None = None
    renew_time: str | None = None
    lease_transitions: int | None = None


class LeaseRecord(Wire, frozen=True):
    metadata: Meta = msgspec.field(default_factory=Meta)
    spec: LeaseSpec = msgspec.field(default_factory=LeaseSpec)


# Sends a lease's create or patch; ``engine.gate.write_lease``, the only caller of the write verbs.
Writer = Callable[[Cluster, str, str, Mapping[str, Any], LeaseRecord | None], Awaitable[Mapping[str, Any]]]
Say = Callable[[str], None]


def lease_name(target: str) -> str:
    return f"lazarus-{hashlib.sha256(target.encode()).hexdigest()[:12]}"


def holder_name(journal: Path) -> str:
    """Who holds a lease: this machine and this journal. A restarted engine has the same name and goes on at once."""
    return f"{socket.gethostname()}/{hashlib.sha256(os.fsencode(journal)).hexdigest()[:8]}"


def _host(holder: str) -> str:
    return holder.partition("/")[0]


class Lease:
    """``holder`` must stay the same over restarts of one engine: its journal's lock proves the old one is dead."""

    def __init__(
        self, cluster: Cluster, namespace: str, target: str, holder: str, clock: Clock, write: Writer, say: Say
    ) -> None:
        self._cluster, self._namespace, self._holder, self._clock = cluster, namespace, holder, clock
        self._write, self._say = write, say
        self.name = lease_name(target)
        self.unavailable = False
        self.lost = ""
        self._turn = asyncio.Lock()
        self._renewed = float("-inf")
        self._renewed_at = clock.now()
        self._refused: float | None = None  # since when renewals are
        self._record: LeaseRecord | None = None

    @property
    def fresh(self) -> bool:
        """Whether writes may be sent as far as the lease is concerned.

        A virtual machine that was suspended may only show it on its wall clock.
        """
        leapt = (self._clock.now() - self._renewed_at).total_seconds() > WRITES_STOP
        young = self._clock.monotonic() - self._renewed <= WRITES_STOP and not leapt
        return not self.lost and (self.unavailable or young)

    async def acquire(self) -> None:
        """Take the lease; waits 30 s for a holder that may be dead, 90 s for one of another host.

        One that was let go is taken at once. Raises ``GateClosed`` or KubeError.
        """
        seen, since = "", self._clock.monotonic()
        while not await self._try():
            record = self._record
            if self.unavailable:
                return
            assert record is not None
            if record.metadata.resource_version != seen:
                if seen:
                    raise GateClosed(
                        f"{record.spec.holder_identity} works on the same target", hint="wait for it, then resume"
                    )
                seen, since = record.metadata.resource_version, self._clock.monotonic()
                self._say(f"{record.spec.holder_identity} holds the lease {self.name}; waiting to see whether it lives")
            elif (unseen := self._clock.monotonic() - since) > self._patience(record):
                self._say(f"the lease of {record.spec.holder_identity} was not renewed for {unseen:.0f} s: taking it")
                await self._put(record, taken=True)
                return
            await self._clock.sleep(RENEW)

    def _patience(self, record: LeaseRecord) -> float:
        """Seconds without a change after which the lease may be taken."""
        try:
            silent = (self._clock.now() - parse_rfc3339(record.spec.renew_time or "")).total_seconds()
        except ValueError:
            silent = 0.0
        if silent > EXPIRED:
            return 2 * RENEW
        same_host = _host(record.spec.holder_identity or "") == _host(self._holder)
        return DURATION if same_host else DURATION + QUARANTINE

    @property
    def record(self) -> LeaseRecord | None:
        """As of our last look."""
        return self._record

    @property
    def transitions(self) -> int:
        """How often the lease has changed hands, as of our last look."""
        return (self._record.spec.lease_transitions or 0) if self._record else 0

    async def _try(self) -> bool:
        """True when the lease is ours now, or cannot be used at all."""
        record = await self._read()
        if self.unavailable:
            return False
        if record is not None and record.spec.holder_identity not in (None, "", self._holder):
            return False
        try:
            await self._put(record, taken=True)
        except Conflict:
            return False if await self._read() is not None else await self._try()
        return not self.unavailable

    async def _read(self) -> LeaseRecord | None:
        try:
            self._record = await self._cluster.get(LEASES, self.name, self._namespace, type=LeaseRecord)
        except (Forbidden, AuthError) as error:
            self._unavailable(error)
        return self._record

    async def _put(self, record: LeaseRecord | None, *, taken: bool = False, holder: str | None = None) -> None:
        started, at = self._clock.monotonic(), self._clock.now()
        now = rfc3339(at, micro=True)
        spec: dict[str, Any] = {"holderIdentity": self._holder if holder is None else holder, "renewTime": now}
        spec["leaseDurationSeconds"] = int(DURATION)
        if taken:
            transitions = record.spec.lease_transitions or 0 if record else 0
            changed = record is not None and record.spec.holder_identity != self._holder
            spec |= {"acquireTime": now, "leaseTransitions": transitions + changed}
        try:
            answer = await self._write(self._cluster, self._namespace, self.name, spec, record)
        except NotFound as error:
            if record is not None and holder is None:  # somebody deleted it: ours again, unless another one is faster
                await self._put(None, taken=True)
            else:
                self._unavailable(error)
            return
        except Forbidden as error:
            renewing = not taken and holder is None
            if isinstance(error, NotYet) or (renewing and self._may_pass(error)):
                raise _again(error) from error
            self._unavailable(error)
            return
        except KubeError:
            self._refused = None  # refusals in a row count
            raise
        self._refused = None
        self._record = msgspec.convert(answer, LeaseRecord)
        self._renewed, self._renewed_at = started, at

    def _may_pass(self, error: Forbidden) -> bool:
        """Whether a refused renewal is tried again before it is believed; what admission says is."""
        now = self._clock.monotonic()
        self._refused = now if self._refused is None else self._refused
        return not isinstance(error, NotAdmitted) and now - self._refused < REFUSED

    def _unavailable(self, error: KubeError) -> None:
        if not self.unavailable:
            self.unavailable = True
            self._say(f"no lease is kept ({error}); other engines are kept out by preconditions alone")

    async def renew(self) -> None:
        """Renew once; marks the lease lost when somebody else has it. KubeError when it cannot be known."""
        async with self._turn:  # the keeper and the gate renew it: at once they would be each other's conflict
            if self.unavailable or self.lost or self._renewed == float("-inf"):
                return  # what was never taken is not renewed: that would be taking it from whoever has it
            for _ in range(_TRIES):
                try:
                    await self._put(self._record)
                    return
                except Conflict:
                    record = await self._read()
                    if record is None or record.spec.holder_identity != self._holder:
                        who = record.spec.holder_identity if record else "nobody"
                        self.lost = f"the lease on the target was lost ({who} holds it now)"
                        return

    async def keep(self) -> None:
        """Renew for ever; errors are left to ``fresh``, which the gate asks before every write."""
        while not self.lost and not self.unavailable:
            await self._clock.sleep(RENEW)
            try:
                await self.renew()
            except KubeError:
                continue

    async def release(self) -> None:
        """Let the next one in at once; a failure only costs it 30 s."""
        if self.unavailable or self.lost or self._record is None:
            return
        try:
            await self._put(self._record, holder="")
        except KubeError:
            return


def _again(error: KubeError) -> Pushback:
    """Of what passes by itself: the lease is tried again, and not gone without."""
    return Pushback(error.message, request=error.request, status=error.status, reason=error.reason)

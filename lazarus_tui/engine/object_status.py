"""What objects of a cluster are told about themselves: their status, and an Event when something failed.

Both go through the gate, so each has its intent in the journal. What cannot be told stops nothing but is not tried
again for a while: the gate is patient with a right that is missing, and many objects would wait for it.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lazarus_tui.engine.gate import Gate
from lazarus_tui.journal import Journal
from lazarus_tui.kube.cluster import Cluster
from lazarus_tui.model.clock import Clock, rfc3339
from lazarus_tui.model.plan import Danger, Plan, PlannedStep
from lazarus_tui.model.resources import EVENTS, Resource
from lazarus_tui.model.steps import Outcome, StepStopped, Write
from lazarus_tui.snapshots.names import event_name

log = logging.getLogger(__name__)

_BODY = dict[str, Any]  # an object as it is
# Seconds without a further try after the right to write a status, or an Event, was found missing.
MUTE = 300.0


@dataclass(frozen=True, slots=True)
class Place:
    """A context whose objects are run here, as it answered at the beginning of a look."""

    context: str
    cluster: Cluster
    cluster_uid: str


class Telling:
    """``now`` is the moment new conditions carry (RFC 3339)."""

    def __init__(self, journal: Journal, clock: Clock) -> None:
        self._journal, self._clock = journal, clock
        self._mute: dict[tuple[str, str], tuple[float, str]] = {}

    def now(self) -> str:
        return rfc3339(self._clock.now())

    async def status(
        self, place: Place, kind: Resource, found: Mapping[str, Any], wanted: Mapping[str, Any],
        event: tuple[str, str] | None = None, *, normal: bool = False,
    ) -> str:  # fmt: skip
        """Make ``wanted`` the object's whole status, if it still is as ``found``; with it goes an ``event`` (reason in
        CamelCase, note), a Warning unless it is ``normal``. Returns why it could not be; "" when it stands there.
        Raises ``KubeError`` when the cluster does not answer."""
        if (found.get("status") or {}) == wanted:
            return ""
        if event is not None:
            await self._event(place, kind, found, *event, "Normal" if normal else "Warning")
        body, meta = {"status": dict(wanted)}, found["metadata"]
        write = Write(
            "merge-patch", kind, meta["namespace"], meta["name"], body, uid=meta["uid"],
            resource_version=meta.get("resourceVersion", ""), expect="its status says how it stands",
            subresource="status",
        )  # fmt: skip
        return await self._send(place, kind, found, write)

    async def _event(
        self, place: Place, kind: Resource, found: Mapping[str, Any], reason: str, note: str, type: str
    ) -> None:
        """One for each ``reason`` and ``note``."""
        meta, now = found["metadata"], self.now()
        mark = hashlib.sha256(f"{meta['uid']} {reason} {note}".encode()).hexdigest()
        name = event_name(meta["name"], mark, reason)
        if await place.cluster.get(EVENTS, name, meta["namespace"], type=_BODY) is not None:
            return
        about = {"apiVersion": kind.api_version, "kind": kind.kind, "namespace": meta["namespace"],
                 "name": meta["name"], "uid": meta["uid"]}  # fmt: skip
        body = {
            "apiVersion": EVENTS.api_version, "kind": EVENTS.kind,
            "metadata": {"name": name, "namespace": meta["namespace"]}, "involvedObject": about, "type": type,
            "reason": reason, "message": note[:1024], "source": {"component": "lazarus"}, "firstTimestamp": now,
            "lastTimestamp": now, "count": 1,
        }  # fmt: skip
        write = Write("create", EVENTS, meta["namespace"], name, body, expect=f"told: {reason}")
        if why := await self._send(place, EVENTS, found, write):
            log.info("event %s of %s %s: %s", reason, kind.kind, meta["name"], why)

    async def _send(self, place: Place, kind: Resource, found: Mapping[str, Any], write: Write) -> str:
        muted = self._mute.get((place.context, kind.plural))
        if muted is not None and self._clock.monotonic() < muted[0]:
            return muted[1]
        try:
            result = await self._gate(place, found).write(write)
        except StepStopped as stop:
            self._mute[(place.context, kind.plural)] = (self._clock.monotonic() + MUTE, stop.what)
            return stop.what
        if result.outcome is Outcome.GONE and write.subresource:
            return "it is gone, or its definition has no status subresource"
        return "" if result.outcome is Outcome.APPLIED else f"{result.outcome.value}: {result.reason}"

    def _gate(self, place: Place, found: Mapping[str, Any]) -> Gate:
        """The consent is the person's who named the context in the settings."""
        meta = found["metadata"]
        plan = Plan(
            kind="policy-object", context=place.context, cluster_uid=place.cluster_uid,
            target=f"{meta['namespace']}/{meta['name']}", title="Tell an object how it stands", danger=Danger.SAFE,
            params={"uid": meta["uid"]}, steps=(PlannedStep("status", 1, "Write its status", mutates=True),),
        )  # fmt: skip
        op = hashlib.sha256(str(meta["uid"]).encode()).hexdigest()[:16]
        gate = Gate(place.cluster, self._journal, op, plan, approved=plan.digest(), clock=self._clock)
        gate.step = "status"
        return gate

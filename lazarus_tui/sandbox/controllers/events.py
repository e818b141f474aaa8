"""Kubernetes Events: what happened to an object, told once and then counted."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from lazarus_tui.model.clock import Clock, parse_rfc3339, rfc3339
from lazarus_tui.model.resources import EVENTS
from lazarus_tui.sandbox.api.errors import ApiError
from lazarus_tui.sandbox.controllers.base import Controller, Key, Object

if TYPE_CHECKING:
    from lazarus_tui.sandbox.api.local import LocalApi

log = logging.getLogger(__name__)

# kube-apiserver's --event-ttl, and how often it is applied here.
EVENT_TTL = timedelta(hours=1)
_SWEEP_SECONDS = 600.0


class Recorder:
    """Writes Events in the name of ``component``; a failure to do so never fails the work it tells of."""

    def __init__(self, api: LocalApi, clock: Clock, component: str) -> None:
        self._api, self._clock, self._component = api, clock, component

    def now(self) -> datetime:
        return self._clock.now()

    def normal(self, obj: Object, reason: str, message: str) -> None:
        self._tell(obj, "Normal", reason, message)

    def warning(self, obj: Object, reason: str, message: str) -> None:
        self._tell(obj, "Warning", reason, message)

    @contextmanager
    def telling_refusals(self, obj: Object, what: str) -> Iterator[None]:
        """What the API server refuses (a quota, a limit, an account that is missing) is told before it is raised."""
        try:
            yield
        except ApiError as error:
            if error.status not in (404, 409):
                self.warning(obj, "FailedCreate", f"{what}: {error}")
            raise

    def _tell(self, obj: Object, kind: str, reason: str, message: str) -> None:
        meta = obj["metadata"]
        namespace = meta.get("namespace") or "default"
        digest = hashlib.sha256(f"{meta['uid']}|{reason}|{message}".encode()).hexdigest()[:16]
        name = f"{meta['name'][:200]}.{digest}"
        stamp = rfc3339(self._clock.now())
        try:
            known = self._api.get(EVENTS, name, namespace)
            if known:
                count = {"count": known.get("count", 1) + 1, "lastTimestamp": stamp}
                self._api.patch(EVENTS, name, count, namespace)
                return
            event = {
                "apiVersion": "v1",
                "kind": "Event",
                "metadata": {"name": name, "namespace": namespace},
                "involvedObject": {
                    "apiVersion": obj.get("apiVersion", ""),
                    "kind": obj.get("kind", ""),
                    "name": meta["name"],
                    "namespace": meta.get("namespace", ""),
                    "uid": meta["uid"],
                },
                "type": kind,
                "reason": reason,
                "message": message[:1024],
                "source": {"component": self._component},
                "reportingComponent": self._component,
                "firstTimestamp": stamp,
                "lastTimestamp": stamp,
                "count": 1,
            }
            self._api.create(EVENTS, event, namespace)
        except ApiError as fault:
            log.debug("no event about %s: %s", meta["name"], fault)


class EventSweeper(Controller):
    """Removes Events an hour after they last happened."""

    name = "event-sweeper"

    async def start(self) -> None:
        self.enqueue(("", "sweep"))

    async def reconcile(self, key: Key) -> float | None:
        oldest = self.clock.now() - EVENT_TTL
        for event in self.api.list(EVENTS):
            meta = event["metadata"]
            last = event.get("lastTimestamp") or event.get("eventTime") or meta["creationTimestamp"]
            if parse_rfc3339(last) < oldest:
                self.api.delete(EVENTS, meta["name"], meta["namespace"])
        return _SWEEP_SECONDS

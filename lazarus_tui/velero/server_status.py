"""Asking the Velero server itself: only one that works, in this namespace, answers (reference: velero §1.8)."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from typing import Any, Protocol

from lazarus_tui.kube.errors import KubeError
from lazarus_tui.model.clock import Clock
from lazarus_tui.model.resources import STATUS_REQUESTS
from lazarus_tui.model.steps import Gate, Outcome, Reader, StepStopped, Write

# Seconds; Velero's own command waits 5, but the answer also passes an API server that may be slow.
ANSWER_SECONDS = 10.0


class Reach(Protocol):
    """What asking needs."""

    gate: Gate
    reader: Reader
    clock: Clock


@dataclass(frozen=True, slots=True)
class ServerStatus:
    """``version`` as the server says it, ``seconds`` from question to answer."""

    version: str
    plugins: int
    seconds: float


class Unasked(Exception):
    """The question could not be put: no right, no such kind, a gate that is closed. It says nothing of the server."""


async def ask(reach: Reach, velero: str, *, owner: str) -> ServerStatus | None:
    """The server's answer, None if none comes; raises ``Unasked``. The request is removed again in any case."""
    name = f"lazarus-{owner[:16]}"
    body = {
        "apiVersion": STATUS_REQUESTS.api_version,
        "kind": STATUS_REQUESTS.kind,
        "metadata": {"name": name, "namespace": velero},
        "spec": {},
    }
    began = reach.clock.monotonic()
    try:
        result = await reach.gate.write(
            Write("create", STATUS_REQUESTS, velero, name, body, expect="the server says its version")
        )
    except StepStopped as stop:
        raise Unasked(stop.what) from None
    if result.outcome not in (Outcome.APPLIED, Outcome.AMBIGUOUS):
        raise Unasked(result.reason)
    try:
        return await _answer(reach, velero, name, began)
    finally:
        await asyncio.shield(_remove(reach, velero, name))


async def _answer(reach: Reach, velero: str, name: str, began: float) -> ServerStatus | None:
    wait = 0.05
    while True:
        found: dict[str, Any] | None = await reach.reader.get(STATUS_REQUESTS, name, velero, type=dict)
        status = (found or {}).get("status") or {}
        taken = reach.clock.monotonic() - began
        if status.get("phase") == "Processed":
            return ServerStatus(str(status.get("serverVersion") or ""), len(status.get("plugins") or ()), taken)
        if taken >= ANSWER_SECONDS:
            return None
        await reach.clock.sleep(wait)
        wait = min(wait * 1.6, 1.0)


async def _remove(reach: Reach, velero: str, name: str) -> None:
    """If this fails the server removes it, once it has answered."""
    with contextlib.suppress(KubeError, StepStopped):
        found: dict[str, Any] | None = await reach.reader.get(STATUS_REQUESTS, name, velero, type=dict)
        uid = str(((found or {}).get("metadata") or {}).get("uid", ""))
        if uid:
            await reach.gate.write(
                Write("delete", STATUS_REQUESTS, velero, name, uid=uid, expect="the question is gone")
            )

"""Warnings on the StatefulSet, for whoever looks with kubectl: it is being stopped, replaced, waited with, taken back.

They only tell. One that cannot be written is no failure of the step, and is not tried for long.
"""

from __future__ import annotations

import logging
from typing import Any

from lazarus_tui.kube.errors import KubeError
from lazarus_tui.model.clock import rfc3339
from lazarus_tui.model.resources import EVENTS, STATEFULSETS
from lazarus_tui.model.steps import Outcome, StepContext, StepStopped, Write
from lazarus_tui.snapshots.inplace.part import RestoreStep
from lazarus_tui.snapshots.names import event_name

log = logging.getLogger(__name__)

# A fact: writing events was refused once; every further try would make the time at zero longer.
_MUTE = "events.refused"


async def warn(step: RestoreStep, context: StepContext, reason: str, what: str) -> None:
    """A Warning Event named after the operation and ``reason`` (CamelCase); the same one is written once."""
    if context.facts.get(_MUTE):
        return
    op = context.op[:8]
    note = f"{what}; operation {op}, to go on: lazarus resume {op}, to go back: lazarus undo {op}"
    name = event_name(step.workload, op, reason)
    body = _body(step, name, reason, note, rfc3339(context.clock.now()))
    try:
        if await context.reader.get(EVENTS, name, step.namespace, type=dict) is not None:
            return
        write = Write("create", EVENTS, step.namespace, name, body, expect=f"told: {reason}")
        result = await context.gate.write(write)
        if result.outcome is Outcome.FORBIDDEN:  # a quota has no room for it
            log.info("event %s of %s: %s", reason, context.op, result.reason)
            await context.remember(**{_MUTE: True})
    except (StepStopped, KubeError) as error:
        log.info("event %s of %s: %s", reason, context.op, error)
        await context.remember(**{_MUTE: True})


def _body(step: RestoreStep, name: str, reason: str, note: str, now: str) -> dict[str, Any]:
    about = {
        "apiVersion": STATEFULSETS.api_version, "kind": STATEFULSETS.kind, "namespace": step.namespace,
        "name": step.workload, "uid": step.uid,
    }  # fmt: skip
    return {
        "apiVersion": EVENTS.api_version, "kind": EVENTS.kind, "metadata": {"name": name, "namespace": step.namespace},
        "involvedObject": about, "type": "Warning", "reason": reason, "message": note[:1024],
        "source": {"component": "lazarus"}, "firstTimestamp": now, "lastTimestamp": now, "count": 1,
    }  # fmt: skip

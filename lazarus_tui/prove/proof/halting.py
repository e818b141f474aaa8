"""Stopping a copy that must not run: everything in the quarantine that runs or starts pods, whoever owns it (S1, S9).

Taking workloads to zero is for what is started again afterwards; this is for what never may be. Pods without a
controller, or with one that is not of Kubernetes' own kinds, are deleted. A pod that was told to end is not stopped
before it has: it is waited for, and told when it takes too long.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Collection
from typing import Any

from lazarus_tui.kube.errors import Forbidden, NotFound
from lazarus_tui.model.resources import CRONJOBS, JOBS, PODS, STATEFULSETS, Resource
from lazarus_tui.model.stepping import carry_out
from lazarus_tui.model.steps import Halted, Observation, Reader, Seen, StepContext, StepStopped, Write
from lazarus_tui.prove.proof import stillness
from lazarus_tui.prove.quarantine import ending
from lazarus_tui.prove.quarantine.names import OPERATION, label
from lazarus_tui.prove.quarantine.sweep import STARTERS

Object = dict[str, Any]
Things = list[tuple[Resource, Object]]

_BATCH = (CRONJOBS, JOBS)
_OVER = ("Complete", "Failed")  # conditions of a Job that starts nothing more
_ENDED = ("Succeeded", "Failed")
# Seconds that pods get to end before it is said that they have not; most are given 30.
ENDS = 60.0


class Stopping:
    """Whether what was stopped has ended. ``left`` says what has not, or is not known to have, when it is waited for no
    longer; "" when all has."""

    def __init__(self, namespace: str) -> None:
        self._namespace = namespace
        self._since: float | None = None
        self.left = ""

    async def look(self, context: StepContext) -> Observation | None:
        """ABSENT while something has to be stopped, WAITING while pods end, None when there is no more to wait for."""
        if await alive(context, self._namespace):
            return Observation(Seen.ABSENT, "taking the copy to zero")
        now = context.clock.monotonic()
        self._since = now if self._since is None else self._since
        try:
            every: list[Object] = await context.reader.list(PODS, self._namespace, type=dict)
        except Forbidden as error:
            self.left = f"; whether its pods have ended is not known (missing right: list pods: {error.message})"
            return None
        pods = [one for one in ending.running(every) if label(one, OPERATION) != context.op]
        self.left = f"; its pods have not all ended: {ending.words(pods)}" if pods else ""
        if pods and now - self._since < ENDS:
            return Observation(Seen.WAITING, f"pods of it are ending: {ending.words(pods)}")
        return None


async def alive(context: StepContext, namespace: str) -> Things:
    """What has to be stopped: nothing on its way out, and nothing that goes with what is stopped. Raises ``KubeError``.

    A kind that may not be listed is left out: its pods are found by themselves.
    """
    listed = await asyncio.gather(*(_listed(context.reader, kind, namespace) for kind in (*STARTERS, PODS)))
    every = [(kind, one) for kind, found in zip((*STARTERS, PODS), listed, strict=True) for one in found]
    known = {one["metadata"]["uid"] for kind, one in every if kind != PODS} - _stuck(every)
    return [(kind, one) for kind, one in every if _runs(kind, one, known) and label(one, OPERATION) != context.op]


async def stop(context: StepContext, namespace: str) -> None:
    """Everything that is alive, by uid. One that cannot be stopped keeps nobody from stopping the others; then raises
    ``StepStopped`` of the first."""
    refused: StepStopped | None = None
    for kind, found in await alive(context, namespace):
        try:
            await _stop(context, kind, found)
        except Halted:
            raise
        except StepStopped as error:
            refused = refused or error
    if refused is not None:
        raise refused


async def _stop(context: StepContext, kind: Resource, found: Object) -> None:
    meta = found["metadata"]
    if kind == PODS:
        await carry_out(context, Write("delete", PODS, meta["namespace"], meta["name"], uid=meta["uid"]))
    elif kind in _BATCH:
        body = {"spec": {"suspend": True}}
        write = Write("merge-patch", kind, meta["namespace"], meta["name"], body, uid=meta["uid"], expect="suspended")
        await carry_out(context, write)
    else:
        await stillness.scale(context, kind, found, 0)


def _runs(kind: Resource, found: Object, known: Collection[str]) -> bool:
    meta, spec, status = found["metadata"], found.get("spec") or {}, found.get("status") or {}
    if kind == PODS:
        over = meta.get("deletionTimestamp") or status.get("phase") in _ENDED
        return not over and _controller(meta) not in known
    if kind in _BATCH:
        over = any(one.get("type") in _OVER and one.get("status") == "True" for one in status.get("conditions") or ())
        return not spec.get("suspend") and not over
    return stillness.replicas(kind, found) > 0 and _controller(meta) not in known


def _stuck(every: Things) -> set[str]:
    """StatefulSets at zero with several pods that are not ready: one after the other, each waits for ever for those
    before it (``processCondemned`` of Kubernetes' StatefulSet controller)."""
    sets = {one["metadata"]["uid"] for kind, one in every if kind == STATEFULSETS and not _runs(kind, one, ())}
    unready = Counter(_controller(one["metadata"]) for kind, one in every if kind == PODS and _waiting(one))
    return {uid for uid in sets if unready[uid] > 1}


def _waiting(pod: Object) -> bool:
    status = pod.get("status") or {}
    ready = any(one.get("type") == "Ready" and one.get("status") == "True" for one in status.get("conditions") or ())
    return not ready and not pod["metadata"].get("deletionTimestamp") and status.get("phase") not in _ENDED


def _controller(meta: Object) -> str:
    """The uid of whoever makes it again; "" for nobody."""
    return next((str(one["uid"]) for one in meta.get("ownerReferences") or () if one.get("controller")), "")


async def _listed(reader: Reader, kind: Resource, namespace: str) -> list[Object]:
    try:
        return await reader.list(kind, namespace, type=dict)
    except (Forbidden, NotFound):
        return []

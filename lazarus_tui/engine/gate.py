"""The gate: the one place from which anything in a cluster is changed (design.md §5, reliability §4.2).

Order of every write: checks, intent durable in the journal, checks again (a commit can take 100 ms, a suspended host
an hour), send with preconditions, result durable. An unknown outcome is returned as such: the step looks again and
decides.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from lazarus_tui.engine.errors import GateClosed, RightMissing
from lazarus_tui.engine.failpoint import fp
from lazarus_tui.engine.lease import Lease, LeaseRecord
from lazarus_tui.journal import Journal, JournalError
from lazarus_tui.kube.cluster import Cluster
from lazarus_tui.kube.errors import AuthError, Forbidden, KubeError, NotAdmitted, NotYet, Pushback, QuotaExceeded
from lazarus_tui.kube.errors import outcome as outcome_of
from lazarus_tui.model.clock import Clock
from lazarus_tui.model.plan import Plan, digest
from lazarus_tui.model.redact import redact
from lazarus_tui.model.resources import LEASES
from lazarus_tui.model.steps import Outcome, StepStopped, Write, WriteResult

# Labels of everything Lazarus makes (design.md §10): what is ours is known by them, never by its name.
MANAGED_BY = "app.kubernetes.io/managed-by"
OPERATION_LABEL = "lazarus.io/op"

# Seconds for which a write that surely did not happen is sent again, and the longest pause between two tries.
PATIENCE = 600.0
LONGEST_PAUSE = 15.0
# Upgrades of an API server answer false 403s for a while (reliability A9).
FORBIDDEN_TRIES, FORBIDDEN_PAUSE = 3, 15.0
# Seconds for which a refusal is asked again that passes when a controller has caught up: a quota counts, and gives back
# what was deleted, some time after the fact; a namespace gets its service account so. And the longest pause meanwhile.
CATCHING_UP, CATCHING_UP_PAUSE = 60.0, 5.0

_NOT_DONE = (Outcome.NOT_SENT, Outcome.PUSHBACK)


def owned(body: Mapping[str, Any], op: str) -> dict[str, Any]:
    """``body`` with the labels that say whose it is."""
    metadata = dict(body.get("metadata") or {})
    labels = {**(metadata.get("labels") or {}), MANAGED_BY: "lazarus", OPERATION_LABEL: op[:8]}
    return {**body, "metadata": {**metadata, "labels": labels}}


class Gate:
    """The gate of one operation. The runner sets ``step``; ``freeze`` closes it for good."""

    def __init__(
        self,
        cluster: Cluster,
        journal: Journal,
        op: str,
        plan: Plan,
        *,
        approved: str,
        clock: Clock,
        permitted: Callable[[], bool] = lambda: True,
        lease: Lease | None = None,
        on_wait: Callable[[str], None] = lambda text: None,
        rng: Callable[[], float] = random.random,
    ) -> None:
        self._cluster, self._journal, self._op, self._plan = cluster, journal, op, plan
        self._approved, self._clock, self._permitted = approved, clock, permitted
        self._on_wait, self._rng = on_wait, rng
        self.lease = lease
        self.frozen = ""
        self.cancelled = False
        self.step = ""
        self.undoing = False
        self.fence = 0  # this engine's number, see ``engine.fence``
        self.overtaken: Callable[[], Awaitable[None]] | None = None  # raises ``Overtaken``
        self.taken = ""  # by whom this engine was overtaken, in words
        self.doubt = ""  # why nobody knows whether the last write was carried out
        self.waited = 0.0  # seconds for which writes were held up; whoever counts them sets it back

    def freeze(self, why: str) -> None:
        self.frozen = self.frozen or why

    async def write(self, write: Write) -> WriteResult:
        """See ``model.steps.Gate``. Raises ``GateClosed``, ``RightMissing`` or, when admission refuses it,
        ``StepStopped``; a read's KubeError before anything was sent."""
        if write.verb != "create" and not write.uid:
            raise StepStopped(f"refused to {write.verb} {write.resource.plural} {write.name} without knowing its uid")
        await self._check()
        fp("gate.before_intent")
        intent = await self._keep("gate.intent", self._intent(write))
        fp("gate.after_intent")
        result, error = await self._send_until_known(write)
        fp("gate.after_reply")
        self.doubt = (result.reason or "no answer") if result.outcome is Outcome.AMBIGUOUS else ""
        body = {"intent": intent, "step": self.step, "outcome": result.outcome.value, "status": result.status}
        meta = result.object.get("metadata") or {}
        body |= {"uid": meta.get("uid", ""), "rv": meta.get("resourceVersion", ""), "reason": result.reason}
        await self._keep("gate.result", body)
        fp("gate.after_result")
        if isinstance(error, NotAdmitted) and not isinstance(error, QuotaExceeded):
            raise StepStopped(_refused(write, error), hint=error.hint, park=True)
        if isinstance(error, AuthError | Forbidden) and not isinstance(error, QuotaExceeded):
            raise RightMissing(_missing(write, error), hint=error.hint)
        return result

    async def announce(self, write: Write) -> int:
        """See ``model.steps.Gate``; raises as ``write`` does. What is announced and not settled may have happened."""
        await self._check()
        fp("gate.before_intent")
        intent = await self._keep("gate.intent", self._intent(write))
        fp("gate.after_intent")
        await self._check()
        return intent

    async def settled(self, intent: int, outcome: Outcome, reason: str = "") -> None:
        body = {"intent": intent, "step": self.step, "outcome": outcome.value, "reason": redact(reason)}
        await self._keep("gate.result", body)
        fp("gate.after_result")

    async def _send_until_known(self, write: Write) -> tuple[WriteResult, KubeError | None]:
        """Send; again only while the server surely did nothing, with the same preconditions and checks."""
        began, tries = self._clock.monotonic(), 0
        lags: float | None = None  # since when something has to catch up: after an outage that has just begun
        while True:
            await self._check()
            result, error = await self._send(write)
            now, tries = self._clock.monotonic(), tries + 1
            lags = now if lags is None and _catches_up(error) else lags
            since, patience = (lags, CATCHING_UP) if lags is not None and _catches_up(error) else (began, PATIENCE)
            pause = self._pause(error, tries)
            if pause is None or now - since + pause > patience:
                return result, error
            self._on_wait(f"waiting for API: {error}")
            await self._clock.sleep(pause)
            self.waited += pause

    def _pause(self, error: KubeError | None, tries: int) -> float | None:
        if _catches_up(error):
            return min(CATCHING_UP_PAUSE, 0.5 * 2.0 ** (tries - 1))
        if isinstance(error, Forbidden):
            return FORBIDDEN_PAUSE if tries < FORBIDDEN_TRIES else None
        if error is None or outcome_of(error) not in _NOT_DONE:
            return None
        if isinstance(error, Pushback):
            return max(0.5, error.retry_after) * (1 + 0.2 * self._rng())
        return min(LONGEST_PAUSE, 0.5 * 2.0 ** (tries - 1)) * (0.5 + 0.5 * self._rng())

    async def _check(self) -> None:
        """Everything that must hold at the moment of sending."""
        if self.lease is not None and not self.lease.fresh and not self.lease.lost:
            await self.lease.renew()
        if self.lease is not None and self.lease.lost:
            self.freeze(self.lease.lost)
            self.taken = self.taken or (f"taken over: {self.lease.lost}" if self.overtaken is not None else "")
        if self.frozen:
            raise GateClosed(self.frozen, hint="see who works on the target, then resume")
        if self.lease is not None and not self.lease.fresh:
            raise GateClosed("the lease on the target could not be renewed in time", hint="resume when the API answers")
        if self.cancelled:
            raise GateClosed("stopped on request", hint="resume goes on from here")
        if not self._permitted():
            raise GateClosed(f"context {self._plan.context} is read-only now", hint="arm the context, then resume")
        if self._plan.digest() != self._approved:
            raise GateClosed("the plan is not the one that was approved", hint="make and approve a new plan")
        if await self._cluster.cluster_uid() != self._plan.cluster_uid:
            raise GateClosed(
                f"context {self._plan.context} leads to another cluster than the one the plan was made for",
                hint="point the context back to that cluster, then resume",
            )
        await self._check_fence()

    async def _check_fence(self) -> None:
        """Nothing is awaited between this and the sending, but for a lease that went stale in the meantime."""
        if self.overtaken is None:
            return
        await self.overtaken()
        if self.lease is not None and not self.lease.fresh:
            await self._check()

    async def _keep(self, kind: str, body: Mapping[str, Any]) -> int:
        """A row in the journal, or no change at all."""
        try:
            return await self._journal.append(self._op, (kind, body))
        except JournalError as error:
            self.freeze(error.what)
            raise GateClosed(error.what, hint=error.hint) from error

    def _intent(self, write: Write) -> dict[str, Any]:
        return {
            "step": self.step,
            "undoing": self.undoing,
            "verb": write.verb,
            "resource": write.resource.group_resource,
            "namespace": write.namespace or "",
            "name": write.name,
            "subresource": write.subresource,
            "uid": write.uid,
            "rv": write.resource_version,
            "body_sha": digest(write.body),
            "expect": write.expect,
            "undo": write.undo,
        }

    async def _send(self, write: Write) -> tuple[WriteResult, KubeError | None]:
        try:
            answer = await self._call(write)
        except KubeError as error:
            return WriteResult(outcome_of(error), status=error.status, reason=error.message, hint=error.hint), error
        return WriteResult(Outcome.APPLIED, object=answer, status=200), None

    async def _call(self, write: Write) -> Mapping[str, Any]:
        cluster, uid, rv = self._cluster, write.uid, write.resource_version
        match write.verb:
            case "create":
                body = write.body if write.users else owned(write.body, self._op)
                return await cluster.create(write.resource, body, write.namespace)
            case "merge-patch":
                return await cluster.merge_patch(
                    write.resource,
                    write.name,
                    write.body,
                    write.namespace,
                    subresource=write.subresource,
                    uid=uid,
                    rv=rv,
                )
            case "json-patch":
                return await cluster.json_patch(
                    write.resource,
                    write.name,
                    write.body,
                    write.namespace,
                    subresource=write.subresource,
                    uid=uid,
                    rv=rv,
                )
            case "delete":
                return await cluster.delete(write.resource, write.name, write.namespace, uid=uid, rv=rv)
        raise StepStopped(f"unknown verb {write.verb!r}")


def _catches_up(error: KubeError | None) -> bool:
    return isinstance(error, NotYet | QuotaExceeded)


def _refused(write: Write, error: KubeError) -> str:
    where = f" in namespace {write.namespace}" if write.namespace else ""
    return f"{write.verb} {write.resource.group_resource}/{write.name}{where} was refused: {error.message}"


def _missing(write: Write, error: KubeError) -> str:
    where = f" in namespace {write.namespace}" if write.namespace else ""
    verb = "patch" if write.verb.endswith("patch") else write.verb
    sub = f"/{write.subresource}" if write.subresource else ""
    return f"missing right: {verb} {write.resource.group_resource}{sub}{where} ({error.status}: {error.message})"


async def write_lease(
    cluster: Cluster, namespace: str, name: str, spec: Mapping[str, Any], record: LeaseRecord | None,
    annotations: Mapping[str, str] | None = None,
) -> Mapping[str, Any]:  # fmt: skip
    """Create or renew a lease. Not journalled: it is renewed every 5 s and changes nothing that anybody owns."""
    notes = {"annotations": dict(annotations)} if annotations else {}
    if record is None:
        body = {
            "apiVersion": LEASES.api_version,
            "kind": LEASES.kind,
            "metadata": {"name": name, "namespace": namespace, "labels": {MANAGED_BY: "lazarus"}, **notes},
            "spec": dict(spec),
        }
        return await cluster.create(LEASES, body, namespace)
    meta = record.metadata
    patch = {"spec": dict(spec), **({"metadata": notes} if notes else {})}
    return await cluster.merge_patch(LEASES, name, patch, namespace, uid=meta.uid, rv=meta.resource_version)

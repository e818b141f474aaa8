"""What the link may ask about snapshot policies: store, list, delete, agree to a dry run."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec

from lazarus_tui.engine.errors import Refused
from lazarus_tui.engine.policies import Policies
from lazarus_tui.kube.cluster import Cluster
from lazarus_tui.kube.errors import KubeError, NotFound
from lazarus_tui.model.cron import CronError
from lazarus_tui.model.plan import Plan, PlanRefused
from lazarus_tui.model.policies import WRITES, PolicyRow, SnapshotPolicy
from lazarus_tui.model.resources import Resource
from lazarus_tui.snapshots.policies import RestoreWish, read, read_object, status

_NOT_RUN = (
    "an object of the cluster: Lazarus lists it, and runs it only when it is applied as a file, or where the setting "
    "policies.run_objects names this context"
)

Planning = Callable[[str, str, Mapping[str, Any]], Awaitable[Plan]]


class ApplyParams(msgspec.Struct):
    """``text``: the file as it is; ``writes``: consent given beside it."""

    context: str
    text: str
    writes: str = ""


class ContextParams(msgspec.Struct):
    context: str


class PolicyParams(msgspec.Struct):
    context: str
    name: str


class AcceptParams(msgspec.Struct):
    context: str
    name: str
    dry_run: str


class PolicyCalls:
    """``reader`` gives the cluster of a context in use; ``wake`` is called when there is something new to run; ``why``
    says why nothing is done for an object (uid) of a context whose objects are run."""

    def __init__(
        self, policies: Policies, *, reader: Callable[[str], Cluster], plan: Planning, wake: Callable[[], None],
        why: Callable[[str], str | None] = lambda uid: None,
    ) -> None:  # fmt: skip
        self._policies, self._reader, self._plan, self._wake, self._why = policies, reader, plan, wake, why

    @property
    def methods(self) -> dict[str, tuple[type[Any], Callable[[Any, Any], Awaitable[Any]]]]:
        return {
            "policy.apply": (ApplyParams, self._apply),
            "policy.list": (ContextParams, self._list),
            "policy.delete": (PolicyParams, self._delete),
            "policy.accept": (AcceptParams, self._accept),
        }

    async def _apply(self, peer: Any, wanted: ApplyParams) -> PolicyRow:
        policy = read(wanted.text.encode())
        if not isinstance(policy, SnapshotPolicy) or not policy.schedule:
            raise Refused("only a policy with a schedule is stored", where="policy.apply")
        if wanted.writes not in ("", WRITES):
            raise Refused(f"{wanted.writes!r} is no consent", hint=f"--writes {WRITES}", code="usage")
        if wanted.writes:
            policy = msgspec.structs.replace(policy, writes=wanted.writes)
        stored = self._policies.find(wanted.context, policy.key)
        if stored is not None and stored.policy.uid:
            raise Refused(f"{policy.key} is the name of a StatefulSetBackup that is run here", hint="give it another")
        cluster = self._reader(wanted.context)
        await self._plan("snapshots.create", wanted.context, {**policy.taking(), "name": ""})  # it could run now
        held = await self._policies.store(policy, wanted.context, await cluster.cluster_uid())
        self._wake()
        return self._policies.row(held)

    async def _list(self, peer: Any, wanted: ContextParams) -> list[PolicyRow]:
        stored = [self._policies.row(held) for held in self._policies.all(wanted.context)]
        return sorted([*stored, *await self._objects(wanted.context)], key=lambda row: (row.namespace, row.name))

    async def _objects(self, context: str) -> list[PolicyRow]:
        """The cluster's own objects that are not among the stored policies; none where it does not serve the kinds, or
        may not be asked."""
        stored = {held.policy.uid for held in self._policies.all(context)}
        rows: list[PolicyRow] = []
        for kind in (status.BACKUPS, status.RESTORES):
            try:
                found: list[dict[str, Any]] = await self._reader(context).list(kind, type=dict)
            except NotFound:
                continue
            except KubeError as error:
                rows.append(PolicyRow(name=kind.group_resource, namespace="", source="cluster", trouble=error.message))
                continue
            rows += [self._object_row(kind, one) for one in found if one["metadata"].get("uid") not in stored]
        return rows

    def _object_row(self, kind: Resource, found: Mapping[str, Any]) -> PolicyRow:
        meta, why = found["metadata"], self._why(str(found["metadata"].get("uid")))
        trouble = _NOT_RUN if why is None else why
        row = PolicyRow(name=str(meta["name"]), namespace=str(meta.get("namespace", "")), source="cluster")
        try:
            meant = read_object({"apiVersion": kind.api_version, "kind": kind.kind, **found})
            if isinstance(meant, RestoreWish):
                phase = str((found.get("status") or {}).get("phase") or "")
                means = f"restores {meant.namespace}/{meant.statefulset}"
                return msgspec.structs.replace(row, means=means, last_outcome=phase, trouble=trouble)
            line = meant.line()
        except (PlanRefused, CronError) as error:
            return msgspec.structs.replace(row, trouble=f"cannot be read: {error}")
        means = line.describe() if line else "once"
        return msgspec.structs.replace(row, policy=meant, means=means, trouble=trouble)

    async def _delete(self, peer: Any, wanted: PolicyParams) -> PolicyRow:
        held = self._policies.get(wanted.context, wanted.name)
        if held.policy.uid:
            where = f"{held.policy.home}/{held.policy.name}"
            raise Refused(f"{held.policy.key} is an object of the cluster", hint=f"delete StatefulSetBackup {where}")
        row = self._policies.row(held)
        await self._policies.remove(held)
        return row

    async def _accept(self, peer: Any, wanted: AcceptParams) -> PolicyRow:
        held = self._policies.get(wanted.context, wanted.name)
        await self._policies.accept(held, wanted.dry_run)
        return self._policies.row(held)

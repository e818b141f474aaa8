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
from lazarus_tui.snapshots.policies import read, read_object

STS_BACKUPS = Resource("backup.sts-backup.io", "v1alpha1", "statefulsetbackups", "StatefulSetBackup")
_NOT_RUN = "an object of the cluster: Lazarus lists it, and runs it only when it is applied as a file"

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
    """``reader`` gives the cluster of a context in use; ``wake`` is called when there is something new to run."""

    def __init__(
        self, policies: Policies, *, reader: Callable[[str], Cluster], plan: Planning, wake: Callable[[], None]
    ) -> None:
        self._policies, self._reader, self._plan, self._wake = policies, reader, plan, wake

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
        cluster = self._reader(wanted.context)
        await self._plan("snapshots.create", wanted.context, {**policy.taking(), "name": ""})  # it could run now
        held = await self._policies.store(policy, wanted.context, await cluster.cluster_uid())
        self._wake()
        return self._policies.row(held)

    async def _list(self, peer: Any, wanted: ContextParams) -> list[PolicyRow]:
        stored = [self._policies.row(held) for held in self._policies.all(wanted.context)]
        return sorted([*stored, *await self._objects(wanted.context)], key=lambda row: (row.namespace, row.name))

    async def _objects(self, context: str) -> list[PolicyRow]:
        """The cluster's own StatefulSetBackups; none where it does not serve the kind, or may not be asked."""
        try:
            found: list[dict[str, Any]] = await self._reader(context).list(STS_BACKUPS, type=dict)
        except NotFound:
            return []
        except KubeError as error:
            return [PolicyRow(name=STS_BACKUPS.group_resource, namespace="", source="cluster", trouble=error.message)]
        return [_object_row(one) for one in found]

    async def _delete(self, peer: Any, wanted: PolicyParams) -> PolicyRow:
        held = self._policies.get(wanted.context, wanted.name)
        row = self._policies.row(held)
        await self._policies.remove(held)
        return row

    async def _accept(self, peer: Any, wanted: AcceptParams) -> PolicyRow:
        held = self._policies.get(wanted.context, wanted.name)
        await self._policies.accept(held, wanted.dry_run)
        return self._policies.row(held)


def _object_row(found: Mapping[str, Any]) -> PolicyRow:
    meta = found.get("metadata") or {}
    name, namespace = str(meta.get("name", "")), str(meta.get("namespace", ""))
    whole = {"apiVersion": STS_BACKUPS.api_version, "kind": STS_BACKUPS.kind, **found}
    try:
        policy = read_object(whole)
        assert isinstance(policy, SnapshotPolicy)
        line = policy.line()
    except (PlanRefused, CronError) as error:
        return PolicyRow(name=name, namespace=namespace, source="cluster", trouble=f"cannot be read: {error}")
    return PolicyRow(
        name=name, namespace=namespace, source="cluster", policy=policy, means=line.describe() if line else "once",
        trouble=_NOT_RUN,
    )  # fmt: skip

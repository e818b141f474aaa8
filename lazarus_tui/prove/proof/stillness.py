"""Taking the workloads of a copy to zero, and back."""

from __future__ import annotations

from typing import Any

from lazarus_tui.model.resources import DAEMONSETS, DEPLOYMENTS, STATEFULSETS, Resource
from lazarus_tui.model.stepping import carry_out
from lazarus_tui.model.steps import Reader, StepContext, Write
from lazarus_tui.prove.rules.podspecs import PARK

Object = dict[str, Any]
RUNNING = (STATEFULSETS, DEPLOYMENTS, DAEMONSETS)


def replicas(kind: Resource, workload: Object) -> int:
    """As its spec wants them; of a DaemonSet 1, or 0 when it is kept off every node."""
    if kind == DAEMONSETS:
        return 0 if PARK in (workload["spec"]["template"]["spec"].get("nodeSelector") or {}) else 1
    found = (workload.get("spec") or {}).get("replicas")
    return 1 if found is None else int(found)


async def workloads(reader: Reader, namespace: str) -> list[tuple[Resource, Object]]:
    """StatefulSets, Deployments and DaemonSets as they are now."""
    return [(kind, found) for kind in RUNNING for found in await reader.list(kind, namespace, type=dict)]


async def running(reader: Reader, namespace: str) -> list[tuple[Resource, Object]]:
    return [(kind, found) for kind, found in await workloads(reader, namespace) if replicas(kind, found) > 0]


def counted(kind: Resource, workload: Object) -> list[int]:
    """Replicas that are ready and wanted, as the controllers say it."""
    status = workload.get("status") or {}
    if kind == DAEMONSETS:
        return [int(status.get("numberReady") or 0), int(status.get("desiredNumberScheduled") or 0)]
    return [int(status.get("readyReplicas") or 0), replicas(kind, workload)]


async def scale(context: StepContext, kind: Resource, workload: Object, wanted: int) -> None:
    """A DaemonSet cannot be scaled: a label that no node has keeps it off all of them."""
    meta = workload["metadata"]
    spec: dict[str, Any] = {"replicas": wanted}
    if kind == DAEMONSETS:
        spec = {"template": {"spec": {"nodeSelector": {PARK: None if wanted else "true"}}}}
    await carry_out(
        context,
        Write(
            "merge-patch", kind, meta["namespace"], meta["name"], {"spec": spec}, uid=meta["uid"],
            expect=f"{wanted} replicas",
        ),
    )  # fmt: skip


async def to_zero(context: StepContext, namespace: str) -> None:
    """Every workload of the quarantine; what else runs there goes on (``halting.stop`` stops all of it)."""
    for kind, found in await running(context.reader, namespace):
        await scale(context, kind, found, 0)

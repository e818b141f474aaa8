"""Taking the copy to zero: what is not as the plan says must not run."""

from __future__ import annotations

from typing import Any

from lazarus_tui.model.resources import DEPLOYMENTS, STATEFULSETS, Resource
from lazarus_tui.model.stepping import carry_out
from lazarus_tui.model.steps import Reader, StepContext, Write

Object = dict[str, Any]
SCALED = (STATEFULSETS, DEPLOYMENTS)


def replicas(workload: Object) -> int:
    found = (workload.get("spec") or {}).get("replicas")
    return 1 if found is None else int(found)


async def workloads(reader: Reader, namespace: str) -> list[tuple[Resource, Object]]:
    """StatefulSets and Deployments as they are now."""
    return [(kind, found) for kind in SCALED for found in await reader.list(kind, namespace, type=dict)]


async def running(reader: Reader, namespace: str) -> list[tuple[Resource, Object]]:
    return [(kind, found) for kind, found in await workloads(reader, namespace) if replicas(found) > 0]


async def scale(context: StepContext, kind: Resource, workload: Object, wanted: int) -> None:
    meta = workload["metadata"]
    await carry_out(
        context,
        Write(
            "merge-patch", kind, meta["namespace"], meta["name"], {"spec": {"replicas": wanted}}, uid=meta["uid"],
            expect=f"{wanted} replicas",
        ),
    )  # fmt: skip


async def stop_all(context: StepContext, namespace: str) -> None:
    """Every workload of the quarantine to zero."""
    for kind, found in await running(context.reader, namespace):
        await scale(context, kind, found, 0)

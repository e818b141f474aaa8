"""Checks as an operation of their own, and as the end of a restore or a drill."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from lazarus_tui.model.clock import Clock, rfc3339
from lazarus_tui.model.objects import Namespace
from lazarus_tui.model.plan import Danger, Params, Plan, PlanRefused
from lazarus_tui.model.resources import NAMESPACES
from lazarus_tui.model.steps import Catalog, Reader, Step
from lazarus_tui.prove.definitions import parse
from lazarus_tui.prove.steps import Judge, Ready, Run

KIND = "prove.checks"


async def plan(reader: Reader, params: Params, clock: Clock) -> Plan:
    """Check what runs now; params {namespaces: […]} or {sources: {target: source}}, {checks: {…}}."""
    sources = dict(params.get("sources") or {name: name for name in params.get("namespaces") or ()})
    if not sources:
        raise PlanRefused("which namespaces?", where="namespaces")
    for name in sources:
        if await reader.get(NAMESPACES, name, type=Namespace) is None:
            raise PlanRefused(f"there is no namespace {name}", where="namespaces")
    wanted = parse({**params, "sources": sources}, reader.context)
    return Plan(
        kind=KIND,
        context=reader.context,
        cluster_uid=await reader.cluster_uid(),
        target=", ".join(sorted(sources)),
        title=f"Check {', '.join(sorted(sources))}",
        danger=Danger.SAFE,
        params={"sources": sources, "checks": msgspec.to_builtins(wanted)},
        steps=(),
        made=rfc3339(clock.now()),
    )


def steps(plan: Plan, catalog: Catalog) -> Sequence[Step]:
    wanted = parse(plan.params, plan.context)
    return (Ready(wanted), Run(wanted), Judge(wanted))

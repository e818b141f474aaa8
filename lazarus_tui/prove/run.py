"""Checks as an operation of their own, and as the end of a restore or a drill."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from lazarus_tui.model.clock import Clock, rfc3339
from lazarus_tui.model.objects import Namespace
from lazarus_tui.model.plan import Danger, Effect, Params, Plan, PlanRefused
from lazarus_tui.model.resources import NAMESPACES
from lazarus_tui.model.steps import Catalog, Reader, Step
from lazarus_tui.prove.checks.launched import Launch, Tidy, launched
from lazarus_tui.prove.definitions import Checks, parse
from lazarus_tui.prove.rules.placement import placement
from lazarus_tui.prove.steps import Judge, Ready, Run
from lazarus_tui.prove.wanted import ExecCheck, JobCheck, PodCheck
from lazarus_tui.prove.wanted_data import FileWatermark

KIND = "prove.checks"


async def plan(reader: Reader, params: Params, clock: Clock) -> Plan:
    """Check what runs now; params {namespaces: […]} or {sources: {target: source}}, {checks: {…}}, {backup}.

    ``backup`` is the one whose manifest the checks compare with.
    A plan whose checks run commands or make pods changes something, so it needs the right to.
    """
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
        danger=Danger.CHANGES if _effects(wanted) else Danger.SAFE,
        params={"sources": sources, "checks": msgspec.to_builtins(wanted), "backup": str(params.get("backup") or "")},
        steps=(),
        effects=_effects(wanted),
        made=rfc3339(clock.now()),
    )


def _effects(wanted: Checks) -> tuple[Effect, ...]:
    """What the checks do to what they look at: commands that run, pods and Jobs that are made."""
    found = []
    for check in wanted.checks:
        if isinstance(check, ExecCheck):
            found.append(Effect("change", f"{check.namespace}/{check.where}", f"runs {' '.join(check.command)}"))
        elif isinstance(check, PodCheck | JobCheck):
            made = not (isinstance(check, JobCheck) and check.job)
            what = f"{check.kind} for check {check.title}" if made else f"job {check.where}"
            found.append(Effect("create" if made else "change", f"{check.namespace}: {what}", check.where))
    mark = wanted.watermark
    if isinstance(mark, FileWatermark):
        where = f"{mark.namespace}/{mark.workload or mark.pod}"
        found.append(Effect("change", where, f"runs {'cat' if mark.sentinel else 'stat'} {mark.path}"))
    return tuple(found)


def steps(plan: Plan, catalog: Catalog) -> Sequence[Step]:
    """``plan.params["watch"]``: seconds for which what runs has to stay ready before it is asked."""
    wanted = parse(plan.params, plan.context)
    made = bool(launched(wanted))
    return (
        Ready(wanted, float(plan.params.get("watch") or 0.0)),
        *([Launch(wanted, placement(plan.params))] if made else []),
        Run(wanted),
        *([Tidy(wanted)] if made else []),
        Judge(wanted),
    )

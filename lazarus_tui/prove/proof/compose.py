"""The steps of a proof in the one order that is safe: closed before filled, looked at before started, then cleaned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from lazarus_tui.model.plan import Plan
from lazarus_tui.model.steps import Catalog, Step
from lazarus_tui.prove.dressing import Dress
from lazarus_tui.prove.proof import control
from lazarus_tui.prove.proof.capture import Capture
from lazarus_tui.prove.proof.compare import Compare
from lazarus_tui.prove.proof.ending import Judge, Keep
from lazarus_tui.prove.proof.identity import Identity
from lazarus_tui.prove.proof.meanwhile import Meanwhile, StillClosed
from lazarus_tui.prove.proof.modifiers import Modifiers
from lazarus_tui.prove.proof.placed import Filling, Placed
from lazarus_tui.prove.proof.preflight import Preflight
from lazarus_tui.prove.proof.priority import Priority
from lazarus_tui.prove.proof.release import Begin, Release
from lazarus_tui.prove.proof.rerun import Rerun
from lazarus_tui.prove.proof.tried import Tried
from lazarus_tui.prove.proof.unchanged import Unchanged
from lazarus_tui.prove.proof.unkept import Kept
from lazarus_tui.prove.quarantine.steps import Clean, Isolation, ShownClean, Space
from lazarus_tui.prove.silences.steps import Silenced, Unsilenced

KIND = "prove.run"
_RESTORE, _BESIDE, _CHECKS = "velero.restore", "snapshots.restore-beside", "prove.checks"
# What these find wrong is wrong with the point; what others find wrong kept it from being tested.
_RED = frozenset({"prove.preflight", "prove.identity", "restore.preflight", "restore.results"})
_MOVING = "restore.volumes"
_FILLED = frozenset({_MOVING, "restore.settle"})
# A restore's own steps, from its creation until it has settled.
_RUN_AGAIN = (
    "restore.create", "restore.queue", "restore.objects", "restore.volumes", "restore.finalize", "restore.settle",
)  # fmt: skip
_JUDGE_OF_CHECKS = "checks.judge"


def steps(plan: Plan, catalog: Catalog) -> Sequence[Step]:
    params, look = plan.params, StillClosed(plan.params)
    inner: list[Step] = [
        Preflight(params),
        *([Unchanged(params)] if params.get("source") == "velero" and params.get("contents_digest") else []),
        *([Priority(params)] if params.get("priority") else []),
        *([Silenced(params)] if params.get("silence") else []),
        Space(params),
        Isolation(params),
        *_source(plan, catalog, look),
        Meanwhile(Compare(params), look),
        Identity(params),
        *control.before_start(params),
        *_started(plan, catalog, look),
    ]
    tried = [Tried(step, red=step.name in _RED, undoes=isinstance(step, Space | Silenced)) for step in inner]
    silenced: list[Step] = [Unsilenced(params)] if params.get("silence") else []
    ends: list[Step] = [
        Capture(params),
        Clean(params),
        ShownClean(params),
        *silenced,
        Judge(params),
        Kept(Keep(params)),
    ]
    return [*tried, *(Tried(step, always=True) for step in ends)]


def _started(plan: Plan, catalog: Catalog, look: StillClosed) -> list[Step]:
    """What runs the copy and asks it; a control that needs it running comes before the checks.

    Nothing is asked of a copy before its quarantine is known to be closed still.
    """
    params = plan.params
    stopped = params.get("control") == "flip"
    released: list[Step] = [Release(params, all_of_them=stopped)] if params.get("held") or stopped else []
    if params.get("control") == "no-workload":
        released = []
    ready, *checks = _checks(plan, catalog)
    return [*released, Meanwhile(Placed(ready), look, waits_for_life=True), look, *control.after_start(params), *checks]


def _source(plan: Plan, catalog: Catalog, look: StillClosed) -> list[Step]:
    """How the data comes into the quarantine. Its volumes may still move when all of its objects are back."""
    params = plan.params
    if params.get("source") == "snapshots":
        return [Begin(), *_part(plan, catalog, _BESIDE, params["beside"]), Dress(params)]
    written: list[Step] = [Modifiers(params)] if params.get("modifiers") else []
    restore = params["restore"]
    if params.get("control") == "withhold":
        restore = {**restore, "spec": _withheld(restore["spec"])}
    *steps, results = _restored(plan, catalog, restore)
    steps = [Meanwhile(step, look) if step.name == _MOVING else step for step in steps]
    again = [step for step in _restored(plan, catalog, restore) if step.name in _RUN_AGAIN]
    return [*written, *steps, Rerun(params, again, look), results]


def _restored(plan: Plan, catalog: Catalog, restore: Mapping[str, Any]) -> list[Step]:
    found = _part(plan, catalog, _RESTORE, restore)
    return [Filling(step, plan.params["quarantine"]) if step.name in _FILLED else step for step in found]


def _withheld(spec: Mapping[str, Any]) -> dict[str, Any]:
    """No snapshot, and no pod that Velero would fill: the workloads make pods of their own, with empty volumes."""
    return {**spec, "restorePVs": False, "excludedResources": sorted({*(spec.get("excludedResources") or ()), "pods"})}


def _checks(plan: Plan, catalog: Catalog) -> list[Step]:
    params = plan.params
    sources = {params["quarantine"]: params["namespace"]}
    values = {"sources": sources, "checks": params.get("checks") or {}, "evidence": False}
    values |= {key: params[key] for key in ("priority", "nodes") if params.get(key)}
    values["watch"] = params.get("stabilise_seconds") or 0.0
    return [step for step in _part(plan, catalog, _CHECKS, values) if step.name != _JUDGE_OF_CHECKS]


def _part(plan: Plan, catalog: Catalog, kind: str, values: Mapping[str, Any]) -> Sequence[Step]:
    return catalog.steps(kind, msgspec.structs.replace(plan, kind=kind, params=dict(values)))

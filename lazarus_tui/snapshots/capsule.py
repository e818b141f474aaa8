"""The recovery capsule: a ConfigMap with the whole plan of an operation; another Lazarus goes on from it alone."""

from __future__ import annotations

from collections.abc import Mapping

from lazarus_tui.model.plan import canonical
from lazarus_tui.model.resources import CONFIGMAPS
from lazarus_tui.model.steps import StepContext, Write
from lazarus_tui.snapshots.names import CAPSULE, capsule_name


def writing(
    context: StepContext,
    namespace: str,
    instruction: str,
    marks: Mapping[str, str],
    more: Mapping[str, str] | None = None,
) -> Write:
    """The create of it in ``namespace``. ``marks`` are its annotations, ``more`` further keys of its data."""
    name = capsule_name(context.op)
    data = {
        "operation": context.op,
        "target": context.plan.target,
        "digest": context.plan.digest(),
        "plan": canonical(context.plan).decode(),
        "instruction": instruction,
        **(more or {}),
    }
    meta = {"name": name, "namespace": namespace, "labels": {CAPSULE: "true"}, "annotations": dict(marks)}
    body = {"apiVersion": CONFIGMAPS.api_version, "kind": CONFIGMAPS.kind, "metadata": meta, "data": data}
    return Write("create", CONFIGMAPS, namespace, name, body, expect="the capsule is there")

"""A restore in place while its workload is down: replicas by its record and by the cluster. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from lazarus_tui.model.operation import Operation, OpState, StepState, StepView
from lazarus_tui.model.topics import WorkloadRow

IN_PLACE = "snapshots.restore-in-place"
REPLICAS = "replicas"
Rows = Mapping[str, WorkloadRow]
_BEGUN = (StepState.RUNNING, StepState.UNKNOWN, StepState.FAILED)


def concerns(operation: Operation) -> bool:
    """Whether the workload may be down because of it: a restore in place that has not ended well."""
    return operation.kind == IN_PLACE and (operation.state.open or operation.state is OpState.LEFT_CHANGED)


def wanted(operation: Operation) -> int | None:
    """Replicas the workload had, and is to have again."""
    found = operation.facts.get(REPLICAS)
    return found if isinstance(found, int) else None


def _told(step: StepView | None) -> int | None:
    """The replicas a step saw."""
    return next((each.done for each in step.progress if each.stage == REPLICAS), None) if step else None


def recorded(operation: Operation) -> int | None:
    """How many replicas there are by the operation's own record; None where it cannot know."""
    steps = {step.name: step for step in operation.steps}
    stop, start, first = steps.get("stop"), steps.get("start"), steps.get("first")
    if stop is None or start is None or all(step.state is StepState.PLANNED for step in operation.steps):
        return None  # found by its capsule: no step was looked at here
    if stop.state in (StepState.PLANNED, StepState.RUNNING, StepState.UNDONE, StepState.SKIPPED):
        return wanted(operation)
    if stop.state is not StepState.DONE:
        return None
    if start.state is StepState.DONE:
        return wanted(operation)
    for step in (start, first, steps.get("drain")):
        if step is not None and step.state in (*_BEGUN, StepState.DONE) and (seen := _told(step)) is not None:
            return seen
    return 0


def row_of(operation: Operation, rows: Rows) -> WorkloadRow | None:
    namespace, _, name = operation.target.partition("/")
    return rows.get(f"{namespace}/StatefulSet/{name}")


def replicas(operation: Operation, row: WorkloadRow | None) -> int | None:
    """How many there are: by the record while it goes forward, else by what the cluster shows now."""
    seen = recorded(operation)
    if row is not None and (seen is None or operation.state is not OpState.RUNNING):
        return row.ready
    return seen


def at_zero(operation: Operation, row: WorkloadRow | None) -> bool:
    """Whether nothing of the workload runs, and the restore is why."""
    if not concerns(operation):
        return False
    if operation.state is OpState.LEFT_CHANGED:
        return row is not None and row.desired == 0
    if row is not None and recorded(operation) is None:
        return row.desired == 0
    return replicas(operation, row) == 0 and wanted(operation) != 0

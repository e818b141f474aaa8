"""CSI snapshot sets and the restore of StatefulSets (design.md §3)."""

from lazarus_tui.model.steps import OperationType
from lazarus_tui.snapshots import hold, prune, release
from lazarus_tui.snapshots.beside import plan as beside
from lazarus_tui.snapshots.hooks.freezing import let_go
from lazarus_tui.snapshots.inplace import plan as inplace
from lazarus_tui.snapshots.inplace.fence import CapsuleFence
from lazarus_tui.snapshots.taking import plan as taking

OPERATIONS = (
    OperationType(taking.KIND, taking.plan, taking.steps, undo="auto", let_go=let_go),
    OperationType(beside.KIND, beside.plan, beside.steps, undo="auto"),
    OperationType(prune.KIND, prune.plan, prune.steps),
    OperationType(hold.KIND, hold.plan_hold, hold.steps),
    OperationType(hold.UNHOLD_KIND, hold.plan_unhold, hold.steps),
    OperationType(release.KIND, release.plan, release.steps),
    OperationType(
        inplace.KIND,
        inplace.plan,
        inplace.steps,
        undo="auto",
        pivot=inplace.PIVOT,
        waits=inplace.waits,
        fence=CapsuleFence(),
    ),
)

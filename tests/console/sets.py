"""Snapshot sets of a database, and a restore in place of it that waits at zero replicas."""

from __future__ import annotations

from lazarus_tui.model.objects import Meta
from lazarus_tui.model.operation import Operation, OpState, StepState, StepView
from lazarus_tui.model.sets import ABOUT, HOLD, ROLE_LABEL, SET_LABEL, SetAbout, SnapshotSet, sets
from lazarus_tui.model.snapshots import (
    Content,
    ContentSpec,
    ContentStatus,
    Snapshot,
    SnapshotError,
    SnapshotRef,
    SnapshotSource,
    SnapshotSpec,
    SnapshotStatus,
)
from lazarus_tui.model.topics import WorkloadRow
from tests.console.fake_link import FakeLink
from tests.console.moment import CONTEXT, ago

SPACE = "prod"
CLAIMS = ("data-db-0", "data-db-1", "data-db-2")


def member(name: str, claim: str, cut: str, *, error: str = "", ready: bool = True, kept: bool = True,
           role: str = "backup", hold: str = "", method: str = "each") -> tuple[Snapshot, Content]:  # fmt: skip
    """One volume of set ``name``, with its content."""
    about = SetAbout("StatefulSet/db", 3, CLAIMS, method).text()
    notes = {ABOUT: about, **({HOLD: hold} if hold else {})}
    meta = Meta(
        name=f"{name}-{claim}", namespace=SPACE, uid=f"uid-{name}-{claim}", annotations=notes,
        labels={SET_LABEL: name, ROLE_LABEL: role},
    )  # fmt: skip
    content = f"snapcontent-{name}-{claim}"
    status = SnapshotStatus(
        bound_volume_snapshot_content_name=content, creation_time=cut or None, ready_to_use=ready and not error,
        restore_size="1Gi", error=SnapshotError(message=error) if error else None,
    )  # fmt: skip
    found = Snapshot(metadata=meta, spec=SnapshotSpec(SnapshotSource(claim)), status=status)
    ref = SnapshotRef(f"{name}-{claim}", SPACE, meta.uid)
    spec = ContentSpec(volume_snapshot_ref=ref, deletion_policy="Retain" if kept else "Delete", driver="csi.lazarus")
    return found, Content(metadata=Meta(name=content), spec=spec, status=ContentStatus(snapshot_handle=f"h-{claim}"))


def members() -> list[tuple[Snapshot, Content]]:
    """A good set, one by one; a held one as a group; one failed, one without a volume, one being cut."""
    good = [member("db-0400", claim, ago(hours=6, seconds=-at)) for at, claim in enumerate(CLAIMS)]
    held = [member("db-audit", claim, ago(days=40), hold="audit 2026", method="group") for claim in CLAIMS]
    failed = [member("db-0500", claim, ago(hours=5), error="no space left" if at == 1 else "")
              for at, claim in enumerate(CLAIMS)]  # fmt: skip
    lost = [member("db-0300", claim, ago(hours=7), kept=False) for claim in CLAIMS[:2]]
    taking = [member("db-1042", claim, "", ready=False) for claim in CLAIMS]
    before = [member("before-9f3c12ab", claim, ago(minutes=4), role="pre-restore") for claim in CLAIMS]
    return [*good, *held, *failed, *lost, *taking, *before]


def found() -> dict[str, SnapshotSet]:
    pairs = members()
    every = sets([snapshot for snapshot, _ in pairs], [content for _, content in pairs])
    return {each.id: each for each in every}


def fill(link: FakeLink) -> None:
    pairs = members()
    link.put(f"snapshots/{CONTEXT}", {f"{SPACE}/{each.metadata.name}": each for each, _ in pairs})
    link.put(f"snapshot-contents/{CONTEXT}", {each.metadata.name: each for _, each in pairs})


STEPS = ("capsule", "beacon", "hold", "policy", "retain", "stop", "drain", "safety", "remove", "create", "bind", "gate",
         "first", "start", "close")  # fmt: skip


def restore(at: str = "create", state: OpState = OpState.PARKED, **more: object) -> Operation:
    """A restore in place of prod/db that is at step ``at``; "" for one that was only found by its capsule."""
    steps, here = [], STEPS.index(at) if at else len(STEPS)
    for number, name in enumerate(STEPS):
        now = StepState.UNKNOWN if state is OpState.PARKED else StepState.RUNNING
        seen = StepState.DONE if number < here else now if number == here else StepState.PLANNED
        steps.append(StepView(name, f"do {name}", seen if at else StepState.PLANNED, mutates=True))
    values = {
        "id": "9f3c12ab-0000", "kind": "snapshots.restore-in-place", "context": CONTEXT, "target": f"{SPACE}/db",
        "title": "Restore prod/db in place from db-0400", "state": state, "plan_digest": "ef" * 32,
        "started": ago(minutes=5), "changed": ago(minutes=4), "steps": tuple(steps), "can_undo": True, "exit_code": 3,
        "message": "claim data-db-1 was refused: quota", "hint": "mend the cause and resume, or undo",
        "facts": {"set": "db-0400", "replicas": 3, "stop.at": ago(minutes=4, seconds=12)},
    }  # fmt: skip
    return Operation(**{**values, **more})  # type: ignore[arg-type]


def row(ready: int, desired: int) -> dict[str, WorkloadRow]:
    """prod/db as the cluster shows it."""
    found = WorkloadRow(namespace=SPACE, kind="StatefulSet", name="db", ready=ready, desired=desired, claims=CLAIMS)
    return {f"{SPACE}/StatefulSet/db": found}

"""Proving a point from wherever one is shown: a backup, a workload's newest, a snapshot set. The plan comes first."""

from __future__ import annotations

from typing import Any

from lazarus_tui.model.objects import Backup
from lazarus_tui.model.sets import SnapshotSet
from lazarus_tui.model.topics import WorkloadRow
from lazarus_tui.view.proofs import Proven
from lazarus_tui.view.reasons import of_a_set
from screens.operating import Operating

KIND = "prove.run"


class Proving(Operating):
    """``situation().record`` is what is proven; the action table has made sure that it will do."""

    def do_prove(self) -> None:
        record = self.situation().record
        if isinstance(record, Backup) and (which := _undecided(record)) is not None:
            from screens.proof_forms import ProveBackup

            spaces = {row.namespace for row in self.host.topic("overview").records.values()}
            self.app.push_screen(ProveBackup(record.metadata.name, which or sorted(spaces)), self._proving)
            return
        self.plan_each(KIND, [wanted(record)])

    def do_control(self) -> None:
        from screens.proof_forms import Control

        self.app.push_screen(Control(wanted(self.situation().record)), self._proving)

    def do_policies(self) -> None:
        from screens.policies import PoliciesScreen

        self.app.push_screen(PoliciesScreen())

    def _proving(self, found: tuple[str, dict[str, Any]] | None) -> None:
        if found is not None:
            self.plan_each(found[0], [found[1]])


def _undecided(backup: Backup) -> list[str] | None:
    """The namespaces of a backup that holds not exactly one; [] for all of them, None where it is decided."""
    spaces = list(backup.spec.included_namespaces or ())
    if len(spaces) == 1 and "*" not in spaces[0]:
        return None
    return [name for name in spaces if "*" not in name]


def wanted(record: Backup | SnapshotSet | WorkloadRow | Proven) -> dict[str, Any]:
    """The parameters of a proof of this record's point."""
    if isinstance(record, Backup):
        (namespace,) = record.spec.included_namespaces or ("",)
        return {"namespace": namespace, "point": record.metadata.name}
    if isinstance(record, SnapshotSet):
        name = record.about.workload.rpartition("/")[2]
        return {
            "namespace": record.namespace, "workload": f"StatefulSet/{name}", "source": "snapshots", "point": record.id,
        }  # fmt: skip
    source = {"source": "snapshots"} if of_a_set(record) else {}
    if isinstance(record, Proven):
        return {"namespace": record.namespace, "workload": record.workload, "point": "latest", **source}
    point = record.newest.name if record.newest else "latest"
    return {"namespace": record.namespace, "workload": f"{record.kind}/{record.name}", "point": point, **source}

"""What can be done with snapshot sets, from the workload they are of or from one of them."""

from __future__ import annotations

from typing import Any

from lazarus_tui.model.sets import SnapshotSet
from lazarus_tui.model.topics import WorkloadRow
from screens.filling import Filling
from screens.operating import Operating


class SetDeeds(Operating):
    """``situation().record`` is a workload or a set; the action table has made sure that it will do."""

    def _workload(self) -> dict[str, Any]:
        """The StatefulSet that is meant, as plans name it."""
        record: WorkloadRow | SnapshotSet = self.situation().record
        name = record.name if isinstance(record, WorkloadRow) else record.about.workload.rpartition("/")[2]
        return {"namespace": record.namespace, "statefulset": name}

    def do_take(self) -> None:
        self.plan_each("snapshots.create", [self._workload()])

    def do_in_place(self) -> None:
        from screens.set_forms import RestoreInPlace

        self._fill(RestoreInPlace(self._workload(), self.situation().record.id))

    def do_beside(self) -> None:
        from screens.set_forms import RestoreBeside

        self._fill(RestoreBeside(self._workload(), self.situation().record.id))

    def do_prune(self) -> None:
        from screens.set_forms import Prune

        self._fill(Prune(self._workload()))

    def _fill(self, form: Filling) -> None:
        self.app.push_screen(form, self._filled)

    def _filled(self, wanted: tuple[str, dict[str, Any]] | None) -> None:
        if wanted is not None:
            self.plan_each(wanted[0], [wanted[1]])

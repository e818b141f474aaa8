"""What can be done with the rows of a listing: look closer, plan, start, take back. Every change has a plan."""

from __future__ import annotations

from typing import Any

from lazarus_tui.model.objects import Backup, Restore, Schedule
from lazarus_tui.model.topics import ContextRow, WorkloadRow
from lazarus_tui.view import reasons
from screens.listing import Listing
from screens.operating import Operating

ARM_MINUTES = 15


class Deeds(Operating, Listing):
    """Actions with an effect, shared by all listings; the action table says where each is offered."""

    def look(self, view: str) -> None:
        from screens.document import DocumentScreen

        record: Backup | Restore | Schedule = self.table.record
        kind = {Backup: "backup", Restore: "restore", Schedule: "schedule"}[type(record)]
        self.app.push_screen(DocumentScreen(kind, record.metadata.namespace, record.metadata.name, view))

    def do_describe(self) -> None:
        self.look("describe")

    def do_yaml(self) -> None:
        self.look("yaml")

    def do_logs(self) -> None:
        self.look("logs")

    def do_errors(self) -> None:
        self.look("errors")

    def do_contents(self) -> None:
        self.look("contents")

    def do_volumes(self) -> None:
        self.look("volumes")

    def do_restore(self) -> None:
        from screens.create_restore import CreateRestore
        from screens.set_forms import RestoreBeside

        record: WorkloadRow | Backup = self.table.record
        if isinstance(record, WorkloadRow) and record.newest is not None and record.newest.kind == "snapshots":
            workload = {"namespace": record.namespace, "statefulset": record.name}
            self.app.push_screen(RestoreBeside(workload, record.newest.name), self._create)
        elif isinstance(record, WorkloadRow):
            point = record.newest.name if record.newest else ""
            self.app.push_screen(CreateRestore(point, [record.namespace]), self._create)
        else:
            spaces = [name for name in record.spec.included_namespaces or [] if name != "*"]
            self.app.push_screen(CreateRestore(record.metadata.name, spaces), self._create)

    def do_new(self) -> None:
        from screens.create_backup import CreateBackup

        record = self.table.record
        spaces = [record.namespace] if isinstance(record, WorkloadRow) else []
        self.app.push_screen(CreateBackup(spaces), self._create)

    def _create(self, wanted: tuple[str, dict[str, Any]] | None) -> None:
        if wanted is not None:
            self.plan_each(wanted[0], [wanted[1]])

    def do_delete(self) -> None:
        kind = "backup" if self.mode == "backups" else "restore"
        self.plan_each(f"velero.delete-{kind}", [{kind: each.metadata.name} for each in self.table.chosen()])

    def do_trigger(self) -> None:
        self.plan_each("velero.run-schedule", [{"schedule": each.metadata.name} for each in self.table.chosen()])

    def do_pause(self) -> None:
        schedule: Schedule = self.table.record
        chosen = [each for each in self.table.chosen() if each.spec.paused == schedule.spec.paused] or [schedule]
        names: list[dict[str, Any]] = [{"schedule": each.metadata.name} for each in chosen]
        if not chosen[0].spec.paused:
            self.plan_each("velero.pause-schedule", names)
        else:
            # Velero would run a schedule whose time has passed at once; that is asked for by t, not a side effect.
            self.plan_each("velero.unpause-schedule", [{**each, "skip_immediately": True} for each in names])

    def do_rehearse(self) -> None:
        self.plan_each("rehearse", [{"scenario": "namespace-deleted"}])

    def do_arm(self) -> None:
        context = self.host.context
        record = self.table.record
        if self.mode == "contexts" and isinstance(record, ContextRow):
            context = record
        if context is None:
            return
        if context.sandbox:
            self.say("the sandbox is always armed")
            return
        minutes = 0 if reasons.armed(context, self.host.now()) else ARM_MINUTES
        said = f"changes are allowed for {minutes} minutes in {context.name}" if minutes else "read-only again"
        self.ask("context.arm", {"context": context.name, "minutes": minutes}, ContextRow, "arm", said)

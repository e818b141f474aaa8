"""All schedules."""

from __future__ import annotations

from lazarus_tui.model.objects import Schedule
from lazarus_tui.view import schedules
from screens.deeds import Deeds


class SchedulesScreen(Deeds):
    mode = "schedules"
    topic_name = "schedules"
    base_sheet = schedules.SHEET

    async def do_open(self) -> None:
        schedule: Schedule = self.table.record
        await self.host.visit("backups", namespace="", filter=f"/-l velero.io/schedule-name={schedule.metadata.name}")

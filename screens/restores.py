"""All restores; those that wait say behind which one."""

from __future__ import annotations

from typing import Any

from lazarus_tui.view import restores
from lazarus_tui.view.sheet import Sheet
from lazarus_tui.view.source import TopicState
from screens.deeds import Deeds


class RestoresScreen(Deeds):
    mode = "restores"
    topic_name = "restores"
    base_sheet = restores.sheet(())

    def sheet(self, state: TopicState) -> Sheet[Any]:
        return restores.sheet(state.records.values())

    def do_open(self) -> None:
        self.do_describe()

"""A restore: from which point, what of it, and into which namespace."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lazarus_tui.view import documents, forms
from lazarus_tui.view.source import LinkFault, LinkLost
from lazarus_tui.view.text import BLANK, Line, heading
from screens.filling import Filling
from widgets.form import Field


class CreateRestore(Filling):
    kind = "velero.restore"
    trail = ("new restore",)
    shown_mode = "restores"

    def __init__(self, backup: str, namespaces: Sequence[str] = ()) -> None:
        super().__init__()
        self._backup, self._namespaces = backup, namespaces
        self._shown = ""
        self._lines: list[Line] = []

    def fields(self) -> Sequence[Field]:
        return (
            Field("backup", "from backup", self._backup, "the recovery point"),
            Field("namespaces", "namespaces", ", ".join(self._namespaces), "which of its namespaces; empty: all"),
            Field("mapping", "under other names", "", "shop=shop-test restores beside what runs; empty: in place"),
            Field("existing", "what exists", "", "none: left as it is (default); update: overwritten"),
            Field("volumes", "volumes", "", "no: objects only; empty: with their data"),
            Field("without", "but not kinds", "", "e.g. ingresses, cronjobs"),
            Field("name", "name", "", "empty: Lazarus names it by point and time"),
        )

    def params(self, values: Mapping[str, str]) -> dict[str, Any]:
        return forms.restore_params(values)

    async def preview(self, params: dict[str, Any]) -> list[Line]:
        backup = params["backup"]
        if backup == self._shown:
            return self._lines
        request = {"context": self.host.context_name, "kind": "BackupVolumeInfos", "name": backup}
        try:
            found = await self.host.source.call("artefact.get", request, dict[str, Any], timeout=60.0)
        except (LinkFault, LinkLost) as error:
            return self.problem(error)
        self._shown = backup
        self._lines = [BLANK, heading(f" Volumes in {backup}"), *documents.artefact("volumes", found)[1:]]
        return self._lines

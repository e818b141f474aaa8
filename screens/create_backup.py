"""A new backup: what it would hold is shown while it is described."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lazarus_tui.view import forms
from lazarus_tui.view.source import LinkFault, LinkLost
from lazarus_tui.view.text import Line
from screens.filling import Filling
from widgets.form import Field


class CreateBackup(Filling):
    kind = "velero.backup"
    trail = ("new backup",)
    shown_mode = "backups"

    def __init__(self, namespaces: Sequence[str] = ()) -> None:
        super().__init__()
        self._namespaces = namespaces

    def fields(self) -> Sequence[Field]:
        return (
            Field("namespaces", "namespaces", ", ".join(self._namespaces), "names with commas; empty: all namespaces"),
            Field("excluded", "but not", "", "namespaces to leave out"),
            Field("resources", "only kinds", "", "e.g. deployments, secrets; empty: everything (safest)"),
            Field("labels", "with labels", "", "app=orders, tier=db; empty: any"),
            Field("files", "copy files", "", "yes: volumes file by file; no: not; empty: as Velero is set"),
            Field("storage", "storage", "", "a storage location; empty: the default one"),
            Field("ttl", "keep for", "", "30d, 72h; empty: Velero's default, 30d"),
            Field("name", "name", "", "empty: Lazarus names it by place and time"),
        )

    def params(self, values: Mapping[str, str]) -> dict[str, Any]:
        return forms.backup_params(values)

    async def preview(self, params: dict[str, Any]) -> list[Line]:
        request = {"context": self.host.context_name, "params": params}
        try:
            found = await self.host.source.call("preview.backup", request, dict[str, Any])
        except (LinkFault, LinkLost) as error:
            return self.problem(error)
        return forms.preview(found, self.size.width)

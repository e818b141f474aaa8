"""What has to be asked before a proof is planned: which namespace of a backup, or how a copy is broken on purpose."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lazarus_tui.view import proof_forms
from lazarus_tui.view.text import Line
from screens.filling import Filling
from widgets.form import Field


class ProveBackup(Filling):
    """A backup of several namespaces: one is proven at a time. ``namespaces``: what it may be."""

    kind = "prove.run"
    trail = ("prove",)
    shown_mode = "backups"

    def __init__(self, backup: str, namespaces: Sequence[str]) -> None:
        super().__init__()
        self._backup, self._namespaces = backup, list(namespaces)

    def fields(self) -> Sequence[Field]:
        first = self._namespaces[0] if self._namespaces else ""
        return (
            Field("backup", "from backup", self._backup, "the recovery point"),
            Field("namespace", "namespace", first, "which of its namespaces is restored into the quarantine"),
            Field("workload", "only workload", "", "StatefulSet/orders; empty: everything in the namespace"),
        )

    def params(self, values: Mapping[str, str]) -> dict[str, Any]:
        return proof_forms.backup_params(values)

    async def preview(self, params: dict[str, Any]) -> list[Line]:
        return proof_forms.choices(self._namespaces, self.size.width)


class Control(Filling):
    """A proof of a copy that is broken on purpose. ``wanted``: what is proven otherwise."""

    kind = "prove.run"
    trail = ("negative control",)
    shown_mode = "proofs"

    def __init__(self, wanted: Mapping[str, Any]) -> None:
        super().__init__()
        self._wanted = dict(wanted)

    def fields(self) -> Sequence[Field]:
        return (
            Field("control", "break it by", "withhold", "withhold, flip, drop-table or no-workload"),
            Field("point", "point", str(self._wanted.get("point") or ""), "latest, oldest, random:30d, or a name"),
        )

    def params(self, values: Mapping[str, str]) -> dict[str, Any]:
        return {**self._wanted, **proof_forms.control_params(values)}

    async def preview(self, params: dict[str, Any]) -> list[Line]:
        return proof_forms.means(params["control"], self.size.width)

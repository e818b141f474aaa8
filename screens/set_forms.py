"""Forms about snapshot sets. What they would do is planned while they are filled in: the preview is the plan itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lazarus_tui.model.plan import Plan
from lazarus_tui.view import plans, set_forms
from lazarus_tui.view.source import LinkFault, LinkLost
from lazarus_tui.view.text import Line
from screens.filling import Filling
from widgets.form import Field


class Planned(Filling):
    """``workload``: namespace and statefulset, as plans name it."""

    shown_mode = "snapshots"

    def __init__(self, workload: Mapping[str, str]) -> None:
        super().__init__()
        self.workload = dict(workload)

    async def preview(self, params: dict[str, Any]) -> list[Line]:
        request = {"kind": self.kind, "context": self.host.context_name, "params": params}
        try:
            plan = await self.host.source.call("plan.make", request, Plan)
        except (LinkFault, LinkLost) as error:
            return self.problem(error)
        return plans.card(plan, self.size.width)


class RestoreInPlace(Planned):
    kind = "snapshots.restore-in-place"
    trail = ("restore in place",)

    def __init__(self, workload: Mapping[str, str], set_id: str) -> None:
        super().__init__(workload)
        self._set = set_id

    def fields(self) -> Sequence[Field]:
        return (
            Field("set", "from set", self._set, "empty: the newest usable one"),
            Field("replica", "only replica", "", "its number; empty: all of them"),
            Field("claim", "only claim", "", "one claim by its name; empty: all of them"),
            Field("replicas", "start", "", "how many replicas, when it is at 0 now; empty: as many as it has"),
            Field("hold", "hold others", "", "yes: whoever would scale it up again is held meanwhile, then given back"),
            Field("safety", "safety snapshots", "", "no: take none; the old volumes are kept all the same"),
            Field("first", "first alone", "", "no: all start at once; empty: the first replica shows whether it works"),
        )

    def params(self, values: Mapping[str, str]) -> dict[str, Any]:
        return {**self.workload, **set_forms.in_place_params(values)}


class RestoreBeside(Planned):
    kind = "snapshots.restore-beside"
    trail = ("restore beside",)

    def __init__(self, workload: Mapping[str, str], set_id: str) -> None:
        super().__init__(workload)
        self._set = set_id

    def fields(self) -> Sequence[Field]:
        return (
            Field("set", "from set", self._set, "empty: the newest usable one"),
            Field("into", "into namespace", "", "empty: one of its own is made"),
            Field("run", "start a copy", "", "yes: a stripped copy runs on the claims; empty: claims only"),
            Field("replicas", "replicas", "", "of the copy; empty: 1"),
        )

    def params(self, values: Mapping[str, str]) -> dict[str, Any]:
        return {**self.workload, **set_forms.beside_params(values)}


class Prune(Planned):
    kind = "snapshots.prune"
    trail = ("prune",)

    def fields(self) -> Sequence[Field]:
        return (
            Field("keep_last", "keep last", "7", "complete sets, newest first"),
            Field("keep_daily", "keep daily", "", "the newest of each of so many days with a set"),
            Field("keep_weekly", "keep weekly", "", "the newest of each of so many weeks with a set"),
            Field("keep_monthly", "keep monthly", "", "the newest of each of so many months with a set"),
            Field("keep_within", "keep within", "", "everything younger than this: 48h, 30d"),
            Field("all", "more than usual", "", "yes: remove more sets in one run than is usual"),
        )

    def params(self, values: Mapping[str, str]) -> dict[str, Any]:
        return {**self.workload, **set_forms.prune_params(values)}

"""Where the pods of a proof run and what they push away: the nodes that a plan names, and the class of copies (S18)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from lazarus_tui.model.plan import PlanRefused

MOST = 20
SMALL = {"cpu": "10m", "memory": "32Mi"}
"""What a pod that a check starts asks for, and what each such pod is counted as beside the copy."""

_NAME = r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
_KEY = re.compile(rf"([a-z0-9]([-a-z0-9.]{{0,251}}[a-z0-9])?/)?{_NAME}")
_VALUE = re.compile(rf"({_NAME})?")


class Toleration(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """As in a pod; for ``Exists`` there is no value."""

    key: str
    operator: Literal["Equal", "Exists"] = "Equal"
    value: str = ""
    effect: Literal["", "NoSchedule", "PreferNoSchedule", "NoExecute"] = ""


class Nodes(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """``labels`` that a node must have, ``tolerations`` of what keeps others away from it; {} and () for any node."""

    labels: dict[str, str] = {}
    tolerations: tuple[Toleration, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.labels or self.tolerations)

    @property
    def tolerated(self) -> list[dict[str, Any]]:
        """The tolerations as they stand in a pod."""
        return [msgspec.to_builtins(one) for one in self.tolerations]

    @property
    def plain(self) -> dict[str, Any]:
        """As it stands in a plan's parameters; {} for any node."""
        found: dict[str, Any] = {"labels": dict(self.labels)} if self.labels else {}
        return found | ({"tolerations": self.tolerated} if self.tolerations else {})

    def check(self) -> None:
        """Raises ``PlanRefused`` for what is no label or no toleration of Kubernetes."""
        if why := self._wrong():
            raise PlanRefused(why, where="nodes", hint="labels: {KEY: VALUE}; tolerations: [{key, operator, …}]")

    def _wrong(self) -> str:
        for key, value in self.labels.items():
            if not _KEY.fullmatch(key) or not _VALUE.fullmatch(value):
                return f"{key}={value} is no label of a node"
        for one in self.tolerations:
            if not _KEY.fullmatch(one.key) or not _VALUE.fullmatch(one.value):
                return f"{one.key}={one.value} is no taint of a node"
            if one.operator == "Exists" and one.value:
                return f"a toleration that {one.key} exists has no value"
        most = max(len(self.labels), len(self.tolerations))
        return f"{most} are too many (at most {MOST})" if most > MOST else ""


class Placement(msgspec.Struct, frozen=True, kw_only=True):
    """Of a pod that a proof makes itself; what is restored gets the same by the rules. ``priority``: the class of
    copies, "" for none."""

    priority: str = ""
    nodes: Nodes = Nodes()

    @property
    def fields(self) -> dict[str, Any]:
        """What of it stands in a pod's spec; {} where the plan names nothing."""
        found: dict[str, Any] = {"priorityClassName": self.priority} if self.priority else {}
        if self.nodes.labels:
            found["nodeSelector"] = dict(self.nodes.labels)
        if self.nodes.tolerations:
            found["tolerations"] = self.nodes.tolerated
        return found


UNPLACED = Placement()


def nodes(params: Mapping[str, Any]) -> Nodes:
    """Those of a plan's parameters."""
    return msgspec.convert(params.get("nodes") or {}, Nodes)


def placement(params: Mapping[str, Any]) -> Placement:
    """As a plan's parameters say it; nothing where they are no proof's."""
    return Placement(priority=str((params.get("priority") or {}).get("name") or ""), nodes=nodes(params))

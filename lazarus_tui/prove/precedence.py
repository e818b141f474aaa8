"""What priority the pods of a copy get (S18): that of a class of our own, or that of the cluster's default class."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from lazarus_tui.kube.errors import Forbidden, NotFound
from lazarus_tui.model.objects import Meta, Wire
from lazarus_tui.model.plan import Effect
from lazarus_tui.model.resources import Resource
from lazarus_tui.model.steps import Reader

CLASSES = Resource("scheduling.k8s.io", "v1", "priorityclasses", "PriorityClass", namespaced=False)
NAME, NEVER = "lazarus-quarantine", "Never"
# Below everything without a class (0), so that anything else may push a copy away and is evicted after it. Not lower:
# the cluster autoscaler makes no room for what is below -10 (its expendable-pods-priority-cutoff), and a proof that
# waits for a node for ever proves nothing.
VALUE = -10


class Class(Wire, frozen=True):
    metadata: Meta = msgspec.field(default_factory=Meta)
    value: int = 0
    global_default: bool = False
    preemption_policy: str = ""

    @property
    def quiet(self) -> bool:
        """Whether what has it pushes nothing away; whoever made it may have chosen another value."""
        return self.preemption_policy == NEVER and self.value <= 0


class Precedence(msgspec.Struct, frozen=True):
    """``name`` "": pods come without a class, so with the cluster's default one. ``make``: it is not there yet."""

    name: str = ""
    value: int = VALUE
    make: bool = False
    warnings: tuple[str, ...] = ()

    def frozen(self) -> dict[str, Any]:
        """``plan.params["priority"]``; {} without a class."""
        return {"name": self.name, "value": self.value, "make": self.make} if self.name else {}


async def chosen(reader: Reader) -> Precedence:
    """Our class where it is there or may be made, else none, with a sentence that says why."""
    why = ""
    try:
        found = await reader.get(CLASSES, NAME, type=Class)
        if found is not None and found.quiet:
            return Precedence(NAME, found.value)
        if found is not None:
            why = f"PriorityClass {NAME} is there and may push others off their nodes ({found.value})"
        elif await reader.can_i("create", CLASSES):
            return Precedence(NAME, make=True)
        else:
            why = f"there is no PriorityClass {NAME}, and no right to create priorityclasses.scheduling.k8s.io"
    except (Forbidden, NotFound):
        why = f"PriorityClass {NAME} cannot be read"
    default = f"{why}: the copy comes without a class, with the cluster's default priority (S18)"
    return Precedence(warnings=(default, *await pushing(reader)))


def effects(priority: Mapping[str, Any]) -> Iterable[Effect]:
    if priority.get("make"):
        words = f"value {priority['value']}, pushes nothing away; it stays, for all proofs (S18)"
        yield Effect("create", f"PriorityClass {priority['name']}", words)


def body(priority: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "apiVersion": CLASSES.api_version,
        "kind": CLASSES.kind,
        "metadata": {"name": priority["name"], "labels": {"app.kubernetes.io/managed-by": "lazarus"}},
        "value": priority["value"],
        "preemptionPolicy": NEVER,
        "globalDefault": False,
        "description": "Copies of applications that Lazarus proves: they push nothing away, and go first.",
    }


async def pushing(reader: Reader) -> list[str]:
    """A sentence for a default class by which a copy may push others off their nodes, or when that is not known."""
    try:
        every = await reader.list(CLASSES, type=Class)
    except (Forbidden, NotFound):
        return ["priorityclasses cannot be read: whether the copy may push others off their nodes is not known"]
    return [
        f"the copy gets the cluster's default priority class {one.metadata.name} ({one.value}): "
        "where there is no room it pushes away what has less"
        for one in every
        if one.global_default and one.value > 0 and one.preemption_policy != NEVER
    ]

"""What priority pods of a copy get when their own was taken away (S18): that of the cluster's default class."""

from __future__ import annotations

import msgspec

from lazarus_tui.kube.errors import Forbidden, NotFound
from lazarus_tui.model.objects import Meta, Wire
from lazarus_tui.model.resources import Resource
from lazarus_tui.model.steps import Reader

CLASSES = Resource("scheduling.k8s.io", "v1", "priorityclasses", "PriorityClass", namespaced=False)


class _Class(Wire, frozen=True):
    metadata: Meta = msgspec.field(default_factory=Meta)
    value: int = 0
    global_default: bool = False
    preemption_policy: str = ""


async def pushing(reader: Reader) -> list[str]:
    """A sentence for a default class by which a copy may push others off their nodes, or when that is not known."""
    try:
        every = await reader.list(CLASSES, type=_Class)
    except (Forbidden, NotFound):
        return ["priorityclasses cannot be read: whether the copy may push others off their nodes is not known"]
    return [
        f"the copy gets the cluster's default priority class {one.metadata.name} ({one.value}): "
        "where there is no room it pushes away what has less"
        for one in every
        if one.global_default and one.value > 0 and one.preemption_policy != "Never"
    ]

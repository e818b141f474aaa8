"""The lines of a proof's plan: every object that is touched, under the rule that touches it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from lazarus_tui.model.counting import how_many
from lazarus_tui.model.plan import Effect
from lazarus_tui.model.quantities import size
from lazarus_tui.model.volumes import Held
from lazarus_tui.prove import precedence
from lazarus_tui.prove.points import Contents
from lazarus_tui.prove.rules import Ruling
from lazarus_tui.prove.silences import planned as silences

# Objects of one kind that are named one by one when nothing is said about them; more are counted.
_NAMED = 12


def subject(namespace: str, workload: str) -> str:
    return f"{namespace}/{workload}" if workload else f"namespace {namespace}"


def effects(quarantine: str, contents: Contents, ruling: Ruling, params: Mapping[str, Any]) -> Iterable[Effect]:
    """First what is made, then what is changed on the way, then what stays out."""
    yield Effect("create", f"namespace {quarantine}", "closed before anything is in it; removed at the end (S1, S4)")
    if modifiers := params.get("modifiers"):
        what = f"ConfigMap {modifiers['name']} in {params['velero']}"
        yield Effect("create", what, f"{len(modifiers['rules'])} rules for the restore; removed at the end")
    if restore := params.get("restore"):
        yield Effect("create", f"Restore {restore['name']} in {params['velero']}", f"from {contents.point}")
    yield from precedence.effects(params.get("priority") or {})
    yield from silences.effects(quarantine, params.get("silence") or {})
    withheld = params.get("control") == "withhold" and contents.kind == "velero"
    yield from _created(quarantine, ruling, ("pods",) if withheld else ())
    yield from _volumes(quarantine, contents, withheld=withheld)
    if images := params.get("images"):
        more = f" and {len(images) - 4} more" if len(images) > 4 else ""
        detail = f"{', '.join(images[:4])}{more}; whether they can be pulled is seen when they are"
        yield Effect("pull", how_many(len(images), "image"), detail)
    order = {"empty": 0, "change": 1, "strip": 2, "suspend": 3, "keep": 4, "skip": 5, "left": 6}
    for line in sorted(ruling.lines, key=lambda one: order.get(one.verb, 9)):
        yield line.effect()
    for held in ruling.held:
        yield Effect("release", f"{held['kind']} {quarantine}/{held['name']}", f"to {held['replicas']} after the look")


def _volumes(quarantine: str, contents: Contents, *, withheld: bool) -> Iterable[Effect]:
    """``withheld``: the control of that name leaves out their data, and the pods that Velero would fill."""
    if withheld:
        yield Effect("skip", "pods of the point", "no data comes with them: workloads make new ones, on empty volumes")
    for volume in contents.volumes:
        if volume.held is Held.CAPTURED:
            room = size(volume.size) if volume.size else "size not recorded"
            detail = "EMPTY: the control withholds its data" if withheld else f"with its data, {room}, {volume.method}"
            yield Effect("create", f"volume {quarantine}/{volume.claim}", detail)


def _created(quarantine: str, ruling: Ruling, left_out: Collection[str]) -> Iterable[Effect]:
    for resource, names in ruling.created.items():
        if resource in left_out:
            continue
        if len(names) > _NAMED:
            yield Effect("create", f"{len(names)} {resource} in {quarantine}")
        else:
            yield from (Effect("create", f"{resource}/{name} in {quarantine}") for name in names)

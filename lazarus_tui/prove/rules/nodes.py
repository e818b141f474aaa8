"""Where copies run (S18): on the nodes that a plan sets aside for them, so that they crowd nobody out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from lazarus_tui.prove.points import Item
from lazarus_tui.prove.rules.finding import Finding, Rule, Scene, Verb
from lazarus_tui.prove.rules.patching import at, nested, pointer
from lazarus_tui.prove.rules.podspecs import PARK, RESOURCES, spec_path


def _placed(item: Item, scene: Scene) -> Iterable[Finding]:
    """The original's own choice of nodes goes: the nodes for copies need not have what it asks for."""
    path = spec_path(item)
    pod = at(item.body, path)
    if not scene.nodes or not isinstance(pod, Mapping):
        return
    labels = scene.nodes.labels
    own = pod.get("nodeSelector") or {}
    change: dict[str, Any] = {}
    if labels:
        change["nodeSelector"] = {**{key: None for key in own if key != PARK}, **labels}
        if (pod.get("affinity") or {}).get("nodeAffinity"):
            change["affinity"] = {"nodeAffinity": None}
        if pod.get("nodeName"):  # it would go there past the scheduler, and past all of this
            change["nodeName"] = None
    if scene.nodes.tolerations:
        change["tolerations"] = [*(pod.get("tolerations") or ()), *scene.nodes.tolerated]
    words = ", ".join(f"{key}={value}" for key, value in sorted(labels.items())) or "any, with the plan's tolerations"
    expects = tuple((pointer((*path, "nodeSelector", key)), value) for key, value in labels.items())
    yield Finding(Verb.CHANGE, f"its nodes → {words}: those are set aside for copies", nested(path, change),
                  expects=expects)  # fmt: skip


RULES = (Rule("S18", "nodes", RESOURCES, _placed),)

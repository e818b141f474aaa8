"""Which custom resources of a point stand for something outside, and what removing their copies needs (S10)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from lazarus_tui.prove.points import Contents, Item
from lazarus_tui.prove.rules import foreign

Found = dict[str, Any]


def standing(contents: Contents, created: Mapping[str, Collection[str]]) -> list[Found]:
    """``plan.params["custom"]``: [{group, version, plural, kind, namespaced, keep, outside, allowed}], one for a kind.

    ``keep``: the patch with which deleting an object leaves the real thing alone, {} where none is known. ``outside``:
    its controller is known to act outside the cluster. ``allowed``: the restore brings it. Kinds that stay out are
    among them where deleting a copy that came all the same would do harm.
    """
    found: dict[str, Found] = {}
    for item in (*contents.items, *contents.cluster):
        allowed = item.name in created.get(item.resource, ())
        keep = foreign.orphaned(item)
        if _custom(item) and (allowed or keep is not None):
            one = found.setdefault(item.resource, _kind(item, dict(keep.patch) if keep else {}))
            one["allowed"] = one["allowed"] or allowed
    return list(found.values())


def warnings(found: Iterable[Found]) -> list[str]:
    """What is not removed by itself, or goes along with the quarantine at a risk: said before it is approved."""
    risky = [one for one in found if one["allowed"] and one["outside"] and not one["keep"]]
    what = "nothing is known that makes deleting a copy harmless"
    inside = f"{what}: it goes with the quarantine, and its controller may delete what it stands for (S10)"
    wide = f"and {what}: one that comes along is told as left behind, and not deleted"
    return [
        f"{one['plural']}.{one['group']}"
        + (f": {inside}" if one["namespaced"] else f" are of the whole cluster, {wide}")
        for one in risky
    ]


def _kind(item: Item, keep: Found) -> Found:
    version = str(item.body.get("apiVersion") or "").rpartition("/")[2]
    outside = any(rule.id == "S10" and rule.resources != ("*",) and rule.concerns(item) for rule in foreign.RULES)
    return {
        "group": item.group, "version": version, "plural": item.plural, "kind": item.kind,
        "namespaced": bool(item.namespace), "keep": keep, "outside": outside, "allowed": False,
    }  # fmt: skip


def _custom(item: Item) -> bool:
    return item.group not in foreign.BUILT_IN and not item.group.startswith("snapshot.storage")

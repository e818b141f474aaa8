"""How many pods each version of a Deployment may have now: the real controller's arithmetic, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lazarus_tui.sandbox.controllers.base import Object
from lazarus_tui.sandbox.controllers.quantities import portion


@dataclass(frozen=True, slots=True)
class Bounds:
    """How many pods a rolling update may have too many (``surge``) and too few (``unavailable``)."""

    replicas: int
    surge: int
    unavailable: int

    @classmethod
    def of(cls, owner: Object) -> Bounds:
        """Percentages of surge are rounded up, those of unavailability down; both cannot be zero."""
        spec = owner["spec"]
        replicas, strategy = int(spec.get("replicas", 1)), spec.get("strategy") or {}
        if strategy.get("type") == "Recreate":
            return cls(replicas, 0, 0)
        rolling = strategy.get("rollingUpdate") or {}
        surge = portion(rolling.get("maxSurge", "25%"), replicas)
        unavailable = portion(rolling.get("maxUnavailable", "25%"), replicas, up=False)
        return cls(replicas, surge, min(replicas, unavailable if surge or unavailable else 1))


def size(replicaset: Object) -> int:
    """The replicas asked of it."""
    return int(replicaset["spec"].get("replicas", 1))


def available(replicaset: Object) -> int:
    return int((replicaset.get("status") or {}).get("availableReplicas", 0))


def size_of_new(bounds: Bounds, new: Object | None, others: Sequence[Object], *, recreate: bool) -> int:
    """What the newest version may have: all at once, or as far as the surge goes."""
    own = size(new) if new else 0
    if recreate or own > bounds.replicas:
        return bounds.replicas
    free = bounds.replicas + bounds.surge - own - sum(size(one) for one in others)
    return own + max(0, min(free, bounds.replicas - own))


def sizes_of_old(bounds: Bounds, new: Object, others: Sequence[Object]) -> list[int]:
    """What the older versions (oldest first) keep: pods that do not serve go first, then as many as may be missed."""
    sizes = [size(one) for one in others]
    least = bounds.replicas - bounds.unavailable
    total = size(new) + sum(sizes)
    removable = total - least - (size(new) - available(new))
    if removable <= 0:
        return sizes
    for place, one in enumerate(others):
        sick = min(removable, sizes[place] - min(sizes[place], available(one)))
        sizes[place] -= sick
        removable -= sick
    surplus = available(new) + sum(available(one) for one in others) - least
    for place in range(len(others)):
        gone = max(0, min(sizes[place], surplus))
        sizes[place] -= gone
        surplus -= gone
    return sizes


def proportional(bounds: Bounds, before: int, sets: Sequence[Object]) -> list[int]:
    """Sizes after a change of ``replicas`` in the middle of a rollout: each version grows or shrinks by its share.

    ``sets`` come largest first, of equal ones the newest; ``before`` is the greatest number that was allowed so far.
    What rounding leaves over goes to the first.
    """
    allowed = bounds.replicas + bounds.surge if bounds.replicas else 0
    sizes = [size(one) for one in sets]
    lacking = allowed - sum(sizes)
    left, result = lacking, []
    for own in sizes:
        share = round(own * allowed / before) - own if before else 0
        share = max(min(share, left), 0) if lacking > 0 else min(max(share, left), 0)
        result.append(own + share)
        left -= share
    if result:
        result[0] = max(0, result[0] + left)
    return result

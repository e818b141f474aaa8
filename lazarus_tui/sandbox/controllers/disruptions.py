"""PodDisruptionBudgets: how many pods an eviction may take away now."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import ClassVar

from lazarus_tui.model.clock import parse_rfc3339, rfc3339
from lazarus_tui.model.resources import BUDGETS, DEPLOYMENTS, PODS, REPLICASETS, STATEFULSETS, Resource
from lazarus_tui.sandbox.api.selectors import from_selector
from lazarus_tui.sandbox.controllers.base import Controller, Key, Object, key_of
from lazarus_tui.sandbox.controllers.events import Recorder
from lazarus_tui.sandbox.controllers.pods import controller_of, is_ending, is_over, is_ready, write_status
from lazarus_tui.sandbox.controllers.quantities import portion

# So long an evicted pod counts as gone although nobody has seen it go (the real controller's DeletionTimeout).
_DELETION_SECONDS = 120.0


class DisruptionController(Controller):
    """Keeps the status of each budget; the eviction subresource takes from it."""

    name = "disruption"
    watches: ClassVar[Sequence[Resource]] = (BUDGETS, PODS, DEPLOYMENTS, REPLICASETS, STATEFULSETS)

    def keys(self, resource: Resource, obj: Object, old: Object | None) -> Iterable[Key]:
        if resource == BUDGETS:
            return (key_of(obj),)
        budgets = self.api.list(BUDGETS, obj["metadata"]["namespace"])
        if resource == PODS:
            return [key_of(one) for one in budgets if covers(one, obj) or (old is not None and covers(one, old))]
        return [key_of(one) for one in budgets]

    async def reconcile(self, key: Key) -> float | None:
        budget = self.api.get(BUDGETS, key[1], key[0])
        if budget is None:
            return None
        pods = [pod for pod in self.api.list(PODS, key[0]) if covers(budget, pod) and not is_over(pod)]
        status = dict(budget.get("status") or {})
        disrupted, again = self._disrupted(budget, status, pods)
        try:
            expected, desired = self._figures(budget["spec"], pods)
        except LookupError as error:
            status |= {"disruptionsAllowed": 0, "conditions": self._conditions(status, "SyncFailed", str(error))}
            self._put(budget, status)
            return again
        healthy = [pod for pod in pods if is_ready(pod) and not is_ending(pod) and _name(pod) not in disrupted]
        allowed = max(0, len(healthy) - desired) if expected > 0 else 0
        status |= {
            "disruptedPods": disrupted,
            "currentHealthy": len(healthy),
            "desiredHealthy": desired,
            "expectedPods": expected,
            "disruptionsAllowed": allowed,
            "observedGeneration": budget["metadata"].get("generation", 0),
            "conditions": self._conditions(status, "SufficientPods" if allowed else "InsufficientPods", ""),
        }
        self._put(budget, status)
        return again

    def _put(self, budget: Object, status: Object) -> None:
        shown = {name: value for name, value in status.items() if value or name != "disruptedPods"}
        write_status(self.api, BUDGETS, budget, shown)

    def _disrupted(self, budget: Object, status: Object, pods: list[Object]) -> tuple[dict[str, str], float | None]:
        """Pods that were evicted and are still there unmarked, and the seconds until that is no longer believed."""
        kept: dict[str, str] = {}
        waits: list[float] = []
        for pod in pods:
            since = (status.get("disruptedPods") or {}).get(_name(pod))
            if since is None or is_ending(pod):
                continue
            left = (parse_rfc3339(since) + timedelta(seconds=_DELETION_SECONDS) - self.clock.now()).total_seconds()
            if left > 0:
                kept[_name(pod)] = since
                waits.append(left)
            else:
                name = "/".join(key_of(budget))
                text = f"Pod was expected by PDB {name} to be deleted but it wasn't"
                Recorder(self.api, self.clock, "controllermanager").warning(pod, "NotDeleted", text)
        return kept, min(waits, default=None)

    def _figures(self, spec: Object, pods: list[Object]) -> tuple[int, int]:
        """Pods there ought to be, and how many of them must stay healthy."""
        if (most := spec.get("maxUnavailable")) is not None:
            expected = self._expected(pods)
            return expected, max(0, expected - portion(most, expected))
        least = spec.get("minAvailable", 1)
        if isinstance(least, int):
            return len(pods), least
        expected = self._expected(pods)
        return expected, portion(least, expected)

    def _expected(self, pods: list[Object]) -> int:
        """Replicas of all workloads the pods belong to; pods of nobody do not count."""
        scales = dict(filter(None, (self._scale(pod) for pod in pods)))
        return sum(scales.values())

    def _scale(self, pod: Object) -> tuple[str, int] | None:
        reference, namespace = controller_of(pod), pod["metadata"]["namespace"]
        if reference is None:
            return None
        kinds = {"ReplicaSet": REPLICASETS, "StatefulSet": STATEFULSETS}
        if reference["kind"] not in kinds:
            raise LookupError(f"{reference['kind'].lower()}s does not implement the scale subresource")
        owner = self.api.get(kinds[reference["kind"]], reference["name"], namespace)
        above = controller_of(owner) if owner else None
        if above and above["kind"] == "Deployment":
            owner = self.api.get(DEPLOYMENTS, above["name"], namespace)
        if owner is None:
            return None
        return owner["metadata"]["uid"], owner["spec"].get("replicas", 1)

    def _conditions(self, status: Object, reason: str, message: str) -> list[Object]:
        before: Object = next((one for one in status.get("conditions") or () if one["type"] == "DisruptionAllowed"), {})
        holds = "True" if reason == "SufficientPods" else "False"
        since = before.get("lastTransitionTime") if before.get("status") == holds else None
        found = {"type": "DisruptionAllowed", "status": holds, "reason": reason, "message": message}
        generation = {"observedGeneration": status.get("observedGeneration", 1)}
        return [found | generation | {"lastTransitionTime": since or rfc3339(self.clock.now())}]


def covers(budget: Object, pod: Object) -> bool:
    """The budget's selector holds for the pod; an empty selector covers all, none at all covers nothing."""
    selector = budget["spec"].get("selector")
    return selector is not None and from_selector(selector).matches_object(pod)


def _name(pod: Object) -> str:
    return str(pod["metadata"]["name"])

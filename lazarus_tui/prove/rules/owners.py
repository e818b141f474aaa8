"""Which workload a pod of the point belongs to, by owner references, and which claims it mounts."""

from __future__ import annotations

from collections.abc import Collection

from lazarus_tui.prove.points import Contents, Item


class Owners:
    def __init__(self, contents: Contents) -> None:
        self._pods = {item.name: item for item in contents.of("pods")}
        self._sets = {item.name: item for item in contents.of("replicasets.apps")}

    def root(self, pod: str) -> str:
        """``Kind/name`` of the workload the pod belongs to; "" if none, or if the pod is not in the point."""
        item = self._pods.get(pod)
        if item is None:
            return ""
        kind, name = item.owner
        if kind == "ReplicaSet" and name in self._sets and self._sets[name].owner[0]:
            kind, name = self._sets[name].owner
        return f"{kind}/{name}" if kind else ""

    def bare(self, pod: Item) -> bool:
        """Whether nothing would make the pod again."""
        ended = (pod.body.get("status") or {}).get("phase") in ("Succeeded", "Failed")
        return not pod.owner[0] and not ended

    def pods_on(self, claims: Collection[str]) -> frozenset[str]:
        """Pods that mount one of the claims."""
        return frozenset(name for name, item in self._pods.items() if mounted(item.spec) & set(claims))


def mounted(pod: object) -> set[str]:
    """Claims that a pod spec mounts."""
    volumes = pod.get("volumes") if isinstance(pod, dict) else None
    return {
        str(one["persistentVolumeClaim"].get("claimName") or "")
        for one in volumes or ()
        if isinstance(one, dict) and isinstance(one.get("persistentVolumeClaim"), dict)
    }

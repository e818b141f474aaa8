"""DaemonSets: one pod on every node, and the sandbox has one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

from lazarus_tui.model.resources import DAEMONSETS, NODES, PODS, Resource
from lazarus_tui.sandbox.controllers.base import Controller, Key, Object, key_of
from lazarus_tui.sandbox.controllers.pods import (
    adopt,
    is_active,
    is_ending,
    is_ready,
    owner_keys,
    pod_of,
    template_hash,
    write_status,
)

_REVISION = "controller-revision-hash"


class DaemonSetController(Controller):
    """Makes and replaces the pods of DaemonSets."""

    name = "daemonset"
    watches: ClassVar[Sequence[Resource]] = (DAEMONSETS, PODS, NODES)

    def keys(self, resource: Resource, obj: Object, old: Object | None) -> Iterable[Key]:
        if resource == DAEMONSETS:
            return (key_of(obj),)
        if resource == NODES:
            return [] if old else [key_of(one) for one in self.api.list(DAEMONSETS)]
        return owner_keys(obj, DAEMONSETS, self.api.list(DAEMONSETS, obj["metadata"]["namespace"]))

    async def reconcile(self, key: Key) -> float | None:
        owner = self.api.get(DAEMONSETS, key[1], key[0])
        if owner is None or is_ending(owner):
            return None
        digest = template_hash(owner["spec"]["template"])
        pods = adopt(self.api, PODS, owner, DAEMONSETS)
        nodes = [node["metadata"]["name"] for node in self.api.list(NODES)]
        updated = 0
        for node in nodes:
            here = [pod for pod in pods if is_active(pod) and pod["spec"].get("nodeName", node) == node]
            if not here and not any(is_ending(pod) for pod in pods):
                pod = pod_of(owner, DAEMONSETS, owner["spec"]["template"])
                pod["metadata"]["generateName"] = f"{key[1]}-"
                pod["metadata"]["labels"][_REVISION] = digest
                self.api.create(PODS, pod, key[0])
                updated += 1
            for index, pod in enumerate(here):
                current = (pod["metadata"].get("labels") or {}).get(_REVISION) in (digest, None)
                updated += current
                if index or not current:
                    self.api.delete(PODS, pod["metadata"]["name"], key[0], uid=pod["metadata"]["uid"])
        ready = sum(is_ready(pod) for pod in pods if is_active(pod))
        status = {
            "currentNumberScheduled": len(nodes),
            "desiredNumberScheduled": len(nodes),
            "numberMisscheduled": 0,
            "numberReady": ready,
            "numberAvailable": ready,
            "updatedNumberScheduled": min(updated, len(nodes)),
            "observedGeneration": owner["metadata"].get("generation", 0),
        }
        write_status(self.api, DAEMONSETS, owner, status)
        return None

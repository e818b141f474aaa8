"""Ephemeral volumes: a claim for each, made for one pod and gone with it."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from typing import ClassVar

from lazarus_tui.model.resources import CLAIMS, PODS, Resource
from lazarus_tui.sandbox.controllers.base import Controller, Key, Object, key_of
from lazarus_tui.sandbox.controllers.events import Recorder
from lazarus_tui.sandbox.controllers.pods import controller_of, is_active, owner_reference


def ephemeral_claim(pod: Object, volume: Object) -> str:
    """The name of the claim behind an ephemeral volume."""
    return f"{pod['metadata']['name']}-{volume['name']}"


class EphemeralController(Controller):
    """Makes the claims of ephemeral volumes; one of that name that belongs to nobody or another is left alone."""

    name = "ephemeral"
    watches: ClassVar[Sequence[Resource]] = (PODS, CLAIMS)

    def keys(self, resource: Resource, obj: Object, old: Object | None) -> Iterable[Key]:
        if resource == PODS:
            return (key_of(obj),) if any(one.get("ephemeral") for one in obj["spec"].get("volumes") or ()) else ()
        owner = controller_of(obj)
        return [(obj["metadata"]["namespace"], owner["name"])] if owner and owner["kind"] == PODS.kind else ()

    async def reconcile(self, key: Key) -> float | None:
        pod = self.api.get(PODS, key[1], key[0])
        if pod is None or not is_active(pod):
            return None
        for volume in pod["spec"].get("volumes") or ():
            template = (volume.get("ephemeral") or {}).get("volumeClaimTemplate")
            if template is None:
                continue
            name = ephemeral_claim(pod, volume)
            found = self.api.get(CLAIMS, name, key[0])
            if found is None:
                meta = template.get("metadata") or {}
                kept = {field: dict(meta.get(field) or {}) for field in ("labels", "annotations")}
                owned = {"name": name, "ownerReferences": [owner_reference(pod, PODS)]}
                self.api.create(CLAIMS, {"metadata": kept | owned, "spec": copy.deepcopy(template["spec"])}, key[0])
            elif (controller_of(found) or {}).get("uid") != pod["metadata"]["uid"]:
                text = f"PVC {key[0]}/{name} was not created for pod {key[0]}/{key[1]} (pod is not owner)"
                Recorder(self.api, self.clock, "ephemeral_volume").warning(pod, "EphemeralVolumeConflict", text)
        return None

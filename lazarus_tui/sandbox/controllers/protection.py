"""Claims and volumes that are in use are not removed: finalizers hold them until nobody uses them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

from lazarus_tui.model.resources import CLAIMS, PODS, VOLUMES, Resource
from lazarus_tui.sandbox.controllers.base import Controller, Key, Object, key_of
from lazarus_tui.sandbox.controllers.ephemeral import ephemeral_claim
from lazarus_tui.sandbox.controllers.pods import is_ending

CLAIM_FINALIZER = "kubernetes.io/pvc-protection"
VOLUME_FINALIZER = "kubernetes.io/pv-protection"


def _pod_claims(pod: Object) -> list[str]:
    volumes = pod["spec"].get("volumes") or ()
    named = [one["persistentVolumeClaim"]["claimName"] for one in volumes if one.get("persistentVolumeClaim")]
    return named + [ephemeral_claim(pod, one) for one in volumes if one.get("ephemeral")]


def _with(obj: Object, finalizer: str, *, present: bool) -> Object:
    kept = [one for one in obj["metadata"].get("finalizers") or () if one != finalizer]
    return {"metadata": {"uid": obj["metadata"]["uid"], "finalizers": [*kept, finalizer] if present else kept or None}}


class ClaimProtection(Controller):
    """A claim that is being deleted stays while a scheduled pod names it, finished pods included."""

    name = "claim-protection"
    watches: ClassVar[Sequence[Resource]] = (CLAIMS, PODS)

    def keys(self, resource: Resource, obj: Object, old: Object | None) -> Iterable[Key]:
        if resource == CLAIMS:
            return (key_of(obj),)
        return [(obj["metadata"]["namespace"], claim) for claim in _pod_claims(obj)]

    async def reconcile(self, key: Key) -> float | None:
        claim = self.api.get(CLAIMS, key[1], key[0])
        if claim is None:
            return None
        held = CLAIM_FINALIZER in (claim["metadata"].get("finalizers") or ())
        if not is_ending(claim):
            if not held:
                self.api.patch(CLAIMS, key[1], _with(claim, CLAIM_FINALIZER, present=True), key[0])
        elif held and not self._used(key):
            self.api.patch(CLAIMS, key[1], _with(claim, CLAIM_FINALIZER, present=False), key[0])
        return None

    def _used(self, key: Key) -> bool:
        return any(pod["spec"].get("nodeName") and key[1] in _pod_claims(pod) for pod in self.api.list(PODS, key[0]))


class VolumeProtection(Controller):
    """A volume that is being deleted stays while a claim is bound to it."""

    name = "volume-protection"
    watches: ClassVar[Sequence[Resource]] = (VOLUMES,)

    async def reconcile(self, key: Key) -> float | None:
        volume = self.api.get(VOLUMES, key[1])
        if volume is None:
            return None
        held = VOLUME_FINALIZER in (volume["metadata"].get("finalizers") or ())
        if not is_ending(volume):
            if not held:
                self.api.patch(VOLUMES, key[1], _with(volume, VOLUME_FINALIZER, present=True))
        elif held and (volume.get("status") or {}).get("phase") != "Bound":
            self.api.patch(VOLUMES, key[1], _with(volume, VOLUME_FINALIZER, present=False))
        return None

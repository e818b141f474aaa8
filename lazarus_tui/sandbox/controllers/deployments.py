"""Deployments: one ReplicaSet for each version of the template, the newest brought up as the others go down."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from typing import ClassVar

from lazarus_tui.model.resources import DEPLOYMENTS, PODS, REPLICASETS, Resource
from lazarus_tui.sandbox.controllers.base import Controller, Key, Object, key_of
from lazarus_tui.sandbox.controllers.deployment_status import created, seconds_to_deadline, status_of, told_of
from lazarus_tui.sandbox.controllers.events import Recorder
from lazarus_tui.sandbox.controllers.pods import (
    adopt,
    controlled,
    controller_of,
    is_ending,
    is_over,
    owner_keys,
    owner_reference,
    template_hash,
    write_status,
)
from lazarus_tui.sandbox.controllers.rollouts import Bounds, available, proportional, size, size_of_new, sizes_of_old

_HASH = "pod-template-hash"
_PREFIX = "deployment.kubernetes.io/"
_REVISION, _HISTORY = f"{_PREFIX}revision", f"{_PREFIX}revision-history"
_DESIRED, _MOST = f"{_PREFIX}desired-replicas", f"{_PREFIX}max-replicas"
_NOT_COPIED = ("kubectl.kubernetes.io/last-applied-configuration", _REVISION, _HISTORY, _DESIRED, _MOST)


class DeploymentController(Controller):
    """Rollouts by the bounds of the strategy; ``Recreate`` ends all old pods first; a paused one is only scaled."""

    name = "deployment"
    watches: ClassVar[Sequence[Resource]] = (DEPLOYMENTS, REPLICASETS, PODS)

    def keys(self, resource: Resource, obj: Object, old: Object | None) -> Iterable[Key]:
        if resource == DEPLOYMENTS:
            return (key_of(obj),)
        namespace = obj["metadata"]["namespace"]
        if resource == REPLICASETS:
            return owner_keys(obj, DEPLOYMENTS, self.api.list(DEPLOYMENTS, namespace))
        reference = controller_of(obj)
        above = self.api.get(REPLICASETS, reference["name"], namespace) if reference else None
        return owner_keys(above, DEPLOYMENTS, ()) if above and not self._there(obj) else ()

    def _there(self, pod: Object) -> bool:
        return self.api.get(PODS, pod["metadata"]["name"], pod["metadata"]["namespace"]) is not None

    async def reconcile(self, key: Key) -> float | None:
        owner = self.api.get(DEPLOYMENTS, key[1], key[0])
        if owner is None or is_ending(owner):
            return None
        sets = sorted(adopt(self.api, REPLICASETS, owner, DEPLOYMENTS), key=_revision)
        bounds = Bounds.of(owner)
        new = _matching(owner, sets)
        others = [one for one in sets if one is not new]
        if owner["spec"].get("paused") or _was_scaled(owner, sets):
            self._spread(owner, bounds, new, sets)
        else:
            new = self._roll(owner, bounds, new, others)
        return self._tell(key, bounds)

    def _roll(self, owner: Object, bounds: Bounds, new: Object | None, others: list[Object]) -> Object | None:
        recreate = (owner["spec"].get("strategy") or {}).get("type") == "Recreate"
        if recreate:
            for one in others:
                self._scale(owner, one, 0)
            if any(not is_over(pod) for one in others for pod in controlled(self.api, PODS, one)):
                return new
        wanted = size_of_new(bounds, new, others, recreate=recreate)
        new = self._newest(owner, new, wanted, others)
        if size(new) != wanted:
            return self._scale(owner, new, wanted)
        sizes = [size(one) for one in others]
        fewer = sizes if recreate else sizes_of_old(bounds, new, others)
        for one, keep in zip(others, fewer, strict=True):
            self._scale(owner, one, keep)
        if not any(fewer) and available(new) >= bounds.replicas:
            self._prune(owner, others)
        return new

    def _spread(self, owner: Object, bounds: Bounds, new: Object | None, sets: list[Object]) -> None:
        """Scales without rolling: one version alone takes all, several keep their shares."""
        active = [one for one in sets if size(one)]
        alone = active[0] if len(active) == 1 else (new or (sets[-1] if sets else None)) if not active else None
        if alone is not None:
            self._scale(owner, alone, bounds.replicas)
        elif new is not None and size(new) == bounds.replicas == available(new):
            for one in active:
                self._scale(owner, one, size(one) if one is new else 0)
        elif active:
            active.sort(key=lambda one: (size(one), _revision(one)), reverse=True)
            before = int(
                (active[0]["metadata"].get("annotations") or {}).get(_MOST) or sum(size(one) for one in active)
            )
            for one, wanted in zip(active, proportional(bounds, before, active), strict=True):
                self._scale(owner, one, wanted)

    def _newest(self, owner: Object, new: Object | None, wanted: int, others: list[Object]) -> Object:
        """The ReplicaSet of the template as it is, with the highest revision; made if there is none."""
        highest = max((_revision(one) for one in others), default=0)
        if new is None:
            new = self._make(owner, wanted, highest + 1)
        elif _revision(new) <= highest or not _revision(new):
            before = (new["metadata"].get("annotations") or {}).get(_REVISION)
            past = [one for one in ((new["metadata"].get("annotations") or {}).get(_HISTORY), before) if one]
            notes = {_REVISION: str(highest + 1)} | ({_HISTORY: ",".join(past)} if past else {})
            new = self._note(REPLICASETS, new, notes)
        shared = {name: text for name, text in _notes(owner).items() if _notes(new).get(name) != text}
        if shared:
            new = self._note(REPLICASETS, new, shared)
        if (owner["metadata"].get("annotations") or {}).get(_REVISION) != str(_revision(new)):
            self._note(DEPLOYMENTS, owner, {_REVISION: str(_revision(new))})
        return new

    def _make(self, owner: Object, wanted: int, revision: int) -> Object:
        meta, digest = owner["metadata"], template_hash(owner["spec"]["template"])
        template, selector = copy.deepcopy(owner["spec"]["template"]), copy.deepcopy(owner["spec"]["selector"])
        template.setdefault("metadata", {}).setdefault("labels", {})[_HASH] = digest
        selector.setdefault("matchLabels", {})[_HASH] = digest
        name = f"{meta['name']}-{digest}"
        made = self.api.create(
            REPLICASETS,
            {
                "metadata": {
                    "name": name,
                    "labels": dict(template["metadata"]["labels"]),
                    "annotations": _notes(owner) | {_REVISION: str(revision)} | _figures(owner),
                    "ownerReferences": [owner_reference(owner, DEPLOYMENTS)],
                },
                "spec": {
                    "replicas": wanted,
                    "minReadySeconds": owner["spec"].get("minReadySeconds") or 0,
                    "selector": selector,
                    "template": template,
                },
            },
            meta["namespace"],
        )
        self._recorder.normal(owner, "ScalingReplicaSet", f"Scaled up replica set {name} from 0 to {wanted}")
        fresh = self.api.get(DEPLOYMENTS, meta["name"], meta["namespace"]) or owner
        status = fresh.get("status") or {}
        told = told_of(status.get("conditions") or [], created(name), self.clock.now())
        self.api.update_status(DEPLOYMENTS, {**fresh, "status": status | {"conditions": told}})
        return made

    @property
    def _recorder(self) -> Recorder:
        return Recorder(self.api, self.clock, "deployment-controller")

    def _note(self, resource: Resource, obj: Object, annotations: dict[str, str]) -> Object:
        meta = obj["metadata"]
        return self.api.patch(resource, meta["name"], {"metadata": {"annotations": annotations}}, meta["namespace"])

    def _scale(self, owner: Object, replicaset: Object, wanted: int) -> Object:
        before, figures = size(replicaset), _figures(owner)
        known = replicaset["metadata"].get("annotations") or {}
        if before == wanted and (not wanted or figures.items() <= known.items()):
            return replicaset
        meta = replicaset["metadata"]
        patch = {"metadata": {"annotations": figures}, "spec": {"replicas": wanted}}
        changed = self.api.patch(REPLICASETS, meta["name"], patch, meta["namespace"])
        if before != wanted:
            way = "up" if wanted > before else "down"
            text = f"Scaled {way} replica set {meta['name']} from {before} to {wanted}"
            self._recorder.normal(owner, "ScalingReplicaSet", text)
        return changed

    def _prune(self, owner: Object, others: list[Object]) -> None:
        limit = int(owner["spec"].get("revisionHistoryLimit", 10))
        empty = [one for one in others if not size(one) and not (one.get("status") or {}).get("replicas")]
        for one in empty[: max(0, len(empty) - limit)]:
            meta = one["metadata"]
            self.api.delete(REPLICASETS, meta["name"], meta["namespace"], uid=meta["uid"])

    def _tell(self, key: Key, bounds: Bounds) -> float | None:
        """Writes the status as everything stands now."""
        owner = self.api.get(DEPLOYMENTS, key[1], key[0])
        if owner is None:
            return None
        sets = sorted(controlled(self.api, REPLICASETS, owner), key=_revision)
        new = _matching(owner, sets)
        status = status_of(owner, bounds, new, [one for one in sets if one is not new], self.clock.now())
        write_status(self.api, DEPLOYMENTS, owner, status)
        return seconds_to_deadline({**owner, "status": status}, self.clock.now())


def _matching(owner: Object, sets: Iterable[Object]) -> Object | None:
    """The ReplicaSet whose template is the owner's, whatever hash it bears: a restore brings hashes of elsewhere."""
    wanted = _plain(owner["spec"]["template"])
    found = [one for one in sets if _plain(one["spec"]["template"]) == wanted]
    return min(found, key=lambda one: (one["metadata"]["creationTimestamp"], one["metadata"]["name"]), default=None)


def _plain(template: Object) -> Object:
    meta = dict(template.get("metadata") or {})
    meta["labels"] = {key: value for key, value in (meta.get("labels") or {}).items() if key != _HASH}
    return {**template, "metadata": {name: value for name, value in meta.items() if value}}


def _was_scaled(owner: Object, sets: Iterable[Object]) -> bool:
    """The owner's replicas are not those that its active versions were sized by."""
    wanted = str(owner["spec"].get("replicas", 1))
    sized = [(one["metadata"].get("annotations") or {}).get(_DESIRED) for one in sets if size(one)]
    return any(one is not None and one != wanted for one in sized)


def _figures(owner: Object) -> dict[str, str]:
    bounds = Bounds.of(owner)
    return {_DESIRED: str(bounds.replicas), _MOST: str(bounds.replicas + bounds.surge)}


def _notes(obj: Object) -> dict[str, str]:
    """Annotations that a version shares with its Deployment, such as ``kubernetes.io/change-cause``."""
    found = obj["metadata"].get("annotations") or {}
    return {name: text for name, text in found.items() if name not in _NOT_COPIED}


def _revision(replicaset: Object) -> int:
    text = str((replicaset["metadata"].get("annotations") or {}).get(_REVISION, "0"))
    return int(text) if text.isdigit() else 0

"""ControllerRevisions: the templates a StatefulSet or DaemonSet has had, newest last; ``rollout undo`` reads them."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

from lazarus_tui.model.resources import REVISIONS, Resource
from lazarus_tui.sandbox.controllers.base import Object
from lazarus_tui.sandbox.controllers.pods import adopt, is_ending, owner_reference, template_hash

if TYPE_CHECKING:
    from lazarus_tui.sandbox.api.local import LocalApi

HASH = "controller.kubernetes.io/hash"
"""Label of a revision: the hash that ends its name."""

POD_REVISION = "controller-revision-hash"
"""Label of a pod: the revision it was made from; a StatefulSet's whole revision name, a DaemonSet's hash alone."""


class Revisions:
    """The history of one owner; ``newest`` is the revision of its template as it is now."""

    def __init__(self, api: LocalApi, owner: Object, resource: Resource) -> None:
        self._api, self._owner, self._resource = api, owner, resource
        self._known = sorted(adopt(api, REVISIONS, owner, resource), key=_number)
        self.newest = self._bring_newest()

    def named(self, name: str) -> Object:
        """The revision of that name; the newest when there is none."""
        return next((one for one in self._known if one["metadata"]["name"] == name), self.newest)

    def prune(self, live: set[str]) -> None:
        """Removes the oldest beyond ``revisionHistoryLimit`` of those that nothing in ``live`` (names) needs."""
        live = live | {self.newest["metadata"]["name"]}
        dead = [one for one in self._known if one["metadata"]["name"] not in live]
        for one in dead[: max(0, len(dead) - int(self._owner["spec"].get("revisionHistoryLimit", 10)))]:
            meta = one["metadata"]
            self._api.delete(REVISIONS, meta["name"], meta["namespace"], uid=meta["uid"])

    def _bring_newest(self) -> Object:
        data = _data(self._owner)
        following = _number(self._known[-1]) + 1 if self._known else 1
        equal = [one for one in self._known if one.get("data") == data]
        if not equal:
            made = self._make(data, following)
            self._known.append(made)
            return made
        same = equal[-1]
        if same is not self._known[-1]:
            # An old template is back: its revision becomes the newest one.
            meta = same["metadata"]
            moved = self._api.patch(REVISIONS, meta["name"], {"revision": following}, meta["namespace"])
            self._known = [one for one in self._known if one is not same] + [moved]
            same = moved
        return same

    def _make(self, data: Object, number: int) -> Object:
        meta, template = self._owner["metadata"], self._owner["spec"]["template"]
        digest = template_hash(template)
        name = f"{meta['name']}-{digest}"
        if taken := self._api.get(REVISIONS, name, meta["namespace"]):
            if taken.get("data") == data and not is_ending(taken):
                return taken
            digest = template_hash({"template": template, "number": number})
            name = f"{meta['name']}-{digest}"
        labels = dict((template.get("metadata") or {}).get("labels") or {})
        annotations = dict(meta.get("annotations") or {})
        annotations.pop("kubectl.kubernetes.io/last-applied-configuration", None)
        revision = {
            "metadata": {
                "name": name,
                "labels": labels | {HASH: digest},
                "annotations": annotations,
                "ownerReferences": [owner_reference(self._owner, self._resource)],
            },
            "data": data,
            "revision": number,
        }
        return self._api.create(REVISIONS, revision, meta["namespace"])


def template_of(revision: Object) -> Object:
    """The pod template a revision holds."""
    template: Object = copy.deepcopy(revision["data"]["spec"]["template"])
    template.pop("$patch", None)
    return template


def hash_of(revision: Object) -> str:
    """The hash of a revision, as its label says or its name ends."""
    meta = revision["metadata"]
    return str((meta.get("labels") or {}).get(HASH) or meta["name"].rpartition("-")[2])


def _data(owner: Object) -> Object:
    """What a revision keeps: a patch that puts the whole template back."""
    return {"spec": {"template": copy.deepcopy(owner["spec"]["template"]) | {"$patch": "replace"}}}


def _number(revision: Object) -> int:
    return int(revision.get("revision", 0))

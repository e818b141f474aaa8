"""One run of one restore: objects in order, volumes through PodVolumeRestores, artefacts into the bucket."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from lazarus_tui.model.labels import BACKUP_NAME_LABEL, RESTORE_NAME_LABEL, label_value
from lazarus_tui.model.resources import CLAIMS, NAMESPACES, PODS, RESTORES, VOLUMES
from lazarus_tui.sandbox.api.errors import ApiError
from lazarus_tui.sandbox.velero import layout, modifiers, remake
from lazarus_tui.sandbox.velero.filters import filters_of
from lazarus_tui.sandbox.velero.installation import Installation, Json, meta, phase
from lazarus_tui.sandbox.velero.labels import selected
from lazarus_tui.sandbox.velero.layout import Item
from lazarus_tui.sandbox.velero.order import in_restore_order
from lazarus_tui.sandbox.velero.pod_restores import RestoreVolumes
from lazarus_tui.sandbox.velero.restore_hooks import RestoreHooks
from lazarus_tui.sandbox.velero.results import RunLog
from lazarus_tui.sandbox.velero.volumeinfo import kind_key, restore_volume_infos

_STRIDE = 5


class RestoreRun:
    """``rules`` are the resource modifiers, already parsed."""

    def __init__(
        self, site: Installation, restore: Json, backup: Json, rules: list[modifiers.Rule], log: RunLog
    ) -> None:
        self.site, self.restore, self.backup, self.log = site, restore, backup, log
        self.name = str(restore["metadata"]["name"])
        self.spec: Json = restore["spec"]
        self.mapping: Mapping[str, str] = self.spec.get("namespaceMapping") or {}
        self.bucket = site.backup_bucket(backup)
        self._rules = rules
        self._items: list[Item] = []
        self._listed: dict[str, list[str]] = {}
        self._spaces: set[str] = set()
        self._anew: set[str] = set()  # PersistentVolumes that are not restored: their claims get new ones
        self._volumes = RestoreVolumes(site, restore, backup, self.bucket, log)
        self._hooks = RestoreHooks(site, restore["spec"], log)
        self._reported = float("-inf")

    async def run(self) -> Json | None:
        """Everything up to Finalizing; the Restore as it then is, None when it has gone."""
        self.log.info("starting restore")
        contents = self.bucket.get(layout.artefact_key("BackupContents", self.backup["metadata"]["name"]))
        self._items = await asyncio.to_thread(layout.read_tarball, contents)
        chosen = in_restore_order(self._chosen())
        self._report(0, len(chosen))
        for done, item in enumerate(chosen):
            await self._restore_item(item)
            self._report(done + 1, len(chosen))
            if done % _STRIDE == _STRIDE - 1:
                await self.site.spend(self.site.settings.item_seconds * _STRIDE)
        self._report(len(chosen), len(chosen), final=True)
        copies = await self._volumes.finished()
        await self._hooks.run()
        self._adjust_new_volumes()
        return self._upload(copies)

    def _chosen(self) -> list[Item]:
        filters = filters_of(self.spec, self.site.resolve)
        taken = []
        for item in self._items:
            if item.namespace and not filters.namespaces.takes(item.namespace):
                continue
            if item.group_resource == NAMESPACES.group_resource:
                continue  # a target namespace is made when its first object comes
            if filters.takes_kind(item.resource) and selected(self.spec, meta(item.body, "labels")):
                taken.append(item)
        return taken + self._volumes_of(taken)

    def _volumes_of(self, taken: list[Item]) -> list[Item]:
        """PersistentVolumes of the claims taken come along unless cluster resources are forbidden."""
        if self.spec.get("includeClusterResources") is False:
            return []
        filters = filters_of(self.spec, self.site.resolve)
        names = {
            (i.body.get("spec") or {}).get("volumeName") for i in taken if i.group_resource == CLAIMS.group_resource
        }
        have = {item.name for item in taken if item.group_resource == VOLUMES.group_resource}
        wanted = names - have
        return [
            item
            for item in self._items
            if item.group_resource == VOLUMES.group_resource
            and item.name in wanted
            and filters.resources.takes(VOLUMES.group_resource)
        ]

    def _report(self, done: int, total: int, *, final: bool = False) -> None:
        now = self.site.clock.monotonic()
        if not final and now - self._reported < 1.0:
            return
        self._reported = now
        self.site.status(RESTORES, self.name, progress={"totalItems": total, "itemsRestored": done})
        self.log.info(
            f"Restored {done} items out of an estimated total of {total} (estimate will change throughout the restore)",
            progress="",
        )

    async def _restore_item(self, item: Item) -> None:
        target = self.mapping.get(item.namespace, item.namespace)
        anew = self._dynamic(item)
        reason = remake.skip_reason(item) or anew
        if reason:
            self._anew |= {item.name} if anew else set()
            self.log.info(f"Skipping restore of {item.kind} {item.name}: {reason}", namespace=item.namespace)
            self._list(item, target, "skipped")
            return
        if item.namespace and not await self._ensure_namespace(item.namespace, target):
            self._list(item, target, "failed")
            return
        body = remake.remade(item, target, self.mapping, bool(self.spec.get("preserveNodePorts")))
        if item.group_resource == CLAIMS.group_resource and body["spec"].get("volumeName") in self._anew:
            body["spec"].pop("volumeName")
        is_pod = item.group_resource == PODS.group_resource
        copies = self._prepare_pod(item, body) if is_pod else {}
        body, errors = modifiers.apply(self._rules, item.group_resource, item.namespace, body)
        for error in errors:
            self.log.error(
                f"error in applying resource modifiers to {item.group_resource}/{item.name}: {error}", target
            )
        outcome, created = self._apply(item, body, target)
        self._list(item, target, outcome)
        if created is not None and is_pod:
            self._volumes.request(created, item.namespace, copies)
            self._hooks.owe(created)

    def _prepare_pod(self, item: Item, pod: Json) -> Mapping[str, Json]:
        """Init containers of hooks and, before them, the wait for the volumes whose copies are returned."""
        added = self._hooks.init_containers(pod)
        if added:
            pod["spec"]["initContainers"] = [*added, *(pod["spec"].get("initContainers") or ())]
        copies = self._volumes.of_pod(item)
        if copies:
            remake.wait_for_volumes(pod, self.restore["metadata"]["uid"], sorted(copies))
        return copies

    def _dynamic(self, item: Item) -> str:
        """Why a PersistentVolume is not restored itself: its claim gets a new one."""
        if item.group_resource != VOLUMES.group_resource:
            return ""
        again = "Dynamically re-provisioning persistent volume because it"
        if self._volumes.holds_volume(item):
            return f"{again} has a pod volume backup to be restored."
        if item.body["spec"].get("persistentVolumeReclaimPolicy") == "Delete":
            return f"{again} doesn't have a snapshot and its reclaim policy is Delete."
        return ""

    async def _ensure_namespace(self, source: str, target: str) -> bool:
        """The target namespace exists and is not going away: made from the backed-up one, or bare."""
        if target in self._spaces:
            return True
        timeout = self.site.settings.resource_timeout
        if not await self.site.until(lambda: not self._terminating(target), timeout):
            self.log.error(f"timed out waiting for terminating namespace {target}", target)
            return False
        if self.site.api.get(NAMESPACES, target) is None:
            kept = next((i for i in self._items if i.group_resource == "namespaces" and i.name == source), None)
            marks = kept.body["metadata"] if kept else {}
            bare = {key: marks[key] for key in ("labels", "annotations") if marks.get(key)}
            labels = {k: v for k, v in (bare.get("labels") or {}).items() if k != "kubernetes.io/metadata.name"}
            body: Json = {
                "apiVersion": "v1",
                "kind": "Namespace",
                "metadata": {**bare, "name": target, "labels": labels},
            }
            try:
                self.site.api.create(NAMESPACES, remake.marked(body, self.backup["metadata"]["name"], self.name))
            except ApiError as error:
                self.log.error(f"error creating namespace {target}: {error.message}", target)
                return False
            self._listed.setdefault("v1/Namespace", []).append(f"{target}(created)")
        self._spaces.add(target)
        return True

    def _terminating(self, name: str) -> bool:
        space = self.site.api.get(NAMESPACES, name)
        return space is not None and bool(space["metadata"].get("deletionTimestamp") or phase(space) == "Terminating")

    def _apply(self, item: Item, body: Json, target: str) -> tuple[str, Json | None]:
        place = target or None
        fields = {"resource": item.group_resource, "name": item.name}
        comparable = remake.comparable(body)
        try:
            created = self.site.api.create(item.resource, self._marked(body), place)
        except ApiError as error:
            if error.reason != "AlreadyExists":
                self.log.error(f"error restoring {item.group_resource}/{target}/{item.name}: {error.message}", target)
                return "failed", None
            return self._existing(item, body, comparable, target), None
        self.log.info(f"Restored {item.kind} {item.name}", namespace=target or "-", **fields)
        self._restore_status(item, created, place)
        return "created", created

    def _marked(self, body: Json) -> Json:
        return remake.marked(body, self.backup["metadata"]["name"], self.name)

    def _restore_status(self, item: Item, created: Json, place: str | None) -> None:
        """Status comes back only where ``restoreStatus`` or the object's annotation asks for it."""
        wanted = self.spec.get("restoreStatus") or {}
        names = [n if n == "*" else self.site.resolve(n) for n in wanted.get("includedResources") or ()]
        out = [self.site.resolve(n) for n in wanted.get("excludedResources") or ()]
        asked = ("*" in names or item.group_resource in names) and item.group_resource not in out
        asked = {"true": True, "false": False}.get(
            meta(item.body, "annotations").get("velero.io/restore-status", ""), asked
        )
        if asked and item.body.get("status"):
            try:
                self.site.api.update_status(item.resource, {**created, "status": item.body["status"]})
            except ApiError as error:
                self.log.warning(
                    f"status of {item.group_resource}/{item.name} not restored: {error.message}", place or ""
                )

    def _existing(self, item: Item, body: Json, wanted: Json, target: str) -> str:
        live = self.site.api.get(item.resource, item.name, target or None)
        if live is None or remake.comparable(live) == wanted:
            return "skipped"
        if item.group_resource == "serviceaccounts":
            return self._patch(item, self._account_patch(body), target)
        policy = self.spec.get("existingResourcePolicy") or ""
        if policy == "update":
            return self._patch(item, {k: v for k, v in body.items() if k not in ("apiVersion", "kind")}, target)
        named = f'{item.kind} "{item.name}"' if policy == "none" else f"{item.kind}:{item.name}"
        self.log.warning(
            f"could not restore, {named} already exists. Warning: the in-cluster version is different than the "
            "backed-up version",
            target,
        )
        return "skipped"

    @staticmethod
    def _account_patch(body: Json) -> Json:
        patch = {key: body["metadata"][key] for key in ("labels", "annotations") if body["metadata"].get(key)}
        return {"metadata": patch} | {key: body[key] for key in ("secrets", "imagePullSecrets") if body.get(key)}

    def _patch(self, item: Item, patch: Json, target: str) -> str:
        try:
            self.site.api.patch(item.resource, item.name, patch, target or None)
        except ApiError as error:
            self.log.warning(f"could not update {item.kind} {item.name}: {error.message}", target)
            self._only_labels(item, target)
            return "failed"
        return "updated"

    def _only_labels(self, item: Item, target: str) -> None:
        marks = {BACKUP_NAME_LABEL: label_value(self.backup["metadata"]["name"])}
        marks[RESTORE_NAME_LABEL] = label_value(self.name)
        try:
            self.site.api.patch(item.resource, item.name, {"metadata": {"labels": marks}}, target or None)
        except ApiError as error:
            self.log.error(f"error updating labels of {item.kind} {item.name}: {error.message}", target)

    def _list(self, item: Item, target: str, outcome: str) -> None:
        name = f"{target}/{item.name}" if target else item.name
        self._listed.setdefault(kind_key(item.body), []).append(f"{name}({outcome})")

    def _adjust_new_volumes(self) -> None:
        """New volumes of claims whose data was copied get labels and reclaim policy of the original's, and no labels of
        this restore (pkg/controller/restore_finalizer_controller.go)."""
        originals = {item.name: item for item in self._items if item.group_resource == VOLUMES.group_resource}
        created = set(self._listed.get("v1/PersistentVolumeClaim", ()))
        for item in self._items:
            place = self.mapping.get(item.namespace, item.namespace)
            original = originals.get(str((item.body.get("spec") or {}).get("volumeName") or ""))
            if item.group_resource != CLAIMS.group_resource or f"{place}/{item.name}(created)" not in created:
                continue
            if original is not None and self._volumes.holds_volume(original):
                claim = self.site.api.get(CLAIMS, item.name, place) or {}
                self._adjust(str((claim.get("spec") or {}).get("volumeName") or ""), original)

    def _adjust(self, name: str, original: Item) -> None:
        volume = self.site.api.get(VOLUMES, name) if name else None
        labels, policy = meta(original.body, "labels"), original.body["spec"].get("persistentVolumeReclaimPolicy")
        if volume is None:
            return
        there = meta(volume, "labels")
        if volume["spec"].get("persistentVolumeReclaimPolicy") != policy or not labels.items() <= there.items():
            wanted: Any = {**dict.fromkeys(there), **labels}
            body = {"metadata": {"labels": wanted}, "spec": {"persistentVolumeReclaimPolicy": policy}}
            self.site.api.patch(VOLUMES, name, body)

    def _upload(self, copies: list[Json]) -> Json | None:
        infos = restore_volume_infos(copies, self._volumes.claims(copies))
        self.log.info("restore completed")
        for kind, data in (
            ("RestoreResults", layout.packed(self.log.results())),
            ("RestoreResourceList", layout.packed(dict(sorted(self._listed.items())))),
            ("RestoreItemOperations", layout.packed([])),
            ("RestoreVolumeInfo", layout.packed(infos)),
            ("RestoreLog", self.log.packed()),
        ):
            self.bucket.put(layout.artefact_key(kind, self.name), data)
        status: Json = {
            "phase": "FinalizingPartiallyFailed" if self.log.errors.count else "Finalizing",
            "errors": self.log.errors.count or None,
            "warnings": self.log.warnings.count or None,
            "hookStatus": self._hooks.status(),
        }
        return self.site.status(RESTORES, self.name, **status)

"""Lies of a restore: phases that flip, rules that were not applied, volumes of others, results nobody can read."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

from lazarus_tui.model.clock import rfc3339
from lazarus_tui.model.http import HttpRequest
from lazarus_tui.model.resources import (
    BACKUPS,
    CLAIMS,
    DEPLOYMENTS,
    LOCATIONS,
    POD_VOLUME_RESTORES,
    RESTORES,
    STATEFULSETS,
    VOLUMES,
    Resource,
)
from lazarus_tui.sandbox.velero import modifiers
from lazarus_tui.sandbox.velero.requests import Downloads
from tests.prove.liars.liar import (
    FAILED,
    INCONCLUSIVE,
    Liar,
    after_the_plan,
    judged,
    knows,
    ready,
    restored,
    restoring,
    settled,
)
from tests.prove.liars.orders import INGRESSES, Shop
from tests.prove.quarantine.grounds import VELERO
from tests.snapshots.stage import SPACE

Json = dict[str, Any]
POINT = "nightly"
ROLES = Resource("rbac.authorization.k8s.io", "v1", "clusterroles", "ClusterRole", False)


def quarantine(ground: Shop) -> str:
    (found,) = ground.quarantines()
    return found


def the_restore(ground: Shop) -> Json:
    return ground.api.list(RESTORES, VELERO)[-1]


def status(resource: Resource, **fields: Any) -> Callable[[Shop], None]:
    """Every object of the kind says so from now on."""

    def lie(ground: Shop) -> None:
        for one in ground.api.list(resource, VELERO):
            ground.api.patch(resource, one["metadata"]["name"], {"status": fields}, VELERO)

    return lie


def backup_gone(ground: Shop) -> None:
    ground.api.delete(BACKUPS, POINT, VELERO)


def backup_expires(ground: Shop) -> None:
    soon = rfc3339(ground.clock.now() + timedelta(minutes=20))
    status(BACKUPS, expiration=soon)(ground)


def no_location(ground: Shop) -> None:
    ground.api.delete(LOCATIONS, "default", VELERO)


def no_answer(ground: Shop) -> None:
    ground.cluster.objects.outage.refused = lambda bucket: "dial tcp: i/o timeout"
    status(LOCATIONS, phase="Unavailable", message="dial tcp: i/o timeout")(ground)


def no_downloads(ground: Shop) -> None:
    """Requests for downloads stay as they are."""

    async def reconcile(self: Any, key: Any) -> None:
        return None

    ground.patch.setattr(Downloads, "reconcile", reconcile)


def expired_links(ground: Shop) -> None:
    async def download(url: str, **limits: Any) -> bytes:
        raise OSError("the storage answered 403 Request has expired")

    ground.patch.setattr("lazarus_tui.engine.context.download", download)


def replaced(ground: Shop) -> None:
    """Another Restore of the same name, ended well."""
    old = the_restore(ground)
    name = old["metadata"]["name"]
    ground.api.patch(RESTORES, name, {"metadata": {"finalizers": None}}, VELERO)
    ground.api.delete(RESTORES, name, VELERO)
    labels = old["metadata"].get("labels")
    ground.api.create(RESTORES, {"metadata": {"name": name, "labels": labels}, "spec": old["spec"],
                                 "status": old["status"]}, VELERO)  # fmt: skip


def again_and_again(ground: Shop) -> None:
    """Velero is started again during each restore: what it finds under way it marks as Failed."""
    why = "found a restore with status InProgress during the server starting, mark it as Failed"

    async def met(request: HttpRequest) -> None:
        if restored(ground, request):
            status(RESTORES, phase="Failed", failureReason=why)(ground)

    ground.refusals.append(met)


def unmodified(*but: str) -> Callable[[Shop], None]:
    """Velero's modifiers fail open: objects come back as they were, those of some kinds aside."""

    def apply(rules: Any, kind: str, space: str, body: Json) -> Any:
        return modifiers.apply(rules, kind, space, body) if kind in but else (body, [])

    def lie(ground: Shop) -> None:
        ground.patch.setattr("lazarus_tui.sandbox.velero.restore_run.modifiers", SimpleNamespace(apply=apply))

    return lie


def made(resource: Resource, body: Json, **labels: str) -> Callable[[Shop], None]:
    """Something that the plan keeps out is there all the same, with the restore's label."""

    def lie(ground: Shop) -> None:
        where = quarantine(ground) if resource.namespaced else None
        marks = {"velero.io/restore-name": the_restore(ground)["metadata"]["name"], **labels}
        ground.api.create(resource, {**body, "metadata": {**body["metadata"], "labels": marks}}, where)

    return lie


def live_disk(ground: Shop) -> None:
    """Somebody else's volume is on the storage that the copy's is on."""
    spec = {**ground.volume_of(quarantine(ground))["spec"], "claimRef": {"namespace": SPACE, "name": "ledger"}}
    ground.api.create(VOLUMES, {"metadata": {"name": "ledger"}, "spec": spec})


def at_zero(ground: Shop) -> None:
    ground.api.patch(STATEFULSETS, "db", {"spec": {"replicas": 0}}, quarantine(ground))


def no_set(ground: Shop) -> None:
    ground.api.delete(STATEFULSETS, "db", quarantine(ground))


def another_instead(ground: Shop) -> None:
    """What runs and gets ready is somebody else's, and no part of the point."""
    no_set(ground)
    runs = {"containers": [{"name": "x", "image": "lazarus.dev/pause:1"}]}
    pod = {"metadata": {"labels": {"app": "x"}}, "spec": runs}
    spec = {"replicas": 1, "selector": {"matchLabels": {"app": "x"}}, "template": pod}
    ground.api.create(DEPLOYMENTS, {"metadata": {"name": "x"}, "spec": spec}, quarantine(ground))


def never_ready(ground: Shop) -> None:
    """More replicas are wanted than can be had: their claims wait for a class that is not there."""
    ground.api.patch(STATEFULSETS, "db", {"spec": {"replicas": 3}}, quarantine(ground))
    for name in ("data-db-1", "data-db-2"):
        spec = {
            "accessModes": ["ReadWriteOnce"],
            "storageClassName": "gone",
            "resources": {"requests": {"storage": "1Mi"}},
        }
        ground.api.create(CLAIMS, {"metadata": {"name": name}, "spec": spec}, quarantine(ground))


def warned(ground: Shop) -> None:
    """Velero counts a warning and its list of them is lost."""
    status(RESTORES, warnings=1)(ground)
    name = the_restore(ground)["metadata"]["name"]
    ground.cluster.objects.bucket("shop-velero-backups").remove(f"restores/{name}/restore-{name}-results.gz")


_WEB = {"metadata": {"name": "web"}, "spec": {"defaultBackend": {"service": {"name": "web", "port": {"number": 80}}}}}
_LATE = {"progress": {"totalBytes": 4096, "bytesDone": 10}}

LIARS = (
    Liar("the backup said Failed, and says Completed now", status(BACKUPS, phase="Completed", errors=3),
         "Completed with 3 errors", INCONCLUSIVE, after_the_plan),
    Liar("the backup turned to Failed", status(BACKUPS, phase="Failed"), "is Failed now", FAILED, after_the_plan),
    Liar("the backup is PartiallyFailed", status(BACKUPS, phase="PartiallyFailed", errors=2), "PartiallyFailed",
         INCONCLUSIVE),
    Liar("the backup is gone", backup_gone, "backup nightly is gone", FAILED, after_the_plan),
    Liar("the backup vanishes while it is tested", backup_gone, "the backup is gone", INCONCLUSIVE, restoring),
    Liar("the backup expires while it is tested", backup_expires, "it could vanish", FAILED, after_the_plan),
    Liar("the storage location is gone", no_location, "storage location default is gone", FAILED, after_the_plan),
    Liar("the storage does not answer", no_answer, "does not answer", INCONCLUSIVE, after_the_plan),
    Liar("downloads are never answered", no_downloads, "not", INCONCLUSIVE, after_the_plan),
    Liar("links of downloads have expired", expired_links, "not", INCONCLUSIVE, after_the_plan),
    Liar("it warned, and nobody can read of what", warned, "could not be read", INCONCLUSIVE, restored),
    Liar("Velero is started again during every restore", again_and_again, "Failed", FAILED, after_the_plan),
    Liar("the restore ended Failed", status(RESTORES, phase="Failed", failureReason="no space left"), "no space left",
         FAILED, restored),
    Liar("the restore says Completed with errors", status(RESTORES, errors=2), "with 2 errors", FAILED, restored),
    Liar("the restore was Completed, and is Failed", status(RESTORES, phase="Failed"), "is Failed", FAILED, ready),
    Liar("the restore went back to work", status(RESTORES, phase="InProgress"), "is InProgress", FAILED, ready,
         stays=True),
    Liar("errors come after the end", status(RESTORES, errors=1), "with 1 error", FAILED, ready),
    Liar("a volume turns to Failed after the end", status(POD_VOLUME_RESTORES, phase="Failed"), "is Failed now",
         FAILED, ready),
    Liar("a volume failed and the restore says Completed", status(POD_VOLUME_RESTORES, phase="Failed", message="EIO"),
         "EIO", FAILED, restored),
    Liar("a volume was canceled and the restore says Completed", status(POD_VOLUME_RESTORES, phase="Canceled"),
         "Canceled", FAILED, restored),
    Liar("a volume ended before its last byte", status(POD_VOLUME_RESTORES, **_LATE), "10 of 4096 bytes",
         INCONCLUSIVE, restored),
    Liar("the restore was replaced by a better one", replaced, "replaced", FAILED, ready),
    Liar("rules were not applied", unmodified(CLAIMS.group_resource), "S6: cronjobs/invoices", INCONCLUSIVE,
         after_the_plan),
    Liar("rules were not applied, not even to claims", unmodified(), "not finished within", INCONCLUSIVE,
         after_the_plan),
    Liar("what the plan keeps out came back", made(INGRESSES, _WEB), "ingresses/web was restored",
         INCONCLUSIVE, restored),
    Liar("something of the whole cluster came back", made(ROLES, {"metadata": {"name": "all"}, "rules": []}),
         "S12: clusterroles/all was restored", INCONCLUSIVE, restored),
    Liar("the volume is the live one", live_disk, "S9", FAILED, settled),
    Liar("it was restored at zero", at_zero, "zero", FAILED, restored, params={}),
    Liar("not all of it gets ready", never_ready, "of 3 replicas", FAILED, restored),
    Liar("it was there once", no_set, "not there any more", FAILED, judged),
    Liar("another one got ready instead", another_instead, "not there any more", FAILED, knows("prove.workloads"),
         params={}),
    Liar("it was ready once", never_ready, "of 3 replicas", FAILED, judged),
)  # fmt: skip
__all__ = ["LIARS"]

"""The order in which a restore takes kinds, and the kinds it never takes (Velero's defaults)."""

from __future__ import annotations

from collections.abc import Iterable

from lazarus_tui.sandbox.velero.layout import Item

FIRST = (
    "customresourcedefinitions.apiextensions.k8s.io",
    "namespaces",
    "storageclasses.storage.k8s.io",
    "volumesnapshotclasses.snapshot.storage.k8s.io",
    "volumesnapshotcontents.snapshot.storage.k8s.io",
    "volumesnapshots.snapshot.storage.k8s.io",
    "datauploads.velero.io",
    "persistentvolumes",
    "persistentvolumeclaims",
    "clusterroles.rbac.authorization.k8s.io",
    "roles.rbac.authorization.k8s.io",
    "serviceaccounts",
    "clusterrolebindings.rbac.authorization.k8s.io",
    "rolebindings.rbac.authorization.k8s.io",
    "secrets",
    "configmaps",
    "limitranges",
    "priorityclasses.scheduling.k8s.io",
    "pods",
    "replicasets.apps",
    "clusterclasses.cluster.x-k8s.io",
    "endpoints",
    "services",
)
LAST = (
    "clusterbootstraps.run.tanzu.vmware.com",
    "clusters.cluster.x-k8s.io",
    "clusterresourcesets.addons.cluster.x-k8s.io",
)

NON_RESTORABLE = (
    "nodes",
    "events",
    "events.events.k8s.io",
    "backups.velero.io",
    "restores.velero.io",
    "resticrepositories.velero.io",
    "csinodes.storage.k8s.io",
    "volumeattachments.storage.k8s.io",
    "backuprepositories.velero.io",
)


def in_restore_order(items: Iterable[Item]) -> list[Item]:
    def rank(item: Item) -> tuple[int, int, str, str, str]:
        kind = item.group_resource
        if kind in FIRST:
            place = (0, FIRST.index(kind))
        elif kind in LAST:
            place = (2, LAST.index(kind))
        else:
            place = (1, 0)
        return (*place, kind, item.namespace, item.name)

    return sorted(items, key=rank)

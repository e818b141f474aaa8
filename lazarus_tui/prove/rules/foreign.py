"""Custom resources and cluster-scoped objects: whoever acts on them acts outside the quarantine (S10, S11, S12)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from lazarus_tui.prove.points import Item
from lazarus_tui.prove.rules.finding import Finding, Rule, Scene, Verb, skipping
from lazarus_tui.prove.rules.patching import at, pointer

# Built-in groups of the API server without a dot, and those under k8s.io that it serves itself.
BUILT_IN = frozenset({
    "", "apps", "batch", "autoscaling", "policy", "extensions", "networking.k8s.io", "rbac.authorization.k8s.io",
    "storage.k8s.io", "scheduling.k8s.io", "coordination.k8s.io", "discovery.k8s.io", "events.k8s.io",
    "admissionregistration.k8s.io", "apiextensions.k8s.io", "apiregistration.k8s.io", "authentication.k8s.io",
    "authorization.k8s.io", "certificates.k8s.io", "flowcontrol.apiserver.k8s.io", "node.k8s.io", "resource.k8s.io",
    "internal.apiserver.k8s.io", "storagemigration.k8s.io",
})  # fmt: skip
# What Velero itself brings volumes back through.
_DATA = frozenset({
    "volumesnapshots.snapshot.storage.k8s.io", "volumesnapshotcontents.snapshot.storage.k8s.io",
    "volumesnapshotclasses.snapshot.storage.k8s.io", "datauploads.velero.io",
})  # fmt: skip
_TAKEN_ANEW = ("volumesnapshots.snapshot.storage.k8s.io", "volumesnapshotcontents.snapshot.storage.k8s.io")
_CREATES_OUTSIDE = (
    "*.crossplane.io", "*.upbound.io", "*.services.k8s.aws", "*.cnrm.cloud.google.com", "*.azure.com",
    "*.cluster.x-k8s.io", "*.infra.contrib.fluxcd.io", "*.terraform.io", "*.app.terraform.io", "*.externaldns.k8s.io",
    "*.external-secrets.io", "*.secrets.hashicorp.com", "*.bitnami.com", "*.argoproj.io", "*.fluxcd.io",
    "*.kubevirt.io", "*.tekton.dev", "*.knative.dev", "*.eventing.knative.dev", "*.karpenter.sh", "*.karpenter.k8s.aws",
    "*.pulumi.com", "*.velero.io", "*.longhorn.io", "*.ceph.rook.io", "*.metallb.io", "*.minio.min.io",
    "*.gcp.crossplane.io", "*.run.tanzu.vmware.com", "*.kappctrl.k14s.io", "*.operators.coreos.com", "*.helm.cattle.io",
    "*.fleet.cattle.io", "*.kafka.strimzi.io",
)  # fmt: skip
# The first that the group ends in. Namespaced resources of Crossplane 2 have no deletion policy: they only look.
_ORPHAN: Mapping[str, Mapping[str, Any]] = {
    ".m.crossplane.io": {"spec": {"managementPolicies": ["Observe"]}},
    ".m.upbound.io": {"spec": {"managementPolicies": ["Observe"]}},
    "crossplane.io": {"spec": {"deletionPolicy": "Orphan"}},
    "upbound.io": {"spec": {"deletionPolicy": "Orphan"}},
    "services.k8s.aws": {"metadata": {"annotations": {"services.k8s.aws/deletion-policy": "retain"}}},
    "cnrm.cloud.google.com": {"metadata": {"annotations": {"cnrm.cloud.google.com/deletion-policy": "abandon"}}},
    "azure.com": {"metadata": {"annotations": {"serviceoperator.azure.com/reconcile-policy": "skip"}}},
}
# Operators of databases: what to take out of their resource so that the copy writes into no archive of the original.
_ARCHIVES: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "clusters.postgresql.cnpg.io": (("backup",), ("plugins",), ("replica",)),
    "perconaxtradbclusters.pxc.percona.com": (("backup",),),
    "perconaservermysqls.ps.percona.com": (("backup",),),
    "perconaservermongodbs.psmdb.percona.com": (("backup",),),
    "postgresqls.acid.zalan.do": (("enableLogicalBackup",), ("logicalBackupSchedule",), ("standby",), ("clone",)),
    "mysqlclusters.mysql.presslabs.org": (("backupSchedule",), ("backupURL",), ("backupSecretName",)),
    "k8ssandraclusters.k8ssandra.io": (("medusa",),),
    "mariadbs.k8s.mariadb.com": (("bootstrapFrom",),),
    "redisenterpriseclusters.app.redislabs.com": (("backup",),),
}
# Their archive is a part they cannot do without.
_BOUND = ("postgresclusters.postgres-operator.crunchydata.com", "perconapgclusters.*")
_RUNS_BACKUPS = (
    "backups.postgresql.cnpg.io", "scheduledbackups.postgresql.cnpg.io", "objectstores.barmancloud.cnpg.io",
    "perconaxtradbclusterbackups.*", "perconaservermysqlbackups.*", "perconaservermongodbbackups.*",
    "perconapgbackups.*", "backups.k8s.mariadb.com", "physicalbackups.k8s.mariadb.com", "mysqlbackups.*",
    "medusabackup*.medusa.k8ssandra.io", "perconaxtradbclusterrestores.*", "restores.k8s.mariadb.com",
)  # fmt: skip


def orphaned(item: Item) -> Finding | None:
    """What an allowed resource needs, so that deleting the copy deletes nothing real (S10)."""
    for group, patch in _ORPHAN.items():
        if item.group.endswith(group):
            notes = ("metadata", "annotations")
            keys = [(pointer(("spec", key)), value) for key, value in (patch.get("spec") or {}).items()]
            keys += [(pointer((*notes, key)), value) for key, value in (at(patch, notes) or {}).items()]
            return Finding(Verb.CHANGE, "deleting the copy leaves the real resource alone", patch, expects=tuple(keys))
    return None


def _outside(item: Item, scene: Scene) -> Iterable[Finding]:
    if item.resource not in _DATA:
        yield Finding(Verb.SKIP, f"a controller of {item.group} would act outside the quarantine on this copy")


def _archive(item: Item, scene: Scene) -> Iterable[Finding]:
    found = [path for path in _ARCHIVES[item.resource] if item.spec.get(path[0])]
    if found:
        names = ", ".join(path[0] for path in found)
        expects = tuple((f"/spec/{path[0]}", None) for path in found)
        patch = {"spec": {path[0]: None for path in found}}
        yield Finding(
            Verb.STRIP, f"{names}: the copy must not write where the original archives", patch, expects=expects
        )


def _bound(item: Item, scene: Scene) -> Iterable[Finding]:
    yield Finding(Verb.BLOCK, "its archive cannot be taken out of it, and the copy would write into the original's")


def _unknown(item: Item, scene: Scene) -> Iterable[Finding]:
    known = item.group in BUILT_IN or item.resource in _DATA or item.resource in _ARCHIVES
    if not known and not any(rule.concerns(item) for rule in _NAMED):
        yield Finding(Verb.SKIP, f"what acts on {item.resource} is not known: left out unless it is allowed")


def _cluster(item: Item, scene: Scene) -> Iterable[Finding]:
    if not item.namespace and item.resource not in _DATA and item.resource not in ("persistentvolumes", "namespaces"):
        yield Finding(Verb.SKIP, "it is of the whole cluster, not of the quarantine")


def _taken_anew(item: Item, scene: Scene) -> Iterable[Finding]:
    """Where no volume comes back through a snapshot, a restored one is taken of the copy, and its storage stays."""
    if not any(volume.method.startswith("CSISnapshot") for volume in scene.contents.volumes):
        yield Finding(Verb.SKIP, "no volume comes back through it: it would be taken anew, of the copy")


_NAMED = (
    Rule("S10", "controllers that act outside the cluster", _CREATES_OUTSIDE, _outside),
    Rule("S11", "backups by a database operator", _RUNS_BACKUPS, skipping("it would write into the real archive")),
    Rule("S11", "archives of a database operator", tuple(_ARCHIVES), _archive, stern=True),
    Rule("S11", "archives that cannot be taken out", _BOUND, _bound),
    Rule(
        "S12", "what acts on the whole cluster",
        ("clusterroles.*", "clusterrolebindings.*", "customresourcedefinitions.*", "apiservices.*",
         "validatingwebhookconfigurations.*", "mutatingwebhookconfigurations.*",
         "validatingadmissionpolic*.*", "mutatingadmissionpolic*.*"),
        skipping("it would act on the whole cluster"), stern=True,
    ),
)  # fmt: skip
RULES = (
    *_NAMED,
    Rule("S20", "snapshots that would be taken anew", _TAKEN_ANEW, _taken_anew),
    Rule("S12", "cluster-scoped objects", ("*",), _cluster),
    Rule("S10", "custom resources nobody knows", ("*",), _unknown),
)

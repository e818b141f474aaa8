"""Storage: claims, snapshots, claims from snapshots, and policies of the network as objects."""

from __future__ import annotations

from .kubectl_run import Script, run


def claim(name: str, source: str = "") -> str:
    more = (
        f"  dataSource: {{apiGroup: snapshot.storage.k8s.io, kind: VolumeSnapshot, name: {source}}}\n" if source else ""
    )
    return (
        f"apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {{name: {name}}}\nspec:\n"
        f"  accessModes: [ReadWriteOnce]\n  resources: {{requests: {{storage: 1Mi}}}}\n{more}"
    )


def pod(name: str, *args: str) -> str:
    words = ", ".join(f'"{arg}"' for arg in args)
    return (
        f"apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}}}\nspec:\n  terminationGracePeriodSeconds: 1\n"
        f"  volumes: [{{name: data, persistentVolumeClaim: {{claimName: {name}}}}}]\n  containers:\n"
        f"  - {{name: main, image: 'lazarus.dev/task:1', args: [{words}], "
        "volumeMounts: [{name: data, mountPath: /data}]}\n"
    )


SNAPSHOT = """
apiVersion: snapshot.storage.k8s.io/v1
kind: VolumeSnapshot
metadata: {name: cut}
spec: {source: {persistentVolumeClaimName: live}}
"""

POLICY = """
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: closed}
spec: {podSelector: {}, policyTypes: [Ingress]}
"""

SNAPSHOTS = Script(
    "snapshots",
    (
        run("create -f {dir}/claim.yaml", "persistentvolumeclaim/live created"),
        run("get pvc live", r"^live +Pending"),
        run("describe pvc live", "WaitForFirstConsumer", until=True),
        run("create -f {dir}/pod.yaml", "pod/live created"),
        run("wait --for=condition=Ready pod/live --timeout=80s", "pod/live condition met"),
        run("get pvc live", r"^live +Bound +pvc-\S+ +1Mi +RWO +standard"),
        run("exec live -- cat /data/kept", exact="written", until=True),
        run("create -f {dir}/snapshot.yaml", "volumesnapshot.snapshot.storage.k8s.io/cut created"),
        run("wait volumesnapshot/cut --for=jsonpath={.status.readyToUse}=true --timeout=80s", "cut condition met"),
        run("get volumesnapshot cut", r"^NAME +READYTOUSE +SOURCEPVC", r"^cut +true +live"),
        run("describe volumesnapshot cut", "Ready To Use: +true", "Bound Volume Snapshot Content Name"),
        run(
            "create -f {dir}/restored.yaml -f {dir}/reader.yaml",
            "persistentvolumeclaim/back created",
            "pod/back created",
        ),
        run("wait --for=condition=Ready pod/back --timeout=80s", "pod/back condition met"),
        run("exec back -- cat /data/kept", exact="written"),
        run("delete pvc back --wait=false", 'persistentvolumeclaim "back" deleted'),
        run("describe pvc back", r"^Status: +Terminating", "kubernetes.io/pvc-protection"),
        run("delete pod back --timeout=80s", 'pod "back" deleted'),
        # Without a word when it is gone before that.
        run("wait --for=delete pvc/back --timeout=80s", r"\A(persistentvolumeclaim/back condition met\n)?\Z"),
        run("delete volumesnapshot cut --timeout=80s", 'volumesnapshot.snapshot.storage.k8s.io "cut" deleted'),
        run(
            "get volumesnapshotcontent -o jsonpath={.items[*].spec.volumeSnapshotRef.namespace}",
            lacks="{ns}",
            until=True,
        ),
    ),
    {
        "claim.yaml": claim("live"),
        "pod.yaml": pod("live", "write", "kept", "sleep", "3600"),
        "snapshot.yaml": SNAPSHOT,
        "restored.yaml": claim("back", "cut"),
        "reader.yaml": pod("back", "sleep", "3600"),
    },
)

POLICIES = Script(
    "policies",
    (
        run("create -f {dir}/policy.yaml", "networkpolicy.networking.k8s.io/closed created"),
        run("get netpol closed", r"^closed +<none>"),
        run("describe netpol closed", "Allowing ingress traffic:", r"<none> \(Selected pods are isolated for ingress"),
        run("run web --image=lazarus.dev/web:1 --port=8080 --expose", "service/web created", "pod/web created"),
        run("wait --for=condition=Ready pod/web --timeout=80s", "pod/web condition met"),
        run("get endpoints web -o jsonpath={.subsets[0].ports[0].port}", exact="8080", until=True),
        run("delete netpol closed", '"closed" deleted'),
        run("get --raw /api/v1/namespaces/{ns}/services/web:8080/proxy/healthz", exact="ok", until=True),
    ),
    {"policy.yaml": POLICY},
)

SCRIPTS = (SNAPSHOTS, POLICIES)

"""Any object at all under the rules: applying them twice is applying them once, and what is expected then holds."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lazarus_tui.prove.points import Contents, Item
from lazarus_tui.prove.rules import Options, holds, judge
from lazarus_tui.prove.rules.modifiers import document
from lazarus_tui.sandbox.velero import modifiers as sandbox
from tests.prove.harm import dangers
from tests.prove.hostile import resource_of

HERE, THERE = "shop", "lazarus-q-01234567"

NAMES = st.sampled_from(["web", "db", "a.b", "x-1"])
MARKS = st.dictionaries(
    st.sampled_from([
        "app", "eks.amazonaws.com/role-arn", "argocd.argoproj.io/tracking-id", "app.kubernetes.io/instance",
        "post.hook.restore.velero.io/command", "prometheus.io/scrape", "cert-manager.io/issuer",
        "external-dns.alpha.kubernetes.io/hostname", "vault.hashicorp.com/role", "lazarus/role", "note~of/a",
    ]),
    st.sampled_from(["x", "consumer", "true"]),
    max_size=4,
)  # fmt: skip
CONTEXT = st.fixed_dictionaries(
    {},
    optional={
        "privileged": st.booleans(),
        "runAsUser": st.integers(0, 9),
        "capabilities": st.fixed_dictionaries(
            {}, optional={"add": st.lists(st.sampled_from(["SYS_ADMIN", "CHOWN", "NET_RAW"]), max_size=3),
                          "drop": st.just(["ALL"])}),
        "procMount": st.sampled_from(["Default", "Unmasked"]),
        "seccompProfile": st.sampled_from([{"type": "Unconfined"}, {"type": "RuntimeDefault"}]),
        "sysctls": st.just([{"name": "kernel.msgmax", "value": "1"}, {"name": "net.ipv4.tcp_syncookies"}]),
    },
)  # fmt: skip
PORT = st.fixed_dictionaries(
    {"containerPort": st.integers(1, 3)}, optional={"hostPort": st.integers(1, 3), "name": NAMES}
)
VOLUME = st.sampled_from([
    {"emptyDir": {}}, {"hostPath": {"path": "/"}}, {"nfs": {"server": "nas", "path": "/x"}},
    {"secret": {"secretName": "s"}}, {"csi": {"driver": "d"}}, {"persistentVolumeClaim": {"claimName": "data"}},
])  # fmt: skip


def named(inner: Any, most: int) -> Any:
    """A list of objects with names of their own, as the API demands it of containers and volumes."""
    return st.dictionaries(NAMES, inner, min_size=1, max_size=most).map(
        lambda found: [{"name": name, **body} for name, body in found.items()]
    )


CONTAINERS = named(
    st.fixed_dictionaries(
        {"image": st.just("i")}, optional={"securityContext": CONTEXT, "ports": st.lists(PORT, max_size=3)}
    ),
    3,
)
POD = st.fixed_dictionaries(
    {"containers": CONTAINERS},
    optional={
        "initContainers": CONTAINERS,
        "volumes": named(VOLUME, 3),
        "hostNetwork": st.booleans(),
        "hostPID": st.booleans(),
        "priorityClassName": st.just("high"),
        "securityContext": CONTEXT,
        "nodeSelector": st.just({"disk": "ssd"}),
    },
)
LABELS = st.dictionaries(
    st.sampled_from(["app", "app.kubernetes.io/instance", "argocd.argoproj.io/instance", "lazarus/role"]),
    st.sampled_from(["x", "consumer"]),
    max_size=3,
)
META = st.fixed_dictionaries({"name": NAMES}, optional={"annotations": MARKS, "labels": LABELS})
TEMPLATE = st.fixed_dictionaries({"metadata": st.fixed_dictionaries({}, optional={"annotations": MARKS}), "spec": POD})


def of(api: str, kind: str, **fields: Any) -> Any:
    return st.fixed_dictionaries({"apiVersion": st.just(api), "kind": st.just(kind), "metadata": META, **fields})


SCALED = st.fixed_dictionaries({"template": TEMPLATE}, optional={"replicas": st.integers(0, 3)})
SERVICE = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(["ClusterIP", "NodePort", "LoadBalancer", "ExternalName"]),
        "externalName": st.just("example.com"),
        "externalIPs": st.just(["198.51.100.1"]),
        "loadBalancerIP": st.just("198.51.100.1"),
        "ports": st.lists(st.fixed_dictionaries({"port": st.integers(1, 3)}, optional={"nodePort": st.just(30000)})),
    },
)
SUBJECT = st.fixed_dictionaries({
    "kind": st.sampled_from(["User", "ServiceAccount"]), "name": NAMES, "namespace": st.sampled_from([HERE, "ci"]),
})  # fmt: skip
OBJECTS = st.one_of(
    of("v1", "Pod", spec=POD),
    of("apps/v1", "Deployment", spec=SCALED),
    of("apps/v1", "StatefulSet", spec=SCALED),
    of("apps/v1", "DaemonSet", spec=SCALED),
    of("batch/v1", "Job", spec=st.fixed_dictionaries({"template": TEMPLATE})),
    of("batch/v1", "CronJob", spec=st.fixed_dictionaries({
        "jobTemplate": st.fixed_dictionaries({"spec": st.fixed_dictionaries({"template": TEMPLATE})})})),
    of("v1", "Service", spec=SERVICE),
    of("v1", "ServiceAccount"),
    of("v1", "ConfigMap"),
    of("rbac.authorization.k8s.io/v1", "RoleBinding", subjects=st.lists(SUBJECT, max_size=3)),
    of("networking.k8s.io/v1", "Ingress", spec=st.just({})),
    of("gadgets.example.com/v1", "Gadget", spec=st.just({"a": 1})),
)  # fmt: skip


@settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(OBJECTS)
def test_what_is_left_of_any_object_is_harmless_as_expected_and_stays_so(body: dict[str, Any]) -> None:
    body["metadata"]["namespace"] = HERE
    before = json.dumps(body, sort_keys=True)
    item = Item(resource_of(body), HERE, body["metadata"]["name"], body)
    found = judge(Contents("velero", "p", HERE, (item,)), Options(target=THERE))
    once = found.apply(body)
    assert json.dumps(body, sort_keys=True) == before, "the object itself is not touched"
    if once is None:
        assert item.resource in found.excluded or found.blocked
        return
    assert found.apply(once) == once
    assert dangers(once, (HERE, THERE)) == []
    assert [one for one in found.expected if not holds(once, one)] == []
    rules = sandbox.parse({"data": {"rules": document(found.modifiers)}}, "x") if found.modifiers else []
    restored, errors = sandbox.apply(rules, item.resource, HERE, body)
    assert errors == []
    assert restored == once

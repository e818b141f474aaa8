"""The objects of a quarantine, closed first and then inhabited (requirements.md §4)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from lazarus_tui.model.labels import EXCLUDE_LABEL
from lazarus_tui.model.quantities import parse
from lazarus_tui.model.resources import LIMIT_RANGES, NAMESPACES, NETWORKPOLICIES, PODS, QUOTAS, Resource
from lazarus_tui.model.stepping import OPERATION_LABEL
from lazarus_tui.prove.quarantine import names
from lazarus_tui.prove.quarantine.names import Quarantine
from lazarus_tui.prove.rules.placement import SMALL

Object = dict[str, Any]

# No mesh puts its proxy into the probes or the copy: it would change what is proven, and carry it outside.
_NO_MESH_LABELS = {"istio-injection": "disabled", "kuma.io/sidecar-injection": "disabled"}
_NO_MESH_NOTES = {"linkerd.io/inject": "disabled"}
# What a container that asks for nothing is counted as: it gets no limit, which would change how it behaves.
_UNSAID = {"cpu": "10m", "memory": "16Mi"}
_PROBE_PODS, _PROBE_ASKS = 2, {"cpu": "5m", "memory": "8Mi"}
_NOBODY = 65534


def namespace(wanted: Quarantine, now: datetime) -> Object:
    """Velero leaves a namespace alone that exists: these labels and no copied ones (S3, S4)."""
    labels = {
        names.QUARANTINE: "true",
        names.EXPIRES: names.stamp(now + timedelta(minutes=wanted.keep_minutes)),
        EXCLUDE_LABEL: "true",
        "pod-security.kubernetes.io/enforce": "baseline",
        **_NO_MESH_LABELS,
    }
    return _made(NAMESPACES, wanted, wanted.name, {"annotations": dict(_NO_MESH_NOTES)}, labels)


def marks(op: str) -> Object:
    """Labels that the gate adds to whatever an operation makes."""
    return {OPERATION_LABEL: op[:8], "app.kubernetes.io/managed-by": "lazarus"}


def quota(wanted: Quarantine) -> Object:
    """No load balancers and no node ports, whatever a restore brings (S7); requests as the plan limits them (S18). What
    the proof itself starts beside the copy comes on top: a copy that fits must not be refused for it."""
    hard = {"services.loadbalancers": "0", "services.nodeports": "0"}
    limits = wanted.limits
    if "storage" in limits:
        hard["requests.storage"] = limits["storage"]
    for key in _PROBE_ASKS:
        if key in limits:
            own = _PROBE_PODS * parse(_PROBE_ASKS[key]) + wanted.helpers * parse(SMALL[key])
            hard[f"requests.{key}"] = f"{parse(limits[key]) + own:f}"
    if "pods" in limits:
        hard["pods"] = str(int(parse(limits["pods"])) + _PROBE_PODS + wanted.helpers)
    return _made(QUOTAS, wanted, names.QUOTA) | {"spec": {"hard": hard}}


def defaults(wanted: Quarantine) -> Object | None:
    """A quota on requests refuses pods that make none: they are counted as small. None without such a quota."""
    given = unsaid(wanted.limits)
    if not given:
        return None
    item = {"type": "Container", "defaultRequest": given}
    return _made(LIMIT_RANGES, wanted, names.DEFAULTS) | {"spec": {"limits": [item]}}


def unsaid(limits: Mapping[str, str]) -> dict[str, str]:
    """What a container that asks for nothing is counted as in a quarantine with these limits."""
    return {key: value for key, value in _UNSAID.items() if key in limits}


def policies(wanted: Quarantine) -> list[Object]:
    """Nothing goes in or out, names included (S1); what is open beside that is open within the quarantine alone.

    One probe may ask for names: that it is answered is what makes the silence of the other one show something. No pod
    of a copy has the label with the proof's id by which it is selected.
    """
    listener, dialer = {names.PROBE: "listener"}, {names.PROBE: "dialer"}
    port = {"protocol": "TCP", "port": names.PORT}
    made = [
        _policy(wanted, names.DENY, {}, ("Ingress", "Egress")),
        _policy(wanted, names.PROBE_OUT, dialer, ("Egress",), egress=[{"to": [_pods(listener)], "ports": [port]}]),
        _policy(wanted, names.PROBE_IN, listener, ("Ingress",), ingress=[{"from": [_pods(dialer)], "ports": [port]}]),
    ]
    if wanted.inside:
        ways: Object = {"ingress": [{"from": [_pods({})]}], "egress": [{"to": [_pods({})]}]}
        made.append(_policy(wanted, names.INSIDE, {}, ("Ingress", "Egress"), **ways))
    name, who = (names.NAMES, {}) if wanted.dns else (names.PROBE_NAMES, {**listener, **wanted.labels})
    made.append(_policy(wanted, name, who, ("Egress",), egress=[_asking()]))
    return made


def _asking() -> Object:
    """The way to the cluster's name server, by the labels that distributions give it."""
    server = {
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}},
        "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}},
    }
    return {"to": [server], "ports": [{"protocol": protocol, "port": 53} for protocol in ("UDP", "TCP")]}


def probes(wanted: Quarantine) -> list[Object]:
    """A pod that listens and one that dials: no token, no rights, next to no resources."""
    listen = ["httpd", "-f", "-p", str(names.PORT), "-h", "/tmp"]
    return [
        _pod(wanted, names.LISTENER, "listener", listen, [{"containerPort": names.PORT}]),
        _pod(wanted, names.DIALER, "dialer", ["sleep", "604800"], []),
    ]


def closed(wanted: Quarantine) -> list[tuple[Resource, Object]]:
    """What has to be there before any pod is."""
    given = defaults(wanted)
    made: list[tuple[Resource, Object]] = [(NETWORKPOLICIES, one) for one in policies(wanted)]
    return [*made, (QUOTAS, quota(wanted)), *([(LIMIT_RANGES, given)] if given else [])]


def _pod(wanted: Quarantine, name: str, role: str, command: list[str], ports: list[Object]) -> Object:
    container: Object = {
        "name": names.CONTAINER,
        "image": wanted.image,
        "command": command,
        "resources": {
            "requests": {**_PROBE_ASKS, "ephemeral-storage": "1Mi"},
            "limits": {"cpu": "100m", "memory": "32Mi", "ephemeral-storage": "16Mi"},
        },
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
    }
    if ports:
        container["ports"] = ports
    spec: Object = {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": 1,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": _NOBODY,
            "runAsGroup": _NOBODY,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [container],
        **wanted.placement.fields,
    }
    return _made(PODS, wanted, name, {}, {names.PROBE: role}) | {"spec": spec}


def _pods(labels: Mapping[str, str]) -> Object:
    return {"podSelector": {"matchLabels": dict(labels)} if labels else {}}


def _policy(
    wanted: Quarantine, name: str, selected: Mapping[str, str], types: tuple[str, ...], **ways: list[Object]
) -> Object:
    spec: Object = {**_pods(selected), "policyTypes": list(types), **ways}
    return _made(NETWORKPOLICIES, wanted, name) | {"spec": spec}


def _made(
    resource: Resource,
    wanted: Quarantine,
    name: str,
    meta: Mapping[str, Any] | None = None,
    labels: Mapping[str, str] | None = None,
) -> Object:
    where = {"namespace": wanted.name} if resource.namespaced else {}
    found = {"name": name, **where, "labels": {**wanted.labels, **(labels or {})}, **(meta or {})}
    return {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": found}

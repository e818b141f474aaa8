"""Ways in and ways to be found: Services, routes, policies, monitors (S2, S7, S8, S14, S15, S19)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from lazarus_tui.prove.points import Item
from lazarus_tui.prove.rules import wishes
from lazarus_tui.prove.rules.finding import Finding, Rule, Scene, Verb, skipping

# Fields of a Service that let it be reached from outside or send traffic out.
_OUTSIDE = (
    "loadBalancerIP", "loadBalancerClass", "loadBalancerSourceRanges", "externalIPs", "externalTrafficPolicy",
    "healthCheckNodePort", "allocateLoadBalancerNodePorts", "externalName",
)  # fmt: skip


def _service(item: Item, scene: Scene) -> Iterable[Finding]:
    spec = item.spec
    patch: dict[str, Any] = {}
    kind = str(spec.get("type") or "ClusterIP")
    said = [kind] if kind != "ClusterIP" else []
    expects: list[tuple[str, Any]] = []
    if kind != "ClusterIP":
        patch, expects = {"type": "ClusterIP"}, [("/spec/type", "ClusterIP")]
    if kind == "ExternalName":
        patch["clusterIP"] = "None"
        said = [f"ExternalName {spec.get('externalName', '')}"]
    for field in _OUTSIDE:
        if spec.get(field) is not None:
            patch[field] = None
            expects.append((f"/spec/{field}", None))
            said += [field] if field in ("externalIPs", "loadBalancerIP") else []
    ports = [one for one in spec.get("ports") or () if isinstance(one, dict)]
    if any("nodePort" in one for one in ports):
        patch["ports"] = [{key: value for key, value in one.items() if key != "nodePort"} for one in ports]
        expects += [(f"/spec/ports/{n}/nodePort", None) for n in range(len(ports))]
        said += [] if said else ["nodePort"]
    if patch:
        words = f"{', '.join(said) or 'ways in from outside'} → ClusterIP inside the quarantine"
        yield Finding(Verb.CHANGE, words, {"spec": patch}, expects=tuple(expects))


_second = skipping("a second route, name or certificate of the original; TLS Secrets stay")


def _route(item: Item, scene: Scene) -> Iterable[Finding]:
    """Left out, but for Ingresses where a plan asks for them."""
    if scene.routes and item.resource == wishes.INGRESSES:
        return (wishes.rerouted(item, scene),)
    return _second(item, scene)


RULES = (
    Rule(
        "S2", "restored policies would open the quarantine: policies only add",
        ("networkpolicies.*", "ciliumnetworkpolicies.*", "ciliumclusterwidenetworkpolicies.*",
         "globalnetworkpolicies.*", "adminnetworkpolicies.*", "baselineadminnetworkpolicies.*",
         "clusternetworkpolicies.*", "applicationnetworkpolicies.*", "fqdnnetworkpolicies.*", "egressfirewalls.*",
         "egressips.*"),
        skipping("network policies of the original would re-open what the quarantine closes"), stern=True,
    ),
    Rule("S7", "no way in from outside", ("services",), _service, stern=True),
    Rule(
        "S8", "names and routes of the original",
        ("ingresses.*", "ingressclasses.*", "*.gateway.networking.k8s.io", "routes.route.openshift.io",
         "*.networking.istio.io", "*.security.istio.io", "*.traefik.io", "*.traefik.containo.us",
         "*.projectcontour.io", "*.getambassador.io", "*.configuration.konghq.com", "*.gateway.envoyproxy.io",
         "*.cert-manager.io", "*.acme.cert-manager.io", "*.linkerd.io", "*.nginx.org"),
        _route,
    ),
    Rule(
        "S14", "membership and addresses of the original",
        ("leases.coordination.k8s.io", "endpoints", "endpointslices.discovery.k8s.io"),
        skipping("the original's addresses and leader; the copy makes its own"), stern=True,
    ),
    Rule(
        "S15", "scalers would start what is held",
        ("horizontalpodautoscalers.autoscaling", "verticalpodautoscalers.*", "*.keda.sh"),
        skipping("a scaler would start consumers or fight the release"),
    ),
    Rule(
        "S18", "the source's own quotas and budgets", ("resourcequotas", "poddisruptionbudgets.policy"),
        skipping("the quarantine has its own limits"),
    ),
    Rule(
        "S19", "scrapes and alerts of a copy",
        ("*.monitoring.coreos.com", "*.monitoring.rhobs", "*.operator.victoriametrics.com",
         "*.monitoring.googleapis.com", "*.monitoring.grafana.com", "*.datadoghq.com"),
        skipping("a copy that is scraped alerts people"),
    ),
)  # fmt: skip

"""The one table of the rules of requirements §4 that are about objects, in the order in which they speak."""

from __future__ import annotations

from collections.abc import Iterable

from lazarus_tui.prove.points import Item
from lazarus_tui.prove.rules import foreign, identities, nodes, podspecs, traffic, volumes
from lazarus_tui.prove.rules.finding import Finding, Rule, Scene, Verb, skipping

_SPACE = Rule("S4", "the namespace itself", ("namespaces",), skipping("the quarantine exists before, with our labels"))

# The API server puts these on by itself, and its own controllers take them off.
_PROTECTED = frozenset({"kubernetes.io/pvc-protection", "kubernetes.io/pv-protection"})


def _bound(item: Item, scene: Scene) -> Iterable[Finding]:
    """A copy's owner is not there to take its finalizer off: a pod of a Job would keep the quarantine for ever."""
    names = sorted({str(name) for name in item.meta.get("finalizers") or ()} - _PROTECTED)
    if names and item.namespace:
        words = f"nobody would take {', '.join(names)} off: it could not be removed"
        yield Finding(Verb.STRIP, words, {"metadata": {"finalizers": None}})


_FINALIZERS = Rule("S20", "finalizers", ("*",), _bound, stern=True)

TABLE: tuple[Rule, ...] = (
    _SPACE, *traffic.RULES, *foreign.RULES, *identities.RULES, *podspecs.RULES, *nodes.RULES, *volumes.RULES,
    _FINALIZERS,
)  # fmt: skip

# Left out whether or not the point was seen to hold any: what is read of a point is not trusted to be all of it.
ALWAYS_OUT = frozenset({
    "networkpolicies.networking.k8s.io",  # S2
    "ingresses.networking.k8s.io",  # S8
    "clusterroles.rbac.authorization.k8s.io", "clusterrolebindings.rbac.authorization.k8s.io",  # S12
    "mutatingwebhookconfigurations.admissionregistration.k8s.io",
    "validatingwebhookconfigurations.admissionregistration.k8s.io",
    "customresourcedefinitions.apiextensions.k8s.io", "apiservices.apiregistration.k8s.io",
    "priorityclasses.scheduling.k8s.io",
    "endpoints", "endpointslices.discovery.k8s.io", "leases.coordination.k8s.io",  # S14
    "horizontalpodautoscalers.autoscaling",  # S15
    "resourcequotas", "poddisruptionbudgets.policy",  # S18
})  # fmt: skip

# Verbs after which nothing more is said about an object.
FINAL = frozenset({Verb.SKIP, Verb.LEFT, Verb.BLOCK})


def findings(item: Item, scene: Scene) -> Iterable[tuple[Rule, Finding]]:
    """Everything the table says about one object; what ends its way ends the series."""
    for rule in TABLE:
        if rule.concerns(item):
            for found in rule.look(item, scene):
                yield rule, found
                if found.verb in FINAL:
                    return

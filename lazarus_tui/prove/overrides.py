"""Policies of the whole cluster that may open a quarantine, which its own policies cannot override (S2).

Each is asked three things: does it select pods of the quarantine, by the namespace's labels and name; does it let them
out; and where to. Labels of the copy's pods are not known, so a policy that selects by them may select some. What is
not understood may open it: nothing is taken for closed that was not evaluated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

import msgspec

from lazarus_tui.kube.errors import Forbidden, NotFound
from lazarus_tui.model.objects import LabelSelector
from lazarus_tui.model.resources import Resource
from lazarus_tui.model.scope import selects
from lazarus_tui.model.steps import Reader
from lazarus_tui.prove import selectors
from lazarus_tui.prove.proof.kinds import kinds

Object = Mapping[str, Any]
Where = tuple[str, int]  # an address or a network, and a port
Ways = list[tuple[str, str, tuple[Where, ...]]]  # who, where to in words, places to try

_NET = "policy.networking.k8s.io"
CILIUM = Resource("cilium.io", "v2", "ciliumclusterwidenetworkpolicies", "CiliumClusterwideNetworkPolicy", False)
CALICO = Resource("crd.projectcalico.org", "v1", "globalnetworkpolicies", "GlobalNetworkPolicy", False)
CALICO_3 = Resource("projectcalico.org", "v3", "globalnetworkpolicies", "GlobalNetworkPolicy", False)
ADMIN = Resource(_NET, "v1alpha1", "adminnetworkpolicies", "AdminNetworkPolicy", False)
BASELINE = Resource(_NET, "v1alpha1", "baselineadminnetworkpolicies", "BaselineAdminNetworkPolicy", False)
CLUSTER = Resource(_NET, "v1alpha2", "clusternetworkpolicies", "ClusterNetworkPolicy", False)
ANTREA = Resource("crd.antrea.io", "v1beta1", "clusternetworkpolicies", "ClusterNetworkPolicy", False)
ANTREA_1 = Resource("crd.antrea.io", "v1alpha1", "clusternetworkpolicies", "ClusterNetworkPolicy", False)
AWS = Resource("networking.k8s.aws", "v1alpha1", "clusternetworkpolicies", "ClusterNetworkPolicy", False)
# Of namespaces: who makes some in every new one (Kyverno, Capsule) makes them in the quarantine too.
CILIUM_INSIDE = Resource("cilium.io", "v2", "ciliumnetworkpolicies", "CiliumNetworkPolicy")
CALICO_INSIDE = Resource("crd.projectcalico.org", "v1", "networkpolicies", "NetworkPolicy")
CALICO_3_INSIDE = Resource("projectcalico.org", "v3", "networkpolicies", "NetworkPolicy")
ANTREA_INSIDE = Resource("crd.antrea.io", "v1beta1", "networkpolicies", "NetworkPolicy")
ANTREA_1_INSIDE = Resource("crd.antrea.io", "v1alpha1", "networkpolicies", "NetworkPolicy")
AWS_INSIDE = Resource("networking.k8s.aws", "v1alpha1", "applicationnetworkpolicies", "ApplicationNetworkPolicy")
GKE_INSIDE = Resource("networking.gke.io", "v1alpha1", "fqdnnetworkpolicies", "FQDNNetworkPolicy")
RULE = "S2"
EVERY, SOME, PERHAPS = "every pod of it", "pods of it with certain labels, which no probe has", "perhaps pods of it"
_REFUSING = ("Deny", "Drop", "Reject", "Log")
_ANYWHERE, _HTTPS = "anywhere", 443


@dataclass(frozen=True, slots=True)
class Space:
    """The quarantine as policies select it. ``dns``: the plan lets names out, so a way to port 53 opens nothing."""

    name: str
    labels: Mapping[str, str]
    dns: bool = False


Judge = Callable[[Object, Space], Ways]


@dataclass(frozen=True, slots=True)
class Opening:
    """A policy that lets something out. ``who``: EVERY, SOME or PERHAPS; ``to`` in words; ``places`` to try."""

    policy: str  # plural.group/name
    kind: str
    name: str
    who: str
    to: tuple[str, ...]
    places: tuple[Where, ...] = ()

    @property
    def words(self) -> str:
        more = f" and {len(self.to) - 4} more" if len(self.to) > 4 else ""
        return f"{self.kind} {self.name} lets {self.who} out to {', '.join(self.to[:4])}{more}"


@dataclass(frozen=True, slots=True)
class Openings:
    """``unread``: kinds that are served and may not be listed (plural.group)."""

    found: tuple[Opening, ...]
    unread: tuple[str, ...] = ()

    def unshown(self, allowed: Iterable[str]) -> list[str]:
        """Why the quarantine is not shown closed, one sentence each; ``allowed``: globs of what the plan lets stand."""
        globs = tuple(allowed)
        return [one.words for one in self.found if not free(one.policy, globs)] + self.unseen(globs)

    def unseen(self, allowed: Iterable[str]) -> list[str]:
        globs = tuple(allowed)
        return [f"{one} cannot be read (missing right: list)" for one in self.unread if not free(one, globs)]

    def names(self, allowed: Iterable[str]) -> list[str]:
        globs = tuple(allowed)
        return [one.policy for one in self.found if not free(one.policy, globs)]


def free(what: str, globs: Iterable[str]) -> bool:
    """Whether the plan lets a policy, or a whole kind of them, stand."""
    kind = what.partition("/")[0]
    return any(fnmatchcase(what, glob) if "/" in glob else glob == kind for glob in globs)


def allowed(exceptions: Iterable[Any]) -> list[str]:
    """What of a plan's exceptions (``rules.options.Allowed``) lets a policy of the whole cluster stand."""
    return [one.what for one in exceptions if one.rule == RULE and is_one(one.what)]


def is_one(what: str) -> bool:
    """Whether an exception names policies of this table: the kind in full, the name perhaps as a glob."""
    return what.partition("/")[0] in {kind.group_resource for kind in (*_JUDGES, *_INSIDE)}


async def openings(reader: Reader, space: Space) -> Openings:
    """All of them, read fresh. Raises ``KubeError``."""
    return await _read(reader, space, _JUDGES)


async def inside(reader: Reader, space: Space) -> Openings:
    """As ``openings``, of the CNI's own policies in the quarantine: none of them is its own. Raises ``KubeError``."""
    return await _read(reader, space, _INSIDE)


async def _read(reader: Reader, space: Space, judges: Mapping[Resource, Judge]) -> Openings:
    found: dict[Resource, list[Opening]] = {}
    stored: dict[str, Ways] = {}  # Calico's as they lie in storage
    closed: list[Resource] = []
    for kind, judge in judges.items():
        try:
            every = await reader.list(kind, space.name if kind.namespaced else None, type=dict)
        except NotFound:
            continue
        except Forbidden:
            closed.append(kind)
            continue
        ordered = sorted(every, key=lambda one: str(one["metadata"]["name"]))
        if kind.group == CALICO.group:
            stored |= {_plain(one): judge(one, space) for one in ordered}
        elif kind.group == CALICO_3.group:  # its own API server shows the stored ones again; without one these count
            ordered = [one for one in ordered if judge(one, space) != stored.get(_plain(one))]
            closed = [one for one in closed if one.group != CALICO.group] if every else closed
        if every:
            found[kind] = [opening for one in ordered for opening in _of(kind, one, judge(one, space))]
    if stored:
        closed = [kind for kind in closed if kind.group != CALICO_3.group]
    told = dict.fromkeys(one for each in found.values() for one in each)  # several versions show the same object
    return Openings(tuple(told), tuple(dict.fromkeys(await _served(reader, closed))))


def _plain(policy: Object) -> str:
    """The name without the tier that storage writes before those of the first one."""
    return str(policy["metadata"]["name"]).removeprefix("default.")


async def _served(reader: Reader, closed: list[Resource]) -> list[str]:
    """Who has no right to list a kind is refused whether or not there is one."""
    if not closed:
        return []
    known = await kinds(reader)
    there = [kind for kind in closed if known.plural(kind.group, kind.plural) or kind.group in known.silent]
    return [kind.group_resource for kind in there]


def _of(kind: Resource, policy: Object, ways: list[tuple[str, str, tuple[Where, ...]]]) -> list[Opening]:
    if not ways:
        return []
    name = str(policy["metadata"]["name"])
    who = next(one for one in (EVERY, SOME, PERHAPS) if one in {way[0] for way in ways})
    to = tuple(dict.fromkeys(way[1] for way in ways))
    places = tuple(dict.fromkeys(place for way in ways for place in way[2]))
    return [Opening(f"{kind.group_resource}/{name}", kind.kind, name, who, to, places)]


def _admin(policy: Object, space: Space) -> Ways:
    """Pass and the baseline leave it to the NetworkPolicies, which refuse. Only the admin tier comes before them."""
    spec = policy.get("spec") or {}
    if spec.get("tier") == "Baseline":
        return []
    subject = spec.get("subject") or {}
    chosen = subject.get("pods") or {}
    inside = _selected(subject.get("namespaces", chosen.get("namespaceSelector")), space.labels)
    if inside is False:
        return []
    pods = chosen.get("podSelector") or {}
    who = PERHAPS if inside is None else SOME if pods.get("matchLabels") or pods.get("matchExpressions") else EVERY
    rules = [one for one in spec.get("egress") or () if one.get("action") in ("Allow", "Accept")]
    return [(who, *_peers(one)) for one in rules if not (space.dns and _only_names(one.get("ports") or ()))]


def _peers(rule: Object) -> tuple[str, tuple[Where, ...]]:
    ports = _numbers(rule.get("ports") or ())
    words: list[str] = []
    networks: list[str] = []
    for peer in rule.get("to") or ():
        networks += [str(one) for one in peer.get("networks") or ()]
        words += [str(one) for one in (*(peer.get("networks") or ()), *(peer.get("domainNames") or ()))]
        words += [f"{kind} by labels" for kind in ("namespaces", "pods", "nodes") if kind in peer]
    where = ", ".join(dict.fromkeys(words)) or _ANYWHERE
    return _at(where, ports), tuple((one, port) for one in networks for port in ports or [_HTTPS])


def _calico(policy: Object, space: Space) -> Ways:
    spec = policy.get("spec") or {}
    if "Egress" not in (spec.get("types") or ["Egress"]):
        return []
    known = {"projectcalico.org/namespace": space.name, "projectcalico.org/orchestrator": "k8s"}
    of_space = {**space.labels, "projectcalico.org/name": space.name}
    inside = selectors.evaluate(str(spec.get("namespaceSelector") or ""), of_space, whole=True)
    pods = selectors.evaluate(str(spec.get("selector") or ""), known, whole=False)
    accounts = str(spec.get("serviceAccountSelector") or "")
    if inside is False or pods is False:
        return []
    who = PERHAPS if inside is None else SOME if pods is None or accounts else EVERY
    rules = [one for one in spec.get("egress") or () if one.get("action") not in _REFUSING]
    return [(who, *_destination(one)) for one in rules if not (space.dns and _names_port(one.get("destination") or {}))]


def _calico_inside(policy: Object, space: Space) -> Ways:
    """Its API server shows each NetworkPolicy of Kubernetes once more, which is judged as what it is."""
    return [] if str(policy["metadata"]["name"]).startswith("knp.") else _calico(policy, space)


def _destination(rule: Object) -> tuple[str, tuple[Where, ...]]:
    if rule.get("action") == "Pass":
        return "what the next tier or the profile of the namespace lets through", ()
    found = rule.get("destination") or {}
    ports = [one for one in found.get("ports") or () if isinstance(one, int)]
    nets = [str(one) for one in found.get("nets") or ()]
    words = [*nets, *(f"{key} {found[key]}" for key in ("selector", "namespaceSelector", "domains") if found.get(key))]
    words += [f"service {found['services'].get('name')}"] if found.get("services") else []
    return _at(", ".join(words) or _ANYWHERE, ports), tuple((net, port) for net in nets for port in ports or [_HTTPS])


def _cilium(policy: Object, space: Space) -> Ways:
    """What has a destination is an allowance; refusals are in ``egressDeny``, and an empty rule allows nothing."""
    found: Ways = []
    for spec in [policy.get("spec") or {}, *(policy.get("specs") or ())]:
        who = "" if "nodeSelector" in spec else _endpoints(spec.get("endpointSelector"), space)
        for way in spec.get("egress") or () if who else ():
            ports = [one for part in way.get("toPorts") or () for one in part.get("ports") or ()]
            numbers = [int(one["port"]) for one in ports if str(one.get("port") or "").isdigit()]
            pings = "icmps" in way  # where nothing else is said, to everywhere
            if not (pings or any(key.startswith("to") for key in way)) or (space.dns and _only_port_53(way)):
                continue
            nets = [str(one) for one in way.get("toCIDR") or ()]
            nets += [str(one.get("cidr")) for one in way.get("toCIDRSet") or () if one.get("cidr")]
            words = [*nets, *(str(one) for one in way.get("toEntities") or ())]
            words += [key for key in ("toEndpoints", "toServices", "toFQDNs", "toGroups", "toNodes") if key in way]
            words += ["by ICMP"] if pings else []
            places = tuple((net, port) for net in nets for port in numbers or [_HTTPS])
            found.append((who, _at(", ".join(words) or _ANYWHERE, numbers), places))
    return found


def _cilium_inside(policy: Object, space: Space) -> Ways:
    """In a namespace's policy endpoints are of that namespace, where their labels name no other."""

    def beside(way: Object) -> bool:
        if {key for key in way if key.startswith("to")} - {"toPorts"} != {"toEndpoints"}:
            return False
        chosen = [one or {} for one in way["toEndpoints"] or ()]
        keys = {key for one in chosen for key in one.get("matchLabels") or ()}
        keys |= {str(part.get("key")) for one in chosen for part in one.get("matchExpressions") or ()}
        return not any(_of_namespace(_bare(key)) or key.startswith("reserved") for key in keys)

    specs = [policy.get("spec") or {}, *(policy.get("specs") or ())]
    out = [{**one, "egress": [way for way in one.get("egress") or () if not beside(way)]} for one in specs]
    return _cilium({"specs": out}, space)


def _only_port_53(way: Object) -> bool:
    """A part without ports opens all of them, a name may be any, and ``endPort`` makes a range."""
    parts = [part.get("ports") or () for part in way.get("toPorts") or ()]
    ports = [one for part in parts for one in part]
    alone = all(str(one.get("port")) == "53" and one.get("endPort") in (None, 0, 53) for one in ports)
    return bool(parts) and all(parts) and alone and "icmps" not in way


def _endpoints(selector: Any, space: Space) -> str:
    """Who is selected; "" for nobody of the quarantine. Labels of its namespace are known, those of pods are not."""
    known = {"io.kubernetes.pod.namespace": space.name}
    known |= {f"io.cilium.k8s.namespace.labels.{key}": value for key, value in space.labels.items()}
    wanted = _parsed({key: (selector or {}).get(key) for key in ("matchLabels", "matchExpressions")})
    if wanted is None:
        return PERHAPS
    labels = {_bare(key): value for key, value in (wanted.match_labels or {}).items()}
    asked = [msgspec.structs.replace(one, key=_bare(one.key)) for one in wanted.match_expressions or ()]
    of_space = {key: value for key, value in labels.items() if _of_namespace(key)}
    parts = [one for one in asked if _of_namespace(one.key)]
    answer = selects(LabelSelector(match_labels=of_space, match_expressions=parts), known)
    if answer is False:
        return ""
    return PERHAPS if answer is None else SOME if len(of_space) < len(labels) or len(parts) < len(asked) else EVERY


def _bare(key: str) -> str:
    """Without the source: ``k8s:app`` is ``app``, where Cilium knows labels of several."""
    return key.partition(":")[2] if key.startswith(("k8s:", "any:")) else key


def _of_namespace(key: str) -> bool:
    return key == "io.kubernetes.pod.namespace" or key.startswith("io.cilium.k8s.namespace.labels.")


def _unknown(policy: Object, space: Space) -> Ways:
    """A kind whose selectors are not evaluated: what has a way out that is no refusal may open it."""
    rules = (policy.get("spec") or {}).get("egress") or ()
    return [(PERHAPS, _ANYWHERE, ()) for one in rules if one.get("action") not in _REFUSING]


def _nothing(policy: Object, space: Space) -> Ways:
    """It speaks last: every pod of the quarantine is under a NetworkPolicy, so it is never asked."""
    return []


def _selected(selector: Any, labels: Mapping[str, str]) -> bool | None:
    wanted = _parsed(selector)
    return None if wanted is None else selects(wanted, labels)


def _parsed(selector: Any) -> LabelSelector | None:
    try:
        return msgspec.convert(selector if isinstance(selector, Mapping) else {}, LabelSelector)
    except msgspec.ValidationError:
        return None


def _numbers(ports: Iterable[Object]) -> list[int]:
    """Of ``portNumber {port}`` (v1alpha1) and ``{protocol: {destinationPort {number}}}`` (v1alpha2)."""
    found = []
    for one in ports:
        places = [one.get("portNumber") or {}]
        places += [part.get("destinationPort") or {} for part in one.values() if isinstance(part, Mapping)]
        found += [int(place[key]) for place in places for key in ("port", "number") if isinstance(place.get(key), int)]
    return found


def _only_names(ports: Iterable[Object]) -> bool:
    every = list(ports)
    return bool(every) and len(_numbers(every)) == len(every) and set(_numbers(every)) == {53}


def _names_port(destination: Object) -> bool:
    ports = destination.get("ports") or ()
    return bool(ports) and all(one == 53 for one in ports)


def _at(where: str, ports: Iterable[int]) -> str:
    told = ", ".join(str(one) for one in ports)
    return f"{where} port {told}" if told else where


_JUDGES: Mapping[Resource, Judge] = {
    CILIUM: _cilium, CALICO: _calico, CALICO_3: _calico, ADMIN: _admin, CLUSTER: _admin, BASELINE: _nothing,
    ANTREA: _unknown, ANTREA_1: _unknown, AWS: _admin,
}  # fmt: skip
_INSIDE: Mapping[Resource, Judge] = {
    CILIUM_INSIDE: _cilium_inside, CALICO_INSIDE: _calico_inside, CALICO_3_INSIDE: _calico_inside,
    ANTREA_INSIDE: _unknown, ANTREA_1_INSIDE: _unknown, AWS_INSIDE: _unknown, GKE_INSIDE: _unknown,
}  # fmt: skip

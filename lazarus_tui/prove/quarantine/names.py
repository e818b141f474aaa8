"""What a quarantine is called and marked with, and what of a proof's plan it needs (design.md §10)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from lazarus_tui.model.resources import Resource
from lazarus_tui.prove import overrides
from lazarus_tui.prove.rules.options import allowed_before
from lazarus_tui.prove.rules.placement import Placement, placement

QUARANTINE = "lazarus.io/quarantine"
"""Label of the namespace: "true"."""

OPERATION = "lazarus.io/operation"
"""Label of all that a proof makes, and of volumes and contents that came with it: the whole id of the operation."""

EXPIRES = "lazarus.io/expires"
"""Label of the namespace: the moment from which it may be removed, as ``20261121T164500Z``."""

PROBE = "lazarus.io/probe"
"""Label of the two probe pods: their role."""

CAPSULE = "lazarus.io/capsule"

DENY, INSIDE, NAMES = "lazarus-deny-all", "lazarus-inside", "lazarus-dns"
PROBE_OUT, PROBE_IN, PROBE_NAMES = "lazarus-probe-out", "lazarus-probe-in", "lazarus-probe-names"
QUOTA, DEFAULTS = "lazarus-quota", "lazarus-defaults"
LISTENER, DIALER = "lazarus-probe-listener", "lazarus-probe-dialer"
PORT = 8080
CONTAINER = "probe"

# A small image with httpd, nc, nslookup and env; where registries are closed the settings name a copy of it.
IMAGE = "busybox:1.36"
# Somebody on the internet who takes connections from everybody.
OUTSIDE = "1.1.1.1:443"

# Behind the name of a Restore that is run a second time.
AGAIN = "-r2"

_NAME = re.compile(r"lazarus-q-[0-9a-f]{8}")
_STAMP = "%Y%m%dT%H%M%SZ"


def name(op: str) -> str:
    """The namespace of operation ``op``."""
    return f"lazarus-q-{op[:8]}"


def is_name(namespace: str) -> bool:
    """Whether a namespace is called as quarantines are: for lists that leave them out. What is removed is never found
    by its name."""
    return _NAME.fullmatch(namespace) is not None


def stamp(moment: datetime) -> str:
    """A moment fit for a label, where colons are not allowed; whole seconds, UTC."""
    return moment.astimezone(UTC).strftime(_STAMP)


def moment(text: str) -> datetime | None:
    """What ``stamp`` wrote; None for anything else."""
    try:
        return datetime.strptime(text, _STAMP).replace(tzinfo=UTC)
    except ValueError:
        return None


@dataclass(frozen=True)
class Custom:
    """A kind of custom resource that the plan knows of; see ``prove.custom.standing``."""

    resource: Resource
    keep: Mapping[str, Any] = field(default_factory=dict, hash=False)
    outside: bool = False
    allowed: bool = False


@dataclass(frozen=True, slots=True)
class Quarantine:
    """What of a proof's ``plan.params`` is about its quarantine.

    ``restore`` and ``modifiers`` name the Restore and its ConfigMap in Velero's namespace; ``handles`` are identities
    of live storage that nothing in the quarantine may be; ``points`` the snapshots the proof restores from. ``inside``
    lets its pods talk to each other, ``dns`` lets them ask the cluster's name server; both are closed to the outside.
    ``beside``: globs of policies of the whole cluster that the plan lets stand (see ``prove.overrides``).
    ``placement``: the class of its own pods and where they run, as of the copy's (S18). ``helpers``: how many pods
    checks and a control may start in it.
    """

    op: str
    name: str
    velero: str = ""
    source: str = ""
    workload: str = ""
    restore: str = ""
    modifiers: str = ""
    handles: frozenset[str] = frozenset()
    points: frozenset[str] = frozenset()
    limits: Mapping[str, str] = field(default_factory=dict)
    keep_minutes: float = 0.0
    image: str = IMAGE
    outside: str = OUTSIDE
    inside: bool = True
    dns: bool = False
    custom: tuple[Custom, ...] = ()
    beside: tuple[str, ...] = ()
    placement: Placement = field(default_factory=Placement)
    helpers: int = 0

    @property
    def labels(self) -> dict[str, str]:
        """On everything that is made for it, beside the labels the gate gives."""
        return {OPERATION: self.op}

    @property
    def runs(self) -> tuple[str, ...]:
        """Names that its Restore can have: a second run has one that follows from the first one's."""
        return (self.restore, f"{self.restore}{AGAIN}") if self.restore else ()

    def owns(self, found: Mapping[str, Any] | None) -> bool:
        """Whether an object carries this operation's whole id: a name alone proves nothing."""
        return found is not None and label(found, OPERATION) == self.op


def quarantine(params: Mapping[str, Any]) -> Quarantine:
    """The quarantine of a proof's parameters; ``probe`` {image, outside} and ``network`` {inside, dns} are optional."""
    op = str(params["op"])
    probe, network = params.get("probe") or {}, params.get("network") or {}
    modifiers = params.get("modifiers") or {}
    volumes = params.get("volumes") or ()
    return Quarantine(
        op=op,
        name=str(params.get("quarantine") or name(op)),
        velero=str(params.get("velero") or ""),
        source=str(params.get("namespace") or ""),
        workload=str(params.get("workload") or ""),
        restore=str((params.get("restore") or {}).get("name") or ""),
        modifiers=str(modifiers.get("name") or "") if isinstance(modifiers, Mapping) else str(modifiers),
        handles=frozenset(str(one) for one in params.get("handles") or ()),
        points=frozenset(str(one["handle"]) for one in volumes if one.get("handle")),
        limits={key: str(value) for key, value in (params.get("limits") or {}).items() if value},
        keep_minutes=float(params.get("keep_minutes") or 0),
        image=str(probe.get("image") or IMAGE),
        outside=str(probe.get("outside") or OUTSIDE),
        inside=bool(network.get("inside", True)),
        dns=bool(network.get("dns", False)),
        custom=tuple(_custom(one) for one in params.get("custom") or ()),
        beside=tuple(overrides.allowed(allowed_before(params.get("allow")))),
        placement=placement(params),
        helpers=_helpers(params),
    )


def _helpers(params: Mapping[str, Any]) -> int:
    """One for each check by a pod or a Job, a restored one too, and the one that spoils volumes."""
    checks = (params.get("checks") or {}).get("checks") or ()
    return sum(one.get("kind") in ("pod", "job") for one in checks) + (params.get("control") == "flip")


def _custom(given: Mapping[str, Any]) -> Custom:
    group, version, plural, kind = (str(given[key]) for key in ("group", "version", "plural", "kind"))
    resource = Resource(group, version, plural, kind, namespaced=bool(given["namespaced"]))
    return Custom(resource, given.get("keep") or {}, bool(given.get("outside")), bool(given.get("allowed")))


def label(found: Mapping[str, Any], key: str) -> str:
    """A label of an object as the API sends it; "" when it has none."""
    value = ((found.get("metadata") or {}).get("labels") or {}).get(key)
    return value if isinstance(value, str) else ""

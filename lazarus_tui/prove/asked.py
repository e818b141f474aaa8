"""What was asked of a proof: the planner's parameters, checked, with one clear error each."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from lazarus_tui.model.plan import Params, PlanRefused
from lazarus_tui.model.proofs import RUNGS
from lazarus_tui.model.quantities import QuantityError
from lazarus_tui.model.quantities import parse as quantity
from lazarus_tui.prove import overrides
from lazarus_tui.prove.definitions import SANDBOX_CONTEXT, SHOP
from lazarus_tui.prove.rules import Allowed, allowed
from lazarus_tui.prove.rules.placement import Nodes
from lazarus_tui.prove.rules.table import TABLE

SOURCES = ("velero", "snapshots")
CONTROLS = ("", "withhold", "flip", "drop-table", "no-workload")
INGRESS = ("rewrite",)
LIMITS = ("cpu", "memory", "storage", "pods")
NETWORK = ("dns", "inside")
WORKLOADS = ("StatefulSet", "Deployment", "DaemonSet")
LONGEST_KEEP = 24 * 60.0
_NAMESPACE = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """``workload``: "" (all of the namespace) or ``Kind/name``. Times in seconds; ``keep_minutes``: how long the
    quarantine stays after the checks; ``require``: rungs that must pass, () for the usual ones; ``placeholders``: globs
    over NAME/KEY of Secrets that come without their values; ``nodes``: where the copy may run; ``ingress``: "" leaves
    Ingresses out, "rewrite" brings them under names that nobody has."""

    namespace: str = ""
    source: str = "velero"
    point: str = "latest"
    workload: str = ""
    velero: str = ""
    checks: dict[str, Any] | None = None
    require: tuple[str, ...] = ()
    rto_seconds: float | None = None
    rpo_seconds: float | None = None
    stabilise_seconds: float = 0.0
    limits: dict[str, str] = {}
    keep_minutes: float = 0.0
    control: str = ""
    policy: str = ""
    policy_hash: str = ""  # of the policy as it was when it asked
    negative_control: dict[str, str] = {}  # how the policy's controls stood then: {state, at}
    owner: str = ""  # who asked for it
    network: dict[str, bool] = {}
    probe: dict[str, str] = {}
    alertmanagers: tuple[str, ...] = ()  # in which alerts about the quarantine are silenced
    allow: tuple[Allowed, ...] = ()
    placeholders: tuple[str, ...] = ()
    nodes: Nodes = Nodes()
    ingress: str = ""


def asked(params: Params, context: str, now: datetime) -> Asked:
    """The parameters; in the sandbox the shop is proven unless something else is named. Raises ``PlanRefused``."""
    given = {key: value for key, value in params.items() if value is not None and key in _FIELDS}
    targets = params.get("targets")
    given |= {
        key: targets[key] for key in ("rto_seconds", "rpo_seconds") if isinstance(targets, Mapping) and key in targets
    }
    given["allow"] = ()
    try:
        found = msgspec.convert(given, Asked)
    except msgspec.ValidationError as error:
        raise PlanRefused(f"this cannot be proven: {error}", where="prove") from error
    unknown = sorted(set(params) - set(_FIELDS) - {"targets"})
    if unknown:
        raise PlanRefused(f"a proof knows no parameter {', '.join(unknown)}", where="prove", hint=", ".join(_FIELDS))
    if not found.namespace and context == SANDBOX_CONTEXT:
        found = msgspec.structs.replace(found, namespace=SHOP)
    if found.namespace == SHOP and context == SANDBOX_CONTEXT and "dns" not in found.network:
        # The shop's front finds its order book by name; the sandbox's name server knows the cluster's names only.
        found = msgspec.structs.replace(found, network={**found.network, "dns": True})
    _check(found)
    found = msgspec.structs.replace(found, allow=allowed(params.get("allow"), now))
    for one in found.allow:
        _can_be_freed(one)
    return found


_FIELDS = Asked.__struct_fields__


def _check(found: Asked) -> None:
    if not _NAMESPACE.fullmatch(found.namespace):
        raise PlanRefused("which namespace?", where="namespace", hint="name it as NAMESPACE or NAMESPACE/KIND/NAME")
    _one_of("source", found.source, SOURCES)
    _one_of("control", found.control, CONTROLS)
    if found.ingress:
        _one_of("ingress", found.ingress, INGRESS)
    for one in found.placeholders:
        if one.count("/") != 1 or not all(one.split("/")):
            raise PlanRefused(f"{one!r} is no key of a Secret", where="placeholders", hint="NAME/KEY, globs are fine")
    found.nodes.check()
    for rung in found.require:
        _one_of("require", rung, RUNGS[:-1])
    for key in found.network:
        _one_of("network", key, NETWORK)
    _check_limits(found.limits)
    if found.workload:
        kind, slash, name = found.workload.partition("/")
        if not slash or not name:
            raise PlanRefused(f"{found.workload!r} is no workload", where="workload", hint="StatefulSet/orders")
        _one_of("workload", kind, WORKLOADS)
    if not 0 <= found.keep_minutes <= LONGEST_KEEP:
        raise PlanRefused(f"keep_minutes is between 0 and {LONGEST_KEEP:.0f}", where="keep_minutes")
    if found.source == "snapshots" and not found.workload.startswith("StatefulSet/"):
        raise PlanRefused("a snapshot set is of one StatefulSet", where="workload", hint="StatefulSet/orders")


def _check_limits(limits: Mapping[str, str]) -> None:
    for key, value in limits.items():
        _one_of("limits", key, LIMITS)
        try:
            quantity(value)
        except QuantityError as error:
            raise PlanRefused(str(error), where=f"limits.{key}") from error


def _can_be_freed(one: Allowed) -> None:
    """An exception that can never have an effect is a mistake of whoever wrote it."""
    rules = [rule for rule in TABLE if rule.id == one.rule]
    free = sorted({rule.id for rule in TABLE if not rule.stern}, key=lambda name: int(name.removeprefix("S")))
    if not rules:
        raise PlanRefused(f"there is no rule {one.rule!r} of objects", where="allow", hint=f"one of {', '.join(free)}")
    if all(rule.stern for rule in rules) and not (one.rule == overrides.RULE and overrides.is_one(one.what)):
        what = f"rule {one.rule} has no exceptions: it keeps the quarantine closed"
        raise PlanRefused(what, where="allow", hint="see docs/rules.md")


def _one_of(where: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise PlanRefused(
            f"{where}: there is no {value!r}", where=where, hint=f"one of {', '.join(filter(None, known))}"
        )

"""What pods ask for: requests and limits of all their containers together, and the class of service that makes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lazarus_tui.sandbox.api.amounts import Amount, amount

Object = dict[str, Any]
Amounts = dict[str, Amount]

# What decides about the class of service; other resources do not.
_COMPUTE = ("cpu", "memory")
_PARTS = ("requests", "limits")


def amounts(values: Mapping[str, Any] | None) -> Amounts:
    return {name: amount(value) for name, value in (values or {}).items()}


def added(one: Mapping[str, Amount], other: Mapping[str, Amount]) -> Amounts:
    """Of both, name by name."""
    return {name: one.get(name, Amount()) + other.get(name, Amount()) for name in {**one, **other}}


def most(one: Mapping[str, Amount], other: Mapping[str, Amount]) -> Amounts:
    """The larger of both, name by name."""
    return {name: max(one.get(name, other.get(name, Amount())), other.get(name, Amount())) for name in {**one, **other}}


def containers(pod: Object) -> list[Object]:
    """Those that run together, without those that run before."""
    return [one for one in (pod.get("spec") or {}).get("containers") or () if isinstance(one, dict)]


def first_containers(pod: Object) -> list[Object]:
    return [one for one in (pod.get("spec") or {}).get("initContainers") or () if isinstance(one, dict)]


def pod_amounts(pod: Object, part: str) -> Amounts:
    """``part`` is ``requests`` or ``limits``: the sum of containers, or what one before them needs if that is more."""
    spec = pod.get("spec") or {}
    total: Amounts = {}
    for container in containers(pod):
        total = added(total, of_container(container, part))
    before: Amounts = {}
    beside: Amounts = {}
    for container in first_containers(pod):
        own = of_container(container, part)
        if container.get("restartPolicy") == "Always":  # a sidecar stays
            beside = added(beside, own)
            total = added(total, own)
            before = most(before, beside)
        else:
            before = most(before, added(beside, own))
    total = most(total, before)
    total |= amounts((spec.get("resources") or {}).get(part))  # said of the whole pod
    overhead = amounts(spec.get("overhead"))
    return {name: value + overhead.get(name, Amount()) for name, value in total.items()} | {
        name: value for name, value in overhead.items() if name not in total and part == "requests"
    }


def of_container(container: Object, part: str) -> Amounts:
    return amounts((container.get("resources") or {}).get(part))


def quality(pod: Object) -> str:
    """The class of service: Guaranteed, Burstable or BestEffort."""
    every = [*containers(pod), *first_containers(pod)]
    if not any(one.get("resources") for one in every):
        return "BestEffort"
    asked = [[of_container(one, part).get(name, Amount()) for name in _COMPUTE] for one in every for part in _PARTS]
    requests, limits = asked[::2], asked[1::2]
    if not any(any(values) for values in asked):
        return "BestEffort"
    return "Guaranteed" if requests == limits and all(all(values) for values in limits) else "Burstable"

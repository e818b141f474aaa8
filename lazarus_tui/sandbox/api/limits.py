"""LimitRanges: what containers get that ask for nothing, and the least and most that they and claims may have."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from lazarus_tui.model.resources import Resource
from lazarus_tui.sandbox.api.amounts import Amount, amount
from lazarus_tui.sandbox.api.demands import (
    Amounts,
    amounts,
    containers,
    first_containers,
    of_container,
    pod_amounts,
)
from lazarus_tui.sandbox.api.kinds import Kind
from lazarus_tui.sandbox.api.store import Store

LIMIT_RANGES = Resource("", "v1", "limitranges", "LimitRange")
_ANNOTATION = "kubernetes.io/limit-ranger"

Object = dict[str, Any]


def fill_limit_range(obj: Object) -> None:
    """A container's default limit is its most, unless said; its default request that limit, or else its least."""
    for item in (obj.get("spec") or {}).get("limits") or ():
        if not isinstance(item, dict) or item.get("type") != "Container":
            continue
        default = {**(item.get("max") or {}), **(item.get("default") or {})}
        request = {**(item.get("min") or {}), **default, **(item.get("defaultRequest") or {})}
        item |= {"default": default} if default else {}
        item |= {"defaultRequest": request} if request else {}


def _items(store: Store, namespace: str, kind: str) -> Iterator[Mapping[str, Any]]:
    for entity in store.select(LIMIT_RANGES.group_resource, namespace):
        for item in (entity.obj.get("spec") or {}).get("limits") or ():
            if item.get("type") == kind:
                yield item


def fill_pod(pod: Object, store: Store) -> None:
    """Give containers what the namespace's LimitRanges say, and write down that it was given."""
    given: list[str] = []
    for item in _items(store, pod["metadata"].get("namespace", ""), "Container"):
        for number, container in enumerate((*containers(pod), *first_containers(pod))):
            what = "container" if number < len(containers(pod)) else "init container"
            for part, source, word in (("requests", "defaultRequest", "request"), ("limits", "default", "limit")):
                new = _filled(container, part, item.get(source) or {})
                if new:
                    given.append(f"{', '.join(sorted(new))} {word} for {what} {container.get('name', '')}")
    if given:
        annotations = pod["metadata"].get("annotations") or {}
        pod["metadata"]["annotations"] = annotations | {_ANNOTATION: "LimitRanger plugin set: " + "; ".join(given)}


def _filled(container: Object, part: str, values: Mapping[str, Any]) -> list[str]:
    resources = container.get("resources") or {}
    present = resources.get(part) or {}
    new = [name for name in values if name not in present]
    if new:
        container["resources"] = {**resources, part: {**present, **{name: values[name] for name in new}}}
    return new


def check_limits(kind: Kind, obj: Object, store: Store) -> None:
    """403 when a new pod, or a claim, asks for less or more than the LimitRanges of its namespace allow."""
    namespace = obj["metadata"].get("namespace", "")
    told: list[str] = []
    if kind.plural == "pods":
        for item in _items(store, namespace, "Container"):
            for container in (*containers(obj), *first_containers(obj)):
                told += _broken(item, of_container(container, "requests"), of_container(container, "limits"))
        for item in _items(store, namespace, "Pod"):
            told += _broken(item, pod_amounts(obj, "requests"), pod_amounts(obj, "limits"))
    else:
        requests = amounts(((obj.get("spec") or {}).get("resources") or {}).get("requests"))
        for item in _items(store, namespace, "PersistentVolumeClaim"):
            told += _claim_broken(item, requests)
    if told:
        joined = told[0] if len(told) == 1 else f"[{', '.join(told)}]"
        raise kind.forbidden(obj["metadata"]["name"], joined)


def _broken(item: Mapping[str, Any], requests: Amounts, limits: Amounts) -> Iterator[str]:
    kind = item["type"]
    for name, least in amounts(item.get("min")).items():
        yield from _too_little(kind, name, least, requests, limits)
    for name, largest in amounts(item.get("max")).items():
        yield from _too_much(kind, name, largest, requests, limits)
    for name, ratio in (item.get("maxLimitRequestRatio") or {}).items():
        yield from _too_far_apart(kind, name, amount(ratio), requests.get(name), limits.get(name))


def _too_little(kind: str, name: str, least: Amount, requests: Amounts, limits: Amounts) -> Iterator[str]:
    rule = f"minimum {name} usage per {kind} is {least}"
    if name not in requests:
        yield f"{rule}.  No request is specified"
    elif requests[name] < least:
        yield f"{rule}, but request is {requests[name]}"
    elif name in limits and limits[name] < least:
        yield f"{rule}, but limit is {limits[name]}"


def _too_much(kind: str, name: str, largest: Amount, requests: Amounts, limits: Amounts) -> Iterator[str]:
    rule = f"maximum {name} usage per {kind} is {largest}"
    if name not in limits:
        yield f"{rule}.  No limit is specified"
    elif limits[name] > largest:
        yield f"{rule}, but limit is {limits[name]}"
    elif name in requests and requests[name] > largest:
        yield f"{rule}, but request is {requests[name]}"


def _too_far_apart(kind: str, name: str, most: Amount, request: Amount | None, limit: Amount | None) -> Iterator[str]:
    rule = f"{name} max limit to request ratio per {kind} is {most}"
    if not request:
        yield f"{rule}, but no request is specified or request is 0"
    elif not limit:
        yield f"{rule}, but no limit is specified or limit is 0"
    elif limit.nano * 10**9 > request.nano * most.nano:
        yield f"{rule}, but provided ratio is {limit.nano / request.nano:f}"


def _claim_broken(item: Mapping[str, Any], requests: Amounts) -> Iterator[str]:
    """Claims have no limits: the most is compared with what they ask for."""
    for name, least in amounts(item.get("min")).items():
        yield from _too_little("PersistentVolumeClaim", name, least, requests, {})
    for name, largest in amounts(item.get("max")).items():
        rule = f"maximum {name} usage per PersistentVolumeClaim is {largest}"
        if name not in requests:
            yield f"{rule}.  No request is specified"
        elif requests[name] > largest:
            yield f"{rule}, but request is {requests[name]}"

"""Asked before a restore in place is shown: rights, admission, quota, and whether Velero is at work there.

What would stop it in the middle refuses the plan; what cannot be known is said. The rights for the way back come first:
a restore that could not be undone is not begun (reference: data §2.3 P3, P6, P7).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from lazarus_tui.kube.errors import Forbidden, NotFound
from lazarus_tui.model.plan import PlanRefused
from lazarus_tui.model.quantities import QuantityError, parse, size
from lazarus_tui.model.resources import (
    BACKUPS,
    CLAIMS,
    CONFIGMAPS,
    EVENTS,
    LEASES,
    PODS,
    RESTORES,
    STATEFULSETS,
    VOLUMES,
    Resource,
)
from lazarus_tui.model.snapshots import CONTENTS, SNAPSHOTS
from lazarus_tui.model.steps import Reader
from lazarus_tui.model.storage import ATTACHMENTS
from lazarus_tui.snapshots.claimspec import restored
from lazarus_tui.snapshots.inplace.part import Part
from lazarus_tui.snapshots.names import shortened

QUOTAS = Resource("", "v1", "resourcequotas", "ResourceQuota")

# Phases in which Velero reads or writes objects and volumes (velero/velero api/v1 phases).
_AT_WORK = (
    "InProgress", "WaitingForPluginOperations", "WaitingForPluginOperationsPartiallyFailed",
    "Finalizing", "FinalizingPartiallyFailed",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Right:
    """One verb a step needs. ``hard``: without it the plan is refused; ``why`` says what it is for."""

    verb: str
    resource: Resource
    why: str
    subresource: str = ""
    name: str = ""
    namespace: str = ""
    hard: bool = True

    def __str__(self) -> str:
        sub = f"/{self.subresource}" if self.subresource else ""
        where = f" in namespace {self.namespace}" if self.namespace else ""
        return f"{self.verb} {self.resource.group_resource}{sub}{where}"


def rights(namespace: str, workload: str, holds: Iterable[Mapping[str, Any]], *, safety: bool) -> list[Right]:
    """What the undo needs, then what only the way forward needs, then what can be done without."""

    def of(why: str, resource: Resource, *verbs: str, hard: bool = True, **more: str) -> list[Right]:
        where = namespace if resource.namespaced else ""
        return [Right(verb, resource, why, namespace=where, hard=hard, **more) for verb in verbs]

    back, forth = "needed to undo it", "needed to restore it"
    found = of(back, STATEFULSETS, "get", "patch", name=workload)
    found += of(back, STATEFULSETS, "patch", subresource="scale", name=workload)
    found += of(back, CLAIMS, "get", "create", "delete") + of(back, VOLUMES, "get", "patch")
    found += of(back, PODS, "list") + of(back, ATTACHMENTS, "list") + of(back, CONFIGMAPS, "get", "delete")
    for hold in holds:
        kind = Resource(hold["group"], hold["version"], hold["plural"], hold["kind"])
        found.append(Right("patch", kind, f"needed to give back {hold['name']}", namespace=hold["namespace"]))
    found += of(forth, CONFIGMAPS, "create", "patch")
    if safety:
        found += of(forth, SNAPSHOTS, "get", "create") + of(forth, CONTENTS, "get", "patch")
    found += of("a scale-down that stalls needs your own hand", PODS, "delete", hard=False)
    found += of("only preconditions keep other engines out", LEASES, "create", "patch", hard=False)
    return found + of("nothing is told on the workload itself", EVENTS, "create", hard=False)


async def check_rights(reader: Reader, wanted: Sequence[Right]) -> list[str]:
    """Warnings; raises ``PlanRefused`` that names every missing right, the undo's first."""
    missing: list[Right] = []
    unknown: list[Right] = []
    for right in wanted:
        allowed = await reader.can_i(right.verb, right.resource, right.namespace, right.name, right.subresource)
        if not allowed:
            (missing if allowed is False else unknown).append(right)
    if hard := [right for right in missing if right.hard]:
        words = "; ".join(f"{right} ({right.why})" for right in hard)
        raise PlanRefused(f"missing right: {words}", hint="have it granted, then make the plan again", code="right")
    warnings = [f"missing right: {right}: {right.why}" for right in missing]
    if unknown:
        some = ", ".join(map(str, unknown[:3])) + (" and others" if len(unknown) > 3 else "")
        warnings.append(f"whether these rights are there is not known, the review was not answered: {some}")
    return warnings


# A webhook that cannot be asked, and a quota that nobody has counted yet: neither says no.
_UNDECIDED = ("does not support dry run", "status unknown for quota")


async def check_admission(reader: Reader, namespace: str, parts: Sequence[Part], set_name: str) -> list[str]:
    """The claims as they will be made, tried under other names. What counts against a quota is left to ``check_quota``:
    the old claims are still there now, and will not be then."""
    warnings = []
    for part in parts:
        name = shortened(f"lazarus-try-{part.claim}", "", 253)
        body = restored(name, namespace, part.body, snapshot=part.snapshot, set_name=set_name, size=part.size, op="")
        why = await reader.dry_run(CLAIMS, body, namespace)
        if not why or "exceeded quota" in why:
            continue
        if any(words in why for words in _UNDECIDED):
            warnings.append(f"whether claim {part.claim} will be admitted is not known: {why}")
        else:
            raise PlanRefused(f"claim {part.claim} would be refused: {why}", hint="mend that, or restore beside it")
    return warnings


async def check_quota(reader: Reader, namespace: str, parts: Sequence[Part], *, safety: bool) -> list[str]:
    """Raises ``PlanRefused`` when a quota is too small. A volume that is kept counts for no quota, its claim did."""
    try:
        quotas = await reader.list(QUOTAS, namespace, type=dict)
    except Forbidden as error:
        return [f"whether a quota is too small is not known: {error.message}"]
    more = _demand(parts, safety=safety)
    for quota in quotas:
        spec, status = quota.get("spec") or {}, quota.get("status") or {}
        if spec.get("scopes") or spec.get("scopeSelector"):
            continue
        for key, limit in (status.get("hard") or spec.get("hard") or {}).items():
            needs = more.get(key, Decimal(0))
            used = _number((status.get("used") or {}).get(key))
            if needs > 0 and used + needs > _number(limit):
                what = f"quota {quota['metadata']['name']}: {key} would be {_shown(key, used + needs)} of {limit}"
                raise PlanRefused(f"{what} ({_shown(key, needs)} more)", hint="have it raised, or restore fewer claims")
    return []


def _demand(parts: Sequence[Part], *, safety: bool) -> dict[str, Decimal]:
    """What a restore adds to each quota's count: a new claim may ask for more than the one it replaces."""
    more = {"configmaps": Decimal(1), "count/configmaps": Decimal(1)}
    if safety:
        more[f"count/{SNAPSHOTS.group_resource}"] = Decimal(len(parts))
    for part in parts:
        grown = _number(part.size) - _number(part.body.get("requests"))
        storage_class = (part.body.get("spec") or {}).get("storageClassName")
        for key in ("requests.storage", f"{storage_class}.storageclass.storage.k8s.io/requests.storage"):
            more[key] = more.get(key, Decimal(0)) + grown
    return more


def room(parts: Sequence[Part]) -> str:
    """All that is needed beside the old volumes, for people."""
    return size(int(sum((_number(part.size) for part in parts), Decimal(0))))


def _number(text: Any) -> Decimal:
    try:
        return parse(str(text or "0"))
    except QuantityError:
        return Decimal(0)


def _shown(key: str, value: Decimal) -> str:
    return size(int(value)) if key.endswith("storage") else f"{value.normalize():f}"


async def check_velero(reader: Reader, namespace: str) -> list[str]:
    """A running restore into the namespace refuses: it would make objects under our hands. A running backup is told."""
    try:
        restores = await reader.list(RESTORES, type=dict)
        backups = await reader.list(BACKUPS, type=dict)
    except NotFound:
        return []
    except Forbidden as error:
        return [f"whether Velero is at work in {namespace} is not known: {error.message}"]
    for one in restores:
        if _at_work(one) and namespace in _into(one.get("spec") or {}, namespace):
            what = f"Velero restores into {namespace} right now: {one['metadata']['name']}"
            raise PlanRefused(what, hint="wait for its end: lazarus operation list, or velero restore get")
    running = [one["metadata"]["name"] for one in backups if _at_work(one) and _takes(one.get("spec") or {}, namespace)]
    told = "it will show the workload at 0 replicas, and its snapshots may hold up the claims"
    return [f"Velero backs up {namespace} right now ({', '.join(running)}): {told}"] if running else []


def _at_work(one: Mapping[str, Any]) -> bool:
    return (one.get("status") or {}).get("phase") in _AT_WORK


def _takes(spec: Mapping[str, Any], namespace: str) -> bool:
    included, excluded = spec.get("includedNamespaces") or ["*"], spec.get("excludedNamespaces") or []
    return namespace not in excluded and ("*" in included or namespace in included)


def _into(spec: Mapping[str, Any], namespace: str) -> set[str]:
    """The namespaces of interest a Velero restore writes to: its own mapping first."""
    mapping = dict(spec.get("namespaceMapping") or {})
    found = {into for source, into in mapping.items() if _takes(spec, source)}
    return found | ({namespace} if namespace not in mapping and _takes(spec, namespace) else set())

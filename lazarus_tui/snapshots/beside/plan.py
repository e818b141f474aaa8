"""The plan of a restore beside: nothing that runs is touched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lazarus_tui.model.clock import Clock, rfc3339
from lazarus_tui.model.counting import how_many
from lazarus_tui.model.objects import Namespace
from lazarus_tui.model.plan import Danger, Effect, Params, Plan, PlanRefused
from lazarus_tui.model.quantities import QuantityError, parse, size
from lazarus_tui.model.resources import CLAIMS, NAMESPACES, STATEFULSETS, STORAGECLASSES
from lazarus_tui.model.sets import Member, SnapshotSet
from lazarus_tui.model.stepping import planned
from lazarus_tui.model.steps import Catalog, Reader, Step
from lazarus_tui.model.storage import WAITS_FOR_CONSUMER, StorageClass
from lazarus_tui.snapshots.beside.copies import stripped
from lazarus_tui.snapshots.beside.steps import Aliases, Claims, Run, Space
from lazarus_tui.snapshots.capacity import Need, check_capacity
from lazarus_tui.snapshots.claimspec import kept, largest
from lazarus_tui.snapshots.names import shortened
from lazarus_tui.snapshots.reading import choose_set, sets_of

KIND = "snapshots.restore-beside"
# Annotations of a content that its driver needs again.
_SECRETS = "snapshot.storage.kubernetes.io/deletion-secret-"


async def plan(reader: Reader, params: Params, clock: Clock) -> Plan:
    """``params``: namespace, statefulset, set ("" for the newest usable), into (a namespace; "" for one of its own),
    run (True starts a stripped copy), replicas of the copy. Raises ``PlanRefused``."""
    namespace, name = str(params.get("namespace") or ""), str(params.get("statefulset") or "")
    if not namespace or not name:
        raise PlanRefused("which StatefulSet?", where="statefulset", hint="name it as NAMESPACE/NAME")
    found = choose_set(await sets_of(reader, namespace, f"StatefulSet/{name}"), str(params.get("set") or ""))
    if not found.usable:
        raise PlanRefused(f"set {found.id} cannot be used: {'; '.join(found.troubles)}", hint="choose another set")
    into = str(params.get("into") or shortened(f"{namespace}-{found.id}", "", 63))
    raw = await reader.get(STATEFULSETS, name, namespace, type=dict)
    run = bool(params.get("run"))
    if run and raw is None:
        raise PlanRefused(f"there is no StatefulSet {namespace}/{name} to copy", hint="restore its claims alone")
    new = await _space(reader, into, namespace)
    parts = await _parts(reader, namespace, into, found)
    wanted = [Need(p["claim"], str(p["body"]["spec"].get("storageClassName") or ""), p["size"]) for p in parts]
    free = await check_capacity(reader, wanted)
    copy = stripped(raw, into, int(params.get("replicas") or 1)) if run and raw is not None else {}
    frozen: dict[str, Any] = {
        "namespace": into,
        "new": new,
        "set": found.id,
        "parts": parts,
        "copy": copy,
        "lease_namespace": namespace,
    }
    return Plan(
        kind=KIND,
        context=reader.context,
        cluster_uid=await reader.cluster_uid(),
        target=f"{into}/{name}",
        title=f"Restore {namespace}/{name} beside it, into {into}, from {found.id}",
        danger=Danger.SAFE,
        params=frozen,
        steps=planned(_steps(frozen)),
        effects=tuple(_effects(frozen, free.words)),
        warnings=(*_warnings(raw, run=run), *free.warnings),
        undo="everything that was made is removed again; the set and what runs stay",
        made=rfc3339(clock.now()),
    )


def _steps(params: Mapping[str, Any]) -> list[Step]:
    made: list[Step] = [Space(params), Aliases(params), Claims(params)]
    return [*made, Run(params)] if params["copy"] else made


def steps(plan: Plan, catalog: Catalog) -> Sequence[Step]:
    return _steps(plan.params)


async def _space(reader: Reader, into: str, source: str) -> bool:
    """Whether the namespace is to be made."""
    if into == source:
        raise PlanRefused("beside means another namespace", where="into", hint="or restore it in place")
    found = await reader.get(NAMESPACES, into, type=Namespace)
    if found is not None and found.metadata.deletion_timestamp:
        raise PlanRefused(f"namespace {into} is being deleted", hint="wait, or name another one")
    return found is None


async def _parts(reader: Reader, namespace: str, into: str, found: SnapshotSet) -> list[dict[str, Any]]:
    classes = {one.metadata.name: one for one in await reader.list(STORAGECLASSES, type=StorageClass)}
    parts = []
    for claim, member in sorted(found.members.items()):
        if await reader.get(CLAIMS, claim, into, type=dict) is not None:
            raise PlanRefused(f"claim {into}/{claim} exists already", hint="name another namespace")
        original = await reader.get(CLAIMS, claim, namespace, type=dict)
        if original is None:
            raise PlanRefused(f"claim {namespace}/{claim} does not exist, so its class and modes are not known")
        body = kept(original)
        try:
            needed = largest(body["requests"], body["capacity"], str(member.snapshot.status.restore_size or ""))
        except QuantityError as error:
            raise PlanRefused(f"{claim}: {error}") from error
        storage = classes.get(str(body["spec"].get("storageClassName") or ""))
        parts.append({
            "claim": claim, "body": body, "size": needed, "source": _source(member),
            "waits": storage is not None and storage.volume_binding_mode == WAITS_FOR_CONSUMER,
        })  # fmt: skip
    return parts


def _source(member: Member) -> dict[str, Any]:
    content = member.content
    assert content is not None  # a usable set has them all
    notes = content.metadata.annotations or {}
    return {
        "driver": content.spec.driver,
        "handle": content.status.snapshot_handle,
        "mode": content.spec.source_volume_mode,
        "class": content.spec.volume_snapshot_class_name if any(key.startswith(_SECRETS) for key in notes) else "",
        "annotations": {key: value for key, value in notes.items() if key.startswith(_SECRETS)},
    }


def _effects(params: Mapping[str, Any], free: str) -> list[Effect]:
    into = params["namespace"]
    effects = [Effect("create", f"namespace {into}")] if params["new"] else []
    for part in params["parts"]:
        room = size(int(parse(part["size"])))
        effects.append(Effect("create", f"claim {into}/{part['claim']}", f"from the set, {room}"))
    every = size(int(sum(parse(part["size"]) for part in params["parts"])))
    effects.append(Effect("create", how_many(len(params["parts"]), "volume"), f"{every} in all; free: {free}"))
    if params["copy"]:
        effects.append(Effect("create", f"statefulset {into}/{params['copy']['metadata']['name']}", "a stripped copy"))
    return effects


def _warnings(raw: Mapping[str, Any] | None, *, run: bool) -> list[str]:
    if not run or raw is None:
        return []
    warnings = ["the copy gets no Service, no ConfigMap, no Secret and no rights: what needs them stays unready"]
    containers = ((raw["spec"].get("template") or {}).get("spec") or {}).get("containers") or []
    if len(containers) > 1:
        names = ", ".join(str(one.get("name")) for one in containers[1:])
        warnings.append(
            f"side containers run in the copy too ({names}): see that they write to nothing of the original"
        )
    return warnings

"""Deletes: preconditions, graceful pods, finalizers, propagation, namespaces that empty first."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from lazarus_tui.model.clock import rfc3339
from lazarus_tui.sandbox.api.errors import Cause, bad_request, invalid
from lazarus_tui.sandbox.api.kinds import Kind
from lazarus_tui.sandbox.api.store import Entity
from lazarus_tui.sandbox.api.verbs import Verbs, clone, released

# The grace a pod gets when neither the request nor its spec says anything.
DEFAULT_GRACE = 30
_PROTECTED_NAMESPACES = ("default", "kube-system", "kube-public")
_POLICIES = ("Foreground", "Background", "Orphan")
# Kinds whose delete answers with the object instead of a Status.
_RETURNS_OBJECT = frozenset({"pods", "persistentvolumeclaims", "persistentvolumes", "services", "serviceaccounts"})
_GC_FINALIZERS = {"Foreground": "foregroundDeletion", "Orphan": "orphan"}


@dataclass(frozen=True, slots=True)
class DeleteOptions:
    """``grace`` in seconds, None for the kind's own; ``policy`` is ``""`` for the default (background)."""

    grace: int | None = None
    policy: str = ""
    uid: str = ""
    resource_version: str = ""
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class Deleted:
    """``gone`` is false while a finalizer, a grace period or a namespace's content holds the object."""

    entity: Entity
    gone: bool


def parse_options(body: dict[str, Any], query: dict[str, str]) -> DeleteOptions:
    """From a DeleteOptions body, then the query for what the body leaves open."""
    preconditions = body.get("preconditions") or {}
    grace = body.get("gracePeriodSeconds", query.get("gracePeriodSeconds"))
    policy = body.get("propagationPolicy") or query.get("propagationPolicy") or ""
    orphan = body.get("orphanDependents", query.get("orphanDependents"))
    if orphan is not None:
        if policy:
            raise _invalid(
                "propagationPolicy",
                f'Invalid value: "{policy}": orphanDependents and deletionPropagation cannot be both set',
            )
        policy = "Orphan" if str(orphan).lower() in ("true", "1") else "Background"
    if policy and policy not in _POLICIES:
        listed = ", ".join(f'"{one}"' for one in (*_POLICIES, "nil"))
        raise _invalid("propagationPolicy", f'Unsupported value: "{policy}": supported values: {listed}')
    dry_run = bool(body.get("dryRun")) or query.get("dryRun") == "All"
    return DeleteOptions(
        _seconds(grace),
        policy,
        preconditions.get("uid") or "",
        preconditions.get("resourceVersion") or "",
        dry_run,
    )


def _seconds(grace: Any) -> int | None:
    try:
        return None if grace is None else int(grace)
    except (TypeError, ValueError):
        raise bad_request(f"gracePeriodSeconds: {grace!r} is no number of seconds") from None


def _invalid(field: str, text: str) -> Exception:
    return invalid("DeleteOptions", "meta.k8s.io", "", [Cause(field, text)])


def delete(verbs: Verbs, kind: Kind, namespace: str | None, name: str, options: DeleteOptions) -> Deleted:
    """Remove an object, or mark it when something must happen first."""
    entity = verbs.get(kind, namespace, name)
    _check(kind, entity, name, options)
    grace = _grace(kind, entity.obj, options.grace)
    new = _marked(verbs, kind, entity.obj, grace, options.policy)
    key = kind.key(namespace, name)
    if new is None:
        if not options.dry_run:
            verbs.store.commit(kind.group_resource, key, entity, None)
        return Deleted(entity, True)
    if new is entity.obj:
        return Deleted(entity, False)
    if options.dry_run:
        return Deleted(Entity(new, entity.revision, managers=entity.managers), False)
    return Deleted(verbs.store.commit(kind.group_resource, key, entity, new), False)


def _check(kind: Kind, entity: Entity, name: str, options: DeleteOptions) -> None:
    meta = entity.obj["metadata"]
    if options.uid and options.uid != meta["uid"]:
        why = f"Precondition failed: UID in precondition: {options.uid}, UID in object meta: {meta['uid']}"
        raise kind.conflict(name, why)
    if options.resource_version and options.resource_version != meta["resourceVersion"]:
        raise kind.conflict(
            name,
            f"the ResourceVersion in the precondition ({options.resource_version}) does not match the ResourceVersion "
            f"in record ({meta['resourceVersion']}). The object might have been modified",
        )
    if _is_namespace(kind) and name in _PROTECTED_NAMESPACES:
        raise kind.forbidden(name, "this namespace may not be deleted")


def _is_namespace(kind: Kind) -> bool:
    return kind.plural == "namespaces" and not kind.group


def _grace(kind: Kind, obj: dict[str, Any], asked: int | None) -> int:
    if kind.plural != "pods" or kind.group:
        return 0
    spec, phase = obj.get("spec") or {}, (obj.get("status") or {}).get("phase")
    if not spec.get("nodeName") or phase in ("Succeeded", "Failed"):
        return 0
    return max(0, asked) if asked is not None else int(spec.get("terminationGracePeriodSeconds", DEFAULT_GRACE))


def _marked(verbs: Verbs, kind: Kind, obj: dict[str, Any], grace: int, policy: str) -> dict[str, Any] | None:
    """The object with its mark of deletion, itself when it has one already, None when it can go now."""
    meta = obj["metadata"]
    terminating = meta.get("deletionTimestamp")
    if terminating and grace >= (meta.get("deletionGracePeriodSeconds") or 0) and not released(kind, obj):
        return obj
    new = clone(obj)
    finalizers = [one for one in meta.get("finalizers") or () if one not in _GC_FINALIZERS.values()]
    if policy in _GC_FINALIZERS:
        finalizers.append(_GC_FINALIZERS[policy])
    elif not policy:
        finalizers = list(meta.get("finalizers") or ())
    if finalizers:
        new["metadata"]["finalizers"] = finalizers
    else:
        new["metadata"].pop("finalizers", None)
    moment = verbs.clock.now() + timedelta(seconds=grace)
    if not terminating or grace:
        new["metadata"]["deletionTimestamp"] = rfc3339(moment)
    new["metadata"]["deletionGracePeriodSeconds"] = grace
    if _is_namespace(kind):
        new["metadata"].pop("deletionGracePeriodSeconds")
        new["status"] = (new.get("status") or {}) | {"phase": "Terminating"}
    if released(kind, new):
        return None
    if kind.generation:
        new["metadata"]["generation"] = meta.get("generation", 0) + 1
    return new


def delete_collection(verbs: Verbs, kind: Kind, entities: Iterable[Entity], options: DeleteOptions) -> list[Entity]:
    """Every given object, each by the rules of a single delete; returns what was asked to go."""
    return [
        delete(verbs, kind, entity.key[0], entity.key[1], options).entity
        for entity in entities
        if verbs.store.get(kind.group_resource, entity.key)
    ]


def returns_object(kind: Kind) -> bool:
    return not kind.group and kind.plural in _RETURNS_OBJECT


def success_status(kind: Kind, entity: Entity) -> dict[str, Any]:
    """The Status that says an object is gone."""
    meta = entity.obj["metadata"]
    details = {"name": meta["name"], "group": kind.group, "kind": kind.plural, "uid": meta["uid"]}
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Success",
        "details": {key: value for key, value in details.items() if value},
    }

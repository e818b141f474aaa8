"""Custom resources in a quarantine that stand for something outside: deleting a copy must not delete the real thing.

Each gets the policy that leaves it alone, which is read back; only then it goes. What does not get it stays, and is
told with what to do (S10).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lazarus_tui.kube.errors import Forbidden, KubeError, Pushback, ServerFault
from lazarus_tui.model.labels import RESTORE_NAME_LABEL, label_value
from lazarus_tui.model.resources import Resource
from lazarus_tui.model.stepping import carry_out
from lazarus_tui.model.steps import Halted, StepContext, StepStopped, Write
from lazarus_tui.prove.proof.kinds import Kinds, kinds
from lazarus_tui.prove.quarantine import census
from lazarus_tui.prove.quarantine.names import Custom, Quarantine

Object = dict[str, Any]
_TRIES, _PAUSE = 3, 1.0
_ACTIONS, _DESTROYS = "managementPolicies", "destroyResourcesOnDeletion"


@dataclass(slots=True)
class Known:
    """Objects of the plan's custom kinds. ``unknown``: why nothing is known of a kind, in words."""

    found: list[tuple[Custom, Resource, Object]] = field(default_factory=list)
    unknown: dict[Custom, str] = field(default_factory=dict)

    @property
    def unsafe(self) -> list[tuple[Custom, Resource, Object]]:
        return [one for one in self.found if not harmless(one[0], one[2])]


async def known(context: StepContext, wanted: Quarantine, *, space: bool) -> Known:
    """Those in the quarantine (``space``: it is there), and those of the whole cluster that its Restore made."""
    result = Known()
    served = await kinds(context.reader) if wanted.custom else Kinds({}, {})
    for kind in wanted.custom:
        resource = served.plural(kind.resource.group, kind.resource.plural) or kind.resource
        if kind.resource.group in served.silent:
            result.unknown[kind] = f"the server of {kind.resource.group} does not answer"
            continue
        try:
            result.found += [(kind, resource, one) for one in await _listed(context, wanted, kind, resource, space)]
        except Forbidden as error:
            result.unknown[kind] = f"missing right: list {resource.group_resource} ({error.message})"
        except (ServerFault, Pushback) as error:
            result.unknown[kind] = f"{resource.group_resource} cannot be listed: {error.message}"
    return result


async def _listed(
    context: StepContext, wanted: Quarantine, kind: Custom, resource: Resource, space: bool
) -> list[Object]:
    if kind.resource.namespaced:
        return await census.listed(context.reader, resource, wanted.name) if space else []
    if not wanted.runs:
        return []
    selector = f"{RESTORE_NAME_LABEL} in ({','.join(map(label_value, wanted.runs))})"
    found = await census.listed(context.reader, resource, None, selector)
    return [one for one in found if census.restored(one, wanted)]


async def let_go(context: StepContext, wanted: Quarantine, *, space: bool) -> tuple[bool, list[str]]:
    """Gives every one the policy it needs. Whether the namespace may be deleted now, and what stays and why."""
    for attempt in range(_TRIES):
        if attempt > 1:
            await context.clock.sleep(_PAUSE)
        seen = await known(context, wanted, space=space)
        wrong = [one for one in seen.unsafe if _patch(one[0], one[2])]
        if not wrong:
            break
        for kind, resource, found in wrong:
            await _kept(context, resource, found, _patch(kind, found))
    seen = await known(context, wanted, space=space)
    inside = [one for one in seen.unsafe if one[1].namespaced]
    unknown = {kind: why for kind, why in seen.unknown.items() if kind.allowed and space and kind.resource.namespaced}
    notes = [
        f"{resource.kind} {found['metadata']['name']} {advice(kind, found)}" for kind, resource, found in seen.unsafe
    ]
    notes += [
        f"{kind.resource.kind}: {why}: whether deleting one is harmless is not known" for kind, why in unknown.items()
    ]
    return not inside and not unknown, notes


async def _kept(context: StepContext, resource: Resource, found: Object, patch: Mapping[str, Any]) -> None:
    """A refusal is no end: what has not got it is seen by the next look."""
    meta = found["metadata"]
    write = Write(
        "merge-patch", resource, meta.get("namespace"), meta["name"], patch, uid=meta["uid"],
        resource_version=meta["resourceVersion"], expect="deleting it leaves the real resource alone",
    )  # fmt: skip
    try:
        await carry_out(context, write)
    except Halted:
        raise
    except (StepStopped, KubeError) as error:
        await context.say(f"{resource.kind} {meta['name']}: {error}")


def harmless(kind: Custom, found: Object) -> bool:
    """Whether deleting it leaves alone what it stands for, as far as it says so itself."""
    if _orders(found) or (_deletes(found) and not kind.keep):
        return False
    if kind.keep:
        return _holds(found, kind.keep)
    return kind.resource.namespaced or not kind.outside


def _patch(kind: Custom, found: Object) -> Mapping[str, Any]:
    keep = kind.keep or ({"spec": {"deletionPolicy": "Orphan"}} if _deletes(found) else {})
    orders = _orders(found)
    return {**keep, "spec": {**keep.get("spec", {}), **orders}} if orders else keep


def _orders(found: Object) -> Object:
    """What has to be said instead of an order to delete that comes before any policy; {} without one.

    Crossplane deletes what its actions name for deletion, whatever ``deletionPolicy`` says ("*" leaves it to that:
    ``ShouldDelete`` in crossplane-runtime's policies.go); the controllers of Terraform, where their resource says so.
    """
    spec = found.get("spec") or {}
    said: Object = {_ACTIONS: ["Observe"]} if "Delete" in (spec.get(_ACTIONS) or ()) else {}
    return said | ({_DESTROYS: False} if spec.get(_DESTROYS) is True else {})


def _deletes(found: Object) -> bool:
    return bool((found.get("spec") or {}).get("deletionPolicy") == "Delete")


def advice(kind: Custom, found: Object) -> str:
    """Why it stays, and what to do."""
    if patch := _patch(kind, found):
        words = json.dumps(patch)
        return f"could not be given {words}: deleting it may delete the real resource; give it that, then delete it"
    return "is of the whole cluster and acts outside it: see what deleting it would do, then delete it"


def _holds(found: Any, wanted: Any) -> bool:
    if isinstance(wanted, Mapping):
        return isinstance(found, Mapping) and all(_holds(found.get(key), one) for key, one in wanted.items())
    return bool(found == wanted)

"""Taking back a restore: the namespaces it created go again, if they hold nothing that is not its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lazarus_tui.model.clock import parse_rfc3339
from lazarus_tui.model.objects import Meta, Namespace, Restore
from lazarus_tui.model.resources import (
    CLAIMS,
    CONFIGMAPS,
    DEPLOYMENTS,
    JOBS,
    NAMESPACES,
    PODS,
    SECRETS,
    SERVICES,
    STATEFULSETS,
    Resource,
)
from lazarus_tui.model.stepping import carry_out
from lazarus_tui.model.steps import StepContext, StepStopped, Write
from lazarus_tui.velero import names
from lazarus_tui.velero.effects import Named

_LOOKED_AT: tuple[Resource, ...] = (STATEFULSETS, DEPLOYMENTS, JOBS, CLAIMS, PODS, SERVICES, CONFIGMAPS, SECRETS)
_AUTOMATIC = frozenset({"kube-root-ca.crt"})  # every namespace gets it
GONE_SECONDS = 300.0


async def remove_namespaces(context: StepContext, restore: Restore, before: Mapping[str, Any]) -> None:
    """Delete the namespaces that did not exist ``before`` (name → uid or ""); ``StepStopped`` if one is shared."""
    if not before or any(before.values()):
        raise StepStopped("this restore went into a namespace that existed before: it cannot be taken back")
    found = []
    for name in sorted(before):
        namespace = await context.reader.get(NAMESPACES, name, type=Namespace)
        if namespace is not None:
            await _only_ours(context, namespace, restore)
            found.append(namespace)
    for namespace in found:
        meta = namespace.metadata
        if not meta.deletion_timestamp:
            write = Write("delete", NAMESPACES, None, meta.name, uid=meta.uid, expect=f"namespace {meta.name} is gone")
            await carry_out(context, write)
        await _gone(context, meta)


async def _only_ours(context: StepContext, namespace: Namespace, restore: Restore) -> None:
    meta = namespace.metadata
    made, began = meta.creation_timestamp, restore.metadata.creation_timestamp
    if not made or not began or parse_rfc3339(made) < parse_rfc3339(began):
        raise StepStopped(f"namespace {meta.name} is older than the restore: it is not ours to delete")
    value = names.label_value(restore.metadata.name)
    for resource in _LOOKED_AT:
        for item in await context.reader.list(resource, meta.name, type=Named):
            if not _from_restore(item.metadata, value):
                raise StepStopped(
                    f"{resource.kind} {meta.name}/{item.metadata.name} was not made by this restore",
                    hint="move it away, or delete the namespace by hand",
                )


def _from_restore(meta: Meta, value: str) -> bool:
    if meta.label(names.RESTORE_NAME_LABEL) == value or meta.owner_references:
        return True
    return meta.name in _AUTOMATIC or meta.name.startswith("default-token-")


async def _gone(context: StepContext, meta: Meta) -> None:
    end = context.clock.monotonic() + GONE_SECONDS
    while True:
        found = await context.reader.get(NAMESPACES, meta.name, type=Namespace)
        if found is None or found.metadata.uid != meta.uid:
            return
        if context.clock.monotonic() >= end:
            raise StepStopped(f"namespace {meta.name} is still being deleted", hint="look at its conditions", park=True)
        await context.clock.sleep(0.5)

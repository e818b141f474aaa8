"""Manifests: what the tables of a live workload held when a backup was taken, to compare a restored copy with.

A manifest is one JSON document for each backup and context, below the state root: ``{schema, backup, context,
cluster_uid, taken, checks: {title: {kind, tables: {name: {rows, fingerprint, method}}}}}``. It has counts and hashes.
"""

from __future__ import annotations

from typing import Any

import msgspec

from lazarus_tui.model.plan import digest
from lazarus_tui.model.steps import StepContext
from lazarus_tui.prove.checks.outcome import CouldNot
from lazarus_tui.prove.wanted_data import Against, DataCheck, Recorded, RedisCheck

SCHEMA = 1


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """The tables of one check."""

    kind: str
    tables: dict[str, Recorded]


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """``taken``: when the first table was looked at (RFC 3339)."""

    schema: int
    backup: str
    context: str
    cluster_uid: str
    taken: str
    checks: dict[str, Taken]


def name_of(context: str, backup: str) -> str:
    """The name a manifest is kept under."""
    return f"{backup}.{context}"


def backup_of(context: StepContext) -> str:
    """The backup, or snapshot set, that the running operation is about; "" where it is about none."""
    params = context.plan.params
    return str(params.get("point") or params.get("backup") or "")


async def read(context: StepContext, backup: str) -> Manifest | None:
    """Raises ``CouldNot`` when there is one and it cannot be used."""
    try:
        found = await context.kept(name_of(context.plan.context, backup))
        manifest = msgspec.convert(found, Manifest) if found is not None else None
    except (ValueError, OSError) as error:
        raise CouldNot(f"the manifest of {backup} cannot be read ({type(error).__name__})", final=True) from None
    if manifest is not None and manifest.schema != SCHEMA:
        raise CouldNot(f"the manifest of {backup} has schema {manifest.schema}, not {SCHEMA}", final=True)
    if manifest is not None and (manifest.backup, manifest.context) != (backup, context.plan.context):
        whose = f"{manifest.backup} in context {manifest.context}"
        raise CouldNot(f"what is kept as the manifest of {backup} is that of {whose}", final=True)
    return manifest


async def recalled(context: StepContext, check: DataCheck, evidence: dict[str, Any]) -> DataCheck:
    """``check`` with the figures of the point's manifest; without them it could not run."""
    backup = backup_of(context)
    manifest = await read(context, backup) if backup else None
    taken = manifest.checks.get(check.title) if manifest else None
    if manifest is None or taken is None or not taken.tables:
        what = "this is about no backup" if not backup else f"backup {backup} has no manifest of {check.title}"
        raise CouldNot(f"{what}: nothing to compare with", final=True)
    if taken.kind != check.kind:
        raise CouldNot(f"the manifest of {backup} is of {taken.kind}, not {check.kind}", final=True)
    evidence["manifest"] = {"backup": backup, "taken": manifest.taken, "sha256": digest(manifest)}
    wanted = check.manifest
    assert wanted is not None
    against = Against(tables=taken.tables, rows=wanted.rows, fingerprints=wanted.fingerprints)
    return msgspec.structs.replace(check, against=against)


def lacks(check: DataCheck, recorded: Recorded | None) -> str:
    """What the point's manifest does not tell of a table that is to be compared with it; "" for figures written out."""
    if check.manifest is None:
        return ""
    if recorded is None:
        return "the manifest has nothing of it"
    bare = check.fingerprints and not recorded.fingerprint and not isinstance(check, RedisCheck)
    return "the manifest has no fingerprint of it" if bare else ""

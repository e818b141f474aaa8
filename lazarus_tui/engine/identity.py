"""What a cluster says of itself when it is connected: who it is, which Velero it runs, what we may not do there."""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lazarus_tui.engine.contexts import Identity
from lazarus_tui.engine.snapshot_rights import refusals
from lazarus_tui.kube.access import Question
from lazarus_tui.kube.cluster import Cluster
from lazarus_tui.kube.errors import Forbidden, KubeError
from lazarus_tui.model import resources as r
from lazarus_tui.velero.discover import USUAL_NAMESPACE, Installation, installations

# Where the sandbox says how many times faster than real its Velero keeps its periods.
SANDBOX_NOTE = "lazarus-sandbox"


def rights(velero: str) -> tuple[Question, ...]:
    """What the console's actions need; a refusal greys them out and is a hint, the API's 403 the truth."""
    wide = [Question("list", kind) for kind in (r.NAMESPACES, r.STATEFULSETS, r.DEPLOYMENTS, r.CLAIMS, r.PODS)]
    own = [
        *(Question("list", kind, velero) for kind in (r.BACKUPS, r.RESTORES, r.SCHEDULES, r.LOCATIONS)),
        *(Question("create", kind, velero) for kind in (r.BACKUPS, r.RESTORES, r.DELETE_REQUESTS, r.DOWNLOAD_REQUESTS)),
        Question("patch", r.SCHEDULES, velero),
        Question("delete", r.RESTORES, velero),
    ]
    # A quarantine is a namespace that does not exist yet: what is done in it is asked for everywhere.
    proving = [
        *(Question(verb, r.NAMESPACES) for verb in ("create", "delete")),
        *(Question("create", kind) for kind in (r.NETWORKPOLICIES, r.PODS)),
    ]
    return (*wide, *proving, *own) if velero else (*wide, *proving)


async def identify(cluster: Cluster, *, wanted: str = "", sandbox: Path | None = None) -> Identity:
    """Read it all; raises ``KubeError`` when the cluster does not answer.

    ``wanted`` is Velero's namespace by choice, ``sandbox`` the folder of the sandbox cluster if this may be it.
    """
    version = await cluster.version()
    uid = await cluster.cluster_uid()
    found, factor = await asyncio.gather(_veleros(cluster, wanted), _factor(cluster, sandbox))
    chosen = choose(found, wanted)
    denied = (*await _denied(cluster, chosen.namespace if chosen else ""), *await refusals(cluster))
    return Identity(
        cluster_uid=uid,
        server_version=version.git_version,
        velero=tuple(item.namespace for item in found),
        velero_namespace=chosen.namespace if chosen else "",
        velero_version=chosen.version if chosen else "",
        cron_rule=chosen.cron_rule if chosen else "velero",
        time_factor=factor,
        denied=denied,
    )


def choose(found: Sequence[Installation], wanted: str = "") -> Installation | None:
    """The Velero to use: the one that is wanted, else the only one; None when there is none or a choice is needed."""
    if wanted:
        return next((item for item in found if item.namespace == wanted), None)
    return found[0] if len(found) == 1 else None


async def _veleros(cluster: Cluster, wanted: str) -> tuple[Installation, ...]:
    try:
        return await installations(cluster, wanted)
    except Forbidden:
        # Nothing may be listed there either; the lists themselves will say which right is missing.
        return (Installation(wanted or USUAL_NAMESPACE, hidden=True),)


async def _factor(cluster: Cluster, sandbox: Path | None) -> float:
    """How many times faster than real the sandbox's Velero keeps its periods: as the cluster says, else its process."""
    if sandbox is None:
        return 1.0
    with contextlib.suppress(KubeError):
        note = await cluster.get(r.CONFIGMAPS, SANDBOX_NOTE, "kube-system", type=dict[str, Any])
        if note is not None:
            return _number((note.get("data") or {}).get("factor"))
    with contextlib.suppress(OSError, ValueError):
        return _number(json.loads((sandbox / "serve.json").read_text()).get("factor"))
    return 1.0


def _number(value: object) -> float:
    try:
        factor = float(str(value))
    except ValueError:
        return 1.0
    return factor if math.isfinite(factor) and factor > 0 else 1.0


async def _denied(cluster: Cluster, velero: str) -> tuple[str, ...]:
    """Capabilities that were refused; an API that would not say refuses nothing."""
    questions = rights(velero)
    answers: dict[Question, bool | None] = {}
    try:
        answers = await cluster.can_i_all(questions)
    except* KubeError:
        pass  # it is a hint, no more
    return tuple(str(question) for question in questions if answers.get(question) is False)

"""Hostile applications, really backed up and proven: nothing outside of the quarantine is another than before."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from lazarus_tui.model.http import HttpRequest
from lazarus_tui.model.plan import PlanRefused
from lazarus_tui.model.resources import NAMESPACES, Resource
from lazarus_tui.prove import precedence
from lazarus_tui.sandbox.api.errors import ApiError
from tests.prove.hostile import APPLICATIONS, Application, namespaced, resource_of
from tests.prove.liars.orders import Shop
from tests.prove.proof.trial import trial
from tests.snapshots.stage import SPACE

Json = dict[str, Any]
DEFINITIONS = Resource("apiextensions.k8s.io", "v1", "customresourcedefinitions", "CustomResourceDefinition", False)
LEAST_APPLICATIONS = 30
SOMEBODYS = "lazarus-q-ffffffff"
# Renewed all the time by whoever holds them; told once and never changed.
_UNWATCHED = frozenset({"leases.coordination.k8s.io", "events", "events.events.k8s.io"})
_MOVING = ("resourceVersion", "managedFields", "generation")


@dataclass
class Siege:
    """``end``: the verdict, or why there was no plan. ``changed``: paths outside of the quarantine, with how."""

    name: str
    end: str = ""
    objects: int = 0
    changed: list[str] = field(default_factory=list)
    unfit: list[str] = field(default_factory=list)  # objects that the cluster did not take
    bare: list[str] = field(default_factory=list)  # deletions that named no uid


def outside(ground: Shop) -> dict[str, str]:
    """Every object of the cluster by its path, without status and what counts its changes."""
    found = {}
    for kind in ground.cluster.kinds():
        if kind.group_resource in _UNWATCHED:
            continue
        for one in ground.api.list(kind):
            meta = {key: value for key, value in one["metadata"].items() if key not in _MOVING}
            body = {**{key: value for key, value in one.items() if key != "status"}, "metadata": meta}
            path = f"{kind.group_resource}/{meta.get('namespace', '')}/{meta['name']}"
            found[path] = json.dumps(body, sort_keys=True, default=str)
    return found


def changes(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    lines = [f"{path} is gone" for path in sorted(before.keys() - after.keys())]
    lines += [f"{path} is new" for path in sorted(after.keys() - before.keys())]
    return lines + [
        f"{path} is another" for path in sorted(before.keys() & after.keys()) if before[path] != after[path]
    ]


def create(ground: Shop, app: Application) -> list[str]:
    """The application in the source's namespace; what the cluster does not take is told."""
    unfit = []
    for body in [*app.definitions, *app.manifests(SPACE)]:
        group, _, version = body["apiVersion"].rpartition("/")
        wide = body["kind"] == DEFINITIONS.kind or not namespaced(body)
        plural = DEFINITIONS.plural if body["kind"] == DEFINITIONS.kind else resource_of(body).partition(".")[0]
        kind = Resource(group, version, plural, body["kind"], not wide)
        try:
            if not wide and ground.api.get(kind, body["metadata"]["name"], SPACE):
                ground.api.delete(kind, body["metadata"]["name"], SPACE)  # the hostile one takes its place
            ground.api.create(kind, body, None if wide else SPACE)
        except ApiError as error:
            unfit.append(f"{body['kind']} {body['metadata']['name']}: {error.message}")
    return unfit


async def besieged(app: Application | None) -> Siege:
    """None: the order book alone, which nobody has to fear."""
    found = Siege(app.name if app else "nobody")
    with pytest.MonkeyPatch.context() as patch:
        async with trial(patch, Shop) as ground:
            ground.api.create(NAMESPACES, {"metadata": {"name": SOMEBODYS, "labels": {"kept": "by-somebody"}}})
            # The one thing that a proof leaves on purpose, left by an earlier one.
            every = precedence.Precedence(precedence.NAME)
            ground.api.create(precedence.CLASSES, precedence.body(every.frozen()))
            found.unfit = create(ground, app) if app else []
            await ground.quiet()
            await ground.backup("hostile", includeClusterResources=True)

            async def watch(request: HttpRequest) -> None:
                if request.method == "DELETE" and b'"uid"' not in (request.body or b""):
                    found.bare.append(request.path)

            ground.refusals.append(watch)
            before = outside(ground)
            found.objects = len(before)
            try:
                plan = await ground.planned(point="hostile")
            except PlanRefused as refused:
                found.end = f"refused: {refused.what}"
            else:
                engine = ground.engine
                assert engine is not None
                done = await engine.run(plan, plan.target)
                found.end = str(done.verdict)
            await ground.quiet()
            found.changed = changes(before, outside(ground))
    return found


def of(number: int) -> Siege:
    return asyncio.run(besieged(APPLICATIONS[number]))

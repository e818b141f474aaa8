"""The table over a whole point: one ``Ruling``."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from lazarus_tui.model.resources import Resource
from lazarus_tui.model.volumes import Held
from lazarus_tui.prove.points import NATIVE, Contents, Item
from lazarus_tui.prove.rules import foreign, modifiers, notes, podspecs, volumes
from lazarus_tui.prove.rules.finding import Finding, Rule, Scene, Verb
from lazarus_tui.prove.rules.options import Options
from lazarus_tui.prove.rules.owners import Owners
from lazarus_tui.prove.rules.patching import patched
from lazarus_tui.prove.rules.ruling import Line, Ruling
from lazarus_tui.prove.rules.table import ALWAYS_OUT, findings
from lazarus_tui.prove.rules.wishes import INGRESSES

# Kinds that come and go by themselves: their absence says nothing about completeness.
_UNCOUNTED = frozenset({
    "pods", "replicasets.apps", "controllerrevisions.apps", "persistentvolumes",
    "volumesnapshots.snapshot.storage.k8s.io", "datauploads.velero.io", "jobs.batch",
})  # fmt: skip

Said = tuple[Rule, Finding]


def judge(contents: Contents, options: Options) -> Ruling:
    """Every object of the point under every rule."""
    scene = _scene(contents, options)
    every = [*contents.items, *contents.cluster]
    said = {id(item): _freed(item, scene, options) for item in every}
    out = _excluded(every, said, options, scene)
    created: dict[str, list[str]] = defaultdict(list)
    for item in every:
        if item.resource not in out and not any(found.verb in _ENDS for _, found in said[id(item)]):
            created[item.resource].append(item.name)
    return Ruling(
        lines=tuple(Line(r.id, f.verb, i.resource, i.name, f.words) for i in every for r, f in said[id(i)]),
        created={resource: tuple(sorted(names)) for resource, names in sorted(created.items())},
        excluded=tuple(sorted(out)),
        without_cluster=scene.by_files and not scene.listed,
        modifiers=modifiers.rules(contents.namespace, _changes(every, said)),
        expected=tuple(_expected(every, said)),
        forbidden=tuple(_forbidden(every, said)),
        inventory=_inventory(contents, created),
        held=tuple(_held(contents, scene)),
        not_green=notes.not_green(every, said, scene, options.workload, created),
        blocked=tuple(f"{i.ref}: {f.words} ({r.id})" for i in every for r, f in said[id(i)] if f.verb is Verb.BLOCK),
        warnings=(*contents.warnings, *notes.warnings(every, said, scene, out)),
        apply=lambda body: _apply(body, scene, options),
    )


_ENDS = frozenset({Verb.SKIP, Verb.LEFT, Verb.BLOCK})


def _scene(contents: Contents, options: Options) -> Scene:
    """Which pods Velero must start by itself, and so which workloads can wait for the look at what was restored.

    Without their data Velero restores the PersistentVolumes of native snapshots on the ORIGINAL disks
    (pkg/restore/pv_restorer.go): they stay out, and their claims get new ones.
    """
    owners = Owners(contents)
    filled = contents.filled_pods | owners.pods_on({v.claim for v in contents.volumes if v.by_files})
    busy = {owners.root(name) for name in filled}
    bare = [pod.name for pod in contents.of("pods") if owners.bare(pod)]
    held = {
        f"{item.kind}/{item.name}"
        for item in contents.of("deployments.apps", "statefulsets.apps")
        if item.spec.get("replicas") != 0 and f"{item.kind}/{item.name}" not in busy
    }
    sets = {
        "/".join(("ReplicaSet", item.name)) for item in contents.of("replicasets.apps") if "/".join(item.owner) in held
    }
    parked = {pod.name for pod in contents.of("pods") if owners.root(pod.name) in held}
    methods = {v.method for v in contents.volumes if v.held is Held.CAPTURED}
    native = NATIVE in methods and not options.withheld
    by_files = bool(filled) or any(v.by_files for v in contents.volumes)
    return Scene(
        contents=contents,
        target=options.target,
        held=frozenset(held | sets),
        parked=frozenset(parked),
        busy=frozenset(busy - {""}),
        pods=bool(filled or bare),
        placeholders=options.placeholders,
        routes=options.routes,
        priority=options.priority,
        nodes=options.nodes,
        native=native,
        by_files=by_files,
        listed=native
        or (by_files and not options.withheld and any(method.startswith("CSISnapshot") for method in methods)),
    )


def _freed(item: Item, scene: Scene, options: Options) -> list[Said]:
    """What the table says, but for the exceptions, which say themselves."""
    result: list[Said] = []
    for rule, found in findings(item, scene):
        free = next((one for one in options.allow if one.frees(rule, item)), None)
        if free is None:
            result.append((rule, found))
            continue
        result.append((rule, Finding(Verb.KEEP, f"on request until {free.expires}: {free.reason}")))
        orphan = foreign.orphaned(item) if rule.id == "S10" else None
        if orphan is not None:
            result.append((rule, orphan))
    return result


def _excluded(every: Iterable[Item], said: Mapping[int, list[Said]], options: Options, scene: Scene) -> set[str]:
    """Kinds that stay out as a whole: Velero can leave out kinds, not objects.

    It makes no PodVolumeRestore where PersistentVolumes are among them (pkg/restore/restore.go, since 1.9), and pods
    would wait for their volumes for ever: then they stay out with all that is of the cluster (``without_cluster``).
    """
    found = {item.resource for item in every if any(f.verb is Verb.SKIP for _, f in said[id(item)])} - {"namespaces"}
    free = {item.resource for item in every if any(f.verb is Verb.KEEP for _, f in said[id(item)])}
    found |= ALWAYS_OUT - free - ({INGRESSES} if options.routes else set())
    return found - {volumes.PERSISTENT} if scene.by_files or scene.listed else found


def _changes(every: Iterable[Item], said: Mapping[int, list[Said]]) -> Iterable[tuple[str, Item, Finding]]:
    for item in every:
        if not any(found.verb in _ENDS for _, found in said[id(item)]):
            yield from ((rule.id, item, found) for rule, found in said[id(item)] if found.patch)


def _expected(every: Iterable[Item], said: Mapping[int, list[Said]]) -> Iterable[dict[str, Any]]:
    for item in every:
        if any(found.verb in _ENDS for _, found in said[id(item)]):
            continue
        for rule, found in said[id(item)]:
            for where, value in found.expects:
                yield {
                    "rule": rule.id, "resource": item.plural, "group": item.group, "name": item.name,
                    "pointer": where, "value": value,
                }  # fmt: skip


def _forbidden(every: Iterable[Item], said: Mapping[int, list[Said]]) -> Iterable[dict[str, str]]:
    """What must not be there afterwards; kinds that workloads or the control plane make again are no sign."""
    again = {"pods", "replicasets.apps", "controllerrevisions.apps", "endpoints", "endpointslices.discovery.k8s.io",
             "namespaces", "persistentvolumes"}  # fmt: skip
    for item in every:
        for rule, found in said[id(item)]:
            if found.verb in (Verb.SKIP, Verb.BLOCK) and item.resource not in again and item.namespace:
                yield {"rule": rule.id, "group": item.group, "resource": item.plural, "name": item.name}


def _inventory(contents: Contents, created: Mapping[str, Iterable[str]]) -> tuple[str, ...]:
    tokens = "kubernetes.io/service-account-token"
    return tuple(
        sorted(
            item.ref
            for item in contents.items
            if item.resource not in _UNCOUNTED
            and item.name in created.get(item.resource, ())
            and item.body.get("type") != tokens
        )
    )


def _held(contents: Contents, scene: Scene) -> Iterable[dict[str, Any]]:
    for item in contents.of("deployments.apps", "statefulsets.apps"):
        if f"{item.kind}/{item.name}" in scene.held and not podspecs.consumes(item):
            replicas = item.spec.get("replicas")
            yield {"kind": item.kind, "name": item.name, "replicas": 1 if replicas is None else replicas}


def _apply(body: Mapping[str, Any], scene: Scene, options: Options) -> dict[str, Any] | None:
    """One object as it may be created in the quarantine; None when it may not."""
    item = item_of(body)
    result = dict(body)
    for _, found in _freed(item, scene, options):
        if found.verb in _ENDS:
            return None
        if not found.where:
            result = patched(result, found.patch, strategic=found.strategic)
    return result


def item_of(body: Mapping[str, Any], resource: Resource | None = None) -> Item:
    """An object as the rules see it; the plural is made from the kind where ``resource`` does not say it."""
    meta = body.get("metadata") or {}
    group = str(body.get("apiVersion") or "v1").rpartition("/")[0]
    kind = str(body.get("kind") or "").lower()
    plural = resource.plural if resource else _plural(kind)
    name = f"{plural}.{group}" if group else plural
    return Item(name, str(meta.get("namespace") or ""), str(meta.get("name") or ""), body)


def _plural(kind: str) -> str:
    """The plural as the API makes it for every built-in kind."""
    if kind == "endpoints":
        return kind
    if kind.endswith(("s", "x", "ch")):
        return kind + "es"
    return kind[:-1] + "ies" if kind.endswith("y") and not kind.endswith(("ay", "ey", "oy")) else kind + "s"

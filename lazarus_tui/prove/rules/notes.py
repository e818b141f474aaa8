"""What a person has to know beside the lines: why it can never be green, and what may surprise."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from lazarus_tui.model.volumes import Held
from lazarus_tui.prove.points import Item
from lazarus_tui.prove.rules import podspecs
from lazarus_tui.prove.rules.finding import Finding, Rule, Scene, Verb
from lazarus_tui.prove.rules.owners import Owners, mounted
from lazarus_tui.prove.rules.patching import at
from lazarus_tui.prove.rules.volumes import CLAIMS

Said = Mapping[int, Sequence[tuple[Rule, Finding]]]


def not_green(
    every: Iterable[Item], said: Said, scene: Scene, workload: str, created: Mapping[str, Collection[str]]
) -> tuple[str, ...]:
    """One sentence for each volume without data of ``workload`` ("" for any), and for all that ran and is not brought
    back. ``created``: names by kind."""
    every = list(every)
    own = _own(every, scene, workload)
    claims = {item.name for item in every if item.resource == CLAIMS}
    mounted_only = [v for v in scene.contents.volumes if v.claim not in claims and v.held is not Held.CAPTURED]
    found = [f"{CLAIMS}/{volume.claim}: no data in this point: {volume.reason}" for volume in mounted_only]
    found += [
        f"{item.plural}/{item.name}: {finding.words}"
        for item in every
        for _, finding in said[id(item)]
        if finding.verb is Verb.EMPTY and (own is None or (item.resource, item.name) in own)
    ]
    left_out = () if workload else _left_out(every, scene, created)
    return (*found, *_never_started(every, said, workload), *left_out)


def _left_out(every: Iterable[Item], scene: Scene, created: Mapping[str, Collection[str]]) -> Iterable[str]:
    """What ran by something that stays out: a custom resource, a ReplicaSet of nobody. Nothing shows that it would."""
    back = {f"{item.kind}/{item.name}" for item in every if item.name in created.get(item.resource, ())}
    there = {f"{item.kind}/{item.name}" for item in every}
    owners, found = Owners(scene.contents), set[str]()
    for pod in scene.contents.of("pods"):
        root = owners.root(pod.name)
        ran = (pod.body.get("status") or {}).get("phase") not in ("Succeeded", "Failed")
        again = pod.name in created.get("pods", ()) or root in back or root.startswith(("Job/", "Node/"))
        # A ReplicaSet that the point does not hold says nothing of whose it was.
        if root and ran and not again and (root in there or not root.startswith("ReplicaSet/")):
            found.add(root)
    for root in sorted(found):
        yield f"{root} ran and is not brought back: whether it would run is not tested"


def _never_started(every: Iterable[Item], said: Said, workload: str) -> Iterable[str]:
    """Workloads that stay at zero, where nothing else is asked for that runs: none ready of none is no health."""
    scaled = [item for item in every if item.resource in podspecs.SCALED]
    asked = [item for item in scaled if workload in ("", f"{item.kind}/{item.name}")]
    still = [item for item in asked if item.spec.get("replicas") == 0 or _suspended(item, said)]
    if asked and len(still) == len(asked):
        yield from (
            f"{item.plural}/{item.name}: it stays at zero replicas, so whether it starts is not tested"
            for item in still
        )


def _suspended(item: Item, said: Said) -> bool:
    return any(rule.id == "S15" and finding.verb is Verb.SUSPEND for rule, finding in said[id(item)])


def _own(every: Iterable[Item], scene: Scene, workload: str) -> set[tuple[str, str]] | None:
    """The workload, its pods and the claims they mount."""
    if not workload:
        return None
    owners, found = Owners(scene.contents), set()
    kind, _, name = workload.partition("/")
    for item in every:
        mine = (item.kind, item.name) == (kind, name) or (
            item.resource == "pods" and owners.root(item.name) == workload
        )
        if not mine:
            continue
        found.add((item.resource, item.name))
        pod = at(item.body, podspecs.spec_path(item)) if item.resource in podspecs.RESOURCES else None
        found |= {(CLAIMS, claim) for claim in mounted(pod)}
        found |= {(CLAIMS, claim) for claim in _templated(item, every)}
    return found


def _templated(item: Item, every: Iterable[Item]) -> Iterable[str]:
    names = [str((one.get("metadata") or {}).get("name")) for one in item.spec.get("volumeClaimTemplates") or ()]
    starts = tuple(f"{name}-{item.name}-" for name in names)
    for one in every:
        if one.resource == CLAIMS and starts and one.name.startswith(starts) and one.name.rpartition("-")[2].isdigit():
            yield one.name


def warnings(every: Iterable[Item], said: Said, scene: Scene, out: Collection[str]) -> tuple[str, ...]:
    """``out``: the kinds that stay out."""
    found = []
    unknown = sorted(
        {i.resource for i in every for r, _ in said[id(i)] if r.title.startswith("custom resources nobody")}
    )
    if unknown:
        found.append(f"left out, because nobody knows what acts on them: {', '.join(unknown)}")
    for item in every:
        words = [finding.words for rule, finding in said[id(item)] if finding.verb is Verb.KEEP]
        if words and item.resource in out:
            found.append(f"{item.ref} is allowed, but others of its kind are not, and only whole kinds can be left out")
        else:
            found += [f"{item.ref} is kept against a rule: {text}" for text in words]
    daemons = sorted(item.name for item in every if item.resource == "daemonsets.apps")
    found += [f"DaemonSet {name} starts on every node" for name in daemons]
    owners = Owners(scene.contents)
    bare = sorted(item.name for item in every if item.resource == "pods" and owners.bare(item))
    found += [f"pod {name} has no controller: it starts as soon as it is restored" for name in bare]
    temporary = sorted({item.name for item in every if _temporary(item)})
    if temporary:
        found.append(f"emptyDir volumes start empty in {', '.join(temporary[:4])}{' …' if len(temporary) > 4 else ''}")
    return tuple(found)


def _temporary(item: Item) -> bool:
    if item.resource not in ("deployments.apps", "statefulsets.apps", "daemonsets.apps"):
        return False
    pod = at(item.body, podspecs.spec_path(item)) or {}
    return any(isinstance(one, Mapping) and "emptyDir" in one for one in pod.get("volumes") or ())

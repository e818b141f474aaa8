"""Whose an object is: cloud identities, rights, GitOps, hooks, marks by which others act on it (S8, S13, S16–S19)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from lazarus_tui.prove.points import Item
from lazarus_tui.prove.rules import podspecs, wishes
from lazarus_tui.prove.rules.finding import Finding, Look, Rule, Scene, Verb
from lazarus_tui.prove.rules.patching import at, nested, pointer

# Labels of these are how their controllers find them: only the annotations may go.
_FOUND_BY_LABEL = frozenset({"pods", "replicasets.apps", "controllerrevisions.apps", "persistentvolumes"})

_CLOUD = (
    "eks.amazonaws.com/", "iam.gke.io/", "azure.workload.identity/", "iam.amazonaws.com/", "vault.hashicorp.com/",
    "workload.identity.", "spiffe.io/",
)  # fmt: skip
_NAMES = ("external-dns.alpha.kubernetes.io/", "cert-manager.io/", "acme.cert-manager.io/")
_SCRAPES = ("prometheus.io/", "ad.datadoghq.com/")
_GITOPS = (
    "argocd.argoproj.io/", "kustomize.toolkit.fluxcd.io/", "helm.toolkit.fluxcd.io/", "meta.helm.sh/",
    "objectset.rio.cattle.io/", "fleet.cattle.io/", "kapp.k14s.io/", "configmanagement.gke.io/", "configsync.gke.io/",
    "app.kubernetes.io/instance", "autoscaling.keda.sh/", "reloader.stakater.com/", "reflector.v1.k8s.emberstack.com/",
    "replicator.v1.mittwald.de/",
)  # fmt: skip
_HOOKS = ("post.hook.restore.velero.io/", "init.hook.restore.velero.io/")
_HOOK_CONTAINER = "init.hook.restore.velero.io/container-name"
_HOOK_IMAGE = "init.hook.restore.velero.io/container-image"


def _stripping(prefixes: tuple[str, ...], words: str, fields: tuple[str, ...]) -> Look:
    def look(item: Item, scene: Scene) -> Iterable[Finding]:
        places = [("metadata",), *([podspecs.template(item)] if podspecs.template(item) else [])]
        patch: dict[str, Any] = {}
        gone: list[str] = []
        expects: list[tuple[str, Any]] = []
        for place in places:
            for field in fields:
                if field == "labels" and (place != ("metadata",) or item.resource in _FOUND_BY_LABEL):
                    continue
                marks = at(item.body, (*place, field))
                keys = [key for key in marks if key.startswith(prefixes)] if isinstance(marks, Mapping) else []
                for key in keys:
                    _into(patch, nested((*place, field, key), None))
                    expects.append((pointer((*place, field, key)), None))
                gone += keys
        if gone:
            listed = ", ".join(sorted(set(gone))[:3]) + (" …" if len(set(gone)) > 3 else "")
            yield Finding(Verb.STRIP, f"{listed}: {words}", patch, expects=tuple(expects))

    return look


def _into(target: dict[str, Any], more: Mapping[str, Any]) -> None:
    for key, value in more.items():
        if isinstance(value, Mapping) and isinstance(target.get(key), dict):
            _into(target[key], value)
        else:
            target[key] = value


def _binding(item: Item, scene: Scene) -> Iterable[Finding]:
    """Rights in the quarantine are for what was restored into it, not for the people and programs of the original."""
    subjects = [one for one in item.body.get("subjects") or () if isinstance(one, Mapping)]
    inside = (scene.contents.namespace, scene.target)
    own = [one for one in subjects if one.get("kind") == "ServiceAccount" and one.get("namespace") in inside]
    if len(own) != len(subjects):
        kept = [{**one, "namespace": scene.target or scene.contents.namespace} for one in own]
        others = ", ".join(f"{one.get('kind')} {one.get('name')}" for one in subjects if one not in own)
        yield Finding(Verb.STRIP, f"{others}: no rights in a copy", {"subjects": kept or None},
                      expects=(("/subjects", kept or None),))  # fmt: skip


def _init_hook(item: Item, scene: Scene) -> Iterable[Finding]:
    """The hook's container is in the pod before modifiers see it, so it has to go by its name."""
    notes = item.marks("annotations")
    if not notes.get(_HOOK_IMAGE):
        return
    name = notes.get(_HOOK_CONTAINER)
    if not name:
        yield Finding(
            Verb.BLOCK, "its restore hook starts a container without a name, which nothing can take out again"
        )
        return
    patch = {"spec": {"initContainers": [{"$patch": "delete", "name": name}]}}
    yield Finding(Verb.STRIP, f"init container {name} of a restore hook is not run", patch, strategic=True,
                  expects=((f"/spec/initContainers/name={name}", None),))  # fmt: skip


_ANYTHING = ("*",)
RULES = (
    Rule("S13", "identities in the cloud", _ANYTHING,
         _stripping(_CLOUD, "the copy gets no identity in the cloud", ("annotations", "labels"))),
    Rule("S13", "rights of people and others", ("rolebindings.rbac.authorization.k8s.io",), _binding),
    Rule("S16", "GitOps prunes or reverts what it takes for its own", _ANYTHING,
         _stripping(_GITOPS, "nobody else takes the copy for theirs", ("annotations", "labels"))),
    Rule("S8", "names and certificates asked for by annotation", _ANYTHING,
         _stripping(_NAMES, "no name or certificate is asked for", ("annotations",))),
    Rule("S19", "scrapes asked for by annotation", _ANYTHING,
         _stripping(_SCRAPES, "the copy is not scraped", ("annotations", "labels"))),
    Rule("S17", "containers of restore hooks", ("pods",), _init_hook),
    Rule("S17", "restore hooks", _ANYTHING, _stripping(_HOOKS, "restore hooks are not run", ("annotations",))),
    *wishes.RULES,
)  # fmt: skip

"""Nobody gives away rights that are not theirs: what a write of a role or a binding asks for beyond its own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import product
from typing import Any

from lazarus_tui.sandbox.api.errors import forbidden
from lazarus_tui.sandbox.api.identity import User
from lazarus_tui.sandbox.api.rights import CLUSTER_ROLES, RBAC, ROLES, Attributes, Rights, Rule, path_matches

Object = Mapping[str, Any]
_EVERYTHING = (
    {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]},
    {"verbs": ["*"], "nonResourceURLs": ["*"]},
)
_BINDINGS = ("rolebindings", "clusterrolebindings")
_ROLES = ("roles", "clusterroles")


def concerns(group: str, plural: str) -> bool:
    """Whether writes of this kind hand out rights."""
    return group == RBAC and plural in (*_ROLES, *_BINDINGS)


def confirm(rights: Rights, user: User, plural: str, new: Object, old: Object | None) -> None:
    """403 when ``new`` would grant what ``user`` has not."""
    if user.privileged or (old is not None and _content(old) == _content(new)):
        return
    meta = new["metadata"]
    namespace = meta.get("namespace", "")
    if plural in _BINDINGS:
        _confirm_binding(rights, user, plural, new)
        return
    escalate = Attributes("escalate", RBAC, plural, namespace=namespace, name=meta["name"])
    if rights.decide(user, escalate).allowed:
        return
    _confirm(rights, user, plural, meta["name"], namespace, new.get("rules") or ())
    aggregated = new.get("aggregationRule") or (old or {}).get("aggregationRule")
    if aggregated and _missing(rights, user, "", _EVERYTHING):
        why = "must have cluster-admin privileges to use the aggregationRule"
        raise forbidden(plural, RBAC, meta["name"], why)


def _content(obj: Object) -> dict[str, Any]:
    """Without what garbage collection changes: that anybody with the right to write may take away."""
    ignored = ("ownerReferences", "finalizers", "resourceVersion", "managedFields", "generation")
    meta = {key: value for key, value in obj["metadata"].items() if key not in ignored}
    return {**obj, "metadata": meta}


def _confirm_binding(rights: Rights, user: User, plural: str, binding: Object) -> None:
    meta, reference = binding["metadata"], binding.get("roleRef") or {}
    namespace = meta.get("namespace", "")
    kind = CLUSTER_ROLES if reference.get("kind") == CLUSTER_ROLES.kind else ROLES
    name = str(reference.get("name", ""))
    bind = Attributes("bind", RBAC, kind.plural, namespace=namespace, name=name)
    if not rights.decide(user, bind).allowed:
        _confirm(rights, user, plural, meta["name"], namespace, rights.role_rules(reference, namespace))


def _confirm(rights: Rights, user: User, plural: str, name: str, namespace: str, rules: Sequence[Object]) -> None:
    missing = _missing(rights, user, namespace, rules)
    if missing:
        groups = " ".join(f'"{one}"' for one in user.groups)
        told = "\n".join(sorted(missing))
        who = f'user "{user.name}" (groups=[{groups}]) is attempting to grant RBAC permissions not currently held'
        raise forbidden(plural, RBAC, name, f"{who}:\n{told}")


def _missing(rights: Rights, user: User, namespace: str, rules: Iterable[Object]) -> list[str]:
    """What of ``rules`` the user's own do not cover, in upstream's short form."""
    own = [Rule.of(rule) for rule in rights.rules(user, namespace)]
    lacking = []
    for rule in rules:
        single = [one for one in _singles(rule) if not any(covers(mine, one) for mine in own)]
        lacking += _told(single)
    return lacking


def _singles(rule: Object) -> Iterator[Rule]:
    """The rule, split so that each part names one verb of one resource (or path)."""
    names = rule.get("resourceNames") or ("",)
    verbs = rule.get("verbs") or ()
    for group, resource, name, verb in product(rule.get("apiGroups") or (), rule.get("resources") or (), names, verbs):
        chosen = frozenset({name} if name else ())
        yield Rule(frozenset({verb}), frozenset({group}), frozenset({resource}), chosen, ())
    for path, verb in product(rule.get("nonResourceURLs") or (), verbs):
        yield Rule(frozenset({verb}), frozenset(), frozenset(), frozenset(), (path,))


def covers(mine: Rule, wanted: Rule) -> bool:
    """Whether ``mine`` allows everything that ``wanted``, a single one, does."""
    if not _holds(mine.verbs, wanted.verbs):
        return False
    if wanted.paths:
        return any(path_matches(path, wanted.paths[0]) for path in mine.paths)
    (resource,) = wanted.resources
    subresource = resource.partition("/")[2]
    return (
        _holds(mine.groups, wanted.groups)
        and (_holds(mine.resources, wanted.resources) or bool(subresource and f"*/{subresource}" in mine.resources))
        and (not mine.names or (bool(wanted.names) and wanted.names <= mine.names))
    )


def _holds(mine: frozenset[str], wanted: frozenset[str]) -> bool:
    return "*" in mine or wanted <= mine


def _told(lacking: Sequence[Rule]) -> list[str]:
    """Lacking parts of one rule, verbs of the same thing together."""
    verbs: dict[tuple[Any, ...], list[str]] = {}
    for one in lacking:
        key = (*(tuple(part) for part in (one.groups, one.resources)), one.paths, tuple(one.names))
        verbs.setdefault(key, []).append(next(iter(one.verbs)))
    told = []
    for (groups, resources, paths, names), missing in verbs.items():
        parts = {"APIGroups": groups, "Resources": resources, "NonResourceURLs": paths, "ResourceNames": names}
        texts = [f"{label}:{_list(values)}" for label, values in {**parts, "Verbs": missing}.items() if values]
        told.append("{" + ", ".join(texts) + "}")
    return told


def _list(values: Iterable[str]) -> str:
    return "[" + " ".join(f'"{one}"' for one in values) + "]"

"""Roles and their bindings: who may do what. The one function behind enforcement and every review."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lazarus_tui.model.resources import Resource
from lazarus_tui.sandbox.api.errors import ApiError, not_found
from lazarus_tui.sandbox.api.identity import User, account_of
from lazarus_tui.sandbox.api.store import Event, Store

RBAC = "rbac.authorization.k8s.io"
ROLES = Resource(RBAC, "v1", "roles", "Role")
CLUSTER_ROLES = Resource(RBAC, "v1", "clusterroles", "ClusterRole", namespaced=False)
ROLE_BINDINGS = Resource(RBAC, "v1", "rolebindings", "RoleBinding")
CLUSTER_ROLE_BINDINGS = Resource(RBAC, "v1", "clusterrolebindings", "ClusterRoleBinding", namespaced=False)
KINDS = (ROLES, CLUSTER_ROLES, ROLE_BINDINGS, CLUSTER_ROLE_BINDINGS)
_GROUP_RESOURCES = frozenset(kind.group_resource for kind in KINDS)
# Subjects whose rules are kept ready; the oldest goes first.
_REMEMBERED = 256

Object = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Attributes:
    """What a request wants to do: on a resource, or with ``path`` on something that is none.

    ``name`` is empty for a whole collection, ``namespace`` for everything cluster-scoped or all namespaces.
    """

    verb: str
    group: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    path: str = ""

    @property
    def combined(self) -> str:
        return f"{self.resource}/{self.subresource}" if self.subresource else self.resource


@dataclass(frozen=True, slots=True)
class Decision:
    """``reason`` names the binding that allows it, or the roles that could not be found."""

    allowed: bool
    reason: str = ""


@dataclass(frozen=True)
class Rule:
    """One rule of a role, as frozen sets; ``*`` means everything."""

    verbs: frozenset[str]
    groups: frozenset[str]
    resources: frozenset[str]
    names: frozenset[str]
    paths: tuple[str, ...]

    @classmethod
    def of(cls, rule: Mapping[str, Any]) -> Rule:
        return cls(
            frozenset(rule.get("verbs") or ()),
            frozenset(rule.get("apiGroups") or ()),
            frozenset(rule.get("resources") or ()),
            frozenset(rule.get("resourceNames") or ()),
            tuple(rule.get("nonResourceURLs") or ()),
        )

    def allows(self, wanted: Attributes) -> bool:
        if wanted.verb not in self.verbs and "*" not in self.verbs:
            return False
        if wanted.path:
            return any(path_matches(path, wanted.path) for path in self.paths)
        return (
            (wanted.group in self.groups or "*" in self.groups)
            and self._names_resource(wanted)
            and (not self.names or wanted.name in self.names)
        )

    def _names_resource(self, wanted: Attributes) -> bool:
        if "*" in self.resources or wanted.combined in self.resources:
            return True
        return bool(wanted.subresource) and f"*/{wanted.subresource}" in self.resources


def path_matches(rule: str, path: str) -> bool:
    """A rule's path may end in ``*``."""
    return rule in ("*", path) or (rule.endswith("*") and path.startswith(rule.rstrip("*")))


@dataclass(frozen=True, slots=True)
class Grant:
    """Rules that a binding gives to a subject; ``error`` says why it gives none."""

    source: str
    rules: tuple[Rule, ...] = ()
    given: tuple[Mapping[str, Any], ...] = ()
    error: str = ""


class Rights:
    """Answers who may do what from the roles and bindings in a store.

    Rules are gathered once for each subject and namespace and dropped when any role or binding changes.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: dict[tuple[str, tuple[str, ...], str], tuple[Grant, ...]] = {}
        store.subscribe(self._on_commit)

    def _on_commit(self, event: Event) -> None:
        if event.group_resource in _GROUP_RESOURCES:
            self._known.clear()

    def decide(self, user: User, wanted: Attributes) -> Decision:
        """Purely additive, as upstream: whatever any rule allows is allowed."""
        if user.privileged:
            return Decision(True)
        errors = []
        for grant in self.grants(user, wanted.namespace):
            if grant.error:
                errors.append(grant.error)
            elif any(rule.allows(wanted) for rule in grant.rules):
                return Decision(True, f"RBAC: allowed by {grant.source}")
        joined = errors[0] if len(errors) == 1 else f"[{', '.join(errors)}]"
        return Decision(False, f"RBAC: {joined}" if errors else "")

    def check(self, user: User, wanted: Attributes) -> None:
        """Raises the 403 that a request without the right gets."""
        if user.privileged:
            return
        decision = self.decide(user, wanted)
        if not decision.allowed:
            raise refusal(user, wanted, decision.reason)

    def grants(self, user: User, namespace: str) -> tuple[Grant, ...]:
        """Everything bound to ``user``, cluster-wide first."""
        key = (user.name, user.groups, namespace)
        found = self._known.get(key)
        if found is None:
            if len(self._known) >= _REMEMBERED:
                del self._known[next(iter(self._known))]
            found = self._known[key] = tuple(self._gathered(user, namespace))
        return found

    def rules(self, user: User, namespace: str) -> list[Mapping[str, Any]]:
        """The rules of a user in a namespace as the roles hold them."""
        return [rule for grant in self.grants(user, namespace) for rule in grant.given]

    def _gathered(self, user: User, namespace: str) -> Iterator[Grant]:
        for entity in self._store.select(CLUSTER_ROLE_BINDINGS.group_resource):
            yield from self._grant(user, entity.obj, "")
        if not namespace:
            return
        for entity in self._store.select(ROLE_BINDINGS.group_resource, namespace):
            yield from self._grant(user, entity.obj, namespace)

    def _grant(self, user: User, binding: Object, namespace: str) -> Iterator[Grant]:
        subject = next((one for one in binding.get("subjects") or () if _is(user, one, namespace)), None)
        if subject is None:
            return
        reference = binding["roleRef"]
        meta = binding["metadata"]
        name = f"{meta['name']}/{namespace}" if namespace else meta["name"]
        told = f"{subject['kind']} {_quoted(_subject_name(subject, namespace))}"
        role = f"{reference['kind']} {_quoted(reference['name'])}"
        source = f"{binding['kind']} {_quoted(name)} of {role} to {told}"
        try:
            given = tuple(self.role_rules(reference, namespace))
        except ApiError as error:
            yield Grant(source, error=error.message)
            return
        yield Grant(source, tuple(Rule.of(rule) for rule in given), given)

    def role_rules(self, reference: Mapping[str, Any], namespace: str) -> Sequence[Mapping[str, Any]]:
        """The rules of the role that a binding in ``namespace`` refers to; 404 when there is none."""
        clustered = reference.get("kind") == CLUSTER_ROLES.kind
        kind = CLUSTER_ROLES if clustered else ROLES
        name = str(reference.get("name", ""))
        entity = self._store.get(kind.group_resource, ("" if clustered else namespace, name))
        if entity is None:
            raise not_found(kind.kind.lower(), kind.group, name)  # upstream's listers say it in the singular
        return entity.obj.get("rules") or ()


def _is(user: User, subject: Mapping[str, Any], namespace: str) -> bool:
    kind, name = subject.get("kind"), subject.get("name")
    if kind == "User":
        return user.name == name
    if kind == "Group":
        return name in user.groups
    where = subject.get("namespace") or namespace
    return kind == "ServiceAccount" and bool(where) and account_of(user.name) == (where, name)


def _subject_name(subject: Mapping[str, Any], namespace: str) -> str:
    if subject.get("kind") == "ServiceAccount":
        return f"{subject['name']}/{subject.get('namespace') or namespace}"
    return str(subject["name"])


def _quoted(text: str) -> str:
    return f'"{text}"'


def refusal(user: User, wanted: Attributes, reason: str = "") -> ApiError:
    """The 403 in the words of the real server."""
    why = f": {reason}" if reason else ""
    if wanted.path:
        message = f'forbidden: User "{user.name}" cannot {wanted.verb} path "{wanted.path}"{why}'
        return ApiError(403, "Forbidden", message, {})
    qualified = f"{wanted.resource}.{wanted.group}" if wanted.group else wanted.resource
    whose = f'{qualified} "{wanted.name}"' if wanted.name else qualified
    where = f'in the namespace "{wanted.namespace}"' if wanted.namespace else "at the cluster scope"
    what = f'cannot {wanted.verb} resource "{wanted.combined}" in API group "{wanted.group}" {where}'
    details = {"name": wanted.name, "group": wanted.group, "kind": wanted.resource}
    message = f'{whose} is forbidden: User "{user.name}" {what}{why}'
    return ApiError(403, "Forbidden", message, {key: value for key, value in details.items() if value})

"""Who sends a request: users, groups and service accounts as Kubernetes names them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

MASTERS = "system:masters"
"""Members may do everything, whatever the roles say."""

AUTHENTICATED, UNAUTHENTICATED = "system:authenticated", "system:unauthenticated"
_ANONYMOUS = "system:anonymous"
_ACCOUNT_PREFIX, _ACCOUNT_GROUP = "system:serviceaccount:", "system:serviceaccounts"


@dataclass(frozen=True)
class User:
    """``extra`` holds lists by key, as in a review's ``userInfo``."""

    name: str
    groups: tuple[str, ...] = ()
    uid: str = ""
    extra: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def privileged(self) -> bool:
        return MASTERS in self.groups

    @property
    def info(self) -> dict[str, Any]:
        """The ``userInfo`` of reviews."""
        info: dict[str, Any] = {"username": self.name}
        if self.uid:
            info["uid"] = self.uid
        if self.groups:
            info["groups"] = list(self.groups)
        if self.extra:
            info["extra"] = {key: list(values) for key, values in self.extra.items()}
        return info


ADMIN = User("lazarus-admin", (MASTERS, AUTHENTICATED))
"""Who holds the kubeconfig's token."""

ANONYMOUS = User(_ANONYMOUS, (UNAUTHENTICATED,))


def account_user(namespace: str, name: str, uid: str = "", extra: Mapping[str, tuple[str, ...]] | None = None) -> User:
    """The user that a service account is."""
    groups = (*account_groups(namespace), AUTHENTICATED)
    return User(f"{_ACCOUNT_PREFIX}{namespace}:{name}", groups, uid, extra or {})


def account_groups(namespace: str) -> tuple[str, str]:
    return (_ACCOUNT_GROUP, f"{_ACCOUNT_GROUP}:{namespace}")


def account_of(username: str) -> tuple[str, str] | None:
    """Namespace and name of the service account with this user name."""
    namespace, separator, name = username.removeprefix(_ACCOUNT_PREFIX).partition(":")
    if not username.startswith(_ACCOUNT_PREFIX) or not separator or not namespace or not name or ":" in name:
        return None
    return namespace, name


def impersonated(name: str, groups: tuple[str, ...], uid: str, extra: Mapping[str, tuple[str, ...]]) -> User:
    """Whom a request acts as. Without groups of its own a service account has those it always has; everybody who is
    not anonymous is authenticated, unless the groups say otherwise."""
    account = account_of(name)
    if not groups and account:
        groups = account_groups(account[0])
    if name == _ANONYMOUS:
        groups = groups if UNAUTHENTICATED in groups else (*groups, UNAUTHENTICATED)
    elif AUTHENTICATED not in groups and UNAUTHENTICATED not in groups:
        groups = (*groups, AUTHENTICATED)
    return User(name, groups, uid, extra)

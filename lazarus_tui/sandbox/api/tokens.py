"""Tokens of service accounts: signed, bound to what they were made for, and worth nothing once that is gone."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from lazarus_tui.model.clock import Clock
from lazarus_tui.model.resources import NODES, PODS, SECRETS, SERVICEACCOUNTS, Resource
from lazarus_tui.sandbox.api.identity import User, account_user
from lazarus_tui.sandbox.api.store import Store

AUDIENCE = "https://kubernetes.default.svc.cluster.local"
"""Who a token is for unless asked otherwise: the API server, which also issues it."""

BINDABLE: Mapping[str, Resource] = {"Pod": PODS, "Secret": SECRETS, "Node": NODES}
_KUBERNETES = "kubernetes.io"
_EXTRA = "authentication.kubernetes.io"


class TokenRefused(Exception):
    """Why a token lets nobody in; for logs and token reviews, never for an answer to a stranger."""


@dataclass(frozen=True, slots=True)
class Bound:
    """What a token dies with: ``kind`` is Pod, Secret or Node."""

    kind: str
    name: str
    uid: str


class Tokens:
    """Makes and reads tokens (JWT, HS256). ``seed`` keeps them valid over a restart; without one they end with it."""

    def __init__(self, store: Store, clock: Clock, seed: str = "", ids: Callable[[], str] | None = None) -> None:
        self._store, self._clock = store, clock
        secret = f"lazarus service accounts {seed}".encode() if seed else secrets.token_bytes(32)
        self._key = hashlib.sha256(secret).digest()
        self._ids = ids or (lambda: str(uuid.uuid4()))

    def issue(
        self,
        account: Mapping[str, Any],
        seconds: float | None,
        audiences: Sequence[str] = (),
        bound: Bound | None = None,
    ) -> str:
        """A token for a ServiceAccount object; ``seconds`` None for one that has no end of its own."""
        meta = account["metadata"]
        now = int(self._clock.now().timestamp())
        private: dict[str, Any] = {
            "namespace": meta["namespace"],
            "serviceaccount": {"name": meta["name"], "uid": meta["uid"]},
        }
        if bound:
            private[bound.kind.lower()] = {"name": bound.name, "uid": bound.uid}
        claims: dict[str, Any] = {
            "aud": list(audiences) or [AUDIENCE],
            "iat": now,
            "iss": AUDIENCE,
            "jti": self._ids(),
            _KUBERNETES: private,
            "nbf": now,
            "sub": f"system:serviceaccount:{meta['namespace']}:{meta['name']}",
        }
        if seconds is not None:
            claims["exp"] = now + int(seconds)
        signed = ".".join(_packed(msgspec.json.encode(part)) for part in ({"alg": "HS256", "typ": "JWT"}, claims))
        return f"{signed}.{self._signature(signed)}"

    def _signature(self, signed: str) -> str:
        return _packed(hmac.digest(self._key, signed.encode(), "sha256"))

    def user(self, token: str, audiences: Sequence[str] = (AUDIENCE,)) -> User:
        """Whom a token lets in; raises ``TokenRefused``."""
        return self.read(token, audiences)[0]

    def read(self, token: str, audiences: Sequence[str] = (AUDIENCE,)) -> tuple[User, list[str]]:
        """Whom a token lets in, and which of ``audiences`` it is for; raises ``TokenRefused``."""
        signed, _, signature = token.rpartition(".")
        if not signed or not hmac.compare_digest(self._signature(signed).encode(), signature.encode()):
            raise TokenRefused("invalid bearer token")
        claims: dict[str, Any] = msgspec.json.decode(_unpacked(signed.partition(".")[2]))
        if "exp" in claims and self._clock.now().timestamp() >= claims["exp"]:
            raise TokenRefused("service account token has expired")
        meant = [one for one in audiences if one in claims["aud"]]
        if not meant:
            raise TokenRefused(f"token audiences {claims['aud']} is invalid for the target audiences {list(audiences)}")
        return self._holder(claims), meant

    def _holder(self, claims: Mapping[str, Any]) -> User:
        private = claims[_KUBERNETES]
        namespace, account = private["namespace"], private["serviceaccount"]
        self._check(SERVICEACCOUNTS, namespace, account)
        extra = {f"{_EXTRA}/credential-id": (f"JTI={claims['jti']}",)}
        for kind, resource in BINDABLE.items():
            one = private.get(kind.lower())
            if one:
                self._check(resource, namespace if resource.namespaced else "", one)
                extra[f"{_EXTRA}/{kind.lower()}-name"] = (one["name"],)
                extra[f"{_EXTRA}/{kind.lower()}-uid"] = (one["uid"],)
        return account_user(namespace, account["name"], account["uid"], extra)

    def _check(self, resource: Resource, namespace: str, wanted: Mapping[str, str]) -> None:
        """The very object a token was made for must still be there."""
        found = self._store.get(resource.group_resource, (namespace, wanted["name"]))
        if found is None or found.obj["metadata"]["uid"] != wanted["uid"]:
            raise TokenRefused(f"{resource.kind} {wanted['name']} of the token is gone")


def _packed(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _unpacked(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))

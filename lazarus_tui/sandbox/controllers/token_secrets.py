"""Secrets that hold the token of a service account: filled, and deleted with the account."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, ClassVar

from lazarus_tui.model.clock import Clock
from lazarus_tui.model.resources import SECRETS, SERVICEACCOUNTS, Resource
from lazarus_tui.sandbox.api.tokens import Bound, TokenRefused, Tokens
from lazarus_tui.sandbox.controllers.base import Controller, Key, Object, key_of

if TYPE_CHECKING:
    from lazarus_tui.sandbox.api.local import LocalApi

_TYPE = "kubernetes.io/service-account-token"
_NAME, _UID = "kubernetes.io/service-account.name", "kubernetes.io/service-account.uid"


class TokenSecrets(Controller):
    """Puts a token without an end, the CA and the namespace into Secrets that ask for it by their type."""

    name = "token-secrets"
    watches: ClassVar[Sequence[Resource]] = (SECRETS, SERVICEACCOUNTS)

    def __init__(self, api: LocalApi, clock: Clock, tokens: Tokens, ca: str = "") -> None:
        super().__init__(api, clock)
        self._tokens, self._ca = tokens, ca

    def keys(self, resource: Resource, obj: Object, old: Object | None) -> Iterable[Key]:
        if resource == SECRETS:
            return (key_of(obj),) if obj.get("type") == _TYPE else ()
        secrets = self.api.list(SECRETS, obj["metadata"]["namespace"])
        return [key_of(one) for one in secrets if one.get("type") == _TYPE]

    async def reconcile(self, key: Key) -> float | None:
        secret = self.api.get(SECRETS, key[1], key[0])
        if secret is None or secret.get("type") != _TYPE:
            return None
        meta = secret["metadata"]
        told = meta.get("annotations") or {}
        account = self.api.get(SERVICEACCOUNTS, told.get(_NAME, ""), key[0])
        if account is None or told.get(_UID, account["metadata"]["uid"]) != account["metadata"]["uid"]:
            self.api.delete(SECRETS, key[1], key[0], uid=meta["uid"])
            return None
        data = secret.get("data") or {}
        wanted = {"ca.crt": _encoded(self._ca), "namespace": _encoded(key[0])}
        if not self._good(data.get("token", "")):
            token = self._tokens.issue(account, None, bound=Bound(SECRETS.kind, key[1], meta["uid"]))
            wanted["token"] = _encoded(token)
        if any(data.get(field) != value for field, value in wanted.items()) or _UID not in told:
            patch = {"metadata": {"annotations": {_UID: account["metadata"]["uid"]}}, "data": wanted}
            self.api.patch(SECRETS, key[1], patch, key[0])
        return None

    def _good(self, encoded: str) -> bool:
        """Not when it was cut or made by another cluster: a restore brings such."""
        try:
            self._tokens.user(base64.b64decode(encoded).decode())
        except (TokenRefused, ValueError):
            return False
        return True


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()

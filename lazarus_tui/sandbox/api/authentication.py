"""Credentials of a request, and whom it acts as."""

from __future__ import annotations

import hmac
from collections.abc import Iterator
from urllib.parse import unquote

from lazarus_tui.model.http import HttpRequest
from lazarus_tui.sandbox.api.errors import ApiError
from lazarus_tui.sandbox.api.identity import ADMIN, ANONYMOUS, User, account_of, impersonated
from lazarus_tui.sandbox.api.rights import Attributes, Rights
from lazarus_tui.sandbox.api.tokens import TokenRefused, Tokens

_ACT_AS = "impersonate-"
_ACT_AS_EXTRA = "impersonate-extra-"
_AUTHENTICATION = "authentication.k8s.io"


class Credentials:
    """Knows the administrator's token and those of service accounts.

    Without an administrator's token everybody who shows no service account's is the administrator.
    """

    def __init__(self, token: str, tokens: Tokens) -> None:
        self._token, self.tokens = token, tokens

    def renew(self, token: str) -> None:
        """The administrator has another token from now on."""
        self._token = token

    def sender(self, request: HttpRequest) -> User:
        """401 for credentials that are not known; nobody in particular without any."""
        scheme, _, given = header(request, "authorization").partition(" ")
        given = given.strip()
        if scheme.lower() != "bearer" or not given:  # other schemes are nobody's, as upstream
            return ANONYMOUS if self._token else ADMIN
        if known := self.administrator(given):
            return known
        if not self._token and given.count(".") != 2:
            return ADMIN
        try:
            return self.tokens.user(given)
        except TokenRefused:
            raise _unauthorized() from None

    def administrator(self, token: str) -> User | None:
        """The administrator, for the one token that is theirs."""
        return ADMIN if self._token and _equal(token, self._token) else None


def acting(request: HttpRequest, sender: User, rights: Rights) -> User:
    """Whom ``sender`` acts as by the headers for it; 403 without the right to."""
    name, uid = "", ""
    groups: list[str] = []
    extra: dict[str, tuple[str, ...]] = {}
    for header_name, value in _act_as(request):
        if header_name == "user":
            name = value
        elif header_name == "uid":
            uid = value
        elif header_name == "group":
            groups.append(value)
        elif header_name.startswith("extra-"):
            key = unquote(header_name.removeprefix("extra-"))
            extra[key] = (*extra.get(key, ()), value)
    if not name:
        if uid or groups or extra:
            why = "requested uid, groups or extra without impersonating a user"
            raise ApiError(500, "InternalError", f"Internal error occurred: {why}")
        return sender
    for wanted in _impersonations(name, uid, groups, extra):
        rights.check(sender, wanted)
    return impersonated(name, tuple(groups), uid, extra)


def _act_as(request: HttpRequest) -> Iterator[tuple[str, str]]:
    for name, value in request.headers.items():
        lowered = name.lower()
        if lowered.startswith(_ACT_AS) and value:
            yield lowered.removeprefix(_ACT_AS), value


def _impersonations(name: str, uid: str, groups: list[str], extra: dict[str, tuple[str, ...]]) -> Iterator[Attributes]:
    account = account_of(name)
    if account:
        yield Attributes("impersonate", resource="serviceaccounts", namespace=account[0], name=account[1])
    else:
        yield Attributes("impersonate", resource="users", name=name)
    for group in groups:
        yield Attributes("impersonate", resource="groups", name=group)
    for key, values in extra.items():
        for value in values:
            yield Attributes("impersonate", _AUTHENTICATION, "userextras", key, name=value)
    if uid:
        yield Attributes("impersonate", _AUTHENTICATION, "uids", name=uid)


def _unauthorized() -> ApiError:
    return ApiError(401, "Unauthorized", "Unauthorized")


def _equal(given: str, token: str) -> bool:
    """In constant time; a header may hold bytes that are no text."""
    return hmac.compare_digest(given.encode(errors="surrogateescape"), token.encode())


def header(request: HttpRequest, name: str) -> str:
    """A header's value whatever its case, or ``""``."""
    for key, value in request.headers.items():
        if key.lower() == name:
            return value
    return ""

"""The door: who sends a request, whom it acts as, and whether that one may do what it asks for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import msgspec

from lazarus_tui.model.clock import Clock
from lazarus_tui.model.http import HttpRequest, HttpResponse
from lazarus_tui.sandbox.api import escalation
from lazarus_tui.sandbox.api.answers import JSON
from lazarus_tui.sandbox.api.attributes import attributes_of, needed
from lazarus_tui.sandbox.api.authentication import Credentials, acting
from lazarus_tui.sandbox.api.bodies import media_type
from lazarus_tui.sandbox.api.calls import APPLY_PATCH, Call
from lazarus_tui.sandbox.api.errors import ApiError
from lazarus_tui.sandbox.api.identity import ADMIN, User
from lazarus_tui.sandbox.api.rights import Rights
from lazarus_tui.sandbox.api.store import Store
from lazarus_tui.sandbox.api.tokens import AUDIENCE, Tokens


class Access:
    """Authentication, impersonation and authorisation of one API server, in the order of the real one."""

    def __init__(
        self, store: Store, clock: Clock, token: str, ids: Callable[[], str] | None = None, signing: str = ""
    ) -> None:
        self.rights = Rights(store)
        self.tokens = Tokens(store, clock, signing or token, ids)
        self._credentials = Credentials(token, self.tokens)

    def renew(self, token: str) -> None:
        """The administrator has another token from now on; those of service accounts stay good."""
        self._credentials.renew(token)

    def admit(self, request: HttpRequest) -> User:
        """Who the request counts as; 401 and 403 for those who may not."""
        user = acting(request, self._credentials.sender(request), self.rights)
        if not user.privileged:
            for wanted in needed(request):
                self.rights.check(user, wanted)
        return user

    def is_administrator(self, request: HttpRequest) -> bool:
        """Whether it shows the administrator's token, whomever it acts as."""
        try:
            return self._credentials.sender(request) is ADMIN
        except ApiError:
            return False

    def holder(self, token: str, audiences: Sequence[str]) -> tuple[User, list[str]]:
        """Whose a token is and for which of ``audiences``; raises ``TokenRefused``."""
        if AUDIENCE in audiences and (known := self._credentials.administrator(token)):
            return known, [AUDIENCE]
        return self.tokens.read(token, audiences)

    def confirm(self, user: User, call: Call) -> None:
        """What a write needs beyond its verb: no rights given away that one has not, no object made by a patch alone.

        Roles and bindings are judged as they would be stored, so the call is tried without effect first.
        """
        if user.privileged or call.request.method not in ("POST", "PUT", "PATCH") or call.route.subresource:
            return
        kind, route = call.kind, call.route
        old = call.verbs.store.get(kind.group_resource, kind.key(route.namespace, route.name)) if route.name else None
        if old is None and call.request.method == "PATCH" and media_type(call.request) == APPLY_PATCH:
            self.rights.check(user, replace(attributes_of(call.request), verb="create"))
        if escalation.concerns(kind.group, kind.plural):
            new = _rehearsed(call)
            escalation.confirm(self.rights, user, kind.plural, new, old.obj if old else None)


def _rehearsed(call: Call) -> dict[str, Any]:
    """The object that a write would leave; its own refusals come first."""
    tried = replace(call, query={**call.query, "dryRun": "All"}, accept=JSON).answer()
    assert isinstance(tried, HttpResponse), "a write answers with an object"
    found: dict[str, Any] = msgspec.json.decode(tried.body)
    return found

"""What faults do to the API server itself when they begin and end."""

from __future__ import annotations

from collections.abc import Callable

from lazarus_tui.model.http import HttpRequest
from lazarus_tui.sandbox.api.errors import ApiError
from lazarus_tui.sandbox.api.server import ApiServer
from lazarus_tui.sandbox.api.store import Store
from lazarus_tui.sandbox.faults import replies
from lazarus_tui.sandbox.faults.facts import Facts, matches
from lazarus_tui.sandbox.faults.model import Fault, FaultRefused, Match

Done = list[tuple[str, str]]


class Compaction:
    """Kind ``gone``: the store forgets, and watches that run are told."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def begin(self, fault: Fault) -> Done:
        self._store.compact()
        if fault.match.verbs and "watch" not in fault.match.verbs:
            return [("history", "forgotten")]
        ended = _end_watches(self._store, fault.match, replies.history_gone)
        return [("history", "forgotten"), *((line, "ended with 410") for line in ended)]

    async def end(self, fault: Fault) -> Done:
        return []


class BrokenWatches:
    """Kind ``reset`` where it names the verb watch: those that run break at once."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def begin(self, fault: Fault) -> Done:
        if "watch" not in fault.match.verbs:
            return []
        ended = _end_watches(self._store, fault.match, lambda: ConnectionResetError("reset by a fault on demand"))
        return [(line, "reset") for line in ended]

    async def end(self, fault: Fault) -> Done:
        return []


def _end_watches(store: Store, match: Match, why: Callable[[], ApiError | OSError]) -> list[str]:
    """What watches were ended, chosen by resource and namespace: of one that runs, no more is known."""
    wanted = Match(resources=match.resources, namespaces=match.namespaces)
    nothing = HttpRequest("GET", "")

    def chosen(group_resource: str, namespace: str | None) -> bool:
        plural, _, group = group_resource.partition(".")
        return matches(wanted, Facts(nothing, "watch", group, plural, "", namespace or ""))

    ended = store.end_watches(chosen, why)
    return [f"watch {resource}{f' in {namespace}' if namespace else ''}" for resource, namespace in ended]


class Expiry:
    """Kind ``token-expired``: at its end there is a new token, if that was asked for."""

    def __init__(self, server: ApiServer, renew: Callable[[], None]) -> None:
        self._server, self._renew = server, renew

    async def begin(self, fault: Fault) -> Done:
        if not self._server.token:
            raise FaultRefused("this sandbox lets everybody in: there is no token that could expire")
        return []

    async def end(self, fault: Fault) -> Done:
        if not fault.parameters["renew"] or fault.parameters["whose"] == "service":
            return []
        self._renew()
        return [("the administrator's token", "renewed")]

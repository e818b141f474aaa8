"""Where this engine may go outside of clusters, and how it reads the secrets for it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from urllib.parse import urlsplit

from lazarus_tui.engine.contexts import Contexts
from lazarus_tui.kube.contexts import is_loopback
from lazarus_tui.kube.secrets import credential
from lazarus_tui.model.addresses import AddressPolicy, policy
from lazarus_tui.notify.credentials import ReadSecret
from lazarus_tui.outward import Resolve


class Outside:
    """For sinks of notices and for Alertmanagers. ``find``: the resolver."""

    def __init__(self, contexts: Contexts, *, sandbox: bool, find: Resolve) -> None:
        self._contexts, self._sandbox, self.find = contexts, sandbox, find

    async def addresses(self, networks: Iterable[str]) -> AddressPolicy:
        """Loopback is open to the sandbox's engine alone; API servers are never reached."""
        never: list[str] = []
        for connection in self._contexts.in_use.values():
            server = urlsplit(connection.context.server)
            if server.hostname and not is_loopback(connection.context.server):
                with contextlib.suppress(OSError, UnicodeError):
                    never += await self.find(server.hostname, server.port or 443)
        return policy(networks, loopback=self._sandbox, never=[one.partition("%")[0] for one in never])

    def secrets(self, context: str) -> ReadSecret:
        async def read(namespace: str, name: str, key: str) -> str | None:
            return await credential(await self._contexts.cluster_for(context), namespace, name, key)

        return read

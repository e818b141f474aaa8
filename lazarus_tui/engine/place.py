"""A connected context as artefacts, planners and small gates see it."""

from __future__ import annotations

from lazarus_tui.engine.contexts import Contexts


class Place:
    """``consent``: what is done there was agreed to beforehand, by a policy. Raises ``LinkFault`` unless connected."""

    def __init__(self, contexts: Contexts, name: str, consent: bool = False) -> None:
        connection = contexts.connection(name)
        assert connection.identity is not None
        self._contexts, self.context, self._consent = contexts, name, consent
        self.cluster = contexts.reader(name)
        self.cluster_uid, self.velero = connection.identity.cluster_uid, connection.row.velero_namespace

    def writable(self) -> bool:
        return self._consent or self._contexts.writable(self.context)

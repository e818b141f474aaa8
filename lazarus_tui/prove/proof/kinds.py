"""Kinds by the names that plans and backups use, as the server serves them now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from lazarus_tui.kube.cluster import Cluster
from lazarus_tui.kube.discovery import served
from lazarus_tui.model import resources
from lazarus_tui.model.resources import Resource
from lazarus_tui.model.steps import Reader

_KNOWN = tuple(found for found in vars(resources).values() if isinstance(found, Resource))


@dataclass(frozen=True, slots=True)
class Kinds:
    """``silent``: groups whose server did not answer, so that nothing is known of their objects."""

    by_plural: Mapping[tuple[str, str], Resource]
    by_kind: Mapping[tuple[str, str], Resource]
    silent: tuple[str, ...] = ()

    @classmethod
    def of(cls, found: Iterable[Resource], silent: Iterable[str] = ()) -> Kinds:
        every = list(found)
        return cls(
            {(one.group, one.plural): one for one in every}, {(one.group, one.kind): one for one in every},
            tuple(silent),
        )  # fmt: skip

    def plural(self, group: str, plural: str) -> Resource | None:
        return self.by_plural.get((group, plural))

    def kind(self, api_version: str, kind: str) -> Resource | None:
        """A backup's version may be older than what is served: the group and the kind decide."""
        group = api_version.rpartition("/")[0]
        return self.by_kind.get((group, kind))


async def kinds(reader: Reader) -> Kinds:
    """Asked of the server; a reader that is no cluster knows the kinds that Lazarus has names for."""
    if isinstance(reader, Cluster):
        found, silent = await served(reader)
        return Kinds.of(found, silent)
    return Kinds.of(_KNOWN)

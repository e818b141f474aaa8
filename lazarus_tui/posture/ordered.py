"""Backups by the namespaces they take in: filters are asked once per filter and namespace, not once per backup."""

from __future__ import annotations

from collections.abc import Sequence

from lazarus_tui.model.objects import Backup
from lazarus_tui.model.scope import takes_namespace


class Ordered:
    """``of(namespace)`` gives the backups that mean to hold it, in the order of ``backups``."""

    def __init__(self, backups: Sequence[Backup]) -> None:
        self._backups = backups
        self._groups: dict[tuple[tuple[str, ...], tuple[str, ...]], list[int]] = {}
        self._known: dict[str, list[Backup]] = {}
        for index, backup in enumerate(backups):
            spec = backup.spec
            key = (tuple(spec.included_namespaces or ()), tuple(spec.excluded_namespaces or ()))
            self._groups.setdefault(key, []).append(index)

    def of(self, namespace: str) -> list[Backup]:
        if namespace not in self._known:
            taken = [
                group for group in self._groups.values() if takes_namespace(self._backups[group[0]].spec, namespace)
            ]
            self._known[namespace] = [self._backups[index] for index in sorted(i for group in taken for i in group)]
        return self._known[namespace]

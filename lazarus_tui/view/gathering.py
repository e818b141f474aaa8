"""The Overview's workloads with the proofs of a context as rows, made anew where something of them has changed.

A context has thousands of proofs, each of several workloads, and the Overview has news twice a second: what did not
change is left as it is, with all that was found out about it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from lazarus_tui.model.proofs import ProofView
from lazarus_tui.model.topics import WorkloadRow
from lazarus_tui.view.proofs import Proven, Run, runs_of
from lazarus_tui.view.source import TopicState


class Runs:
    """The runs of each workload, newest first; ``update`` with all proofs there are."""

    def __init__(self) -> None:
        self._views: Mapping[str, ProofView] = {}
        self._of: dict[str, dict[str, Run]] = {}  # by key, then by id of the proof
        self._sorted: dict[str, tuple[Run, ...]] = {}

    def update(self, views: Mapping[str, ProofView]) -> None:
        old, self._views = self._views, views
        for id, one in old.items():
            if views.get(id) is not one:
                self._remove(id, one)
        for id, one in views.items():
            if old.get(id) is not one:
                for key, run in runs_of(one):
                    self._of.setdefault(key, {})[id] = run
                    self._sorted.pop(key, None)

    def _remove(self, id: str, view: ProofView) -> None:
        for key, _ in runs_of(view):
            self._of.get(key, {}).pop(id, None)
            self._sorted.pop(key, None)
            if not self._of.get(key):
                self._of.pop(key, None)

    def of(self, key: str) -> tuple[Run, ...]:
        """The same tuple as long as nothing of it has changed."""
        found = self._sorted.get(key)
        if found is None:
            runs = self._of.get(key, {}).values()
            found = self._sorted[key] = tuple(sorted(runs, key=_started, reverse=True))
        return found

    def proven(self) -> list[str]:
        """The keys of what was proven, the newest first."""
        return sorted(sorted(self._of), key=lambda key: _started(self.of(key)[0]), reverse=True)


class Rows:
    """Rows by key. A proof whose workloads are not known is one of every workload of its namespace."""

    def __init__(self) -> None:
        self._runs = Runs()
        self._merged: dict[str, tuple[tuple[Run, ...], tuple[Run, ...], tuple[Run, ...]]] = {}
        self._proven: dict[str, Proven] = {}

    def update(self, views: Mapping[str, ProofView], rows: Iterable[WorkloadRow]) -> dict[str, Proven]:
        """As they are now; one of which nothing changed is the same object as before."""
        self._runs.update(views)
        known = {f"{row.namespace}/{row.kind}/{row.name}": row for row in rows}
        spaces = {row.namespace for row in known.values()}
        others = [key for key in self._runs.proven() if "/" in key or key not in spaces]
        found = {key: self._row(key, known.get(key)) for key in dict.fromkeys([*known, *others])}
        self._merged = {key: one for key, one in self._merged.items() if key in found}
        self._proven = found
        return dict(found)

    def _row(self, key: str, row: WorkloadRow | None) -> Proven:
        namespace, _, workload = key.partition("/")
        runs, old = self._own(key, namespace if workload else ""), self._proven.get(key)
        if old is not None and old.row is row and old.runs is runs:
            return old
        return Proven(namespace, workload, runs, row)

    def _own(self, key: str, namespace: str) -> tuple[Run, ...]:
        """Those of a workload, with those of its namespace as a whole."""
        mine, whole = self._runs.of(key), self._runs.of(namespace) if namespace else ()
        if not whole:
            return mine
        known = self._merged.get(key)
        if known is None or known[0] is not mine or known[1] is not whole:
            known = (mine, whole, tuple(sorted((*mine, *whole), key=_started, reverse=True)))
            self._merged[key] = known
        return known[2]


def gather(views: Iterable[ProofView], rows: Iterable[WorkloadRow]) -> dict[str, Proven]:
    """Rows by key, once."""
    return Rows().update({one.id: one for one in views}, rows)


class Gathered:
    """The Overview's workloads and the proofs of this context as one topic; made anew when one of both has news.

    Without the proofs nobody knows what was proven: then there are no rows, and the reason says why.
    """

    def __init__(self) -> None:
        self._of: tuple[Any, Any] = (None, None)
        self._rows = Rows()
        self._records: dict[str, Proven] = {}

    def __call__(self, overview: TopicState, proofs: TopicState) -> TopicState:
        if proofs.state in ("loading", "failed"):
            return replace(proofs, records={})
        if self._of[0] is not overview.records or self._of[1] is not proofs.records:
            self._of = (overview.records, proofs.records)
            self._records = self._rows.update(proofs.records, overview.records.values())
        if overview.state == "failed" and self._records:
            return replace(proofs, records=self._records)
        return replace(overview, records=self._records)


def _started(run: Run) -> str:
    return run.view.started

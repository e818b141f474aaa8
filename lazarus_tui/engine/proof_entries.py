"""The entries of the queue of proofs that are remembered: what is open, the newest of what ended, and all by which a
workload still stands."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from lazarus_tui.model.proof_policies import Entry, State

# Ended entries that are kept in memory for each policy and workload.
KEPT = 400
_Key = tuple[object, ...]


class Entries:
    """In the order in which they were queued. Of what ended the oldest go, but never the last proof of a choice of a
    point, nor the last control of a kind: a red one counts until the next of its kind, however many others end before
    that."""

    def __init__(self) -> None:
        self._all: dict[str, Entry] = {}
        self._open: dict[str, None] = {}
        self._of: dict[_Key, dict[str, None]] = {}  # ids by context and policy, and by these and the workload
        self._last: dict[_Key, str] = {}  # id of the one of its kind that ended last

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._all.values())

    def get(self, id: str) -> Entry | None:
        return self._all.get(id)

    def of(self, context: str, policy: str) -> list[Entry]:
        return [self._all[id] for id in self._of.get((context, policy), ())]

    def open(self) -> list[Entry]:
        return [self._all[id] for id in self._open]

    def add(self, entry: Entry) -> None:
        """One that is known stays as it is."""
        if entry.id in self._all:
            return
        for key in _keys(entry):
            self._of.setdefault(key, {})[entry.id] = None
        self.put(entry)
        self._forget(_keys(entry)[1])

    def put(self, entry: Entry) -> None:
        """As one that was added stands now."""
        self._all[entry.id] = entry
        if entry.state.open:
            self._open[entry.id] = None
            return
        self._open.pop(entry.id, None)
        if not entry.policy or entry.state is State.SKIPPED:
            return
        last = self._all.get(self._last.get(_kind(entry), ""))
        if last is None or last.ended <= entry.ended:
            self._last[_kind(entry)] = entry.id

    def _forget(self, key: _Key) -> None:
        """The journal keeps them all."""
        ids = self._of[key]
        for one in [self._all[id] for id in islice(ids, max(0, len(ids) - KEPT))]:
            if one.state.open or self._last.get(_kind(one)) == one.id:
                continue
            del self._all[one.id]
            for each in _keys(one):
                del self._of[each][one.id]


def _keys(one: Entry) -> tuple[_Key, _Key]:
    return (one.context, one.policy), (one.context, one.policy, one.subject)


def _kind(one: Entry) -> _Key:
    """What an entry says something about: a kind of control, a choice of a point, or points as they complete."""
    choice = "" if one.control or one.uid else one.choice
    return one.context, one.policy, one.cluster, one.subject, one.control, choice, one.state

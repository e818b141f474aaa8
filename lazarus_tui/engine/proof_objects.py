"""LazarusRestoreTests of a cluster: each is proven once, by whoever takes it up first, and told how it went.

That it was taken up is written into the journal and into the object's status, with a precondition, before it is queued;
its entry follows from the object's uid, so that whoever comes after a crash finds the same one. Of several engines one
looks after the objects of a cluster (engine.election); it takes over what one that is gone had taken up.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from lazarus_tui.engine.election import Posts
from lazarus_tui.engine.errors import Refused
from lazarus_tui.engine.object_status import Place, Telling
from lazarus_tui.engine.proof_book import ProofBook
from lazarus_tui.engine.proof_calls import held_namespace, tested
from lazarus_tui.engine.proof_sharing import TESTS as TESTS_POST
from lazarus_tui.journal import Journal
from lazarus_tui.model.clock import Clock, rfc3339
from lazarus_tui.model.plan import PlanRefused
from lazarus_tui.model.proof_policies import Entry, State, entry_id
from lazarus_tui.model.resources import Resource
from lazarus_tui.model.verdict import Verdict
from lazarus_tui.prove.policies import read_object
from lazarus_tui.snapshots.policies import status

TESTS = Resource("lazarus.io", "v1alpha1", "lazarusrestoretests", "LazarusRestoreTest")
KIND = "proof-object"  # of the journal's events
PENDING, RUNNING, INVALID, REFUSED, SKIPPED = "Pending", "Running", "Invalid", "Refused", "Skipped"
PHASES = {Verdict.PASSED: "Passed", Verdict.FAILED: "Failed", Verdict.INCONCLUSIVE: "Inconclusive",
          Verdict.NOT_TESTED: "NotTested"}  # fmt: skip
PASSED = "Passed"  # the condition that kubectl wait looks at
Object = Mapping[str, Any]


class ProofObjects:
    """``velero``: the namespace of a context's Velero. ``wake`` is called when there is something new to run."""

    def __init__(
        self, book: ProofBook, journal: Journal, clock: Clock, telling: Telling, *, velero: Callable[[str], str],
        wake: Callable[[], None] = lambda: None, posts: Posts | None = None,
    ) -> None:  # fmt: skip
        self._book, self._journal, self._clock, self._telling = book, journal, clock, telling
        self._velero, self._wake, self._posts = velero, wake, posts
        self._marks: dict[str, str] = {}  # by uid: what this engine's claim on an object is known by

    async def load(self) -> None:
        for event in await self._journal.events_of(KIND):
            self._marks[str(event.body["uid"])] = str(event.body["mark"])

    async def gone(self, place: Place, listed: Sequence[Object]) -> None:
        """What waits of objects that were deleted is not proven any more."""
        there = {str(found["metadata"]["uid"]) for found in listed}
        for entry in self._book.open(place.context):
            if entry.object and entry.object not in there and entry.state is State.WAITING:
                await self._book.end(entry, State.SKIPPED, "its object was deleted")

    async def elsewhere(self, place: Place) -> str:
        """Which other engine looks after the objects of a cluster, in words; "" when this one does."""
        return await self._posts.why(place.context, place.cluster, TESTS_POST) if self._posts is not None else ""

    async def one(self, place: Place, found: Object) -> str:
        """Carry an object on by what can be done now; why nothing is, in words, or "". Raises ``KubeError``."""
        uid = str(found["metadata"]["uid"])
        entry = self._book.entry(entry_id("test", uid))
        if why := await self._others(place, found, entry):
            return why
        if entry is not None:
            return await self._tell(place, found, *_standing(entry), entry=entry)
        if not self._left(place, found) and not self._ours(found) and (why := _claimed(found)):
            return why
        try:
            wish = read_object({"apiVersion": TESTS.api_version, "kind": TESTS.kind, **found})
        except PlanRefused as error:
            return await self._tell(place, found, INVALID, False, f"it cannot be run: {error}") or str(error)
        try:
            space = await held_namespace(place.cluster, self._velero(place.context), wish)
        except Refused as error:
            what = f"{error.what}; {error.hint}" if error.hint else error.what
            return await self._tell(place, found, PENDING, None, what) or what
        if why := await self._claim(place, found):
            return f"it is not begun: {why}"
        now = rfc3339(self._clock.now(), micro=True)
        await self._book.queue(None, [tested(wish, space, place.context, now)])
        self._wake()
        return ""

    async def _others(self, place: Place, found: Object, entry: Entry | None) -> str:
        """Who proved it, or does, in words: then its status is not ours to write. "" where that is nobody else."""
        by = _runner(found)
        if not by or self._posts is None or by == self._posts.holder or self._left(place, found):
            return ""
        if entry is not None and entry.state is State.WAITING:
            await self._book.end(entry, State.SKIPPED, f"another engine took it over: run by {by}")
        return f"run by {by}"

    def _left(self, place: Place, found: Object) -> bool:
        """Whether an engine that is gone had taken it up and not brought it to an end: the post is ours alone now."""
        by, phase = _runner(found), (found.get("status") or {}).get("phase")
        if self._posts is None or not by or by == self._posts.holder or phase not in (PENDING, RUNNING):
            return False
        return self._posts.sure(place.context, TESTS_POST)

    def _ours(self, found: Object) -> bool:
        mark = self._marks.get(str(found["metadata"]["uid"]))
        return mark is not None and mark in str(status.condition(found).get("message"))

    async def _claim(self, place: Place, found: Object) -> str:
        """Take it up against every other Lazarus: its status must still be as it was read. Why not, or ""."""
        if self._ours(found) and not self._left(place, found):
            return ""
        uid, mark = str(found["metadata"]["uid"]), secrets.token_hex(8)
        await self._journal.append("", (KIND, {"uid": uid, "mark": mark}))
        self._marks[uid] = mark
        return await self._tell(place, found, PENDING, None, f"taken up ({mark})")

    async def _tell(
        self, place: Place, found: Object, phase: str, good: bool | None, message: str, entry: Entry | None = None
    ) -> str:
        now = self._telling.now()
        fields = {"phase": phase, **(_fields(entry) if entry is not None else {})}
        if self._posts is not None:
            fields["runBy"] = self._posts.holder
        wanted = status.told(found, fields, good=good, reason=phase, message=message, now=now)
        _passed(found, wanted, entry, now)
        ended = entry is not None and not entry.state.open
        event = (f"Proof{phase}", message) if ended or phase == INVALID else None
        normal = phase in (PASSED, SKIPPED)
        why = await self._telling.status(place, TESTS, found, wanted, event, normal=normal)
        return f"its status cannot be written: {why}" if why else ""


def _runner(found: Object) -> str:
    """The engine that wrote its status, "" where none said so."""
    return str((found.get("status") or {}).get("runBy") or "")


def _claimed(found: Object) -> str:
    """Who is at it, or was, in words; "" while nobody is. A spec cannot be changed: what is invalid stays so."""
    ours, phase = status.condition(found), str((found.get("status") or {}).get("phase") or "")
    if not phase:
        return ""
    if not ours:
        return f"its phase is {phase}, and somebody else wrote that"
    if phase == INVALID:
        return f"{ours.get('message')}; delete it and make another one"
    return "" if phase == PENDING and "taken up" not in str(ours.get("message")) else "another Lazarus took it up"


def _standing(entry: Entry) -> tuple[str, bool | None, str]:
    """Phase, whether that is good (None: not known yet), and the message."""
    match entry.state:
        case State.WAITING:
            return PENDING, None, f"it waits: {entry.waiting or 'its turn comes'}"
        case State.RUNNING:
            return RUNNING, None, f"operation {entry.operation[:8]} proves it"
        case State.DONE:
            good = {Verdict.PASSED: True, Verdict.FAILED: False}.get(entry.verdict)
            return PHASES[entry.verdict], good, f"{entry.words}; see: lazarus prove show {entry.operation[:8]}"
        case State.SKIPPED:
            return SKIPPED, None, entry.words
        case State.REFUSED:
            return REFUSED, False, entry.words


def _fields(entry: Entry) -> dict[str, Any]:
    found: dict[str, Any] = {"point": entry.point}
    if entry.operation:
        found |= {"operation": entry.operation, "startTime": _seconds(entry.begun)}
    if entry.state is State.DONE:
        found |= {"verdict": str(entry.verdict), "completionTime": _seconds(entry.ended)}
        names = {"rta_seconds": "recoveryTimeActualSeconds", "rpa_seconds": "recoveryPointActualSeconds"}
        found |= {names[key]: round(value) for key, value in entry.figures.items() if key in names}
    return found


def _passed(found: Object, wanted: dict[str, Any], entry: Entry | None, now: str) -> None:
    """The condition ``Passed``: True and False are verdicts, Unknown is everything else."""
    verdict = entry.verdict if entry is not None else Verdict.NOT_TESTED
    state = {Verdict.PASSED: "True", Verdict.FAILED: "False"}.get(verdict, "Unknown")
    every = (found.get("status") or {}).get("conditions") or ()
    old: Mapping[str, Any] = next((one for one in every if one.get("type") == PASSED), {})
    since = old.get("lastTransitionTime", now) if old.get("status") == state else now
    message = entry.words if entry is not None and entry.state is State.DONE else "there is no verdict yet"
    ours = {"type": PASSED, "status": state, "reason": PHASES[verdict], "message": message or "-",
            "lastTransitionTime": since}  # fmt: skip
    rest = [one for one in wanted["conditions"] if one.get("type") != PASSED]
    wanted["conditions"] = [*rest, msgspec.to_builtins(ours)]


def _seconds(moment: str) -> str:
    """Kubernetes keeps whole seconds."""
    return f"{moment[:19]}Z" if moment else ""

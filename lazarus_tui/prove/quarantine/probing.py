"""Trying the ways out of a quarantine with commands in its probes, and what their outcome means."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec

from lazarus_tui.kube.errors import AuthError, Forbidden, KubeError
from lazarus_tui.model.clock import Clock
from lazarus_tui.model.redact import redact
from lazarus_tui.model.steps import Exec, Reader
from lazarus_tui.prove.quarantine import names
from lazarus_tui.prove.quarantine.names import Quarantine
from lazarus_tui.prove.quarantine.targets import CLOSED, OPEN, TCP, UDP, Target

# Seconds for one command with its way through the API server; see ``targets.SECONDS``.
_PATIENCE = 15.0
_AT_ONCE = 12
_LONGEST_WORDS = 160
UNKNOWN = "unknown"
UNSHOWN = "isolation is not shown for what policies of the whole cluster open:"
# How busybox and others say that nobody answered, that no such name is known, and that nothing was tried.
_SILENT = ("timed out", "timeout", "no servers could be reached", "unreachable", "no route", "not permitted")
_NO_SUCH = ("nxdomain", "can't find", "can't resolve")
# From here on an exit code says that a command could not be run, or that a signal ended it before it had tried.
_KILLED = 126
_NOT_RUN = ("usage:", "invalid option", "unrecognized", "not found", "no such file", "only nc")


class Probe(msgspec.Struct, frozen=True):
    """One try: ``seen`` is open, closed or unknown; ``words`` what the command said; ``answers`` as of the target."""

    kind: str
    what: str
    target: str
    expected: str
    seen: str
    seconds: float
    answers: bool = False
    words: str = ""
    protocol: str = TCP
    family: str = ""

    @property
    def wrong(self) -> bool:
        """Open although it has to be closed."""
        return self.expected == CLOSED and self.seen == OPEN


class Isolation(msgspec.Struct, frozen=True):
    """What a round of probes shows. ``closed`` is None when it shows nothing: the probes themselves do not work."""

    closed: bool | None
    words: str
    probes: tuple[Probe, ...]


async def environment(reader: Reader, wanted: Quarantine) -> dict[str, str]:
    """The dialer's environment. Raises ``KubeError``."""
    told = await reader.exec(wanted.name, names.DIALER, names.CONTAINER, ("env",), timeout=_PATIENCE)
    lines = told.stdout.decode(errors="replace").splitlines()
    return {name: value for name, _, value in (one.partition("=") for one in lines)}


async def tried(reader: Reader, clock: Clock, wanted: Quarantine, ways: Sequence[Target]) -> Isolation:
    """All ways at once. Raises ``Forbidden`` and ``AuthError``: without the right to exec nothing can be shown."""
    turn = asyncio.Semaphore(_AT_ONCE)

    async def one(target: Target) -> Probe:
        async with turn:
            return await _probe(reader, clock, wanted, target)

    return judge(await asyncio.gather(*map(one, ways)))


async def _probe(reader: Reader, clock: Clock, wanted: Quarantine, target: Target) -> Probe:
    began = clock.monotonic()
    try:
        done = await reader.exec(wanted.name, target.probe, names.CONTAINER, target.argv, timeout=_PATIENCE)
        seen, words = meaning(target, done)
    except (Forbidden, AuthError):
        raise
    except KubeError as error:
        seen, words = UNKNOWN, error.message
    return Probe(
        target.kind, target.what, target.place, target.expected, seen, round(clock.monotonic() - began, 3),
        target.answers, redact(words)[:_LONGEST_WORDS], target.protocol, target.family,
    )  # fmt: skip


def meaning(target: Target, done: Exec) -> tuple[str, str]:
    """open, closed or unknown, and the words of the command. A refusal is closed: nobody took the connection."""
    words = " ".join((done.stderr + b" " + done.stdout).decode(errors="replace").split())
    text = words.lower()
    if done.exit_code == 0:
        return OPEN, words
    if done.exit_code >= _KILLED or any(sign in text for sign in _NOT_RUN):
        return UNKNOWN, words or f"exit {done.exit_code}"
    if target.protocol == UDP and any(sign in text for sign in _NO_SUCH) and not any(sign in text for sign in _SILENT):
        return OPEN, words  # a name server that knows no such name was reached
    return CLOSED, words


def judge(probes: Sequence[Probe]) -> Isolation:
    """Closed is what was tried and did not work, while what has to work did.

    By UDP the control is a name that the other probe, or with names left open the dialer itself, is told.
    """
    found = tuple(probes)
    control = [one for one in found if one.kind == "control" and one.protocol == TCP]
    judged = [one for one in found if one.expected == CLOSED]
    through = [one for one in judged if one.seen == OPEN]
    alive = [one for one in judged if one.answers]
    if through:
        return Isolation(False, _leaks(through, alive), found)
    if not control or any(one.seen != OPEN for one in control):
        lost = next((one for one in control if one.seen != OPEN), None)
        why = f"{lost.words or 'no answer'} at {lost.target}" if lost else "there is no other probe"
        words = f"the probes themselves do not work: the one that listens was not reached ({why})"
        return Isolation(None, words, found)
    if blind := [one for one in judged if one.seen == UNKNOWN]:
        return Isolation(None, f"could not be tried: {_list(blind)} ({blind[0].words})", found)
    if not alive:
        return Isolation(None, "nothing that surely answers could be tried, so silence shows nothing", found)
    if silent := _unproven(judged, control, alive):
        words = f"over {' and '.join(silent)} nothing that surely answers could be tried, so silence shows nothing"
        return Isolation(None, words, found)
    late = [one.what for one in found if one.expected == OPEN and one.seen != OPEN and one.kind != "control"]
    beside = f"; not reached although the plan opens it: {', '.join(late)}" if late else ""
    heard = any(one.protocol == UDP and one.seen == OPEN for one in found)
    udp = any(one.protocol == UDP for one in judged) and not heard
    asked = any(one.protocol == UDP and one.kind == "control" for one in found)
    why = "its control got no answer" if asked else "it has no control"
    alone = f" (by UDP only a leak would show: {why})" if udp else ""
    return Isolation(True, f"closed: {len(judged)} ways out were tried, none was open{alone}{beside}", found)


def _unproven(judged: Sequence[Probe], control: Sequence[Probe], alive: Sequence[Probe]) -> list[str]:
    """Families of addresses that were tried, in which no control got through, or nobody surely answers."""
    shown = {one.family for one in control} & {one.family for one in alive}
    return sorted({one.family for one in judged} - shown - {""})


def _leaks(through: Sequence[Probe], alive: Sequence[Probe]) -> str:
    if alive and all(one.seen == OPEN for one in alive):
        return f"the CNI does not enforce network policies: {_list(through)} could be reached"
    return f"it is not closed: {_list(through)} could be reached"


def _list(probes: Sequence[Probe]) -> str:
    """The first few, in words."""
    told = [f"{one.what} ({one.target})" for one in probes[:4]]
    return ", ".join(told) + (f" and {len(probes) - 4} more" if len(probes) > 4 else "")


def opened(found: Isolation, policies: Sequence[str]) -> Isolation:
    """No probe got through, but policies of others, which need not be about the probes, open something."""
    words = f"it is not closed: network policies that this proof did not make open it: {', '.join(policies)}"
    return Isolation(False, words, found.probes)


def unshown(found: Isolation, why: Sequence[str]) -> Isolation:
    """No probe got through, but that does not show it: policies of the whole cluster may open it for other pods."""
    return Isolation(None, f"{UNSHOWN} {'; '.join(why)}", found.probes)


def record(found: Isolation, rounds: int) -> dict[str, Any]:
    """As it lies in the journal and the evidence."""
    return {**msgspec.to_builtins(found), "rounds": rounds}

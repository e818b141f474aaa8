"""Silence before anything is there that could alert, and its end when nothing is there any more.

Facts: ``prove.silence`` {manager: {id, ends, words, unknown}} as it was set ("" for an id: it was not, as far as is
known), ``prove.unsilenced`` {manager: words} as it was ended. An Alertmanager that fails keeps no proof from running:
it is said, in both.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any

from lazarus_tui.model.operation import StepState
from lazarus_tui.model.silences import Alertmanager, Hushing, NoAnswer, Silence
from lazarus_tui.model.stepping import BaseStep
from lazarus_tui.model.steps import Observation, Seen, StepContext
from lazarus_tui.prove.silences import planned

SILENCE, UNSILENCED = "prove.silence", "prove.unsilenced"
_GONE, _NEVER = "the settings do not have it any more", "nothing was silenced"


class _Silencing(BaseStep):
    """``params``: those of the proof; without ``silence`` in them there is no such step."""

    poll, limit = 1.0, 120.0
    mutates = True

    def __init__(self, params: Mapping[str, Any]) -> None:
        self.params = params
        self.managers = [str(one) for one in params["silence"]["managers"]]

    async def standing(self, manager: Alertmanager) -> list[Silence]:
        """By a fresh look. Raises ``NoAnswer``."""
        found = await manager.silences(planned.LABEL, str(self.params["quarantine"]))
        return planned.ours(found, self.params)

    async def end(self, context: StepContext, name: str) -> str:
        """End what this proof made in one of them; how that went."""
        known = (context.facts.get(SILENCE) or {}).get(name) or {}
        if known and not known["id"] and not known["unknown"]:
            return _NEVER
        manager = _manager(context, name)
        if manager is None:
            return f"not ended: {_GONE}"
        try:
            there = await self.standing(manager)
            for one in there:
                await manager.expire(one.id)
            still = await self.standing(manager) if there else []
        except NoAnswer as error:
            return f"not ended: {error.what}; it ends by itself"
        if still:
            return "not ended: it still stands; it ends by itself"
        return "ended" if there else "nothing stood any more"


class Silenced(_Silencing):
    name, title = "prove.silence", "Silence alerts about the quarantine"

    async def observe(self, context: StepContext) -> Observation:
        found = context.facts.get(SILENCE)
        if found is None:
            return Observation(Seen.ABSENT)
        failed = [f"{name}: {one['words']}" for name, one in found.items() if not one["id"]]
        if failed:
            words = f"alerts on namespace {self.params['quarantine']} may page: {'; '.join(failed)}"
            return Observation(Seen.DONE, words, shown=StepState.FAILED)
        ends = ", ".join(f"{name} until {one['ends']}" for name, one in found.items())
        return Observation(Seen.DONE, ends)

    async def act(self, context: StepContext) -> None:
        made = await asyncio.gather(*(self._silenced(context, name) for name in self.managers))
        await context.remember(**{SILENCE: dict(zip(self.managers, made, strict=True))})

    async def _silenced(self, context: StepContext, name: str) -> dict[str, Any]:
        """Found or made. After an answer that was lost it is looked for, and never made a second time."""
        manager = _manager(context, name)
        if manager is None:
            return _nothing(_GONE)
        try:
            if there := await self.standing(manager):
                return _stands(there[0].id, there[0].ends_at)
            body = planned.body(self.params, context.clock.now())
            return _stands(await manager.set(body), str(body["endsAt"]))
        except NoAnswer as error:
            if not error.unknown:
                return _nothing(error.what)
            lost = error.what
        try:
            there = await self.standing(manager)
        except NoAnswer:
            return _nothing(f"{lost}; whether it was set is not known", unknown=True)
        return _stands(there[0].id, there[0].ends_at) if there else _nothing(lost, unknown=True)

    async def undo(self, context: StepContext) -> str | None:
        """A proof that is called off; what cannot be reached ends by itself."""
        said = [(name, await self.end(context, name)) for name in self.managers]
        left = [f"silence in Alertmanager {name} is {words}" for name, words in said if words.startswith("not ended")]
        return "; ".join(left) or None


class Unsilenced(_Silencing):
    """After the copy is shown to be gone. One that is kept, or that left something behind, may still alert."""

    name, title = "prove.unsilenced", "End the silence"

    async def observe(self, context: StepContext) -> Observation:
        found = context.facts.get(UNSILENCED)
        if found is None:
            return Observation(Seen.ABSENT)
        words = "; ".join(f"{name}: {said}" for name, said in found.items())
        failed = any(said.startswith("not ended") for said in found.values())
        return Observation(Seen.DONE, words, shown=StepState.FAILED if failed else StepState.DONE)

    async def act(self, context: StepContext) -> None:
        cleaned = context.facts.get("prove.cleaned")
        if context.facts.get(SILENCE) is None:
            said = dict.fromkeys(self.managers, _NEVER)
        elif cleaned is not None and cleaned.get("clean") is not True:
            why = "the quarantine is kept" if cleaned.get("kept_until") else "something is left of the quarantine"
            said = dict.fromkeys(self.managers, f"left to end by itself: {why}")
        else:
            ended = await asyncio.gather(*(self.end(context, name) for name in self.managers))
            said = dict(zip(self.managers, ended, strict=True))
        await context.remember(**{UNSILENCED: said})


def troubles(facts: Mapping[str, Any]) -> Iterable[str]:
    """What did not go as planned, one sentence each."""
    for name, one in (facts.get(SILENCE) or {}).items():
        if not one["id"]:
            yield f"alerts were not silenced in Alertmanager {name}: {one['words']}"
    for name, words in (facts.get(UNSILENCED) or {}).items():
        if words.startswith("not ended"):
            yield f"the silence in Alertmanager {name} was {words}"


def _manager(context: StepContext, name: str) -> Alertmanager | None:
    return context.alertmanager(name) if isinstance(context, Hushing) else None


def _stands(id: str, ends: str) -> dict[str, Any]:
    return {"id": id, "ends": ends, "words": "", "unknown": False}


def _nothing(words: str, *, unknown: bool = False) -> dict[str, Any]:
    """``unknown``: the request may have been carried out after it was looked for."""
    return {"id": "", "ends": "", "words": words, "unknown": unknown}

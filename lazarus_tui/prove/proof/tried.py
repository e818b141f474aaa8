"""A step that may fail without ending the proof: its failure is a fact, the rest is skipped, the end always runs.

Facts: ``prove.stopped`` {step, title, verdict, words, hint, at} is the first step that failed before the end;
``prove.stumbled`` {step: words} are steps of the end (capture, cleaning, judging) that failed. A step has no time limit
for the runner: what its own limit means is decided here, and an API that does not answer is waited for, because nothing
can be cleaned without it.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from typing import Any

from lazarus_tui.journal.errors import JournalError
from lazarus_tui.kube.errors import Ambiguous, AuthError, Forbidden, KubeError, NotSent, Pushback
from lazarus_tui.model.clock import rfc3339
from lazarus_tui.model.operation import StepState
from lazarus_tui.model.redact import redact
from lazarus_tui.model.stepping import Around
from lazarus_tui.model.steps import Halted, Observation, Seen, Step, StepContext, StepStopped
from lazarus_tui.model.verdict import Verdict

log = logging.getLogger(__name__)

STOPPED, STUMBLED = "prove.stopped", "prove.stumbled"
# Acts without an effect after which a step has failed; fewer than the runner's own patience.
_TRIES = 4
# Seconds between two looks at a step that has just begun, and between later ones as a share of its age.
_SHORTEST, _SHARE = 0.1, 0.1
# Waiting may cure these.
_AWAY = (NotSent, Ambiguous, Pushback, OSError)


class Tried(Around):
    """``inner``, tried. ``red``: when it observes a failure, that is the point's (FAILED), else INCONCLUSIVE.

    ``always``: it runs whatever happened before. ``undoes``: its undo takes back everything, for all other steps:
    what a proof makes is in the quarantine or named after it.
    """

    def __init__(self, inner: Step, *, red: bool = False, always: bool = False, undoes: bool = False) -> None:
        super().__init__(inner)
        self.red, self.always, self.undoes = red, always, undoes
        self.poll, self.limit = min(inner.poll, _SHORTEST), math.inf
        self._began: float | None = None
        self._silent_since: float | None = None
        self._away = 0.0
        self._acts = 0

    async def observe(self, context: StepContext) -> Observation:
        if (known := self._known(context.facts)) is not None:
            return known
        now = context.clock.monotonic()
        self._began = now if self._began is None else self._began
        self.poll = min(self.inner.poll, max(_SHORTEST, (now - self._began) * _SHARE))
        try:
            seen = await self.inner.observe(context)
        except Exception as error:
            return await self._raised(error, context)
        if self._silent_since is not None:
            self._away, self._silent_since = self._away + now - self._silent_since, None
        if seen.seen is Seen.FAILED:
            words = seen.detail or f"{self.title} failed"
            return await self._fell(context, words, seen.hint, Verdict.FAILED if self.red else Verdict.INCONCLUSIVE)
        if seen.seen is Seen.DIVERGED:
            return await self._fell(context, seen.detail or "somebody else changed it", seen.hint)
        if seen.seen is Seen.ABSENT and self._acts >= _TRIES:
            return await self._fell(context, f"tried {self._acts} times, and its effect is still absent", seen.hint)
        if seen.seen is not Seen.DONE and now - self._began - self._away > self.inner.limit:
            last = seen.detail or seen.seen.value
            return await self._fell(context, f"not finished within {self.inner.limit:.0f} s ({last})", seen.hint)
        return seen

    async def act(self, context: StepContext) -> None:
        try:
            await self.inner.act(context)
        except Exception as error:
            await self._raised(error, context)
            return
        self._acts += 0 if context.gate.doubt else 1

    async def undo(self, context: StepContext) -> str | None:
        return await self.inner.undo(context) if self.undoes else None

    def _known(self, facts: Mapping[str, Any]) -> Observation | None:
        """What to say without looking: it failed before a crash, or something before it did."""
        stopped = facts.get(STOPPED) or {}
        if self.always:
            words = (facts.get(STUMBLED) or {}).get(self.name)
            return Observation(Seen.DONE, str(words), shown=StepState.FAILED) if words else None
        if not stopped:
            return None
        if stopped["step"] == self.name:
            return Observation(Seen.DONE, f"{stopped['verdict']}: {stopped['words']}", shown=StepState.FAILED)
        return Observation(Seen.DONE, f"not run, since {stopped['title']!r} failed", shown=StepState.SKIPPED)

    async def _raised(self, error: Exception, context: StepContext) -> Observation:
        """An error as what it means for the proof; what is not the step's own, or may pass, is raised again."""
        if isinstance(error, Halted | JournalError):
            raise error
        if isinstance(error, StepStopped):
            return await self._fell(context, error.what, error.hint)
        if isinstance(error, AuthError | Forbidden):
            words = f"missing right: {error.request} ({error.status}: {error.message})"
            return await self._fell(context, words, error.hint)
        if isinstance(error, _AWAY):
            if self._silent_since is None:
                self._silent_since = context.clock.monotonic()
            raise error
        if isinstance(error, KubeError):
            return await self._fell(context, str(error), error.hint)
        log.exception("step %s", self.name)
        return await self._fell(context, f"unexpected {type(error).__name__}: {error}", "look into the engine's log")

    async def _fell(
        self, context: StepContext, words: str, hint: str, verdict: Verdict = Verdict.INCONCLUSIVE
    ) -> Observation:
        words = redact(words)
        if self.always:
            await context.remember(**{STUMBLED: {**(context.facts.get(STUMBLED) or {}), self.name: words}})
        else:
            at = rfc3339(context.clock.now(), micro=True)
            fallen = {"step": self.name, "title": self.title, "verdict": str(verdict), "words": words, "hint": hint}
            await context.remember(**{STOPPED: {**fallen, "at": at}})
        await context.say(f"{self.title}: {words}" + (f"; next: {hint}" if hint else ""))
        return Observation(Seen.DONE, words, shown=StepState.FAILED)

"""The steps of checking: wait until ready, run the checks until they hold, measure and judge.

Facts: ``checks.t10`` (all ready), ``.t11`` (first needed check passed), ``.t12`` (all held), ``.verdict``,
``.watermark``, ``.records`` and ``.rungs`` (the worst needed check of each rung).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime
from functools import partial

import msgspec

from lazarus_tui.model.clock import parse_rfc3339, rfc3339
from lazarus_tui.model.operation import CheckResult
from lazarus_tui.model.stepping import BaseStep
from lazarus_tui.model.steps import Observation, Seen, StepContext
from lazarus_tui.model.verdict import Verdict, worst
from lazarus_tui.prove import figures, loss
from lazarus_tui.prove.checking import READINESS
from lazarus_tui.prove.checks import hopeless, readiness, unplaced, watermark
from lazarus_tui.prove.checks.looking import look_of
from lazarus_tui.prove.checks.outcome import Attempt, CouldNot, Found, not_run
from lazarus_tui.prove.checks.readiness import Readiness
from lazarus_tui.prove.checks.watermark import Watermark
from lazarus_tui.prove.definitions import Checks
from lazarus_tui.prove.round import Rounds, Row
from lazarus_tui.prove.wanted import ExecCheck
from lazarus_tui.prove.wanted_data import FileWatermark, WatermarkCheck

# Seconds between two looks at whether a copy can get ready at all.
_AGAIN = 5.0


class Ready(BaseStep):
    """Every workload of the namespaces has its replicas ready, twice in a row; too late is a verdict, not an error,
    and so is a copy that can never get there. What no node has room for is INCONCLUSIVE: nothing else is asked then.

    ``watch``: seconds for which it has to stay ready before it is asked anything; then ``checks.watched`` says since
    when it may be."""

    name, title = "checks.ready", "Wait until the workloads are ready"
    poll = 0.5

    def __init__(self, wanted: Checks, watch: float = 0.0) -> None:
        self.wanted, self.watch = wanted, watch
        self.stable = max(wanted.stable_seconds, watch)
        self.limit = wanted.ready_seconds + self.stable + 60.0
        self._began: float | None = None
        self._good: tuple[tuple[tuple[str, int, int], ...], float, str] | None = None
        self._asked, self._hopeless = -math.inf, ""

    async def observe(self, context: StepContext) -> Observation:
        if not self.wanted.readiness:
            return Observation(Seen.DONE, "not asked for", facts={"checks.t10": _now(context)})
        now = context.clock.monotonic()
        self._began = now if self._began is None else self._began
        found = await readiness.look(context.reader, sorted(self.wanted.sources))
        if found.complete:
            if self._good is None or self._good[0] != found.seen:
                self._good = (found.seen, now, _now(context))
            elif now - self._good[1] >= self.stable:
                return await self._end(context, Verdict.PASSED, found.words(), self._good[2], now)
            more = f"watched for {self.watch:g} s" if self.watch else "looking twice"
            return Observation(Seen.WAITING, f"{found.words()}; {more}")
        self._good = None
        if never := await self._never(context, found, now):
            return await self._end(context, Verdict.FAILED, f"never ready: {never}", "", now)
        if now - self._began >= self.wanted.ready_seconds:
            return await self._late(context, found, now)
        return Observation(Seen.WAITING, found.words())

    async def _late(self, context: StepContext, found: Readiness, now: float) -> Observation:
        """Time is up: for want of room, or for a reason of its own."""
        words = f"not ready within {self.wanted.ready_seconds:.0f} s: {found.words()}"
        full = await unplaced.look(context.reader, sorted(self.wanted.sources))
        if full:
            return await self._end(context, Verdict.INCONCLUSIVE, f"{full}; {words}", "", now)
        return await self._end(context, Verdict.FAILED, words, "", now)

    async def _never(self, context: StepContext, found: Readiness, now: float) -> str:
        """Why waiting longer is of no use, once it was seen in two looks that are some seconds apart."""
        if now - self._asked < _AGAIN:
            return ""
        before, self._asked = self._hopeless, now
        self._hopeless = await hopeless.look(context.reader, found)
        return self._hopeless if before else ""

    async def _end(self, context: StepContext, verdict: Verdict, words: str, at: str, now: float) -> Observation:
        took = 0.0 if self._began is None else now - self._began
        result = CheckResult(READINESS, "readiness", verdict, took, words)
        await context.checked(result)
        facts = {"checks.t10": at, "checks.ready": str(verdict)}
        if self.watch and at:
            facts["checks.watched"] = _now(context)
        return Observation(Seen.DONE, words, facts=facts)


class Run(BaseStep):
    """All checks in parallel, again and again until all needed ones hold, and go on to, or time is up."""

    name, title, version = "checks.run", "Run the checks", 2
    poll = 0.5

    def __init__(self, wanted: Checks) -> None:
        self.wanted = wanted
        longest = max((check.timeout for check in wanted.checks), default=0.0)
        self.limit = wanted.check_seconds + wanted.stable_seconds + longest + 120.0
        commands = [check for check in wanted.checks if isinstance(check, ExecCheck)]
        self.mutates = bool(commands) or isinstance(wanted.watermark, FileWatermark)
        self._began: float | None = None
        self._held: tuple[float, str] | None = None
        self._rounds: Rounds | None = None
        self._water = Watermark()

    async def observe(self, context: StepContext) -> Observation:
        if context.facts.get("checks.ready") == Verdict.INCONCLUSIVE:
            return await self._not_asked(context)
        now = context.clock.monotonic()
        self._began = now if self._began is None else self._began
        rounds = self._rounds = self._rounds or Rounds(self._rows(context), self.wanted.parallel)
        await rounds.go(context)
        needed = rounds.needed()
        if not needed and not self.wanted.readiness:
            words = "nothing that runs was restored: nothing was started, nothing was asked"
            return Observation(Seen.DONE, words, facts={"checks.t12": "", "checks.verdict": str(Verdict.NOT_TESTED)})
        verdict = worst(r.verdict for r in needed) if needed else Verdict.PASSED
        passed = sum(1 for r in needed if r.verdict is Verdict.PASSED)
        if verdict is Verdict.PASSED:
            self._held = self._held or (now, _now(context))
            if now - self._held[0] < self.wanted.stable_seconds and not _never_ready(context):
                return Observation(Seen.WAITING, f"{passed} of {len(needed)} passed; looking twice")
        else:
            self._held = None
            if not self._over(context, now) and not rounds.settled():
                return Observation(Seen.WAITING, _open(needed))
        await context.checked(*rounds.results())
        words = f"{passed} of {len(needed)} checks passed" if verdict is Verdict.PASSED else _open(needed)
        return Observation(Seen.DONE, words, facts=self._facts(context, rounds, verdict))

    async def _not_asked(self, context: StepContext) -> Observation:
        words = "not asked: not all of it found a node"
        await context.checked(*(not_run(check, words) for check in self.wanted.checks))
        return Observation(Seen.DONE, words, facts={"checks.t12": "", "checks.verdict": str(Verdict.NOT_TESTED)})

    def _over(self, context: StepContext, now: float) -> bool:
        """Time to begin to hold is up; or waiting longer would only repeat what is known."""
        late = self._began is not None and now - self._began >= self.wanted.check_seconds
        return late or _never_ready(context)

    def _facts(self, context: StepContext, rounds: Rounds, verdict: Verdict) -> dict[str, object]:
        ready = context.facts.get("checks.ready") != Verdict.FAILED
        facts: dict[str, object] = {"checks.rungs": rounds.rungs()}
        if self.wanted.watermark is not None and not context.facts.get("restore.untouched"):
            facts["checks.records"] = self._water.count
        if self._water.at is not None:
            facts["checks.watermark"] = rfc3339(self._water.at, micro=True)
        at = self._held[1] if self._held and ready else ""
        return facts | {"checks.t11": rounds.first, "checks.t12": at, "checks.verdict": str(verdict)}

    def _rows(self, context: StepContext) -> list[Row]:
        wanted = self.wanted
        rows = [Row(check, look_of(context, check, wanted)) for check in wanted.checks]
        mark = wanted.watermark
        if mark is None:
            return rows
        if context.facts.get("restore.untouched"):
            return [*rows, Row(msgspec.structs.replace(mark, needed=False), _untouched)]
        return [*rows, Row(mark, partial(self._newest, context))]

    async def _newest(self, context: StepContext, attempt: Attempt) -> Found:
        assert self.wanted.watermark is not None
        found, self._water = await watermark.look(context, self.wanted.watermark, restore_began(context), attempt)
        return found


async def _untouched(attempt: Attempt) -> Found:
    raise CouldNot("the volume was there before the restore: its data says nothing about the backup", final=True)


def _open(results: Sequence[CheckResult]) -> str:
    """What does not hold yet, in words."""
    words = [f"{r.name}: {r.summary}" for r in results if r.verdict is not Verdict.PASSED]
    return "; ".join(words[:3]) or "no checks"


def _never_ready(context: StepContext) -> bool:
    return bool(context.facts.get("checks.ready") == Verdict.FAILED)


def restore_began(context: StepContext) -> datetime:
    """The moment the restore was asked for; without a restore, now."""
    text = str(context.facts.get("restore.t4") or "")
    return parse_rfc3339(text) if text else context.clock.now()


def _now(context: StepContext) -> str:
    return rfc3339(context.clock.now(), micro=True)


class Judge(BaseStep):
    """The figures with their definitions, the verdict of the whole, and the evidence record."""

    name, title = "checks.judge", "Measure and judge"

    def __init__(self, wanted: Checks) -> None:
        self.wanted = wanted
        self.limit = 60.0

    async def observe(self, context: StepContext) -> Observation:
        verdict = context.facts.get("verdict")
        if verdict is None:
            return Observation(Seen.ABSENT)
        path = context.facts.get("evidence")
        untested = context.facts.get("checks.untested") or ()
        words = [
            str(verdict),
            f"not tested: {', '.join(untested)}" if untested else "",
            f"evidence {path}" if path else "",
        ]
        return Observation(Seen.DONE, "; ".join(filter(None, words)))

    async def act(self, context: StepContext) -> None:
        found = figures.measure(context.facts)
        facts = context.facts
        parts = [Verdict(str(facts[key])) for key in _JUDGED if facts.get(key)]
        verdict = worst(parts)
        await context.measured(found)
        mark = self.wanted.watermark
        if isinstance(mark, WatermarkCheck) and not facts.get("restore.untouched") and facts.get("restore.t4"):
            began = restore_began(context)
            await context.measured(await loss.count(context, mark, self.wanted.sources, began))
        await context.judged(verdict)
        for line in figures.words(found):
            await context.say(line)
        untested = self.untested()
        if untested:
            await context.say(f"not tested: {', '.join(untested)}")
        path = ""
        if self.wanted.evidence:
            definitions = msgspec.to_builtins(self.wanted)
            path = await context.evidence({"type": "checks", "verdict": str(verdict), "definitions": definitions})
        technical = figures.technical_seconds(facts)
        news = {"evidence": path, "rta_technical_seconds": technical, "checks.untested": untested}
        await context.remember(verdict=str(verdict), **news)

    def untested(self) -> list[str]:
        """What no check was there for, in words: a verdict says nothing about it."""
        wanted = self.wanted
        found = [] if wanted.readiness else ["whether anything starts"]
        found += [] if wanted.checks else ["what the application answers"]
        return found + ([] if wanted.watermark else ["how new its data is"])


_JUDGED = ("restore.verdict", "checks.ready", "checks.verdict")

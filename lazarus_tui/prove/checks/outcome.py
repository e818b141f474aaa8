"""How a check ends: what it found, that it was wrong, or that it could not run. One place turns that into a verdict."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from lazarus_tui.kube.errors import AuthError, Forbidden, KubeError, NotFound, PortRefused
from lazarus_tui.model.clock import Clock, listened
from lazarus_tui.model.operation import CheckResult
from lazarus_tui.model.redact import redact
from lazarus_tui.model.verdict import Verdict
from lazarus_tui.prove.wanted import Check
from lazarus_tui.prove.wanted_data import Watermark

MAX_WORDS = 400


class Wrong(Exception):
    """It ran, and what it saw is not right: FAILED. ``evidence`` holds counts, sizes and hashes."""

    def __init__(self, words: str, evidence: dict[str, Any] | None = None) -> None:
        super().__init__(words)
        self.evidence = evidence or {}


class CouldNot(Exception):
    """It could not run: INCONCLUSIVE, whatever the copy is like. ``final``: asking again would change nothing."""

    def __init__(self, words: str, evidence: dict[str, Any] | None = None, *, final: bool = False) -> None:
        super().__init__(words)
        self.evidence = {**(evidence or {}), **({"final": True} if final else {})}


@dataclass(frozen=True, slots=True)
class Found:
    """It ran and all of it holds."""

    words: str
    evidence: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Attempt:
    """One try of one check.

    ``reached``: what is checked was there, so that silence is its own. ``answers``: it talks, so that silence is only a
    long answer, and says nothing about the copy.
    """

    clock: Clock
    reached: bool = False
    answers: bool = False


Look = Callable[[Attempt], Awaitable[Found]]


async def judged(check: Check, clock: Clock, look: Look) -> CheckResult:
    """The result of one try, never an exception; ``check.timeout`` seconds of listening are all it gets."""
    began, attempt = clock.monotonic(), Attempt(clock)
    evidence: dict[str, Any] = {}
    try:
        found = await listened(check.timeout, look(attempt))
        verdict, words, evidence = Verdict.PASSED, found.words, found.evidence
    except Wrong as wrong:
        verdict, words, evidence = Verdict.FAILED, str(wrong), wrong.evidence
    except CouldNot as error:
        verdict, words, evidence = Verdict.INCONCLUSIVE, str(error), error.evidence
    except KubeError as error:
        verdict, words = _kube(error, check)
    except TimeoutError:
        silent = attempt.reached and not attempt.answers
        verdict = Verdict.FAILED if silent else Verdict.INCONCLUSIVE
        why = "" if silent else ": it answers, and was not done" if attempt.answers else ": it was never reached"
        words = f"no answer within {check.timeout:g} s{why}"
    except OSError as error:
        verdict, words = Verdict.INCONCLUSIVE, f"the way there broke: {type(error).__name__} {error}"
    kept = {"rung": check.rung, "needed": check.needed, "tier": check.tier, **evidence}
    kind = "watermark" if isinstance(check, Watermark) else check.kind
    return CheckResult(check.title, kind, verdict, clock.monotonic() - began, redact(words, MAX_WORDS), kept)


def _kube(error: KubeError, check: Check) -> tuple[Verdict, str]:
    if isinstance(error, PortRefused):
        return Verdict.FAILED, f"{check.where} takes no connections: {error}"
    if isinstance(error, NotFound):
        return Verdict.FAILED, f"{check.where} is not there: {error}"
    if isinstance(error, Forbidden | AuthError):
        return Verdict.INCONCLUSIVE, f"missing right on {error.resource or 'the API'} in {check.namespace}: {error}"
    return Verdict.INCONCLUSIVE, f"{check.where} could not be asked: {error}"


def not_run(check: Check, words: str) -> CheckResult:
    kept = {"rung": check.rung, "needed": check.needed, "tier": check.tier}
    return CheckResult(check.title, check.kind, Verdict.NOT_TESTED, 0.0, words, kept)


def hashed(data: bytes | str) -> str:
    """What stands for content in evidence: the first 16 hex digits of its SHA-256."""
    raw = data.encode(errors="surrogateescape") if isinstance(data, str) else data
    return hashlib.sha256(raw).hexdigest()[:16]

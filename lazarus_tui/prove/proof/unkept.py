"""A proof whose evidence cannot be kept (a full disk): it is not green until it is, and says what to do.

Fact: ``prove.unkept`` {why, record}: the record as it was judged. It is {} once the evidence is there.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import msgspec

from lazarus_tui.journal.errors import JournalError
from lazarus_tui.kube.errors import KubeError
from lazarus_tui.model.paths import UnsafePath
from lazarus_tui.model.proofs import RECORD, UNKEPT, ProofRecord
from lazarus_tui.model.redact import redact
from lazarus_tui.model.stepping import Around
from lazarus_tui.model.steps import Halted, StepContext, StepStopped
from lazarus_tui.model.verdict import Verdict

log = logging.getLogger(__name__)


def as_judged(facts: Mapping[str, Any]) -> ProofRecord:
    """The record of a proof that was judged, whatever became of its evidence."""
    kept = facts.get(UNKEPT) or {}
    return msgspec.convert(kept.get("record") or facts[RECORD], ProofRecord)


def without_evidence(record: ProofRecord, why: str) -> ProofRecord:
    """What a record says while there is no evidence for it: nothing green, and a red one stays red."""
    missing = f"evidence missing: {why}"
    if record.verdict is not Verdict.PASSED:
        return msgspec.structs.replace(record, deviations=(*record.deviations, missing))
    words = f"{missing}; it was {record.verdict}: {record.words}"
    return msgspec.structs.replace(
        record, verdict=Verdict.INCONCLUSIVE, words=words, not_green=(*record.not_green, missing)
    )


class Kept(Around):
    """``inner`` keeps the evidence; when it cannot, the record says so."""

    async def act(self, context: StepContext) -> None:
        """Raises ``StepStopped`` when the evidence cannot be kept."""
        record = as_judged(context.facts)
        try:
            if not context.facts.get("evidence"):
                await self.inner.act(context)
        except (JournalError, KubeError, Halted):
            raise
        except Exception as error:  # whatever it is, there is no evidence
            if not isinstance(error, OSError | UnsafePath | ValueError):
                log.exception("evidence of %s", context.op)
            why = redact(getattr(error, "strerror", "") or str(error) or type(error).__name__)
            await _say(context, without_evidence(record, why), {"why": why, "record": msgspec.to_builtins(record)})
            hint = f"make room, then: lazarus evidence write {context.op[:8]}"
            raise StepStopped(f"the evidence could not be kept: {why}", hint=hint) from error
        if context.facts.get(UNKEPT):
            await _say(context, record, {})


async def _say(context: StepContext, record: ProofRecord, unkept: Mapping[str, Any]) -> None:
    """The record as it stands now; its verdict is the operation's."""
    await context.judged(record.verdict)
    said = {RECORD: msgspec.to_builtins(record), UNKEPT: dict(unkept), "verdict": str(record.verdict)}
    await context.remember(**said)

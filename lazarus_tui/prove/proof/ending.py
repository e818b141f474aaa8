"""The end of a proof: the verdict with its figures, and the evidence. Both run whatever happened before."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from lazarus_tui.model.clock import moment
from lazarus_tui.model.proofs import LEFT, ProofRecord
from lazarus_tui.model.stepping import BaseStep
from lazarus_tui.model.steps import Observation, Seen, StepContext
from lazarus_tui.prove import figures
from lazarus_tui.prove.proof import restore_log, verdict
from lazarus_tui.prove.proof.captured import not_captured
from lazarus_tui.prove.proof.compare import COMPARED
from lazarus_tui.prove.proof.identity import IDENTITY
from lazarus_tui.prove.proof.rungs import Evidence
from lazarus_tui.prove.proof.unkept import as_judged

RECORD = "prove.record"
SCHEMA = "lazarus.io/proof/v1"


class Judge(BaseStep):
    """Facts: ``prove.record`` (a ``ProofRecord``), ``verdict``, ``left``."""

    name, title = "prove.judge", "Judge"
    limit = 60.0

    def __init__(self, params: Mapping[str, Any]) -> None:
        self.params = params

    async def observe(self, context: StepContext) -> Observation:
        found = context.facts.get(RECORD)
        if not found:
            return Observation(Seen.ABSENT)
        return Observation(Seen.DONE, f"{found['verdict']}: {found['words']}")

    async def act(self, context: StepContext) -> None:
        measured = figures.measure(context.facts)
        judged = verdict.judge(context.op, Evidence(self.params, context.facts, context.checks), measured)
        begun = moment(str(self.params.get("point_start") or ""))
        record = msgspec.structs.replace(judged, point_start=begun, cluster_uid=context.plan.cluster_uid)
        if not record.control:
            await context.measured(measured)
        await context.judged(record.verdict)
        await context.say(f"{record.verdict}: {record.words}")
        for line in [
            *figures.words(measured),
            *verdict.missed(record),
            *(f"left behind: {one}" for one in record.left),
        ]:
            await context.say(line)
        technical = figures.technical_seconds(context.facts)
        news = {"verdict": str(record.verdict), "rta_technical_seconds": technical, LEFT: list(record.left)}
        await context.remember(**news, **{RECORD: msgspec.to_builtins(record)})


class Keep(BaseStep):
    """The evidence: everything an auditor asks for that is not in every record already (requirements.md §5.4)."""

    name, title = "prove.evidence", "Write the evidence"
    limit = 60.0

    def __init__(self, params: Mapping[str, Any]) -> None:
        self.params = params

    async def observe(self, context: StepContext) -> Observation:
        path = context.facts.get("evidence")
        return Observation(Seen.DONE, str(path)) if path else Observation(Seen.ABSENT)

    async def act(self, context: StepContext) -> None:
        record = as_judged(context.facts)
        found = evidence(self.params, context.facts, record) | {"restore_log": await restore_log.of_record(context)}
        for one in found["not_captured"]:
            await context.say(f"not in the evidence: {one}")
        await context.remember(evidence=await context.evidence(found))
        await restore_log.forget(context)


def evidence(params: Mapping[str, Any], facts: Mapping[str, Any], record: ProofRecord) -> dict[str, Any]:
    """Plan, steps, checks, figures, cluster and digests are in every record; None is what is not known."""
    return {
        "type": "proof",
        "schema_of_proof": SCHEMA,
        "verdict": str(record.verdict),
        "proof": msgspec.to_builtins(record),
        "policy": {"name": params.get("policy") or None, "hash": params.get("policy_hash")},
        "versions": facts.get("prove.versions"),
        "point": {
            **(facts.get("prove.point") or {"name": params.get("point")}),
            "source": params.get("source"),
            "contents_digest": params.get("contents_digest"),
            "contents_seen": facts.get("prove.contents"),
            "volumes": params.get("volumes"),
        },
        "modifiers": params.get("modifiers"),
        "isolation": facts.get("prove.isolation"),
        "isolation_after": facts.get("prove.isolation_after"),
        "compared": facts.get(COMPARED),
        "volume_identity": facts.get(IDENTITY),
        "definitions": params.get("checks"),
        "watermark": facts.get("checks.watermark"),
        "reference": facts.get("prove.reference") or params.get("reference"),
        "clean_up": facts.get("prove.cleaned"),
        "not_captured": not_captured(params, facts),
        "negative_control": params.get("negative_control"),
        "segregation": "a namespace of the same cluster: separated logically, not physically",
    }

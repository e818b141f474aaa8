"""Which claims belong to a StatefulSet, by template and ordinal (reference: data §2.1)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from lazarus_tui.model.objects import ClaimTemplate, Meta, PodTemplate, Wire
from lazarus_tui.model.plan import PlanRefused


class Ordinals(Wire, frozen=True):
    start: int = 0


class RetentionPolicy(Wire, frozen=True):
    """What happens to claims; ``Delete`` in either makes the set dangerous to scale down."""

    when_deleted: str = "Retain"
    when_scaled: str = "Retain"


class StatefulSetSpec(Wire, frozen=True):
    replicas: int | None = None
    service_name: str = ""
    pod_management_policy: str = "OrderedReady"
    ordinals: Ordinals | None = None
    persistent_volume_claim_retention_policy: RetentionPolicy | None = None
    template: PodTemplate = msgspec.field(default_factory=PodTemplate)
    volume_claim_templates: list[ClaimTemplate] | None = None


class StatefulSetStatus(Wire, frozen=True):
    replicas: int = 0
    ready_replicas: int = 0
    updated_replicas: int = 0
    observed_generation: int = 0


class GenerationMeta(Meta, frozen=True):
    generation: int = 0


class StatefulSet(Wire, frozen=True):
    """A StatefulSet as far as a restore reads it."""

    metadata: GenerationMeta = msgspec.field(default_factory=GenerationMeta)
    spec: StatefulSetSpec = msgspec.field(default_factory=StatefulSetSpec)
    status: StatefulSetStatus = msgspec.field(default_factory=StatefulSetStatus)

    @property
    def replicas(self) -> int:
        return 1 if self.spec.replicas is None else self.spec.replicas

    @property
    def start(self) -> int:
        return self.spec.ordinals.start if self.spec.ordinals else 0

    @property
    def templates(self) -> tuple[str, ...]:
        return tuple(template.metadata.name for template in self.spec.volume_claim_templates or ())

    @property
    def deletes_claims(self) -> bool:
        """Whether scaling or deleting the set takes data along."""
        policy = self.spec.persistent_volume_claim_retention_policy
        return policy is not None and "Delete" in (policy.when_deleted, policy.when_scaled)


@dataclass(frozen=True, slots=True, order=True)
class Target:
    """One claim of a StatefulSet."""

    ordinal: int
    template: str
    claim: str


def targets(found: StatefulSet, replicas: int | None = None) -> tuple[Target, ...]:
    """Every claim of the ``replicas`` (None: the wanted ones) of the set, by ordinal, then template."""
    count = found.replicas if replicas is None else replicas
    name = found.metadata.name
    return tuple(
        Target(ordinal, template, f"{template}-{name}-{ordinal}")
        for ordinal in range(found.start, found.start + count)
        for template in sorted(found.templates)
    )


def narrowed(every: Iterable[Target], *, ordinal: int | None = None, claim: str = "") -> tuple[Target, ...]:
    """The targets of one replica or one claim; raises ``PlanRefused`` when there is none."""
    every = tuple(every)
    chosen = tuple(
        target for target in every if (ordinal is None or target.ordinal == ordinal) and claim in ("", target.claim)
    )
    if not chosen:
        what = f"claim {claim}" if claim else f"replica {ordinal}"
        known = ", ".join(target.claim for target in every) or "it has no volume claim templates"
        raise PlanRefused(f"{what} does not belong to this StatefulSet", hint=f"its claims: {known}")
    return chosen


def strays(found: StatefulSet, claims: Iterable[str], replicas: int | None = None) -> tuple[str, ...]:
    """Claims of earlier scale-downs: named as this set names them, with an ordinal out of its range.

    They are reported and never touched.
    """
    expected = {target.claim for target in targets(found, replicas)}
    names = "|".join(re.escape(template) for template in found.templates)
    pattern = re.compile(rf"(?:{names})-{re.escape(found.metadata.name)}-\d+")
    return tuple(
        sorted(claim for claim in claims if found.templates and claim not in expected and pattern.fullmatch(claim))
    )

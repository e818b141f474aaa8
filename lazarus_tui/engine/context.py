"""What a running step can see and do (``model.steps.StepContext``), and what the runner needs around it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from lazarus_tui.engine.download import download
from lazarus_tui.engine.gate import Gate
from lazarus_tui.engine.ledger import Ledger, OnChange, OnLines
from lazarus_tui.evidence import EvidenceStore
from lazarus_tui.journal import Journal
from lazarus_tui.kube.cluster import Cluster
from lazarus_tui.model import steps
from lazarus_tui.model.addresses import AddressPolicy
from lazarus_tui.model.clock import Clock
from lazarus_tui.model.operation import CheckResult, Figures
from lazarus_tui.model.plan import Plan
from lazarus_tui.model.redact import redact_value
from lazarus_tui.model.silences import Alertmanager
from lazarus_tui.model.verdict import Verdict
from lazarus_tui.velero import artefacts


def _no_lease(plan: Plan) -> str:
    return ""


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What the engine lends to its operations.

    ``clusters`` gives the connection of a context (raises KubeError). ``armed`` says whether a context may be written
    now; it is asked when an operation starts. ``addresses`` is the policy for downloads of a context: only the sandbox
    brings an allowance for loopback. ``lease_namespace`` names the namespace for a plan's lease, "" for none.
    ``alertmanager`` gives that of a name in the settings for a context.
    ``person`` is who decides what the journal calls decided by hand.
    ``disposable`` says whether another cluster behind a context means that the former one exists no more (the sandbox).
    """

    journal: Journal
    evidence: EvidenceStore
    clusters: Callable[[str], Awaitable[Cluster]]
    clock: Clock
    armed: Callable[[str], bool] = lambda context: False
    addresses: Callable[[str], AddressPolicy] = lambda context: AddressPolicy()
    lease_namespace: Callable[[Plan], str] = _no_lease
    disposable: Callable[[str], bool] = lambda context: False
    holder: str = "lazarus"
    person: str = "somebody"
    version: str = ""
    alertmanager: Callable[[str, str], Alertmanager | None] = lambda context, name: None
    on_change: OnChange = lambda operation: None
    on_lines: OnLines = lambda op, lines: None


class LedgerFacts(Mapping[str, Any]):
    """The operation's facts, always as they are now."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def __getitem__(self, key: str) -> Any:
        return self._ledger.operation.facts[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._ledger.operation.facts)

    def __len__(self) -> int:
        return len(self._ledger.operation.facts)


class OperationContext:
    """One for all steps of an operation; ``facts`` are those of the journal, as every later run will see them."""

    def __init__(self, ledger: Ledger, plan: Plan, gate: Gate, reader: Cluster, around: Surroundings) -> None:
        self._ledger, self._around = ledger, around
        self.op = ledger.operation.id
        self.plan = plan
        self.gate: steps.Gate = gate
        self.reader: steps.Reader = reader
        self.clock: Clock = reader.clock
        self.facts: Mapping[str, Any] = LedgerFacts(ledger)
        self._own_gate = gate
        self.held: MutableMapping[str, steps.Closing] = {}

    @property
    def checks(self) -> Sequence[CheckResult]:
        return self._ledger.operation.checks

    @property
    def fence(self) -> int:
        return self._own_gate.fence

    async def remember(self, **facts: Any) -> None:
        kept = journal_facts(facts)
        self._ledger.remember(kept)
        await self._ledger.save(("facts", kept))

    async def say(self, text: str) -> None:
        self._ledger.say(text)
        await self._ledger.flush(all=False)

    async def checked(self, *results: CheckResult) -> None:
        """A check that ran again replaces its earlier result."""
        names = {result.name for result in results}
        kept = tuple(check for check in self._ledger.operation.checks if check.name not in names)
        self._ledger.change(checks=kept + results)
        await self._ledger.save(("checks", {"results": msgspec.to_builtins(results)}))

    async def measured(self, figures: Figures) -> None:
        """Figures that are not None, and definitions that are not empty, replace earlier ones."""
        known = msgspec.structs.asdict(self._ledger.operation.figures or Figures())
        news = {key: value for key, value in msgspec.structs.asdict(figures).items() if value not in (None, (), "")}
        self._ledger.change(figures=Figures(**{**known, **news}))
        await self._ledger.save(("figures", msgspec.to_builtins(figures)))

    async def judged(self, verdict: Verdict) -> None:
        self._ledger.change(verdict=verdict)
        await self._ledger.save(("verdict", {"verdict": verdict.value}))

    async def fetch(self, url: str, *, limit: int, ca: str = "") -> bytes:
        with self._ledger.meter.waiting():
            return await download(url, limit=limit, policy=self._around.addresses(self.plan.context), ca=ca)

    async def artefact(self, velero: str, kind: str, name: str) -> bytes:
        try:
            return await artefacts.download(self, velero, kind, name, owner=self.op)
        except artefacts.ArtefactError as error:
            raise steps.StepStopped(f"{kind} of {name} could not be read: {error.what}", hint=error.hint) from error

    def alertmanager(self, name: str) -> Alertmanager | None:
        return self._around.alertmanager(self.plan.context, name)

    async def evidence(self, record: Mapping[str, Any]) -> str:
        store = self._around.evidence
        found = await store.said(self.op, record) or await store.write(self.op, {**self._known(), **record})
        if found.unsigned and store.signer.configured:
            await self.say(f"the evidence is not signed: {found.unsigned}")
        return str(store.path(found))

    async def keep(self, name: str, record: Mapping[str, Any]) -> str:
        return str(await self._around.evidence.documents.put(name, record))

    async def kept(self, name: str) -> dict[str, Any] | None:
        return await self._around.evidence.documents.get(name)

    async def forget(self, name: str) -> None:
        await self._around.evidence.documents.remove(name)

    def _known(self) -> dict[str, Any]:
        """Fields every record has (requirements.md §5.4), as far as the engine knows them."""
        self._ledger.stamp()
        operation = self._ledger.operation
        return {
            "lazarus": self._around.version,
            "by": self._around.person,
            "kind": operation.kind,
            "context": operation.context,
            "target": operation.target,
            "cluster_uid": self.plan.cluster_uid,
            "plan": msgspec.to_builtins(self.plan),
            "plan_digest": operation.plan_digest,
            "started": operation.started,
            "recoveries": operation.recoveries,
            "steps": msgspec.to_builtins(operation.steps),
            "checks": msgspec.to_builtins(operation.checks),
            "figures": msgspec.to_builtins(operation.figures),
            "verdict": operation.verdict.value,
            "facts": dict(operation.facts),
        }


def journal_facts(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Facts as the journal will give them back after a crash: plain JSON, without secrets."""
    kept: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(redact_value(dict(facts), keys=False)))
    return kept

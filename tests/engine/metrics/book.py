"""Proofs as the journal has them, and pages of metrics as Prometheus reads them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

import msgspec
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.parser import text_string_to_metric_families

from lazarus_tui.engine.beginning import begun
from lazarus_tui.engine.metrics.families import Snapshot
from lazarus_tui.journal import Journal
from lazarus_tui.model.operation import CheckResult, Figures, Operation, OpState, Phase
from lazarus_tui.model.plan import Danger, Plan
from lazarus_tui.model.proofs import ProofRecord
from lazarus_tui.model.verdict import Verdict

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def plan(op: str, uid: str = "uid", **params: Any) -> Plan:
    given = {"op": op, "namespace": "shop", "workload": "", "policy": "nightly", "control": "", **params}
    given.setdefault("targets", {"rto_seconds": 60.0, "rpo_seconds": None})
    return Plan(
        kind="prove.run", context="prod", cluster_uid=uid, target=f"lazarus-q-{op[:8]}", title="Prove shop",
        danger=Danger.CHANGES, params=given, steps=(),
    )  # fmt: skip


def ended(
    found: Plan, verdict: Verdict, at: str, rta: float | None = 12.5, left: tuple[str, ...] = (), start: str = ""
) -> Operation:
    """The operation of a plan at its end; ``rta`` None: it never came to a measurement."""
    params = found.params
    record = ProofRecord(
        operation=params["op"], source="velero", point=f"backup-{params['op']}", namespace=params["namespace"],
        workload=params["workload"], verdict=verdict, left=left, control=params["control"], point_start=start,
    )  # fmt: skip
    phases = (Phase("queue", 0.5, ""), Phase("objects", 2.0, ""))
    figures = Figures(rta_seconds=rta, rta_phases=phases, rpa_seconds=300.0) if rta is not None else None
    running = begun(params["op"], found, found.digest(), "2026-03-01T00:00:00Z")
    return msgspec.structs.replace(
        running, state=OpState.DONE, ended=at, verdict=verdict, figures=figures,
        facts={"prove.record": msgspec.to_builtins(record)},
        checks=(
            CheckResult("web", "http", verdict, 0.1, ""), CheckResult("rows", "postgresql", Verdict.PASSED, 0.1, ""),
        ),
    )  # fmt: skip


async def run(journal: Journal, found: Plan, verdict: Verdict, at: str, **how: Any) -> Operation:
    """A proof that began and ended."""
    done = ended(found, verdict, at, **how)
    await begin(journal, found)
    await journal.save(done)
    return done


async def begin(journal: Journal, found: Plan) -> Operation:
    running = begun(found.params["op"], found, found.digest(), "2026-03-01T00:00:00Z")
    await journal.begin(running, found, ("op.begun", {"kind": found.kind}))
    return running


def read(text: str) -> Samples:
    """Every sample of a page; the same one twice is a page that Prometheus refuses."""
    samples: Samples = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            key = (sample.name, frozenset(sample.labels.items()))
            assert key not in samples, key
            samples[key] = sample.value
    return samples


def page(families: Iterable[Family]) -> str:
    registry = CollectorRegistry()
    registry.register(Snapshot(list(families)))
    return generate_latest(registry).decode()


def of(samples: Samples, name: str, **labels: str) -> list[float]:
    """The values of a metric whose labels include ``labels``."""
    return [value for (found, told), value in samples.items() if found == name and told >= set(labels.items())]


async def ask(port: int, request: str = "GET /metrics HTTP/1.1", *headers: str) -> tuple[int, str, str]:
    """Status, content type and body of one request."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    head = "\r\n".join([request, "Host: localhost", "Connection: close", *headers])
    writer.write(f"{head}\r\n\r\n".encode())
    raw = await reader.read()
    writer.close()
    await writer.wait_closed()
    told, _, body = raw.partition(b"\r\n\r\n")
    first, *lines = told.decode().split("\r\n")
    kind = next((line.partition(": ")[2] for line in lines if line.lower().startswith("content-type")), "")
    return int(first.split()[1]), kind, body.decode()

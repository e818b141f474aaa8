"""What is to be checked, as plain data: it lies in a plan and travels to the journal and the evidence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, TypeAlias

import msgspec
from msgspec import Meta

from lazarus_tui.model.plan import PlanRefused
from lazarus_tui.prove.checking import checked
from lazarus_tui.prove.mistakes import converted
from lazarus_tui.prove.wanted import HEALTHY, ExecCheck, HttpCheck, JobCheck, PodCheck, TcpCheck, Written
from lazarus_tui.prove.wanted_data import (
    AnyWatermark,
    DataCheck,
    MariadbCheck,
    MongodbCheck,
    MysqlCheck,
    PostgresqlCheck,
    RedisCheck,
    WatermarkCheck,
)

AnyCheck: TypeAlias = (
    HttpCheck
    | TcpCheck
    | ExecCheck
    | PodCheck
    | JobCheck
    | PostgresqlCheck
    | MysqlCheck
    | MariadbCheck
    | MongodbCheck
    | RedisCheck
)


Waiting: TypeAlias = Annotated[float, Meta(ge=0, le=86400)]


class Checks(Written, frozen=True, kw_only=True):
    """Everything to be checked in the target namespaces (``sources``: target → the namespace it comes from)."""

    sources: dict[str, str]
    checks: tuple[AnyCheck, ...] = ()
    watermark: AnyWatermark | None = None
    readiness: bool = True
    stable_seconds: Waiting = 1.0  # between the two looks that have to agree
    ready_seconds: Waiting = 300.0  # to become ready
    check_seconds: Waiting = 60.0  # for the checks to pass once everything is ready
    parallel: Annotated[int, Meta(ge=1, le=32)] = 4
    evidence: bool = True  # whether this writes the evidence record, or a drill does later


SANDBOX_CONTEXT = "lazarus-sandbox"
SHOP = "shop"


def shop_checks(sources: Mapping[str, str]) -> Checks:
    """The checks of the sandbox's shop, wherever it was restored to."""
    target = next((target for target, source in sources.items() if source == SHOP), SHOP)
    return Checks(
        sources=dict(sources),
        checks=(
            HttpCheck(
                name="orders answer", namespace=target, service="orders", port=8080, path="/healthz", contains="ok"
            ),
            HttpCheck(name="web shows orders", namespace=target, service="web", port=8080, matches="(?i)order"),
        ),
        watermark=WatermarkCheck(
            name="newest order", namespace=target, service="orders", port=8080, path="/stats", field="last_at",
            count_field="orders", until_path="/until/{until_ms}/stats", ids_path="/until/{until_ms}/ids",
        ),
    )  # fmt: skip


def parse(params: Mapping[str, Any], context: str) -> Checks:
    """The checks a plan asks for; the shop in the sandbox has its own. Raises ``PlanRefused``."""
    sources = dict(params.get("sources") or {})
    if params.get("checks"):
        if not isinstance(params["checks"], Mapping):
            raise PlanRefused("checks is a mapping of names to values", where="checks")
        found = _as_far_as_they_ask(checked(converted({**params["checks"], "sources": sources}, Checks)))
        return msgspec.structs.replace(found, evidence=found.evidence and params.get("evidence") is not False)
    if params.get("workloads") is False:
        found = Checks(sources=sources, readiness=False)  # nothing that runs was restored
        return msgspec.structs.replace(found, evidence=params.get("evidence") is not False)
    shop = context == SANDBOX_CONTEXT and SHOP in sources.values()
    found = shop_checks(sources) if shop else Checks(sources=sources)
    return msgspec.structs.replace(found, evidence=params.get("evidence") is not False)


def _as_far_as_they_ask(found: Checks) -> Checks:
    """A database that is asked nothing of its data shows that it answers, and no more: that is the rung below."""
    lowered = tuple(
        msgspec.structs.replace(one, rung=HEALTHY) if isinstance(one, DataCheck) and not one.asks else one
        for one in found.checks
    )
    return msgspec.structs.replace(found, checks=lowered)

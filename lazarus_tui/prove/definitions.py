"""What is to be checked, as plain data: it lies in a plan and travels to the journal and the evidence."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from lazarus_tui.model.plan import PlanRefused


class HttpCheck(msgspec.Struct, frozen=True, kw_only=True):
    """GET on a Service. ``contains`` is a part of the body, ``matches`` a regular expression; times in seconds."""

    service: str
    port: int | str
    path: str = "/"
    namespace: str = ""
    name: str = ""
    status: int = 200
    contains: str = ""
    matches: str = ""
    slower_than: float = 5.0  # an answer later than this is a failure
    needed: bool = True

    @property
    def title(self) -> str:
        return self.name or f"http {self.service}{self.path}"


class WatermarkCheck(msgspec.Struct, frozen=True, kw_only=True):
    """Where the newest data says how new it is: JSON at ``path``, its time in ``field`` (dots go deeper).

    ``until_path`` and ``ids_path`` may hold ``{until_ms}``: the answer then leaves out what came after that moment.
    """

    service: str
    port: int | str
    path: str
    field: str
    namespace: str = ""
    name: str = "watermark"
    count_field: str = ""
    until_path: str = ""
    ids_path: str = ""


class Checks(msgspec.Struct, frozen=True, kw_only=True):
    """Everything to be checked in the target namespaces (``sources``: target → the namespace it comes from)."""

    sources: dict[str, str]
    http: tuple[HttpCheck, ...] = ()
    watermark: WatermarkCheck | None = None
    readiness: bool = True
    stable_seconds: float = 1.0  # between the two looks that have to agree
    ready_seconds: float = 300.0  # to become ready
    check_seconds: float = 60.0  # for the checks to pass once everything is ready
    evidence: bool = True  # whether this writes the evidence record, or a drill does later


SANDBOX_CONTEXT = "lazarus-sandbox"
SHOP = "shop"


def shop_checks(sources: Mapping[str, str]) -> Checks:
    """The checks of the sandbox's shop, wherever it was restored to."""
    target = next((target for target, source in sources.items() if source == SHOP), SHOP)
    return Checks(
        sources=dict(sources),
        http=(
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
        try:
            found = msgspec.convert({"sources": sources, **params["checks"]}, Checks)
        except msgspec.ValidationError as error:
            raise PlanRefused(f"these are not checks: {error}", where="checks") from error
        for check in found.http:
            _compiled(check)
        return found
    if params.get("workloads") is False:
        found = Checks(sources=sources, readiness=False)  # nothing that runs was restored
        return msgspec.structs.replace(found, evidence=params.get("evidence") is not False)
    shop = context == SANDBOX_CONTEXT and SHOP in sources.values()
    found = shop_checks(sources) if shop else Checks(sources=sources)
    return msgspec.structs.replace(found, evidence=params.get("evidence") is not False)


def _compiled(check: HttpCheck) -> None:
    try:
        re.compile(check.matches)
    except re.error as error:
        raise PlanRefused(f"{check.matches!r} is not a regular expression: {error}", where=check.title) from error

"""Policies and the queue of proofs as the engine would tell of them: one that runs, some that wait, one left out."""

from __future__ import annotations

from typing import Any

from lazarus_tui.model.clock import rfc3339
from lazarus_tui.model.proof_policies import Entry, ProofPolicy, ProofPolicyRow, Selector, Standing, State, Subject
from lazarus_tui.model.verdict import Verdict
from tests.console.fake_link import FakeLink
from tests.console.moment import CONTEXT, NOW, ago

SHOP, ORDERS, WIKI = Subject("shop"), Subject("shop", "StatefulSet/orders"), Subject("intranet", "StatefulSet/wiki")
BUSY = "1 of this policy at once (atOnce); Velero restores one after the other"
WINDOW = "it waits for a maintenance window of its policy: 2026-11-20 22:00 UTC"
BEHIND = "1 restore is before its own: Velero restores one at a time"


def policy(name: str = "shop", **fields: Any) -> ProofPolicy:
    wanted = {"name": name, "workloads": (Selector(namespace="shop"),), "points": ("on-completion",)}
    return ProofPolicy(
        **{**wanted, "control": "withhold", "control_seconds": 604800.0, "writes": "schedules", **fields}
    )


def standing(subject: Subject = SHOP, hours: float = 2.0, **fields: Any) -> Standing:
    """Green, its control noticed two days ago."""
    given = {"verdict": Verdict.PASSED, "green": True, "control": "red", "words": "proven up to 'data right'", **fields}
    return Standing(subject=subject, at=ago(hours=hours), point="ka-04-daily-20261120020000", operation="1" * 16,
                    control_at=ago(hours=50), **given)  # fmt: skip


def row(name: str = "shop", *standings: Standing, enabled: bool = True, **fields: Any) -> ProofPolicyRow:
    means = ("proves namespace shop", "each backup that holds it, as soon as it completes", "at most 1 at once")
    made = policy(name, **fields.pop("policy", {}))
    return ProofPolicyRow(policy=made, means=means, enabled=enabled, standings=standings or (standing(),), **fields)


def entry(n: int, state: State = State.WAITING, minutes: float = 3.0, **fields: Any) -> Entry:
    given = {"subject": SHOP, "point": "latest", "why": "a person asked for it", "policy": "shop", **fields}
    if not state.open:
        given["ended"] = ago(minutes=minutes)
    begun = ago(seconds=41) if state is State.RUNNING else ""
    return Entry(id=f"{n:016x}", context=CONTEXT, params={}, queued=ago(minutes=minutes), state=state, begun=begun,
                 **given)  # fmt: skip


def queue() -> dict[str, Entry]:
    found = [
        entry(3, point="latest", minutes=1.0, waiting=BUSY),
        entry(2, point="ka-03-hourly-20261120100000", waiting=BUSY),
        entry(1, State.RUNNING, 4.0, point="ka-07-offsite-20261120093000", operation="feed0123feed0123"),
        entry(4, State.SKIPPED, 102.0, point="ka-03-hourly-20261120090000", words="it is Failed: nothing to prove"),
        entry(5, State.DONE, 120.0, point="ka-04-daily-20261120020000", verdict=Verdict.PASSED, operation="1" * 16,
              words="proven up to 'data right'"),
    ]  # fmt: skip
    return {one.id: one for one in found}


def rows() -> dict[str, ProofPolicyRow]:
    """Green and busy; one that lost its green and is overdue; one that nobody has enabled."""
    lost = standing(WIKI, 30.0, green=False, control="failed", words="control failed: broken (withhold), not noticed")
    late = "the proof of intranet/StatefulSet/wiki from latest did not begin: " + WINDOW
    tomorrow = rfc3339(NOW.replace(day=21, hour=3, minute=0, second=0))
    found = [
        row(waiting=2, running=1),
        row("wiki", lost, overdue=late, next=tomorrow, policy={"points": ("latest",), "schedule": "0 3 * * *"}),
        row("audit", Standing(subject=ORDERS), enabled=False, trouble="not enabled: lazarus policy enable audit"),
    ]
    return {one.policy.name: one for one in found}


def fill(link: FakeLink, *, some: bool = True) -> None:
    link.put(f"policies/{CONTEXT}", rows() if some else {})
    link.put(f"queue/{CONTEXT}", queue() if some else {})

"""What a plan of a proof says of alerts: silenced where, for how long, or that they may page."""

from __future__ import annotations

from lazarus_tui.config import ProveSettings
from lazarus_tui.engine.outside import Outside
from lazarus_tui.engine.registry import Registry
from lazarus_tui.engine.silencing import alertmanager, asked
from lazarus_tui.engine.subjects import operation_types
from lazarus_tui.outward import resolve
from lazarus_tui.sandbox.clock import VirtualClock
from tests.prove.hostile.build import workload
from tests.prove.silences.test_client import settings
from tests.prove.site import Site


async def test_without_an_alertmanager_alerts_may_page_and_there_is_no_step() -> None:
    site = Site()
    site.backup("full", [workload(name="web")])
    plan = await site.plan()
    words = f"no Alertmanager configured: alerts on namespace {plan.target} may page (S19)"
    assert words in plan.warnings
    names = [step.name for step in Registry(operation_types()).steps(plan.kind, plan)]
    assert (plan.params["silence"], [one for one in names if "silence" in one]) == ({}, [])


async def test_with_one_it_is_silenced_before_the_quarantine_and_ended_after_it() -> None:
    site = Site()
    site.backup("full", [workload(name="web")])
    plan = await site.plan(alertmanagers=["main"], keep_minutes=60)
    [effect] = [one for one in plan.effects if "silence" in one.what]
    assert (effect.verb, effect.what) == ("create", f"silence for namespace={plan.target} in Alertmanager main")
    assert effect.detail == "ended when the copy is gone, else by itself after 2h30m (S19)"
    assert not [one for one in plan.warnings if "Alertmanager" in one]
    names = [step.name for step in Registry(operation_types()).steps(plan.kind, plan)]
    assert names.index("prove.preflight") < names.index("prove.silence") < names.index("quarantine")
    assert names.index("shown-clean") < names.index("prove.unsilenced") < names.index("prove.judge")


def test_a_context_gets_its_own_alertmanagers_and_no_other() -> None:
    found = ProveSettings(alertmanagers=(settings("https://a.example"),))
    outside = Outside(None, sandbox=False, find=resolve)  # type: ignore[arg-type]
    assert asked(found, "prod")["alertmanagers"] == ["main"]
    assert asked(found, "other")["alertmanagers"] == []
    assert alertmanager(found, "prod", "main", outside, VirtualClock()) is not None
    assert alertmanager(found, "other", "main", outside, VirtualClock()) is None

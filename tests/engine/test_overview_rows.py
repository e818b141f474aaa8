"""Whose rows the Overview has: what somebody would lose, and never the copies that a proof makes of it."""

from __future__ import annotations

from lazarus_tui.engine.mirror import Sight
from lazarus_tui.engine.subjects import Held, overview
from lazarus_tui.model.objects import Meta, Workload
from lazarus_tui.prove.quarantine import names
from tests.console.moment import NOW


def workload(namespace: str) -> Workload:
    return Workload(metadata=Meta(name="orders", namespace=namespace), kind="StatefulSet")


def test_copies_in_quarantines_have_no_rows() -> None:
    spaces = ("shop", names.name("f81763db397076a0"), "lazarus-q-team", "velero")
    sight = Sight(NOW, [workload(one) for one in spaces], (), (), (), (), (), {}, velero="velero")
    assert [row.namespace for row in overview(sight, (), Held())] == ["lazarus-q-team", "shop"]

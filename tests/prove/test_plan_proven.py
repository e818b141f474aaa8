"""What ``latest-proven`` takes: exactly the point that was proven, for what is asked about; never one of its name."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from lazarus_tui.model.clock import rfc3339
from lazarus_tui.model.operation import OpState
from lazarus_tui.model.plan import PlanRefused
from lazarus_tui.model.proofs import RUNGS, Ladder, ProofRecord, ProofView, Rung
from lazarus_tui.model.verdict import Verdict
from tests.prove.hostile.build import claim, mounting, workload
from tests.prove.site import Site, captured
from tests.velero.lab import START

DB = "StatefulSet/db"


def shop() -> list[dict[str, Any]]:
    return [workload("StatefulSet", "db", volumes=mounting("data")), claim("data", "pv-1")]


def ago(hours: float) -> str:
    return rfc3339(START - timedelta(hours=hours))


def proven(
    point: str, began: str, ended: str, *, about: str = DB, source: str = "velero", verdict: Verdict = Verdict.PASSED
) -> ProofView:
    ladder = Ladder(f"shop/{about}", tuple(Rung(name, verdict) for name in RUNGS[:5]))
    record = ProofRecord(
        operation="1", source=source, point=point, namespace="shop", verdict=verdict, ladders=(ladder,),
        point_start=began,
    )  # fmt: skip
    return ProofView(
        id="1", state=OpState.DONE, started=began, ended=ended, verdict=verdict, about=record.about, record=record,
        here=True,
    )  # fmt: skip


@pytest.fixture
def site() -> Site:
    site = Site()
    for name, hours in (("nightly", 1), ("weekly", 30)):
        site.backup(name, shop(), [captured("data", "shop")], hours=hours)
    return site


async def chosen(site: Site, **params: Any) -> str:
    return str((await site.plan(point="latest-proven", **params)).params["point"])


async def test_the_newest_backup_that_was_proven_itself(site: Site) -> None:
    site.proven = [proven("weekly", ago(30), ago(20))]
    assert await chosen(site) == "weekly"
    site.proven.append(proven("nightly", ago(1), ago(0.5)))
    assert await chosen(site) == "nightly"


@pytest.mark.parametrize(
    "other",
    [
        proven("nightly", ago(48), ago(40)),  # it was deleted, and another one was made under its name
        proven("nightly", ago(48), ago(0.5)),  # and the proof of the first one ended only now
        proven("nightly", "", ago(40)),  # from before starts were recorded
        proven("nightly", ago(1), ago(0.5), source="snapshots"),
    ],
)
async def test_a_point_that_only_has_the_name_of_a_proven_one_was_not_proven(site: Site, other: ProofView) -> None:
    site.proven = [other, proven("weekly", ago(30), ago(20))]
    assert await chosen(site) == "weekly"
    site.proven = [other]
    with pytest.raises(PlanRefused) as refused:
        await chosen(site)
    assert refused.value.hint == "nightly: usable, but not proven"


async def test_that_a_proof_of_the_first_one_failed_says_nothing_about_the_second(site: Site) -> None:
    """Neither way: what decides is the newest proof of the point that is there."""
    site.proven = [proven("nightly", ago(48), ago(0.2), verdict=Verdict.FAILED), proven("nightly", ago(1), ago(0.5))]
    assert await chosen(site) == "nightly"


async def test_of_one_workload_only_what_was_proven_of_it_counts(site: Site) -> None:
    site.proven = [proven("nightly", ago(1), ago(0.5), about="Deployment/web"), proven("weekly", ago(30), ago(20))]
    assert await chosen(site, workload=DB) == "weekly"

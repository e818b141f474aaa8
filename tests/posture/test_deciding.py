"""What is forgotten of proofs never opens a gate: whatever else ended since, no answer gets greener by it."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any

import pytest

from lazarus_tui.model.proofs import RUNGS, Ladder, ProofView, Rung, climb
from lazarus_tui.model.topics import PointView
from lazarus_tui.model.verdict import Verdict
from lazarus_tui.posture.deciding import Deciding
from lazarus_tui.posture.gating import OPEN, RED, gate
from lazarus_tui.posture.proofs import newest_judged, proofs_of
from tests.posture.test_gating import HERE, NOW, located_views, proof

PARTS = ("StatefulSet/db", "Deployment/web")
POINTS = {name: f"2026-05-{day:02d}T01:00:00Z" for name, day in (("a", 29), ("b", 30), ("c", 31))}
LONG = timedelta(days=400)


def kept(views: list[ProofView], newest: int) -> list[ProofView]:
    """As the hub keeps them: what decides something, and of the others the newest."""
    deciding = Deciding()
    for one in views:
        deciding.add(one)
    stay = deciding.ids() | {one.id for one in views[len(views) - newest :]}
    return [one for one in views if one.id in stay]


def some(chance: random.Random, n: int) -> ProofView:
    workload = chance.choice(("", *PARTS))
    point = chance.choice(list(POINTS))
    ladders = []
    for part in (workload,) if workload else PARTS[: chance.choice((1, 2))]:
        red, hazy = chance.randrange(3, 12), chance.randrange(3, 20)
        verdicts = [Verdict.FAILED if i == red else Verdict.INCONCLUSIVE if i == hazy else Verdict.PASSED
                    for i in range(len(RUNGS))]  # fmt: skip
        ladders.append(Ladder(f"shop/{part}", climb([Rung(*one) for one in zip(RUNGS, verdicts, strict=True)])))
    required = RUNGS[: chance.choice((3, 5, 6))]
    found = {verdict for one in ladders if (verdict := one.verdict(required))}
    verdict = next(
        one for one in (Verdict.FAILED, Verdict.INCONCLUSIVE, Verdict.PASSED, Verdict.NOT_TESTED) if one in found
    )
    control = chance.choice(("", "", "", "flip", "withhold"))
    if control:
        verdict = chance.choice((Verdict.PASSED, Verdict.FAILED, Verdict.INCONCLUSIVE))
    more: dict[str, Any] = {"workload": workload, "ladders": tuple(ladders), "required": required, "control": control}
    made = proof(verdict.value, 1000.0 - n, point=point, point_start=POINTS[point], **more)
    return located_views(made, now=HERE)[0]


@pytest.mark.parametrize("seed", range(40))
def test_no_gate_opens_and_no_red_is_lost_because_something_was_forgotten(seed: int) -> None:
    chance = random.Random(seed)
    views = [some(chance, n) for n in range(40)]
    left = kept(views, newest=3)
    for workload in ("", *PARTS):
        for name, begun in POINTS.items():
            for latest in (True, False):
                about = PointView(name=name, kind="velero", start=begun, usable=True)
                asked: dict[str, Any] = {
                    "latest": latest,
                    "within": LONG,
                    "now": NOW,
                    "require": chance.choice(((), ("data right",))),
                }
                whole, part = (gate(among, "shop", workload, about, **asked) for among in (views, left))
                assert whole.code == OPEN or part.code != OPEN, (workload, name, latest)
                if latest and name == "c":
                    assert part.code == RED or whole.code != RED, (workload, name)


@pytest.mark.parametrize("seed", range(20))
def test_a_red_that_is_remembered_does_not_outlive_the_green_of_a_newer_point(seed: int) -> None:
    chance = random.Random(seed)
    views = [one for n in range(60) if (one := some(chance, n)).about.workload == PARTS[0]]
    shown = [newest_judged(proofs_of(among), {}) for among in (views, kept(views, newest=0))]
    assert shown[0] is not None
    assert shown[1] is not None
    assert shown[1].start == shown[0].start
    assert shown[1].verdict is shown[0].verdict or shown[1].verdict is not Verdict.PASSED


def test_how_much_is_kept_does_not_grow_with_what_is_proven() -> None:
    chance = random.Random(1)
    views = [some(chance, n) for n in range(900)]
    few, many = len(kept(views[:300], newest=0)), len(kept(views, newest=0))
    assert few < 150
    assert many < few * 1.5


def test_what_is_not_kept_leaves_nothing_behind() -> None:
    deciding = Deciding()
    views = located_views(
        *(proof("FAILED", 9.0 - n, point=f"p{n}", point_start=f"2026-05-{n + 1:02d}T01:00:00Z") for n in range(5))
    )
    for one in views:
        deciding.add(one)
    assert deciding.ids() == {views[-1].id}
    deciding.forget(one.id for one in views[:-1])
    assert (len(deciding._points), len(deciding._red)) == (1, 1)


def test_a_red_point_is_forgotten_with_the_green_of_the_newer_one_or_not_at_all() -> None:
    views = located_views(proof("FAILED", 9.0, point="a", point_start=POINTS["a"]), proof("PASSED", 8.0))
    views += located_views(*(proof("PASSED", 7.0 - n, namespace=f"other-{n}", ladders=()) for n in range(5)))
    shown = newest_judged([one for one in proofs_of(kept(views, newest=0)) if "shop" in one.namespaces], {})
    assert shown is not None
    assert (shown.backup, shown.verdict) == ("b", Verdict.PASSED)


def test_a_green_is_not_kept_without_what_was_found_wrong_with_its_point_later() -> None:
    views = located_views(
        proof("PASSED", 9.0, workload=PARTS[0]),
        proof("FAILED", 8.0),
        proof("FAILED", 7.0, point="d", point_start="2026-06-01T01:00:00Z"),
    )
    about = PointView(name="b", kind="velero", start=POINTS["c"], usable=True)
    for among in (views, kept(views, newest=0)):
        assert gate(among, "shop", PARTS[0], about, latest=False, within=LONG, now=NOW).code == RED

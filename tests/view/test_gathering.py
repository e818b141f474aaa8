"""Rows of proofs follow from all that is known, and what did not change is not made again."""

from __future__ import annotations

import random
from typing import Any

import msgspec
import pytest

from lazarus_tui.model.proofs import ProofView
from lazarus_tui.model.topics import WorkloadRow
from lazarus_tui.view.gathering import Gathered, Rows, gather
from lazarus_tui.view.source import TopicState
from tests.console import proofs as world

PARTS = ("shop/StatefulSet/orders", "shop/Deployment/web", "bank/StatefulSet/ledger")


def view(n: int, *parts: str, **more: Any) -> ProofView:
    """The n-th proof, of these workloads."""
    made = world.proof(f"{n:016x}", 1000.0 - n, *(world.ladder(part, 6) for part in parts), **more)
    (found,) = world.views(made).values()
    return found


def row(key: str, ready: int = 1) -> WorkloadRow:
    namespace, kind, name = key.split("/")
    return WorkloadRow(namespace=namespace, kind=kind, name=name, ready=ready, desired=1)


def some(chance: random.Random, n: int) -> ProofView:
    parts = chance.sample(PARTS, chance.randrange(1, 3))
    found = view(n, *parts, control=chance.choice(("", "", "flip")))
    return msgspec.structs.replace(found, record=None) if chance.random() < 0.2 else found


@pytest.mark.parametrize("seed", range(8))
def test_whatever_changes_the_rows_are_those_of_all_that_is_there(seed: int) -> None:
    chance, rows = random.Random(seed), Rows()
    views: dict[str, ProofView] = {}
    known = {part: row(part) for part in PARTS[:2]}
    for n in range(60):
        views, known = dict(views), dict(known)
        match chance.randrange(5):
            case 0 if views:
                del views[chance.choice(list(views))]
            case 1 if views:
                id = chance.choice(list(views))
                views[id] = msgspec.structs.replace(some(chance, n), id=id)
            case 2:
                part = chance.choice(PARTS)
                known = {**known, part: row(part, n)} if part not in known or chance.random() < 0.7 else {
                    key: one for key, one in known.items() if key != part
                }  # fmt: skip
            case _:
                one = some(chance, n)
                views[one.id] = one
        found, whole = rows.update(views, known.values()), gather(views.values(), known.values())
        assert found == whole
        assert list(found) == list(whole)


def test_news_of_one_workload_make_one_row_anew_however_many_runs_the_others_have() -> None:
    views = {one.id: one for n in range(50) for one in [view(n, *PARTS)]}
    overview = {part: row(part) for part in PARTS}
    gathered = Gathered()

    def look() -> dict[str, Any]:
        state = TopicState(1, "ready", records=overview)
        return dict(gathered(state, TopicState(1, "ready", records=views)).records)

    before = look()
    overview = {**overview, PARTS[0]: row(PARTS[0], 0)}
    after = look()
    assert {key for key in PARTS if after[key] is not before[key]} == {PARTS[0]}
    assert after[PARTS[0]].runs is before[PARTS[0]].runs, "its runs are the same"
    assert after[PARTS[0]].row.ready == 0
    newest = view(99, PARTS[1])
    views = {**views, newest.id: newest}
    last = look()
    assert {key for key in PARTS if last[key] is not after[key]} == {PARTS[1]}
    assert last[PARTS[1]].runs[0].view is newest


def test_runs_of_a_whole_namespace_are_made_again_only_with_it() -> None:
    early = {one.id: msgspec.structs.replace(one, record=None) for n in range(3) for one in [view(n, PARTS[0])]}
    rows, known = Rows(), {part: row(part) for part in PARTS}
    before = rows.update(early, known.values())
    assert [len(before[part].runs) for part in PARTS] == [3, 3, 0]
    known[PARTS[2]] = row(PARTS[2], 0)
    after = rows.update(early, known.values())
    assert [after[part] is before[part] for part in PARTS] == [True, True, False]
    assert all(after[part].runs is before[part].runs for part in PARTS)

"""Which claims are a StatefulSet's own."""

from __future__ import annotations

from typing import Any

import pytest

from lazarus_tui.model.objects import record
from lazarus_tui.model.plan import PlanRefused
from lazarus_tui.snapshots.targets import StatefulSet, narrowed, strays, targets


def made(**spec: Any) -> StatefulSet:
    templates = [{"metadata": {"name": name}} for name in spec.pop("templates", ["data"])]
    return record({"metadata": {"name": "db"}, "spec": {"volumeClaimTemplates": templates, **spec}}, StatefulSet)


def test_claims_follow_ordinals_and_templates() -> None:
    found = made(replicas=2, templates=["wal", "data"], ordinals={"start": 5})
    assert [target.claim for target in targets(found)] == ["data-db-5", "wal-db-5", "data-db-6", "wal-db-6"]


def test_replicas_that_are_not_told_are_one() -> None:
    assert [target.claim for target in targets(made())] == ["data-db-0"]
    assert targets(made(replicas=0)) == ()
    assert len(targets(made(replicas=0), replicas=3)) == 3  # what it had before it was stopped


def test_claims_of_earlier_times_are_reported_and_others_are_not() -> None:
    every = ["data-db-0", "data-db-1", "data-db-7", "data-db-x", "data-db2-9", "other", "xdata-db-3"]
    assert strays(made(replicas=2), every) == ("data-db-7",)
    assert strays(made(templates=[]), every) == ()


def test_one_replica_or_one_claim() -> None:
    every = targets(made(replicas=3, templates=["data", "wal"]))
    assert [target.claim for target in narrowed(every, ordinal=1)] == ["data-db-1", "wal-db-1"]
    assert [target.claim for target in narrowed(every, claim="wal-db-2")] == ["wal-db-2"]
    with pytest.raises(PlanRefused, match="replica 3") as refused:
        narrowed(every, ordinal=3)
    assert "wal-db-2" in refused.value.hint


@pytest.mark.parametrize(
    ("policy", "danger"),
    [
        (None, False),
        ({"whenDeleted": "Retain", "whenScaled": "Retain"}, False),
        ({"whenDeleted": "Retain", "whenScaled": "Delete"}, True),
        ({"whenDeleted": "Delete"}, True),
    ],
)
def test_a_policy_that_deletes_is_seen(policy: dict[str, str] | None, danger: bool) -> None:
    assert made(persistentVolumeClaimRetentionPolicy=policy).deletes_claims is danger

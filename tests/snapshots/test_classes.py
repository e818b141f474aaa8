"""Which snapshot class is taken, and when nothing may be chosen."""

from __future__ import annotations

from typing import Any

import pytest

from lazarus_tui.model.objects import record
from lazarus_tui.model.plan import PlanRefused
from lazarus_tui.model.snapshots import DEFAULT_CLASS, SnapshotClass
from lazarus_tui.snapshots.classes import choose_class


def made(name: str, driver: str, *, default: bool = False, policy: str = "Delete") -> SnapshotClass:
    meta: dict[str, Any] = {"name": name, "annotations": {DEFAULT_CLASS: "true"} if default else {}}
    return record({"metadata": meta, "driver": driver, "deletionPolicy": policy}, SnapshotClass)


EBS, EBS_DEFAULT, CEPH = made("ebs", "ebs"), made("ebs-default", "ebs", default=True), made("ceph", "ceph")


def test_a_default_is_a_default_of_its_own_driver() -> None:
    chosen = choose_class("ebs", [made("other", "ceph", default=True), EBS, EBS_DEFAULT])
    assert (chosen.name, chosen.notice) == ("ebs-default", "")
    assert chosen.deletion_policy == "Delete"


def test_the_only_class_of_a_driver_is_taken_with_a_word() -> None:
    assert choose_class("ceph", [EBS_DEFAULT, CEPH]).notice.startswith("class ceph is the only one")


def test_a_named_class_goes_before_any_default() -> None:
    assert choose_class("ebs", [EBS, EBS_DEFAULT], wanted={"ebs": "ebs"}).name == "ebs"
    assert choose_class("ebs", [EBS, EBS_DEFAULT], wanted={"": "ebs"}).name == "ebs"


@pytest.mark.parametrize(
    ("driver", "classes", "wanted", "what", "hint"),
    [
        ("ebs", [EBS_DEFAULT, made("second", "ebs", default=True)], {}, "has 2 default", "--class"),
        ("ebs", [EBS, made("second", "ebs")], {}, "no default snapshot class", "ebs, second"),
        ("nfs", [EBS, CEPH], {}, "no snapshot class for driver nfs", "ceph, ebs"),
        ("nfs", [], {}, "no snapshot class for driver nfs", "none at all"),
        ("ebs", [EBS, CEPH], {"": "ceph"}, "is of driver ceph", "none"),
        ("ebs", [EBS], {"": "gone"}, "there is no snapshot class gone", "ebs"),
    ],
)
def test_nothing_is_guessed(
    driver: str, classes: list[SnapshotClass], wanted: dict[str, str], what: str, hint: str
) -> None:
    with pytest.raises(PlanRefused, match=what) as refused:
        choose_class(driver, classes, wanted=wanted)
    assert hint in refused.value.hint

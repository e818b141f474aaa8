"""The one rule: what is chosen is usable, and what is not usable never changes the choice."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lazarus_tui.model import points
from lazarus_tui.model.clock import rfc3339
from lazarus_tui.model.objects import Backup, Location
from lazarus_tui.model.points import Known, newest_usable, usability
from lazarus_tui.model.scope import Wanted
from lazarus_tui.model.verdict import Verdict
from lazarus_tui.model.volumes import Coverage, Held, HeldVolume

NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
ORDERS = Wanted("shop", "StatefulSet", "orders", ("data-orders-0",), {"app": "orders"})
FULL = Coverage({"shop/data-orders-0": HeldVolume("shop/data-orders-0", Held.CAPTURED, "PodVolumeBackup", 10)}, True)


def backup(name: str = "b", *, age: float = 1, phase: str = "Completed", ttl: float = 720, **spec: Any) -> Backup:
    start = NOW - timedelta(hours=age)
    status = {"phase": phase, "startTimestamp": rfc3339(start), "expiration": rfc3339(start + timedelta(hours=ttl))}
    return msgspec.convert({"metadata": {"name": name}, "spec": spec, "status": status}, Backup)


def location(name: str = "default", phase: str = "Available", checked: float = 30, **spec: Any) -> Location:
    status = {"phase": phase, "lastValidationTime": rfc3339(NOW - timedelta(seconds=checked)), "message": "dial tcp"}
    return msgspec.convert({"metadata": {"name": name}, "spec": spec, "status": status}, Location)


def known(**changes: Any) -> Known:
    values: dict[str, Any] = {
        "now": NOW,
        "locations": {"default": location(), "offsite": location("offsite", "Unavailable")},
        "coverages": {"b": FULL},
    }
    return Known(**{**values, **changes})


def test_a_whole_backup_is_usable_and_says_nothing_against_itself() -> None:
    view = usability(backup(), ORDERS, known())
    assert view.usable is True
    assert view.reasons == ()


def expression(operator: str, *values: str, **more: Any) -> dict[str, Any]:
    one = {"key": "app", "operator": operator, **({"values": list(values)} if values else {})}
    return {"labelSelector": {"matchExpressions": [one], **more}}


@pytest.mark.parametrize(
    ("changes", "usable", "word"),
    [
        ({"phase": "PartiallyFailed"}, False, "PartiallyFailed"),
        ({"phase": "InProgress"}, False, "not finished"),
        ({"phase": ""}, False, "New"),
        ({"phase": "Queued"}, False, "Queued"),
        ({"phase": "FinalizingPartiallyFailed"}, False, "not finished"),
        ({"phase": "Failed"}, False, "Failed"),
        ({"phase": "FailedValidation"}, False, "FailedValidation"),
        ({"phase": "Deleting"}, False, "deleted"),
        ({"phase": "Reticulating"}, None, "Reticulating"),
        ({"age": 100, "ttl": 72}, False, "expired 1d4h ago"),
        ({"age": 1, "ttl": 1.5}, False, "expires in 30m"),
        ({"age": -2}, None, "future"),
        ({"storageLocation": "offsite"}, False, "dial tcp"),
        ({"storageLocation": "gone"}, False, "does not exist"),
        ({"includedNamespaces": ["other"]}, False, "namespace shop"),
        ({"includedNamespaces": ["*"], "excludedNamespaces": ["sh*"]}, False, "namespace shop"),
        ({"includedNamespaces": ["sh?p"]}, True, ""),
        ({"includedResources": ["configmaps", "secrets"]}, False, "leaves out statefulsets.apps"),
        ({"excludedResources": ["pvc"]}, False, "persistentvolumeclaims"),
        ({"includedResources": ["sts", "pvc", "pods"]}, True, ""),
        ({"includedNamespaceScopedResources": ["deployments.apps"]}, False, "statefulsets.apps"),
        ({"labelSelector": {"matchLabels": {"app": "web"}}}, False, "label selector"),
        ({"labelSelector": {"matchLabels": {"app": "orders"}}}, True, ""),
        ({"labelSelector": {"matchExpressions": []}}, True, ""),
        (expression("In", "web", "orders"), True, ""),
        (expression("In", "web"), False, "label selector"),
        (expression("NotIn", "orders"), False, "label selector"),
        (expression("NotIn", "web"), True, ""),
        (expression("Exists"), True, ""),
        (expression("DoesNotExist"), False, "label selector"),
        (expression("Resembles", "orders"), None, "label selector"),
        (expression("NotIn", "orders", matchLabels={"app": "orders"}), False, "label selector"),
        ({"orLabelSelectors": [{"matchLabels": {"a": "b"}}, {"matchLabels": {"app": "orders"}}]}, True, ""),
    ],
)
def test_each_reason_is_found_and_said(changes: dict[str, Any], usable: bool | None, word: str) -> None:
    view = usability(backup(**changes), ORDERS, known())
    assert view.usable is usable
    assert word in "; ".join(view.reasons)


@pytest.mark.parametrize(
    ("place", "usable", "word"),
    [
        (None, None, "could not be read"),
        ({"default": location(checked=3600)}, None, "last checked 1h"),
        ({"default": location(checked=900, validationFrequency="10m")}, True, ""),
        ({"default": location(checked=900, validationFrequency="0")}, None, "only once"),
        ({"default": location(phase="")}, None, "not validated yet"),
        ({}, False, "does not exist"),
    ],
)
def test_storage_must_answer_now(place: Any, usable: bool | None, word: str) -> None:
    view = usability(backup(), ORDERS, known(locations=place))
    assert view.usable is usable
    assert word in "; ".join(view.reasons)


def test_a_completed_backup_without_the_volume_is_not_a_point() -> None:
    skipped = HeldVolume("shop/data-orders-0", Held.ABSENT, reason="skipped: no method fits")
    view = usability(backup(), ORDERS, known(coverages={"b": Coverage({"shop/data-orders-0": skipped}, True)}))
    assert view.usable is False
    assert view.reasons == ("no data of volume data-orders-0: skipped: no method fits",)


def test_volumes_nobody_has_looked_at_are_unknown_not_there() -> None:
    assert usability(backup(), ORDERS, known(coverages={})).usable is None
    assert usability(backup(), ORDERS, known(coverages={"b": Coverage({}, True)})).usable is False


def test_a_workload_without_volumes_needs_no_volume_list() -> None:
    web = Wanted("shop", "Deployment", "web", (), {})
    assert usability(backup(), web, known(coverages={})).usable is True


def test_a_namespace_needs_every_kind_and_no_selector() -> None:
    shop = Wanted("shop", claims=("data-orders-0",))
    assert usability(backup(), shop, known()).usable is True
    assert usability(backup(labelSelector={"matchLabels": {"app": "orders"}}), shop, known()).usable is False
    assert usability(backup(excludedResources=["secrets"]), shop, known()).usable is False


def test_partially_failed_on_request_still_needs_the_volumes() -> None:
    partial = backup(phase="PartiallyFailed")
    assert usability(partial, ORDERS, known(partial=True)).usable is True
    assert usability(partial, ORDERS, known(partial=True, coverages={})).usable is None


def test_newest_is_by_start_not_by_creation() -> None:
    early = msgspec.convert(
        {
            "metadata": {"name": "early", "creationTimestamp": rfc3339(NOW)},
            "status": msgspec.to_builtins(backup(age=9).status),
        },
        Backup,
    )
    choice = newest_usable([early, backup(age=2)], ORDERS, known(coverages={"b": FULL, "early": FULL}))
    assert choice.point is not None
    assert choice.point.name == "b"
    assert choice.passed == ()


def test_what_was_passed_over_is_told_newest_first() -> None:
    series = [backup("b", age=9), backup("p", age=1, phase="PartiallyFailed"), backup("e", age=2)]
    series.append(backup("other", age=0.5, includedNamespaces=["other"]))
    choice = newest_usable(series, ORDERS, known(coverages={"b": FULL, "p": FULL, "e": Coverage({}, True)}))
    assert choice.point is not None
    assert choice.point.name == "b"
    assert [view.name for view in choice.passed] == ["p", "e"]
    assert all(view.reasons for view in choice.passed)


SERIES = st.lists(
    st.tuples(
        st.floats(-3, 800),
        st.sampled_from(
            ["Completed", "PartiallyFailed", "InProgress", "Failed", "Deleting", "Novel", "FailedValidation"]
        ),
        st.sampled_from([24, 72, 720, 8760]),
        st.sampled_from(["default", "offsite", "gone", "stale"]),
        st.sampled_from(["full", "empty", "none"]),
        st.sampled_from([["*"], ["shop"], ["other"], []]),
    ),
    max_size=12,
)


def world(rows: Any) -> tuple[list[Backup], Known]:
    coverages = {"full": FULL, "empty": Coverage({}, True), "none": Coverage()}
    made, held = [], {}
    for index, (age, phase, ttl, place, cover, namespaces) in enumerate(rows):
        name = f"b{index}"
        made.append(backup(name, age=age, phase=phase, ttl=ttl, storageLocation=place, includedNamespaces=namespaces))
        held[name] = coverages[cover]
    places = {
        "default": location(),
        "offsite": location("offsite", "Unavailable"),
        "stale": location("stale", checked=9999),
    }
    return made, known(locations=places, coverages=held)


@settings(max_examples=200, deadline=None)
@given(SERIES)
def test_the_choice_is_usable_and_nothing_usable_is_newer(rows: Any) -> None:
    made, around = world(rows)
    choice = newest_usable(made, ORDERS, around)
    usable = [b for b in made if usability(b, ORDERS, around).usable is True]
    if choice.point is None:
        assert not usable
        return
    chosen = next(b for b in made if b.metadata.name == choice.point.name)
    assert usability(chosen, ORDERS, around).usable is True
    assert points.started(chosen) == max(start for b in usable if (start := points.started(b)))
    assert all(view.usable is not True for view in choice.passed)


@settings(max_examples=200, deadline=None)
@given(SERIES, SERIES)
def test_points_that_are_not_usable_never_change_the_choice(rows: Any, more: Any) -> None:
    made, around = world([*rows, *more])
    base, extra = made[: len(rows)], made[len(rows) :]
    unusable = [b for b in extra if usability(b, ORDERS, around).usable is not True]
    alone = newest_usable(base, ORDERS, around).point
    assert newest_usable([*unusable, *base], ORDERS, around).point == alone


def test_other_choices_by_name() -> None:
    made = [backup("n", age=1), backup("m", age=5), backup("o", age=50), backup("x", age=0.5, phase="Failed")]
    around = known(coverages={"n": FULL, "m": FULL, "o": FULL, "x": FULL}, proofs={"m": (Verdict.PASSED, rfc3339(NOW))})
    found = list(points.views(points.newest_first(made), ORDERS, around))

    def name(choice: points.Choice) -> str:
        assert choice.point is not None
        return choice.point.name

    assert name(points.first_usable(found)) == "n"
    assert name(points.latest_proven(found)) == "m"
    assert name(points.oldest(found)) == "o"
    assert name(points.before(found, NOW - timedelta(hours=10))) == "o"
    assert name(points.exact(found, "x")) == "x"
    assert points.exact(found, "absent").point is None
    assert points.before(found, NOW - timedelta(days=30)).point is None

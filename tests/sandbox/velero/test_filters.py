"""Include and exclude lists, label values, durations and the tarball, without a cluster."""

from __future__ import annotations

import gzip
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lazarus_tui.model.labels import label_value
from lazarus_tui.model.resources import CONFIGMAPS, NODES, PODS
from lazarus_tui.sandbox.api.errors import ApiError
from lazarus_tui.sandbox.velero import durations
from lazarus_tui.sandbox.velero.filters import filter_problems, filters_of
from lazarus_tui.sandbox.velero.labels import matches, selected
from lazarus_tui.sandbox.velero.layout import Item, read_tarball, write_tarball


@pytest.mark.parametrize(
    ("spec", "name", "taken"),
    [
        ({}, "shop", True),
        ({"includedNamespaces": ["shop"]}, "shop", True),
        ({"includedNamespaces": ["shop"]}, "shop2", False),
        ({"includedNamespaces": ["sh*"]}, "shop2", True),
        ({"includedNamespaces": ["prod-[ab]"]}, "prod-c", False),
        ({"excludedNamespaces": ["shop"]}, "shop", False),
        ({"includedNamespaces": ["*"], "excludedNamespaces": ["kube-?"]}, "kube-x", False),
    ],
)
def test_namespaces(spec: dict[str, Any], name: str, taken: bool) -> None:
    assert filters_of(spec).namespaces.takes(name) is taken
    assert filter_problems(spec, "backup") == []


@pytest.mark.parametrize(
    ("spec", "pods", "nodes"),
    [
        ({}, True, True),
        ({"includedNamespaces": ["shop"]}, True, False),
        ({"includedNamespaces": ["shop"], "includeClusterResources": True}, True, True),
        ({"includeClusterResources": False}, True, False),
        ({"includedResources": ["pods"]}, True, False),
        ({"excludedResources": ["pods"]}, False, True),
        ({"includedNamespaceScopedResources": ["configmaps"]}, False, False),
        ({"includedClusterScopedResources": ["nodes"]}, True, True),
        ({"excludedClusterScopedResources": ["nodes"], "includedClusterScopedResources": ["*"]}, True, False),
    ],
)
def test_kinds_in_the_old_and_the_new_style(spec: dict[str, Any], pods: bool, nodes: bool) -> None:
    filters = filters_of(spec)
    assert (filters.takes_kind(PODS), filters.takes_kind(NODES)) == (pods, nodes)


def test_names_are_resolved_before_they_are_compared() -> None:
    filters = filters_of({"includedResources": ["cm"]}, lambda name: {"cm": "configmaps"}.get(name, name))
    assert filters.takes_kind(CONFIGMAPS)


def test_long_label_values_are_shortened_as_velero_does() -> None:
    long = "a" * 70
    short = label_value(long)
    assert len(short) == 63
    assert short.startswith("a" * 57)
    assert short != label_value("a" * 71)
    assert label_value("a" * 63) == "a" * 63


@pytest.mark.parametrize(
    ("term", "hit"),
    [
        ({"key": "app", "operator": "In", "values": ["web", "db"]}, True),
        ({"key": "app", "operator": "NotIn", "values": ["web"]}, False),
        ({"key": "gone", "operator": "NotIn", "values": ["web"]}, True),
        ({"key": "app", "operator": "Exists"}, True),
        ({"key": "gone", "operator": "DoesNotExist"}, True),
    ],
)
def test_label_expressions(term: dict[str, Any], hit: bool) -> None:
    assert matches({"matchExpressions": [term]}, {"app": "web"}) is hit


@pytest.mark.parametrize("nothing", [None, {}])
def test_no_selector_takes_everything(nothing: dict[str, Any] | None) -> None:
    assert matches(nothing, {"app": "web"})


def test_an_invented_operator_is_an_error_and_never_a_silent_no() -> None:
    with pytest.raises(ApiError, match="Invented"):
        matches({"matchExpressions": [{"key": "app", "operator": "Invented"}]}, {"app": "web"})


def test_any_of_several_selectors_is_enough() -> None:
    spec = {"orLabelSelectors": [{"matchLabels": {"a": "1"}}, {"matchLabels": {"b": "2"}}]}
    assert selected(spec, {"b": "2"})
    assert not selected(spec, {"c": "3"})


@pytest.mark.parametrize(
    ("text", "seconds"), [("720h0m0s", 2592000), ("1h30m", 5400), ("10m", 600), ("1.5s", 1.5), ("-1m", -60)]
)
def test_durations(text: str, seconds: float) -> None:
    assert durations.seconds(text, 7) == seconds


@pytest.mark.parametrize("text", ["", None, "0", "0s", "5", "1d", "h", "1h x"])
def test_what_is_no_duration_is_the_default(text: str | None) -> None:
    assert durations.seconds(text, 7) == 7


@given(st.integers(min_value=1, max_value=10**8))
def test_durations_survive_being_written(total: int) -> None:
    assert durations.seconds(durations.text(total), 0) == total


names = st.text("abz-09", max_size=20).map(lambda middle: f"a{middle}z" if middle else "a")
bodies = st.dictionaries(st.sampled_from(["spec", "data", "metadata"]), st.dictionaries(names, st.text(max_size=20)))


@given(st.dictionaries(st.tuples(names, names), bodies, max_size=8))
def test_a_tarball_gives_back_each_object_once(objects: dict[tuple[str, str], dict[str, Any]]) -> None:
    items = [Item("pods", space, name, {"apiVersion": "v1", **body}) for (space, name), body in objects.items()]
    items.append(Item("nodes", "", "n", {"apiVersion": "v1"}))
    data = write_tarball(items)
    assert read_tarball(data) == items
    assert write_tarball(items) == data


@pytest.mark.parametrize("data", [b"", b"no gzip", gzip.compress(b"no tar at all, just text" * 100, mtime=0)])
def test_bytes_that_are_no_tarball_are_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="error unzipping"):
        read_tarball(data)

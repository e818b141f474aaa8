"""Selectors against a plain model of what they mean."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lazarus_tui.sandbox.api.errors import ApiError
from lazarus_tui.sandbox.api.selectors import from_selector, labels_equal, parse_labels

KEYS = st.sampled_from(["a", "b", "app.kubernetes.io/name", "in", "x-y"])
VALUES = st.sampled_from(["", "1", "22", "web", "A_b-c.d"])
LABELS = st.dictionaries(KEYS, VALUES, max_size=4)
SETS = st.lists(VALUES, min_size=1, max_size=3)
SPACE = st.sampled_from(["", " "])


@st.composite
def requirements(draw: st.DrawFn) -> tuple[str, object]:
    """A requirement's text and what it means."""
    key, gap = draw(KEYS.filter(lambda one: one != "in")), draw(SPACE)
    form = draw(st.sampled_from(["=", "==", "!=", "in", "notin", "exists", "absent"]))
    if form == "exists":
        return key, lambda labels: key in labels
    if form == "absent":
        return f"!{gap}{key}", lambda labels: key not in labels
    if form in ("in", "notin"):
        values = draw(SETS)
        text = f"{key} {form} ({gap}{f',{gap}'.join(values)}{gap})"
        if form == "in":
            return text, lambda labels: labels.get(key) in values
        return text, lambda labels: labels.get(key) not in values
    value = draw(VALUES)
    text = f"{key}{gap}{form}{gap}{value}"
    if form == "!=":
        return text, lambda labels: labels.get(key) != value
    return text, lambda labels: labels.get(key) == value


@given(parts=st.lists(requirements(), max_size=4), labels=LABELS)
def test_text_means_what_it_says(parts: list[tuple[str, object]], labels: dict[str, str]) -> None:
    selector = parse_labels(",".join(text for text, _ in parts))
    assert selector.matches(labels) == all(test(labels) for _, test in parts)  # type: ignore[operator]


@given(wanted=LABELS, labels=LABELS)
def test_equal_labels(wanted: dict[str, str], labels: dict[str, str]) -> None:
    expected = wanted.items() <= labels.items()
    assert labels_equal(wanted).matches(labels) == expected
    assert from_selector({"matchLabels": wanted}).matches(labels) == expected


@given(text=st.text("ab=!,() <>in-1", max_size=14))
def test_any_text_is_parsed_or_refused(text: str) -> None:
    try:
        parse_labels(text).matches({"a": "1"})
    except ApiError as error:
        if error.status != 400:
            raise


@pytest.mark.parametrize("text", ["a in (b", "a in b", "=b", "a=b c", "a=b,,c", "a=b,", "a!", "a>x", "-a=b", "a=-"])
def test_refused(text: str) -> None:
    with pytest.raises(ApiError):
        parse_labels(text)


@pytest.mark.parametrize(
    ("operator", "values", "matching"),
    [("In", ["1"], True), ("NotIn", ["1"], False), ("Exists", [], True), ("DoesNotExist", [], False)],
)
def test_expressions(operator: str, values: list[str], matching: bool) -> None:
    selector = {"matchExpressions": [{"key": "a", "operator": operator, "values": values}]}
    assert from_selector(selector).matches({"a": "1"}) is matching


def test_unknown_operators_are_refused() -> None:
    with pytest.raises(ApiError):
        from_selector({"matchExpressions": [{"key": "a", "operator": "Near"}]})

"""Sets of fields behave as sets: checked against plain sets of paths."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from lazarus_tui.sandbox.api.fieldsets import Fields, common, compare, fields_of, member, minus, union
from lazarus_tui.sandbox.api.shapes import Custom

Path = tuple[str, ...]
NAMES = st.sampled_from(["f:a", "f:b", "f:c"])
PATHS = st.frozensets(st.lists(NAMES, min_size=1, max_size=3).map(tuple), max_size=6)
OBJECTS = st.recursive(
    st.integers(0, 2), lambda inner: st.dictionaries(st.sampled_from("abc"), inner, max_size=3), max_leaves=8
)


def tree(paths: frozenset[Path]) -> Fields | None:
    """The form of ``fieldsV1``."""
    made: Fields | None = None
    for path in paths:
        one: Fields = {}
        for name in reversed(path):
            one = {name: one}
        made = union(made, one)
    return made


def members(node: Fields | None, prefix: Path = ()) -> frozenset[Path]:
    if node is None:
        return frozenset()
    below = (members(child, (*prefix, name)) for name, child in node.items() if name != ".")
    own = frozenset([prefix] if prefix and member(node) else [])
    return own.union(*below)


@given(PATHS, PATHS)
def test_union_minus_and_common_are_those_of_sets(one: frozenset[Path], other: frozenset[Path]) -> None:
    assert members(union(tree(one), tree(other))) == one | other
    assert members(minus(tree(one), tree(other))) == one - other
    assert members(common(tree(one), tree(other))) == one & other


@given(PATHS)
def test_nothing_left_is_none(paths: frozenset[Path]) -> None:
    assert minus(tree(paths), tree(paths)) is None
    assert common(tree(paths), None) is None


@given(st.dictionaries(st.sampled_from("abc"), OBJECTS), st.dictionaries(st.sampled_from("abc"), OBJECTS))
def test_what_a_change_removes_was_there_and_what_it_adds_is_there_now(old: Any, new: Any) -> None:
    shape = Custom()
    changed, removed = compare(old, new, shape)
    was, now = members(fields_of(old, shape, marked=True)), members(fields_of(new, shape, marked=True))
    assert members(changed) <= now
    assert members(removed) <= was
    assert now - was <= members(changed)
    assert (changed is None and removed is None) == (old == new)

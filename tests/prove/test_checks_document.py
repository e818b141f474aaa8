"""docs/checks.md is exactly true: what it shows is read as it stands, and it shows every kind."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from msgspec import inspect

from lazarus_tui.prove.definitions import AnyCheck, Checks, parse
from lazarus_tui.prove.wanted_data import AnyWatermark, MysqlCheck

PAGE = (Path(__file__).parents[2] / "docs" / "checks.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```yaml\n(.*?)```", PAGE, re.S)


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_example_is_read(example: str) -> None:
    found = parse({"sources": {"copy": "shop"}, "checks": yaml.safe_load(example)}, "prod")
    assert found.checks or found.watermark


def test_every_kind_is_shown() -> None:
    shown = {check.kind for example in EXAMPLES for check in parse(
        {"sources": {"copy": "shop"}, "checks": yaml.safe_load(example)}, "prod").checks}  # fmt: skip
    known = {kind.__struct_config__.tag for kind in get_args(AnyCheck)}
    assert known - shown == {MysqlCheck.__struct_config__.tag}, "mariadb is shown for both"
    table = PAGE[PAGE.index("## Watermark") :]
    assert all(f"`{kind.__struct_config__.tag}`" in table for kind in get_args(AnyWatermark))


def _fields(kind: Any) -> set[str]:
    """The names of every field that may be written, however deep."""
    if isinstance(kind, inspect.StructType):
        return {name for one in kind.fields for name in ({one.encode_name} | _fields(one.type))}
    if isinstance(kind, inspect.UnionType):
        return {name for one in kind.types for name in _fields(one)}
    if isinstance(kind, inspect.DictType):
        return _fields(kind.value_type)
    return _fields(kind.item_type) if isinstance(kind, inspect.VarTupleType) else set()


def test_every_field_is_told_and_every_field_that_is_told_is_one() -> None:
    known = _fields(inspect.type_info(Checks)) - {"sources"}
    assert {"minRows", "usernameKey", "daysLeft", "fingerprints", "countField", "evidence"} <= known
    code = " ".join([*re.findall(r"`([^`\n]+)`", PAGE), *EXAMPLES])
    assert known - set(re.findall(r"[A-Za-z]+", code)) == set()
    rows = "".join(re.findall(r"^\| field .*\n\|[-|]+\n((?:\|.*\n)+)", PAGE, re.M))
    first = {name for row in rows.splitlines() for name in re.findall(r"`(\w+)`", row.split("|")[1])}
    assert {"tier", "looks", "maxLag"} <= first <= known

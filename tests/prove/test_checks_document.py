"""docs/checks.md is exactly true: what it shows is read as it stands, and it shows every kind."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest
import yaml

from lazarus_tui.prove.definitions import AnyCheck, parse
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


def test_every_field_is_told() -> None:
    fields = {name for kind in get_args(AnyCheck) for name in kind.__struct_encode_fields__}
    told = set(re.findall(r"[A-Za-z]+", PAGE))
    assert fields - told == set()

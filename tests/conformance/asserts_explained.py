"""Imported before the cases: lets pytest show what the two sides of their assertions were."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.register_assert_rewrite(*(file.stem for file in Path(__file__).parent.glob("c[ao]*_*.py")))

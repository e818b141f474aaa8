"""Kubernetes quantities of storage, in bytes."""

from __future__ import annotations

import math
import re

_QUANTITY = re.compile(r"([0-9]*\.?[0-9]+)(m|k|[KMGTPE]i?)?")
_POWERS = "KMGTPE"


def quantity(text: str) -> int:
    """Bytes, rounded up; raises ``ValueError`` for what is not a quantity."""
    match = _QUANTITY.fullmatch(str(text))
    if match is None:
        raise ValueError(f"not a quantity: {text!r}")
    number, unit = float(match[1]), match[2] or ""
    if unit == "m":
        return math.ceil(number / 1000)
    if not unit:
        return math.ceil(number)
    power = _POWERS.index(unit[0].upper()) + 1
    factor: int = 1024**power if unit.endswith("i") else 1000**power
    return math.ceil(number * factor)


def portion(value: int | str, total: int, *, up: bool = True) -> int:
    """A number, or a percentage such as ``25%`` of ``total``, rounded ``up`` or down."""
    if isinstance(value, int):
        return value
    hundredths = int(value.rstrip("%")) * total
    return -(-hundredths // 100) if up else hundredths // 100

"""Kubernetes quantities added, compared, and written in the canonical form of the real server."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache, total_ordering
from typing import Any, Literal

from lazarus_tui.model.quantities import QuantityError, parse
from lazarus_tui.sandbox.api.errors import bad_request

Form = Literal["decimal", "binary", "exponent"]

_NANO = 10**9
_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY = ("", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei")
_BY_EXPONENT = {exponent: suffix for suffix, exponent in _DECIMAL.items()}
_PATTERN = "'^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"


@total_ordering
@dataclass(frozen=True, eq=False)
class Amount:
    """``nano`` is in billionths; ``form`` is how it was written, which sums keep."""

    nano: int = 0
    form: Form = "decimal"

    def __add__(self, other: Amount) -> Amount:
        return Amount(self.nano + other.nano, self.form if self.nano else other.form)

    def __sub__(self, other: Amount) -> Amount:
        return Amount(self.nano - other.nano, self.form if self.nano else other.form)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Amount) and self.nano == other.nano

    def __lt__(self, other: Amount) -> bool:
        return self.nano < other.nano

    def __hash__(self) -> int:
        return hash(self.nano)

    def __bool__(self) -> bool:
        return self.nano != 0

    def __str__(self) -> str:
        if not self.nano:
            return "0"
        if self.form == "binary" and abs(self.nano) >= 1024 * _NANO:
            return self._binary()
        exponent = -9
        value = self.nano
        while value % 1000 == 0 and exponent < 18:
            value, exponent = value // 1000, exponent + 3
        if self.form == "exponent":
            return f"{value}e{exponent}" if exponent else str(value)
        return f"{value}{_BY_EXPONENT[exponent]}"

    def _binary(self) -> str:
        value, steps = math.ceil(Fraction(self.nano, _NANO)), 0
        while value % 1024 == 0 and steps < len(_BINARY) - 1:
            value, steps = value // 1024, steps + 1
        return f"{value}{_BINARY[steps]}"


ONE = Amount(_NANO)


def count(number: int) -> Amount:
    return Amount(number * _NANO)


def amount(value: Any) -> Amount:
    """What a JSON string or number says, rounded up to billionths; 400 for what is no quantity."""
    try:
        return _read(str(value) if isinstance(value, str | int | float) else "")
    except QuantityError:
        raise bad_request(f"quantities must match the regular expression {_PATTERN}, not {value!r}") from None


@lru_cache(maxsize=1024)
def _read(text: str) -> Amount:
    """The same few texts come again and again: every pod that is made says what it needs."""
    return Amount(math.ceil(parse(text) * _NANO), _form(text.strip()))


def _form(text: str) -> Form:
    if text.endswith("i"):
        return "binary"
    return "exponent" if "e" in text.lower()[:-1] else "decimal"

"""Values against what was expected of them. What is said of a difference holds the expectation, never the value."""

from __future__ import annotations

import operator
import re
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import msgspec
from msgspec import UNSET

from lazarus_tui.prove.checks.outcome import hashed
from lazarus_tui.prove.wanted import Expect

MATCHED = 16 * 1024  # characters a regular expression is tried on


def wrong(expect: Expect, value: Any) -> str:
    """What does not hold of ``value``, in words that do not tell it, or ""."""
    return next(filter(None, (_equal(expect, value), _ordered(expect, value), _textual(expect, value))), "")


def told_by_beginning(expect: Expect, beginning: str) -> bool:
    """Whether the begin of a longer text says what the whole does: a pattern is tried on the begin alone, and what it
    holds the whole holds too."""
    others = msgspec.structs.replace(expect, contains="", matches="")
    held = not expect.contains or expect.contains in beginning
    return empty(others) and held and (not expect.matches or len(beginning) >= MATCHED)


def empty(expect: Expect) -> bool:
    """Whether nothing is expected: then a value has only to be there."""
    given = (expect.at_least, expect.at_most, expect.above, expect.below, expect.between)
    asked = expect.equals is not UNSET or expect.differs_from is not UNSET or bool(expect.one_of)
    return not asked and all(one is None for one in given) and not expect.contains and not expect.matches


def lacking(expect: Expect, value: Any, *, count: bool = False) -> str:
    """What is wrong with a value of which nothing is expected: it has to be there, and a number of things above 0."""
    if not empty(expect):
        return ""
    if value is None:
        return "is null"
    number = Decimal(int(value)) if isinstance(value, bool) else _number(value)
    return "is not above 0" if count and (number is None or number <= 0) else ""


def shown(value: Any, *, count: bool = False) -> str:
    """A count as it is told beside what is wrong with it; of anything else nothing."""
    return f" (it is {value})" if count and isinstance(value, int | Decimal) and not isinstance(value, bool) else ""


def _equal(expect: Expect, value: Any) -> str:
    if expect.equals is not UNSET and not same(expect.equals, value):
        return f"is not {expect.equals!r}"
    if expect.differs_from is not UNSET and same(expect.differs_from, value):
        return f"is {expect.differs_from!r}, which it must not be"
    if expect.differs_from is not UNSET and value is None:
        return "is null"  # nothing was read that could differ
    if expect.one_of and not any(same(one, value) for one in expect.one_of):
        return f"is none of {list(expect.one_of)!r}"
    return ""


def same(expected: Any, value: Any) -> bool:
    """Equality across the types that files and databases have: 5 is 5.0 and Decimal 5, true is not 1, text is text."""
    if isinstance(expected, bool) or isinstance(value, bool):
        return isinstance(expected, bool) and isinstance(value, bool) and expected == value
    if isinstance(expected, int | float) and isinstance(value, int | float | Decimal):
        return Decimal(str(expected)) == Decimal(str(value))
    if isinstance(expected, str) and not isinstance(value, str):
        return value is not None and not isinstance(value, int | float | Decimal) and expected == text_of(value)
    return type(expected) is type(value) and bool(expected == value)


def _ordered(expect: Expect, value: Any) -> str:
    low, high = expect.between or (None, None)
    if expect.between is None and all(
        one is None for one in (expect.at_least, expect.at_most, expect.above, expect.below)
    ):
        return ""
    number = _number(value)
    if number is None:
        return "is not a number"
    tests = (
        (expect.at_least, "at least", operator.ge),
        (expect.at_most, "at most", operator.le),
        (expect.above, "above", operator.gt),
        (expect.below, "below", operator.lt),
        (low, "at least", operator.ge),
        (high, "at most", operator.le),
    )
    for limit, word, holds in tests:
        if limit is not None and not holds(number, Decimal(str(limit))):
            return f"is not {word} {limit:g}"
    return ""


def _number(value: Any) -> Decimal | None:
    """A finite number; text that spells one counts, because commands and Redis answer with nothing else."""
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal | str):
        return None
    try:
        number = Decimal(str(value).strip())
    except ArithmeticError:
        return None
    return number if number.is_finite() else None


def _textual(expect: Expect, value: Any) -> str:
    if not (expect.contains or expect.matches):
        return ""
    if value is None:
        return "is null"
    text = text_of(value)
    if expect.contains and expect.contains not in text:
        return f"does not contain {expect.contains!r}"
    if expect.matches and not re.search(expect.matches, text[:MATCHED]):
        return f"does not match {expect.matches!r}"
    return ""


def text_of(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, datetime | date):
        return value.isoformat()
    return str(value)


def evidence_of(value: Any, *, count: bool = False) -> dict[str, Any]:
    """What is kept of a value: a count as it is, anything else as its kind and hash."""
    if count and isinstance(value, int) and not isinstance(value, bool):
        return {"count": value}
    return {"type": type(value).__name__, "sha256": hashed(text_of(value))}

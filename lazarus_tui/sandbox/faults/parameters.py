"""The shape of a kind of fault: its parameters, their types and limits, and what is said of wrong ones."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Literal

from lazarus_tui.sandbox.faults.model import FaultRefused

Type = Literal["seconds", "number", "text", "choice", "flag"]

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


@dataclass(frozen=True, slots=True)
class Parameter:
    """``default`` None: it must be given. ``least`` and ``most`` bound numbers and seconds."""

    name: str
    type: Type
    help: str
    default: Any = None
    choices: tuple[str, ...] = ()
    least: float = 0
    most: float = 1 << 40

    def value(self, given: Any) -> Any:
        """``given`` as this parameter's type; raises ``FaultRefused``."""
        if self.type == "seconds":
            return self._bounded(seconds(given, self.name), given)
        if self.type == "number":
            text = str(given)
            if isinstance(given, bool) or not re.fullmatch(r"-?\d{1,15}", text):
                raise FaultRefused(f"{self.name} must be a whole number, not {given!r}")
            return int(self._bounded(int(text), given))
        if self.type == "flag":
            if not isinstance(given, bool):
                raise FaultRefused(f"{self.name} is either true or false, not {given!r}")
            return given
        if not isinstance(given, str) or (self.default is None and not given):
            raise FaultRefused(f"{self.name} must be a text, not {given!r}")
        if self.choices and given not in self.choices:
            raise FaultRefused(
                f"{self.name} is one of {', '.join(self.choices)}, not {given!r}{meant(given, self.choices)}"
            )
        return given

    def _bounded(self, value: float, given: Any) -> float:
        if not self.least <= value <= self.most:
            raise FaultRefused(f"{self.name} lies between {self.least:g} and {self.most:g}, not at {given}")
        return value


@dataclass(frozen=True, slots=True)
class Kind:
    """``requests``: it is done to API requests, so a filter, a rate and a number of times apply.

    ``verbs`` are those it can be done to; without a filter it is done to ``usual`` (by default to all it can).
    ``once``: without a time or a number of times it is over as soon as it has happened. ``several``: more than one
    that is not done to requests may be active.
    """

    name: str
    summary: str
    example: str
    parameters: tuple[Parameter, ...] = ()
    requests: bool = True
    verbs: tuple[str, ...] = ()
    usual: tuple[str, ...] = ()
    once: bool = False
    several: bool = False

    def complete(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """All parameters with their values; raises ``FaultRefused`` for unknown, missing and impossible ones."""
        known = {one.name: one for one in self.parameters}
        for name in given:
            if name not in known:
                has = f"it has {', '.join(known)}" if known else "it has none"
                raise FaultRefused(f"{self.name} has no parameter {name!r}{meant(name, tuple(known)) or f' ({has})'}")
        for name, one in known.items():
            if one.default is None and name not in given:
                raise FaultRefused(f"{self.name} needs {name}: {one.help}")
        return {name: one.value(given[name]) if name in given else one.default for name, one in known.items()}


def seconds(given: Any, name: str = "the duration") -> float:
    """Seconds of a number or of "500ms", "2.5s", "5m", "1h30m"; raises ``FaultRefused``."""
    if isinstance(given, int | float) and not isinstance(given, bool) and 0 <= given < 1e9:
        return float(given)
    text = str(given)
    if re.fullmatch(r"\d{1,9}(\.\d{1,6})?", text):
        return float(text)
    parts = re.findall(r"(\d{1,9}(?:\.\d{1,6})?)(ms|s|m|h)", text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise FaultRefused(f"{name} is a time like 2, 500ms, 90s, 5m or 1h30m, not {given!r}")
    return sum(float(number) * _UNITS[unit] for number, unit in parts)


def meant(given: str, known: Sequence[str]) -> str:
    """`` - did you mean "x"?``, or nothing."""
    close = get_close_matches(given, known, 1, 0.6)
    return f' - did you mean "{close[0]}"?' if close else ""

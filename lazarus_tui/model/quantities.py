"""Quantities as Kubernetes writes them (``10Gi``, ``500m``), and bytes as people read them."""

from __future__ import annotations

import re
from decimal import Decimal

# k8s.io/apimachinery resource.Quantity suffixes
_SUFFIXES = {
    "": Decimal(1), "n": Decimal("1e-9"), "u": Decimal("1e-6"), "m": Decimal("1e-3"),
    "k": Decimal(10**3), "M": Decimal(10**6), "G": Decimal(10**9), "T": Decimal(10**12),
    "P": Decimal(10**15), "E": Decimal(10**18),
    "Ki": Decimal(2**10), "Mi": Decimal(2**20), "Gi": Decimal(2**30), "Ti": Decimal(2**40),
    "Pi": Decimal(2**50), "Ei": Decimal(2**60),
}  # fmt: skip
_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")
_QUANTITY = re.compile(r"([+-]?(?:\d+(?:\.\d*)?|\.\d+))([eE][+-]?\d{1,3}|[numkMGTPE]|[KMGTPE]i)?")


class QuantityError(ValueError):
    """A text that is not a Kubernetes quantity."""


def parse(text: str) -> Decimal:
    """The number a quantity stands for; bytes for storage, cores for cpu. Raises ``QuantityError``."""
    match = _QUANTITY.fullmatch(text.strip())
    if match is None:
        raise QuantityError(f"{text!r} is not a quantity; write for example 10Gi or 500m")
    suffix = match[2] or ""
    if suffix[:1] in ("e", "E") and len(suffix) > 1 and suffix != "Ei":
        return Decimal(match[1] + suffix)
    return Decimal(match[1]) * _SUFFIXES[suffix]


def size(count: int) -> str:
    """Bytes in binary units with three figures: ``0 B``, ``812 B``, ``1.2 MiB``, ``340 GiB``."""
    if abs(count) < 1024:
        return f"{count} B"
    power = min(5, (abs(count).bit_length() - 1) // 10)
    value = count / 1024**power
    return f"{value:.1f} {_UNITS[power]}" if abs(value) < 100 else f"{value:.0f} {_UNITS[power]}"

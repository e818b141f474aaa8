"""How many of something, in words."""

from __future__ import annotations


def how_many(number: int, noun: str, more: str = "") -> str:
    """``1 volume``, ``2 volumes``; ``more`` is the plural where an s does not make it."""
    return f"{number} {noun if number == 1 else more or noun + 's'}"

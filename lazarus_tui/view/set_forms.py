"""From what was typed into the forms about snapshot sets to the parameters of their plans."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lazarus_tui.view.forms import yes_no

_COUNTS = ("keep_last", "keep_daily", "keep_weekly", "keep_monthly")


def number(text: str, what: str) -> int | None:
    """A whole number from 0; None for nothing typed. Raises ``ValueError`` with a sentence."""
    typed = text.strip()
    if not typed:
        return None
    if not (typed.isascii() and typed.isdigit() and len(typed) <= 9):
        raise ValueError(f"{what}: {text} is no number")
    return int(typed)


def _given(params: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in params.items() if value is not None and value != ""}


def in_place_params(values: Mapping[str, str]) -> dict[str, Any]:
    """Of snapshots.restore-in-place; consent and what is left out are only said when they were typed."""
    replica, claim = number(values.get("replica", ""), "only replica"), values.get("claim", "")
    if replica is not None and claim:
        raise ValueError("a replica or a claim, not both")
    return _given(
        {
            "set": values.get("set", ""),
            "ordinal": replica,
            "claim": claim,
            "replicas": number(values.get("replicas", ""), "start"),
            "hold": yes_no(values.get("hold", "")) or None,
            "safety": yes_no(values.get("safety", "")),
            "first": yes_no(values.get("first", "")),
        }
    )


def beside_params(values: Mapping[str, str]) -> dict[str, Any]:
    """Of snapshots.restore-beside."""
    return _given(
        {
            "set": values.get("set", ""),
            "into": values.get("into", ""),
            "run": yes_no(values.get("run", "")) or None,
            "replicas": number(values.get("replicas", ""), "replicas"),
        }
    )


def prune_params(values: Mapping[str, str]) -> dict[str, Any]:
    """Of snapshots.prune; raises ``ValueError`` when nothing says what to keep."""
    counts: dict[str, Any] = {name: number(values.get(name, ""), name.replace("_", " ")) for name in _COUNTS}
    kept = _given({**counts, "keep_within": values.get("keep_within", "")})
    if not any(kept.values()):
        raise ValueError("say what to keep")
    return kept | _given({"all": yes_no(values.get("all", "")) or None})

"""Policies that come with Lazarus; a person enables one by its name."""

from __future__ import annotations

from importlib import resources

from lazarus_tui.model.plan import PlanRefused
from lazarus_tui.prove.mistakes import near

NAMES = ("shop",)


def shipped(name: str) -> bytes:
    """The file of a policy that comes along; raises ``PlanRefused``."""
    if name not in NAMES:
        hint = near(name, NAMES) or f"there is {', '.join(NAMES)}; or: lazarus policy apply -f FILE"
        raise PlanRefused(f"no policy {name!r} comes with Lazarus", where="policy", hint=hint, code="not-found")
    return (resources.files(__package__) / f"{name}.yaml").read_bytes()

"""Plans: frozen data that says exactly what an operation will do; approved by digest before it runs."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

import msgspec


class Danger(StrEnum):
    """How much an operation may cost. ``DESTROYS`` asks for the target's name to be typed."""

    SAFE = "safe"
    CHANGES = "changes"
    DESTROYS = "destroys"


class Effect(msgspec.Struct, frozen=True):
    """One line of a plan: what happens to which object. ``verb`` is create, change, skip, delete or replace."""

    verb: str
    what: str
    detail: str = ""


class PlannedStep(msgspec.Struct, frozen=True):
    """A step as the plan lists it. Name and version are checked when a crashed operation resumes."""

    name: str
    version: int
    title: str
    mutates: bool = False


class Estimate(msgspec.Struct, frozen=True):
    """An expected duration in seconds with its basis, e.g. "median of the last 5 runs of daily"."""

    low: float
    high: float
    basis: str


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What will be done, to what, with which loss, and how it can be undone. ``params`` holds plain JSON data only."""

    kind: str
    context: str
    cluster_uid: str
    target: str
    title: str
    danger: Danger
    params: dict[str, Any]
    steps: tuple[PlannedStep, ...]
    effects: tuple[Effect, ...] = ()
    losses: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    undo: str = ""
    estimate: Estimate | None = None
    made: str = ""

    def digest(self) -> str:
        """SHA-256 over the canonical JSON of the plan, hex. Any edit after approval changes it."""
        return digest(self)


def canonical(value: object) -> bytes:
    """Canonical JSON: sorted keys, no spaces, UTF-8; the form that is hashed and signed."""
    return msgspec.json.encode(value, order="sorted")


def digest(value: object) -> str:
    """SHA-256 of the canonical JSON of ``value``, hex."""
    return hashlib.sha256(canonical(value)).hexdigest()


class PlanRefused(Exception):
    """A plan cannot be made: what is wrong, where, and what to do next. State is as it was.

    ``details``: one line for each thing that was looked at, where the sentence is about many.
    """

    def __init__(
        self, what: str, *, where: str = "", hint: str = "", code: str = "refused", details: Sequence[str] = ()
    ) -> None:
        super().__init__(what)
        self.what, self.where, self.hint, self.code, self.details = what, where, hint, code, tuple(details)


Params = Mapping[str, Any]

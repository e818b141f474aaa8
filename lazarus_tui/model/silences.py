"""Alertmanager as the steps of a proof use it; what it does outside of any cluster is no write of the gate's.

Silences are those of API v2 (prometheus/alertmanager, api/v2/openapi.yaml).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import msgspec


class Matcher(msgspec.Struct, frozen=True, rename="camel"):
    """``is_equal`` is left out by servers older than 0.22, which know no other."""

    name: str
    value: str
    is_regex: bool
    is_equal: bool = True


class _Status(msgspec.Struct, frozen=True):
    state: str = ""


class Silence(msgspec.Struct, frozen=True, rename="camel"):
    """One as the API lists it. States: pending, active, expired. Times are RFC 3339."""

    id: str
    matchers: tuple[Matcher, ...] = ()
    starts_at: str = ""
    ends_at: str = ""
    created_by: str = ""
    comment: str = ""
    status: _Status = _Status()

    @property
    def stands(self) -> bool:
        return self.status.state in ("active", "pending")


class NoAnswer(Exception):
    """An Alertmanager did not do what it was asked. The message is safe to keep: neither address nor token is in it.

    ``unknown``: the request may have been carried out all the same.
    """

    def __init__(self, what: str, *, unknown: bool = False) -> None:
        super().__init__(what)
        self.what, self.unknown = what, unknown


class Alertmanager(Protocol):
    """Every call raises ``NoAnswer``, after seconds at the latest."""

    async def silences(self, label: str, value: str) -> Sequence[Silence]:
        """Those with a matcher for this label and value, expired ones among them."""
        ...

    async def set(self, silence: Mapping[str, Any]) -> str:
        """Make one; its id."""
        ...

    async def expire(self, id: str) -> None:
        """End one now."""
        ...


@runtime_checkable
class Hushing(Protocol):
    """A step's context that can reach the Alertmanagers of its plan's context."""

    def alertmanager(self, name: str) -> Alertmanager | None:
        """By the name in the settings; None when they have none of that name for this context."""
        ...

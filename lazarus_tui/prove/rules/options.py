"""Exceptions from the rules: each with a reason and an end, never for what would open the quarantine (S15)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Any

import msgspec

from lazarus_tui.model.clock import parse_rfc3339
from lazarus_tui.model.plan import PlanRefused
from lazarus_tui.prove.points import Item
from lazarus_tui.prove.rules.finding import Rule
from lazarus_tui.prove.rules.placement import Nodes


class Allowed(msgspec.Struct, frozen=True, kw_only=True):
    """``rule`` does not apply to ``what``: a glob over ``plural[.group]`` or ``plural[.group]/name``."""

    rule: str
    what: str
    reason: str
    expires: str  # RFC 3339

    def frees(self, rule: Rule, item: Item) -> bool:
        subjects = (item.resource, f"{item.resource}/{item.name}")
        return not rule.stern and self.rule == rule.id and any(fnmatchcase(one, self.what) for one in subjects)


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """``target``: the quarantine. ``workload`` "" means the whole namespace, else ``Kind/name``.

    ``placeholders``: globs over ``name/key`` of Secrets whose values stay out of the copy. ``routes``: Ingresses are
    restored, under names that nobody has, instead of being left out. ``priority``: the class of copies, "" for none;
    ``nodes``: where they run. ``withheld``: the data of volumes stays out, so that none comes back as it was.
    """

    target: str = ""
    workload: str = ""
    allow: tuple[Allowed, ...] = ()
    placeholders: tuple[str, ...] = ()
    routes: bool = False
    priority: str = ""
    nodes: Nodes = Nodes()
    withheld: bool = False


def allowed(given: Any, now: datetime) -> tuple[Allowed, ...]:
    """The exceptions that are asked for; raises ``PlanRefused`` for one without a reason, or that has ended."""
    if not isinstance(given or (), Iterable) or isinstance(given, (str, Mapping)):
        raise PlanRefused("exceptions are a list", where="allow", hint="[{rule, what, reason, expires}]")
    found = []
    for one in given or ():
        try:
            allowance = msgspec.convert(one, Allowed)
            ends = parse_rfc3339(allowance.expires)
        except (msgspec.ValidationError, ValueError) as error:
            hint = "each needs rule, what, reason and expires (2026-01-31T00:00:00Z)"
            raise PlanRefused(f"this is not an exception: {error}", where="allow", hint=hint) from error
        if not allowance.reason.strip():
            raise PlanRefused(f"the exception from {allowance.rule} has no reason", where="allow")
        if ends <= now:
            what = f"the exception from {allowance.rule} for {allowance.what} ended {allowance.expires}"
            raise PlanRefused(what, where="allow", hint="give it a new end, or leave it out")
        found.append(allowance)
    return tuple(found)


def allowed_before(given: Any) -> tuple[Allowed, ...]:
    """The exceptions that stand in an approved plan, which were judged when it was made."""
    return msgspec.convert(given or (), tuple[Allowed, ...])

"""Hooks as a plan holds them: plain data, complete enough to let go of a workload without anything else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

# Seconds for one hook, and for which an application may be held still in all (reference: data §3.2).
TIMEOUT, MAX_FREEZE = 30.0, 60.0

EXEC, SESSION, ONCE, REDIS = "exec", "session", "once", "redis"
# What a post hook prints when the lock was there until then.
STILL = "LAZARUS_STILL_LOCKED"


class PodHook(msgspec.Struct, frozen=True, kw_only=True):
    """Where a hook runs: ``claims`` are those of this pod in the set, ``why`` says how the container was chosen."""

    container: str
    claims: tuple[str, ...]
    why: str = ""


class Hooks(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is run, argv only.

    ``how``: "exec" (``pre``, then ``post``, both must be safe to run twice), "session" (``pre`` is a client that is
    held open: ``lock`` is written and ``locked`` awaited; then ``unlock`` and ``unlocked``), "once" (``pre`` alone,
    nothing is held), "redis" (a background save that is waited for; ``pre`` is the client, what is asked follows it).

    ``timeout`` seconds for each hook; ``budget`` seconds for the whole freeze. ``gives`` is the consistency when all
    went well. ``proof``: what ``post`` prints when the lock was there until then; "": it is not asked.
    ``label``: ``key=value`` that a pod must still carry (the primary).
    """

    how: str = EXEC
    pre: tuple[str, ...] = ()
    post: tuple[str, ...] = ()
    lock: str = ""
    locked: str = ""
    unlock: str = ""
    unlocked: str = ""
    timeout: float = TIMEOUT
    budget: float = MAX_FREEZE
    on_error: str = "Fail"
    recipe: str = ""
    gives: str = "application"
    proof: str = ""
    label: str = ""
    pods: dict[str, PodHook] = {}

    @property
    def holds(self) -> bool:
        """Whether anything is held still that must be let go of."""
        return self.how in (EXEC, SESSION)


def hooks_of(params: Mapping[str, Any]) -> Hooks | None:
    """The hooks of a plan's parameters; None when it has none."""
    found = params.get("hooks")
    return msgspec.convert(found, Hooks) if found else None

"""The words of faults: what is wanted, what is active, what was hit."""

from __future__ import annotations

from typing import Any

import msgspec

PATH = "/lazarus/faults"
"""The private endpoint, on the API server's port, for the administrator's token alone."""

WRITE_VERBS = ("create", "update", "patch", "delete", "deletecollection")
VERBS = ("get", "list", "watch", *WRITE_VERBS)


class FaultRefused(ValueError):
    """A fault that cannot be added; the text says why in one sentence."""


class Match(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """Which requests. An empty field matches everything; of several values one must fit.

    ``verbs`` are Kubernetes' (get, list, watch, create, update, patch, delete, deletecollection). ``resources`` are
    ``pods``, ``pods/log``, ``backups.velero.io`` or ``*.velero.io``; ``user_agent`` is a part of the header.
    """

    verbs: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    namespaces: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    user_agent: str = ""


class Wanted(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, rename="camel"):
    """A fault as somebody asks for it.

    ``probability`` is of each matching request; ``times`` ends the fault after so many hits and ``seconds`` after that
    long. The same ``seed`` and the same requests give the same hits.
    """

    kind: str
    parameters: dict[str, Any] = msgspec.field(default_factory=dict)
    match: Match = Match()
    probability: float = 1.0
    times: int | None = None
    seconds: float | None = None
    seed: int = 0


class Fault(msgspec.Struct, frozen=True, rename="camel"):
    """An active fault: ``parameters`` are complete, times are RFC 3339, ``until`` is "" without a limit."""

    id: str
    kind: str
    parameters: dict[str, Any]
    match: Match
    probability: float
    times: int | None
    seed: int
    since: str
    until: str
    hits: int = 0


class Hit(msgspec.Struct, frozen=True, rename="camel"):
    """One thing a fault did: to which request (or to what else), and how."""

    at: str
    fault: str
    kind: str
    target: str
    done: str


class Told(msgspec.Struct, frozen=True, rename="camel"):
    """The answer of the private endpoint: what is active (or was just added or cleared) and what was hit."""

    faults: list[Fault]
    log: list[Hit] = []
    dropped: int = 0

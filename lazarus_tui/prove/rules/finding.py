"""What one rule says about one object: a verb, words, the patch that brings it about, and what must hold after it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Any

from lazarus_tui.prove.points import Contents, Item
from lazarus_tui.prove.rules.placement import Nodes

Patch = Mapping[str, Any]


class Verb(StrEnum):
    """``SKIP`` leaves the whole kind out; ``LEFT``: the restore itself never brings this one; ``EMPTY``: it comes
    without data, so no verdict about its workload can be green; ``BLOCK``: nothing makes it harmless."""

    SKIP = "skip"
    LEFT = "left"
    CHANGE = "change"
    STRIP = "strip"
    SUSPEND = "suspend"
    EMPTY = "empty"
    BLOCK = "block"
    KEEP = "keep"  # against the rule, on request


@dataclass(frozen=True, slots=True)
class Finding:
    """``patch`` is a merge patch (``strategic``: a strategic one, for the lists of pod specs). ``expects``: pointer and
    value that must hold of the object then; None means absent, null, false or empty. ``where``: pointer and value that
    must hold of the object as Velero's own actions leave it, or it is not patched."""

    verb: Verb
    words: str
    patch: Patch = field(default_factory=dict)
    strategic: bool = False
    expects: tuple[tuple[str, Any], ...] = ()
    where: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Scene:
    """What rules may know beside the object. ``held``: ``Kind/name`` of the workloads that start at zero; ``parked``:
    names of their pods; ``busy``: workloads that the restore itself starts, because it fills volumes in their pods."""

    contents: Contents
    target: str = ""
    held: Collection[str] = frozenset()
    parked: Collection[str] = frozenset()
    busy: Collection[str] = frozenset()
    pods: bool = True  # whether pods are restored themselves
    native: bool = False  # whether PersistentVolumes are restored from the backup
    by_files: bool = False  # whether Velero fills volumes by files, which it does only where that kind is not excluded
    listed: bool = False  # whether it gets to see PersistentVolumes, then: all of them
    placeholders: Collection[str] = ()  # globs over NAME/KEY of Secrets
    nodes: Nodes = field(default_factory=Nodes)  # those that are set aside for copies
    priority: str = ""  # the priority class of copies; "": pods come without one
    routes: bool = False  # whether Ingresses come under names that nobody has


Look = Callable[[Item, Scene], Iterable[Finding]]


@dataclass(frozen=True, slots=True)
class Rule:
    """``id`` in requirements §4; ``resources``: globs over ``plural[.group]``. ``stern``: no exception is possible."""

    id: str
    title: str
    resources: tuple[str, ...]
    look: Look
    stern: bool = False

    def concerns(self, item: Item) -> bool:
        return any(fnmatchcase(item.resource, pattern) for pattern in self.resources)


def skipping(words: str) -> Look:
    """The look of a rule that leaves out all objects of its kinds."""

    def look(item: Item, scene: Scene) -> Iterable[Finding]:
        return (Finding(Verb.SKIP, words),)

    return look

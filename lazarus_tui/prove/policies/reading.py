"""From a file or an object to what it means; every mistake is told with its line and the nearest right word."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar

from lazarus_tui.model.document import Document, Path, document, refused
from lazarus_tui.model.plan import PlanRefused
from lazarus_tui.model.proof_policies import ProofPolicy
from lazarus_tui.prove.mistakes import converted, near
from lazarus_tui.prove.policies.meaning import policy
from lazarus_tui.prove.policies.testing import ProofWish, wish
from lazarus_tui.prove.policies.written import PolicyFile, ProofFile

VERSION = "lazarus.io/v1alpha1"
POLICY, TEST = "ProofPolicy", "LazarusRestoreTest"
MISSPELT = "LaziusRestoreTest"  # as the source document has it in one place
KINDS: Mapping[str, type[Any]] = {POLICY: PolicyFile, TEST: ProofFile}
_SNAPSHOTS = ("SnapshotPolicy", "StatefulSetBackup", "StatefulSetRestore")  # kinds that are applied elsewhere
_PART = re.compile(r"([^.\[\]]+)|\[(\d+)\]")
_KIND_LINE = re.compile(rf"(?m)^(\s*[\"']?kind[\"']?\s*:\s*[\"']?){MISSPELT}\b")
T = TypeVar("T")


def read(text: bytes) -> ProofPolicy | ProofWish:
    """What a file means; raises ``PlanRefused`` with line and field."""
    return _meaning(document(text), datetime.now(UTC))


def read_object(found: Mapping[str, Any]) -> ProofWish:
    """The same for a LazarusRestoreTest that a cluster gave; there are no lines to tell."""
    meant = _meaning(Document(dict(found)), datetime.now(UTC))
    if not isinstance(meant, ProofWish):
        raise PlanRefused(f"a {POLICY} is a file, not an object", hint="lazarus policy apply -f FILE", code="usage")
    return meant


def repaired(text: bytes) -> bytes | None:
    """The file with its misspelt kind put right and nothing else changed; None when that is not what is wrong."""
    shown = text.decode("utf-8", "surrogateescape")
    right = _KIND_LINE.sub(rf"\g<1>{TEST}", shown)
    return None if right == shown else right.encode("utf-8", "surrogateescape")


def _meaning(found: Document, now: datetime) -> ProofPolicy | ProofWish:
    kind, version = found.data.get("kind"), found.data.get("apiVersion")
    if kind not in KINDS:
        raise _unknown(kind, found)
    if version != VERSION:
        what = f"apiVersion {version!r} is not read" if version else "apiVersion is missing"
        raise refused(what, found.line(("apiVersion",)), "apiVersion", f"write {VERSION}")
    try:
        if kind == POLICY:
            return policy(_converted(found, PolicyFile), now)
        return wish(_converted(found, ProofFile), now)
    except PlanRefused as error:
        raise _placed(error, found) from None


def _unknown(kind: Any, found: Document) -> PlanRefused:
    line = found.line(("kind",))
    if kind == MISSPELT:
        hint = f"did you mean {TEST}? lazarus policy check --fix -f FILE writes a corrected copy"
        return refused(f"{MISSPELT} is no kind", line, "kind", hint)
    if kind in _SNAPSHOTS:
        return refused(f"{kind} is about snapshot sets", line, "kind", "lazarus snapshot apply -f FILE")
    what = f"{kind!r} is no kind Lazarus proves by" if kind else "kind is missing"
    return refused(what, line, "kind", near(str(kind or ""), KINDS) or f"one of {', '.join(KINDS)}")


def _converted(found: Document, wanted: type[T]) -> T:
    return converted(found.data, wanted, f"this is no {found.data['kind']}", "docs/proof.md")


def _placed(error: PlanRefused, found: Document) -> PlanRefused:
    """With the line of the field that ``where`` names; without one where there are no lines."""
    path: Path = tuple(name or int(index) for name, index in _PART.findall(error.where))
    path = path if path and path[0] in found.data else ()
    inside = (*path, error.what.removeprefix("there is no field "))
    path = inside if inside in found.lines else path
    if not found.lines or not path:
        return PlanRefused(error.what, where=error.where, hint=error.hint, code="usage", details=error.details)
    return refused(error.what, found.line(path), ".".join(map(str, path)), error.hint)

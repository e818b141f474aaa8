"""Which good news ends which alarm: a proof that passed answers one that did not only where it shows what that one did
not. An older point that is good says nothing about a newer one that is not.

A point is as new as the moment it began, which a notice carries with the rungs that were missing, or were shown.
Pure: from two notices.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from lazarus_tui.model.clock import parse_rfc3339
from lazarus_tui.model.proofs import REQUIRED, ProofRecord
from lazarus_tui.model.verdict import Verdict
from lazarus_tui.notify.notice import Notice, Told

_ALARMS = frozenset({Told.PROOF_FAILED, Told.PROOF_INCONCLUSIVE})


def rungs(record: ProofRecord) -> tuple[str, ...]:
    """What a proof that passed has shown, and of another one what it owes: the rungs it had to pass and did not."""
    names = dict.fromkeys([*record.required, *(rung.name for one in record.ladders for rung in one.rungs)])
    shown = {name for name in names if _shown(record, name)}
    if record.verdict is Verdict.PASSED:
        return tuple(name for name in names if name in shown)
    return tuple(name for name in record.required or REQUIRED if name not in shown)


def _shown(record: ProofRecord, name: str) -> bool:
    """Passed somewhere and nowhere anything else: what stays at zero is not tested, and keeps nobody else from it."""
    found = {one.rung(name).verdict for one in record.ladders}
    return Verdict.PASSED in found and found <= {Verdict.PASSED, Verdict.NOT_TESTED}


def answers(good: Notice, told: Notice) -> bool:
    """Whether ``good`` ends what was ``told`` under the same key. Anything but a proof is ended by what is about it."""
    if good.told is not Told.PROOF_PASSED:
        return True
    return _as_new(good, told) and (set(told.rungs) <= set(good.rungs) or _changed(told, good))


def _changed(before: Notice, after: Notice) -> bool:
    """Whether both are of one policy, which was changed in between: what it does not ask for any more is not owed."""
    if not before.policy or before.policy != after.policy:
        return False
    return "" not in (before.policy_hash, after.policy_hash) and before.policy_hash != after.policy_hash


def _as_new(good: Notice, told: Notice) -> bool:
    """Whether it is of a point that is as new. A notice that does not say when its point began is of one that began
    before it was told; without any moment a point answers for itself alone."""
    if not good.point_at:
        return bool(good.point) and good.point == told.point
    return parse_rfc3339(good.point_at) >= _moment(told)


def _moment(notice: Notice) -> datetime:
    return parse_rfc3339(notice.point_at or notice.at)


def together(old: Notice, new: Notice) -> Notice:
    """What has to be answered once both were told of a key: the newer point of the two, and every rung that is owed."""
    if not {old.told, new.told} <= _ALARMS:
        return new
    later = new if _moment(new) >= _moment(old) else old
    if _changed(old, new):
        return msgspec.structs.replace(later, rungs=new.rungs, policy_hash=new.policy_hash)
    asked = new.policy_hash if old.policy == new.policy and old.policy_hash == new.policy_hash else ""
    return msgspec.structs.replace(later, rungs=tuple(dict.fromkeys((*old.rungs, *new.rungs))), policy_hash=asked)

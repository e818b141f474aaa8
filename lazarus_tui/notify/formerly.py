"""Alarms of proofs that an older Lazarus told under keys which named no cluster, or no kind of control: what ends the
alarm of today's key ends them too, where it answers each of them."""

from __future__ import annotations

from collections.abc import Sequence

from lazarus_tui.notify.answering import answers
from lazarus_tui.notify.notice import Action, Notice, Told

_KINDS = {Told.PROOF_PASSED: "proof", Told.CONTROL_RED: "control"}
PREFIXES = tuple(f"{kind}/" for kind in _KINDS.values())


def keys(good: Notice) -> tuple[str, ...]:
    """Those that an older Lazarus gave what ``good`` is about; none for what is no end of a proof's alarm."""
    kind = _KINDS.get(good.told)
    if kind is None or good.action is not Action.RESOLVE:
        return ()
    without = f"{kind}/{good.context}/{good.subject}"
    found = (without, good.key.rpartition("/")[0]) if kind == "control" else (without,)
    return tuple(key for key in dict.fromkeys(found) if key != good.key)


def answered(good: Notice, told: Sequence[Notice]) -> bool:
    """``told``: all that was told under an old key and not ended, as it would be told today. Whether ``good`` ends each
    of them: of the same cluster and kind, of a point as new, with every rung that was missing."""
    return bool(told) and all(one.key == good.key and answers(good, one) for one in told)

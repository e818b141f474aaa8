"""What a plan says of silences, and the silence itself. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from lazarus_tui.model.clock import rfc3339
from lazarus_tui.model.durations import human
from lazarus_tui.model.plan import Effect, Estimate
from lazarus_tui.model.silences import Silence

LABEL = "namespace"
AUTHOR = "lazarus"
# Seconds: three times what is expected, an hour at least, as a point has to outlive its proof (reliability V3); then
# what cleaning and alerts that resolve late may take.
_MARGIN, _LEAST, _AFTER = 3.0, 3600.0, 1800.0
# It begins a little before now: a server whose clock is behind would wait, and one whose clock is right takes its own.
_BEFORE = timedelta(minutes=1)


def planned(names: Iterable[str], estimate: Estimate | None, keep_minutes: float) -> dict[str, Any]:
    """``plan.params["silence"]``: {managers, seconds}; {} where no Alertmanager is configured."""
    managers = list(names)
    longest = max((estimate.high if estimate else 0.0) * _MARGIN, _LEAST)
    return {"managers": managers, "seconds": longest + keep_minutes * 60 + _AFTER} if managers else {}


def effects(quarantine: str, silence: Mapping[str, Any]) -> Iterable[Effect]:
    for name in silence.get("managers") or ():
        longest = human(float(silence["seconds"]))
        what = f"silence for {LABEL}={quarantine} in Alertmanager {name}"
        yield Effect("create", what, f"ended when the copy is gone, else by itself after {longest} (S19)")


def warnings(quarantine: str, silence: Mapping[str, Any]) -> list[str]:
    return [] if silence else [f"no Alertmanager configured: alerts on namespace {quarantine} may page (S19)"]


def body(params: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """A silence as API v2 takes it (postableSilence)."""
    ends = now + timedelta(seconds=float(params["silence"]["seconds"]))
    return {
        "matchers": [{"name": LABEL, "value": str(params["quarantine"]), "isRegex": False, "isEqual": True}],
        "startsAt": rfc3339(now - _BEFORE),
        "endsAt": rfc3339(ends),
        "createdBy": AUTHOR,
        "comment": _comment(params),
    }


def _comment(params: Mapping[str, Any]) -> str:
    about = "/".join(filter(None, (str(params.get("namespace") or ""), str(params.get("workload") or ""))))
    return f"Lazarus proof {params['op']}: a copy of {about} in quarantine"


def ours(found: Iterable[Silence], params: Mapping[str, Any]) -> list[Silence]:
    """Those that this proof made and that stand: by what they match, and by the proof's whole id in the comment."""
    return [
        one for one in found
        if one.stands and one.created_by == AUTHOR and str(params["op"]) in one.comment
        and [(m.name, m.value, m.is_regex, m.is_equal) for m in one.matchers]
        == [(LABEL, str(params["quarantine"]), False, True)]
    ]  # fmt: skip

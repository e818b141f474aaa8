"""Which facts make which rung PASSED, FAILED, INCONCLUSIVE or NOT TESTED. Pure.

A rung is PASSED only by what was seen; a fact that is not there leaves it NOT TESTED. What stopped the proof belongs to
the rung it was about, and everything that would have come later was not tested.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lazarus_tui.model.counting import how_many
from lazarus_tui.model.operation import CheckResult
from lazarus_tui.model.proofs import RUNGS, Ladder, Rung, climb, rung_of_step
from lazarus_tui.model.verdict import Verdict, worst
from lazarus_tui.prove.proof.compare import COMPARED, WORKLOADS
from lazarus_tui.prove.proof.identity import IDENTITY
from lazarus_tui.prove.proof.tried import STOPPED

PASSED, FAILED, INCONCLUSIVE, NOT_TESTED = Verdict.PASSED, Verdict.FAILED, Verdict.INCONCLUSIVE, Verdict.NOT_TESTED
# Every namespace has these before anything is restored, and Velero says of each that it was left as it is.
_EVERYWHERE = re.compile(r"(ConfigMap[: ]\"?kube-root-ca\.crt|ServiceAccount[: ]\"?default)\"? already exists")


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that is known of a proof when it is judged."""

    params: Mapping[str, Any]
    facts: Mapping[str, Any]
    checks: Sequence[CheckResult] = ()

    @property
    def stopped(self) -> Mapping[str, Any]:
        return self.facts.get(STOPPED) or {}

    def stop_of(self, rung: str) -> Rung | None:
        """The rung as the stop makes it, when it stopped there."""
        stop = self.stopped
        if not stop or rung_of_step(str(stop["step"])) != rung:
            return None
        return Rung(rung, Verdict(str(stop["verdict"])), f"{stop['title']}: {stop['words']}", str(stop.get("at") or ""))


def ladders(found: Evidence) -> tuple[Ladder, ...]:
    """One per restored workload; one of the whole namespace when it is not known which there are."""
    source = str(found.params.get("namespace") or "")
    workloads = _wanted(found)
    if not workloads:
        only = str(found.params.get("workload") or "")
        whole = {"claims": None, "kind": only.partition("/")[0], "name": only.partition("/")[2]}
        return (Ladder(f"{source}/{only}" if only else source, climb(_rungs(found, whole))),)
    return tuple(Ladder(f"{source}/{w['kind']}/{w['name']}", climb(_rungs(found, w))) for w in workloads)


def counted(found: Evidence, climbed: Sequence[Ladder]) -> tuple[Ladder, ...]:
    """The ladders that make the verdict of the whole: what stays at zero was not tested, and is left to its own ladder
    as long as anything else runs."""
    source = str(found.params.get("namespace") or "")
    still = {f"{source}/{w['kind']}/{w['name']}" for w in _wanted(found) if at_rest(found, w)}
    below = RUNGS[: RUNGS.index("healthy")]
    kept = (one for one in climbed if one.workload not in still or one.verdict(below) is not PASSED)
    return tuple(kept) or tuple(climbed)


def _wanted(found: Evidence) -> list[Mapping[str, Any]]:
    """The restored workloads; where one was asked for, the others came along and prove nothing of their own."""
    every: list[Mapping[str, Any]] = list(found.facts.get(WORKLOADS) or ())
    only = str(found.params.get("workload") or "")
    return [one for one in every if not only or f"{one['kind']}/{one['name']}" == only]


def _rungs(found: Evidence, workload: Mapping[str, Any]) -> list[Rung]:
    return [
        _exists(found),
        _complete(found, workload.get("claims")),
        _intact(found, workload.get("claims")),
        _restores(found),
        _healthy(found, workload),
        _data(found),
        Rung("drilled", NOT_TESTED, "a proof is no drill"),
    ]


def _exists(found: Evidence) -> Rung:
    if stop := found.stop_of("exists"):
        return stop
    point = found.facts.get("prove.point")
    if not point:
        return Rung("exists", NOT_TESTED, "the point was not looked at")
    return Rung("exists", PASSED, f"{point['name']} is there, and its storage answers", str(point.get("at") or ""))


def _complete(found: Evidence, claims: Sequence[str] | None) -> Rung:
    """Data of every volume, and nothing that the point itself says is missing from it."""
    name = "complete"
    if stop := found.stop_of(name):
        return stop
    point = found.facts.get("prove.point")
    if not point:
        return Rung(name, NOT_TESTED, "the point was not looked at")
    at = str(point.get("at") or "")
    volumes = [v for v in found.params.get("volumes") or () if claims is None or _short(v["claim"]) in claims]
    listed = {_short(v["claim"]) for v in found.params.get("volumes") or ()}
    fresh = {_short(one) for one in found.facts.get("restore.empty") or ()}
    empty = [f"{v['claim']}: {v.get('reason') or 'no data'}" for v in volumes if v["held"] == "absent"]
    empty += sorted(f"{one}: no data" for one in fresh if (claims is None or one in claims) and one not in listed)
    if lost := found.params.get("lost"):
        words = f"the point lists {how_many(len(lost), 'object')} that it does not hold: {', '.join(lost[:5])}"
        return Rung(name, FAILED, words, at)
    if empty:
        return Rung(name, FAILED, f"volumes without data: {'; '.join(empty)}", at)
    unknown = [f"{v['claim']}: {v.get('reason') or 'nothing says so'}" for v in volumes if v["held"] != "captured"]
    unknown += sorted(f"{one}: the point does not list it" for one in claims or () if one not in listed)
    unread = str(found.facts.get("restore.unread") or "")
    not_whole = point.get("phase") not in ("Completed", "ready") or bool(point.get("errors"))
    doubts = [f"it is not known whether there is data of {'; '.join(unknown)}"] if unknown else []
    doubts += [said for said in (unread, str(found.params.get("unlisted") or "")) if said]
    errors = how_many(int(point.get("errors") or 0), "error")
    doubts += [f"the point is {point.get('phase')} with {errors}"] if not_whole else []
    if doubts:
        return Rung(name, INCONCLUSIVE, "; ".join(doubts), at)
    return Rung(name, PASSED, f"data of {how_many(len(volumes), 'volume')}" if volumes else "it has no volumes", at)


def _intact(found: Evidence, claims: Sequence[str] | None) -> Rung:
    """Every byte was read back from where it is kept, into a volume of its own."""
    name = "intact"
    if stop := found.stop_of(name):
        return stop
    facts = found.facts
    again = [str(one) for one in facts.get("prove.again") or ()]
    if again:
        return Rung(name, FAILED, f"S9: {'; '.join(again)}")
    if facts.get(IDENTITY) is None:
        return Rung(name, NOT_TESTED, "the volumes were not brought back")
    at = _filled_at(found)
    bad = [str(one) for one in facts.get("restore.bad_volumes") or ()]
    if bad:
        return Rung(name, FAILED, "; ".join(bad), at)
    made = {*(facts[IDENTITY].get("anew") or ()), *(facts.get("prove.anew") or ())}
    if anew := sorted(made & _captured(found, claims)):
        words = f"made anew and empty, though the point says that it holds them: {', '.join(anew)}"
        return Rung(name, FAILED, words, at)
    volumes = found.params.get("volumes") or ()
    copied = [v for v in volumes if v["held"] == "captured" and _is_copied(v) and not _was_empty(v)]
    if found.params.get("source") == "velero" and len(copied) > int(facts.get("restore.copies") or 0):
        words = f"{facts.get('restore.copies') or 0} of {len(copied)} volumes were filled"
        return Rung(name, FAILED, words, at)
    doubts = [str(one) for one in facts.get("restore.short_volumes") or ()]
    doubts += ["whose volumes it used was not looked at again at its end"] if facts.get("prove.again") is None else []
    if doubts:
        return Rung(name, INCONCLUSIVE, "; ".join(doubts), at)
    return Rung(name, PASSED, "every volume was read back into one of its own", at)


def _filled_at(found: Evidence) -> str:
    """When the last volume was; claims of a set that bind when a pod uses them: when all that uses them was ready."""
    facts = found.facts
    late = facts.get("checks.t10") if found.params.get("source") == "snapshots" else ""
    return str(facts.get("restore.t7") or facts.get("beside.t7") or late or "")


def _captured(found: Evidence, claims: Sequence[str] | None) -> set[str]:
    """Claims of this workload whose volumes have to be made of what the point holds; copies fill new ones. Of a whole
    namespace those of no workload (of Jobs, and of pods by themselves) are everybody's."""
    volumes = found.params.get("volumes") or ()
    held = {_short(v["claim"]) for v in volumes if v["held"] == "captured" and not _is_copied(v)}
    if claims is None:
        return held
    others = {claim for one in found.facts.get(WORKLOADS) or () for claim in one["claims"]} - set(claims)
    return held & set(claims) if found.params.get("workload") else held - others


def _restores(found: Evidence) -> Rung:
    """The restore ended well, and what came back is what the point lists and the plan expects."""
    name = "restores"
    if stop := found.stop_of(name):
        return stop
    facts = found.facts
    compared = facts.get(COMPARED)
    if compared is None:
        return Rung(name, NOT_TESTED, "it did not come to that")
    at = str(facts.get("restore.settled") or facts.get("restore.t8") or compared.get("at") or "")
    if flipped := facts.get("prove.flipped"):
        return Rung(name, FAILED, str(flipped), at)
    if found.params.get("source") == "velero" and not _only_empty(facts):
        said = Verdict(str(facts.get("restore.verdict") or NOT_TESTED))
        if said is not PASSED or facts.get("restore.phase") != "Completed" or facts.get("restore.errors"):
            red = said if said is not PASSED else FAILED
            words = str(facts.get("restore.words") or "it is not known how the restore ended")
            errors = int(facts.get("restore.errors") or 0)
            return Rung(name, red, f"{words}; with {how_many(errors, 'error')}" if errors else words, at)
    if compared["missing"]:
        missing = compared["missing"]
        return Rung(name, FAILED, f"{how_many(len(missing), 'object')} did not come back: {', '.join(missing[:5])}", at)
    doubts = [*_warned(facts), *(f"could not be read: {one}" for one in compared["unread"])]
    doubts += ["whether its result still held was not looked at"] if facts.get("prove.flipped") is None else []
    if doubts:
        return Rung(name, INCONCLUSIVE, "; ".join(doubts[:3]), at)
    there = how_many(len(found.params.get("inventory") or ()), "object")
    return Rung(name, PASSED, f"{there} came back as planned", at)


def _only_empty(facts: Mapping[str, Any]) -> bool:
    """Whether the restore is red for empty volumes alone, each of which is on the ladder of a workload."""
    empty = {_short(one) for one in facts.get("restore.empty") or ()}
    owned = {claim for one in facts.get(WORKLOADS) or () for claim in one["claims"]}
    other = ("restore.errors", "restore.bad_volumes", "restore.untouched", "restore.unread")
    well = facts.get("restore.phase") == "Completed" and not any(facts.get(key) for key in other)
    return well and bool(empty) and empty <= owned


def _warned(facts: Mapping[str, Any]) -> list[str]:
    """Warnings of the restore that say something about this point; more than are told say that too, and so does an
    error that was told and not counted."""
    warnings = int(facts.get("restore.warnings") or 0)
    told = [(str(severity), str(text)) for severity, text in facts.get("restore.messages") or ()]
    texts = [text for severity, text in told if severity == "warning"]
    said = [f"the restore told of an error: {text}" for severity, text in told if severity == "error"]
    said += [f"the restore warned: {text}" for text in texts if not _EVERYWHERE.search(text)]
    if not said and len(texts) < warnings:
        said.append(f"the restore ended with {how_many(warnings - len(texts), 'warning')} that could not be read")
    return said


def _healthy(found: Evidence, workload: Mapping[str, Any]) -> Rung:
    """It was started in a quarantine that was shown closed, got ready, and every needed check of its life passed."""
    name = "healthy"
    if stop := found.stop_of(name):
        return stop
    facts = found.facts
    if not facts.get("checks.verdict"):
        return Rung(name, NOT_TESTED, "nothing was started")
    if not shown_closed(facts):
        return Rung(name, INCONCLUSIVE, "the quarantine was not shown to be closed")
    at = str(facts.get("checks.t12") or facts.get("checks.t10") or "")
    if at_rest(found, workload):
        return Rung(name, NOT_TESTED, "it stays at zero replicas: nothing of it was started", at)
    ready = _is_ready(found, workload)
    results = [r for r in found.checks if needed(r) and rung_of(r) == "healthy"]
    red = [r for r in results if r.verdict is not PASSED]
    if ready is not None:
        return Rung(name, FAILED, "; ".join([ready, *(f"{r.name}: {r.summary}" for r in red[:2])]), at)
    verdict = worst([r.verdict for r in results]) if results else Verdict(str(facts.get("checks.ready") or NOT_TESTED))
    if verdict is not PASSED:
        said = "; ".join(f"{r.name}: {r.summary}" for r in red[:3])
        return Rung(name, verdict, said or "nothing was there that could have been asked", at)
    if not facts.get("checks.t12") and facts.get("checks.verdict") == PASSED:
        return Rung(name, INCONCLUSIVE, "the checks did not hold long enough", at)
    if away := facts.get("prove.alone"):
        return Rung(name, INCONCLUSIVE, f"not ready at the end, and of no workload: {', '.join(away[:5])}", at)
    return Rung(name, PASSED, f"ready, and {how_many(len(results), 'check')} held", at)


def shown_closed(facts: Mapping[str, Any]) -> bool:
    """Before the data came, and again when it was there."""
    return all((facts.get(f"prove.isolation{when}") or {}).get("closed") is True for when in ("", "_after"))


def _is_ready(found: Evidence, workload: Mapping[str, Any]) -> str | None:
    """Why this workload is not ready, None when it is, or when only the whole is known and is ready."""
    facts, label = found.facts, f"{workload.get('kind')}/{workload.get('name')}"
    at_end = facts.get("prove.ready")
    if workload.get("claims") is not None and at_end is not None and label not in at_end:
        return "it was not there any more at the end"  # whatever else got ready
    counted = (at_end or {}).get(label)
    planned = max(int((found.params.get("replicas") or {}).get(label) or 0), int(workload.get("replicas") or 0))
    if counted and counted[0] >= max(counted[1], planned) and counted[1] > 0:
        return None
    if counted and counted[1] > 0:
        return f"{counted[0]} of {max(counted[1], planned)} replicas were ready"
    if counted and planned > 0:
        return "no node took it" if label.startswith("DaemonSet/") else "it was left at zero replicas"
    return None if facts.get("checks.ready") in (None, PASSED) else "not everything got ready"  # None: nobody asked


def _data(found: Evidence) -> Rung:
    """What checks of the data say; a watermark shows that there is data that can be read, and of when."""
    name = "data right"
    results = [r for r in found.checks if needed(r) and rung_of(r) == name]
    if not results:
        return Rung(name, NOT_TESTED, "no check of the data is defined")
    if found.stopped or not found.facts.get("checks.verdict"):
        return Rung(name, NOT_TESTED, "it did not come to that")
    verdict = worst(r.verdict for r in results)
    words = "; ".join(f"{r.name}: {r.summary}" for r in results if r.verdict is not PASSED)
    at = str(found.facts.get("checks.t12") or "")
    return Rung(name, verdict, words or f"{how_many(len(results), 'check')} of the data passed", at)


def rung_of(result: CheckResult) -> str:
    """Which rung a check is about: it says so itself; a watermark is about the data."""
    return str(result.evidence.get("rung") or ("data right" if result.kind == "watermark" else "healthy"))


def needed(result: CheckResult) -> bool:
    return bool(result.evidence.get("needed", True)) and result.kind != "restore"


def _short(claim: Any) -> str:
    return str(claim).rpartition("/")[2]


def _is_copied(volume: Mapping[str, Any]) -> bool:
    """Whether a PodVolumeRestore or DataDownload brings it; a snapshot on storage is not copied."""
    method = str(volume.get("method") or "")
    return method.startswith(("PodVolumeBackup", "volume copy")) or "moved" in method


def _was_empty(volume: Mapping[str, Any]) -> bool:
    """Of an empty volume restic takes no snapshot, and Velero makes no PodVolumeRestore (pkg/podvolume/util.go)."""
    return volume.get("method") == "PodVolumeBackup" and not volume.get("handle") and not volume.get("size")


def red_checks(results: Iterable[CheckResult]) -> list[CheckResult]:
    """Of those that decide: a check that is not needed may be red always, and keeps nothing from green."""
    return [result for result in results if result.verdict is FAILED and needed(result)]


def at_rest(found: Evidence, workload: Mapping[str, Any]) -> bool:
    """Whether it was brought back at zero replicas and stays there as planned: nothing of it was ever started."""
    label = f"{workload.get('kind')}/{workload.get('name')}"
    counted = (found.facts.get("prove.ready") or {}).get(label)
    planned = int((found.params.get("replicas") or {}).get(label) or 0)
    return bool(counted and counted[1] == 0) and max(planned, int(workload.get("replicas") or 0)) == 0

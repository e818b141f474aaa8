"""What a policy file means here, with notes wherever that is not what its words might promise elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from lazarus_tui.model import cron, durations
from lazarus_tui.model.document import Document, Path, document, refused
from lazarus_tui.model.policies import CATCH_UPS, DEFER, RUN_ALL, RUN_ONCE, SKIP, WRITES, Blackout, SnapshotPolicy
from lazarus_tui.snapshots.hooks.spec import MAX_FREEZE
from lazarus_tui.snapshots.policies.validation import validated
from lazarus_tui.snapshots.policies.written import (
    Hook,
    Hooks,
    KeepLast,
    PolicyFile,
    StatefulSetBackup,
    StatefulSetRestore,
)

# On a StatefulSetBackup, which has no field for it: the consent that a SnapshotPolicy gives by ``writes``.
WRITES_ANNOTATION = "lazarus.io/writes"
_KEEPS = (
    "keep_last", "keep_hourly", "keep_daily", "keep_weekly", "keep_monthly", "keep_yearly", "keep_within", "min_good",
    "most",
)  # fmt: skip
_LONGEST_DARK = 7 * 86400.0  # seconds; a policy that is to rest for longer is deleted
FREEZE_ROOM = 10.0  # seconds a freeze lasts longer than one of its hooks may
_SOME_DAY = datetime(2026, 1, 1, tzinfo=UTC)  # a line that never comes after it never comes


class RestoreWish(msgspec.Struct, frozen=True, kw_only=True):
    """A StatefulSetRestore: which set is meant. ``backup``: a policy's name or a set's id; ``snapshots``: members.
    ``uid`` and ``home``: of the object it was read from, and that one's namespace; "" for a file nobody applied."""

    name: str
    namespace: str
    statefulset: str
    backup: str = ""
    latest: bool = False
    snapshots: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    uid: str = ""
    home: str = ""


def read(text: bytes) -> SnapshotPolicy | RestoreWish:
    """What a file means; raises ``PlanRefused`` with line and field."""
    return _meaning(document(text))


def read_object(found: Mapping[str, Any]) -> SnapshotPolicy | RestoreWish:
    """The same for an object a cluster gave; there are no lines to tell."""
    meant = _meaning(Document(dict(found)))
    if isinstance(meant, RestoreWish):
        return meant
    meta = found["metadata"]
    return msgspec.structs.replace(
        meant, uid=str(meta.get("uid") or ""), home=str(meta.get("namespace") or ""),
        made=str(meta.get("creationTimestamp") or ""),
    )  # fmt: skip


def _meaning(found: Document) -> SnapshotPolicy | RestoreWish:
    written = validated(found)
    if isinstance(written, PolicyFile):
        return _own(written, found)
    if isinstance(written, StatefulSetBackup):
        return _backup(written, found)
    assert isinstance(written, StatefulSetRestore)
    return _restore(written, found)


def _own(written: PolicyFile, found: Document) -> SnapshotPolicy:
    namespace, _, workload = written.workload.partition("/")
    create: dict[str, Any] = {"class": written.snapshot_class}
    if written.together != "auto":
        create["together"] = written.together
    if written.hooks is not None:
        create |= _own_hooks(written.hooks, found)
    retention: dict[str, Any] = {}
    if written.retention is not None:
        given = {name: getattr(written.retention, name) for name in _KEEPS}
        retention = {name: value for name, value in given.items() if value}
        if not any(name.startswith("keep_") for name in retention):
            raise refused("retention says nothing about what to keep", found.line(("retention",)), "retention",
                          "for example keepLast: 7")  # fmt: skip
        retention["timezone"] = written.time_zone
        if "keep_within" in retention:
            _seconds(written.retention.keep_within, ("retention", "keepWithin"), found)
    policy = SnapshotPolicy(
        name=written.name, namespace=namespace, statefulset=workload, schedule=written.schedule,
        time_zone=written.time_zone, run_on_create=written.run_on_create, catch_up=CATCH_UPS[written.catch_up],
        jitter=_seconds(written.jitter, ("jitter",), found), writes=written.writes,
        blackout=tuple(_dark(written, n, found) for n in range(len(written.blackout))),
        in_blackout=written.in_blackout,
        create={name: value for name, value in create.items() if value}, retention=retention,
    )  # fmt: skip
    if not written.schedule and (written.run_on_create or written.catch_up != "runOnce" or written.blackout):
        what = "runOnCreate, catchUp and blackout belong to a schedule, and there is none"
        raise refused(what, found.line(("name",)))
    return _scheduled(policy, found, ("schedule",))


def _dark(written: PolicyFile, n: int, found: Document) -> Blackout:
    given, path = written.blackout[n], ("blackout", n)
    try:
        cron.parse(given.begins, "lazarus", zone=written.time_zone)
    except cron.CronError as error:
        if error.where == "time zone":  # told where it is written
            return Blackout(given.begins, 0)
        raise refused(str(error), found.line((*path, "begins")), f"blackout.{n}.begins") from None
    lasts = _seconds(given.lasts, (*path, "lasts"), found)
    if not 0 < lasts <= _LONGEST_DARK:
        raise refused("a blackout lasts more than 0 s and at most 7 days", found.line((*path, "lasts")))
    return Blackout(given.begins, lasts)


def _own_hooks(hooks: Hooks, found: Document) -> dict[str, Any]:
    if bool(hooks.recipe) == bool(hooks.before):
        raise refused("hooks name either a recipe, or a command before (and after)", found.line(("hooks",)), "hooks")
    seconds = _seconds(hooks.timeout, ("hooks", "timeout"), found) if hooks.timeout else 0
    given = {
        "recipe": hooks.recipe, "pre": hooks.before, "post": hooks.after, "hook_container": hooks.container,
        "hook_target": hooks.pods, "on_error": hooks.on_error if hooks.on_error != "Fail" else "", **_times(seconds),
    }  # fmt: skip
    return {name: value for name, value in given.items() if value}


def _backup(written: StatefulSetBackup, found: Document) -> SnapshotPolicy:
    spec, meta = written.spec, written.metadata
    namespace = spec.stateful_set_ref.namespace or meta.namespace or "default"
    notes = list(_cross(namespace, meta.namespace, "its sets"))
    older, newer = spec.volume_snapshot_class, spec.volume_snapshot_class_name
    if older and newer and older != newer:
        where = ("spec", "volumeSnapshotClassName")
        raise refused(f"two snapshot classes are named, {older} and {newer}", found.line(where), ".".join(where))
    create: dict[str, Any] = {"class": older or newer}
    hooks = _hooks(spec.pre_backup_hook, spec.post_backup_hook, found, notes)
    retention = _keeps(spec.retention_policy, notes)
    if len(meta.name) > 63:
        raise refused("its name marks the sets as a label, so it has at most 63 characters", found.line(("metadata",)))
    writes = meta.annotations.get(WRITES_ANNOTATION, "")
    if writes not in ("", WRITES):
        raise refused(f"{WRITES_ANNOTATION} is {writes!r}; only {WRITES!r} means something", found.line(("metadata",)))
    if spec.schedule and "TZ=" not in spec.schedule:
        notes.append("its times are UTC, missed runs are made up for by one; a SnapshotPolicy can say otherwise")
    policy = SnapshotPolicy(
        name=meta.name, namespace=namespace, statefulset=spec.stateful_set_ref.name, kind="StatefulSetBackup",
        schedule=spec.schedule, rule="velero", writes=writes, retention=retention,
        create={name: value for name, value in {**create, **hooks}.items() if value}, notes=tuple(notes),
    )  # fmt: skip
    return _scheduled(policy, found, ("spec", "schedule"))


def _keeps(written: KeepLast | None, notes: list[str]) -> dict[str, Any]:
    if written is None or not (written.keep_last or written.keep_days):
        notes.append("no retention is given: every set is kept")
        return {}
    retention: dict[str, Any] = {}
    if written.keep_last:
        retention["keep_last"] = written.keep_last
        notes.append(f"keepLast {written.keep_last} counts complete sets here, not snapshots per claim")
    if written.keep_days:
        retention["keep_within"] = f"{written.keep_days * 24}h"
        notes.append(f"keepDays {written.keep_days}: sets younger than that stay, and the newest good one always")
    if len(retention) > 1:
        notes.append("keepLast and keepDays: what either of them keeps stays")
    return retention


def _hooks(pre: Hook | None, post: Hook | None, found: Document, notes: list[str]) -> dict[str, Any]:
    before, after = pre.command if pre else None, post.command if post else None
    for name, hook in (("preBackupHook", pre), ("postBackupHook", post)):
        if hook is not None and hook.command is None:
            path = ("spec", name)
            raise refused(f"{name} has no command", found.line(path), ".".join(path))
    if after and not before:
        path = ("spec", "postBackupHook")
        raise refused("a post hook without a pre hook has nothing to end", found.line(path), ".".join(path))
    if not before:
        return {}
    names = {hook.container_name for hook in (pre, post) if hook and hook.container_name}
    if len(names) > 1:
        where = ("spec", "postBackupHook", "containerName")
        raise refused("both hooks run in one container here", found.line(where), ".".join(where), "name the same one")
    given = {hook.timeout_seconds for hook in (pre, post) if hook and hook.timeout_seconds}
    if len(given) > 1:
        notes.append(f"both hooks get the longer of their two timeouts, {max(given)} s")
    if not names:
        notes.append("hooks run in the pod's only, annotated or database container, not simply in its first one")
    if after:
        notes.append("the post hook runs as soon as the volumes are cut, and whatever happened before it")
    notes += _advice(" ".join(before or ()), bool(after))
    wanted = {"pre": before, "post": after, "hook_container": next(iter(names), ""), **_times(max(given, default=0))}
    return {name: value for name, value in wanted.items() if value}


def _times(timeout: float) -> dict[str, float]:
    """A hook's time, and with a long one a freeze that has room for it."""
    if not timeout:
        return {}
    return {
        "hook_timeout": timeout,
        **({"max_freeze": timeout + FREEZE_ROOM} if timeout + FREEZE_ROOM > MAX_FREEZE else {}),
    }


def _advice(before: str, after: bool) -> Iterable[str]:
    if "BGSAVE" in before.upper().split():
        yield "BGSAVE returns before the save is done; the recipe redis of a SnapshotPolicy waits for it"
    if "fsynclock" in before.lower():
        yield "fsyncLock outlives a lost connection; the recipe mongodb of a SnapshotPolicy brings a watchdog"
        if not after:
            yield "nothing unlocks it again: there is no post hook"


def _restore(written: StatefulSetRestore, found: Document) -> RestoreWish:
    spec, meta = written.spec, written.metadata
    namespace = spec.stateful_set_ref.namespace or meta.namespace or "default"
    notes = list(_cross(namespace, meta.namespace, "the set"))
    if not (spec.backup_name or spec.use_latest_backup or spec.snapshot_names):
        raise refused("it does not say which backup", found.line(("spec",)), "spec",
                      "give backupName, snapshotNames, or useLatestBackup: true")  # fmt: skip
    if spec.use_latest_backup and (spec.backup_name or spec.snapshot_names):
        notes.append("useLatestBackup wins: backupName and snapshotNames are not looked at")
    if not spec.scale_down:
        notes.append("scaleDown: false cannot be honoured: the set is always stopped before its volumes are replaced")
    if spec.pvc_deletion_timeout_seconds:
        notes.append("pvcDeletionTimeoutSeconds is not used: a claim that does not go stops the restore and asks")
    latest = spec.use_latest_backup
    return RestoreWish(
        name=meta.name, namespace=namespace, statefulset=spec.stateful_set_ref.name, latest=latest,
        backup="" if latest else spec.backup_name, snapshots=() if latest else tuple(spec.snapshot_names),
        notes=tuple(notes), uid=str(meta.uid or ""), home=meta.namespace,
    )  # fmt: skip


def _cross(namespace: str, home: str, what: str) -> Iterable[str]:
    if home and home != namespace:
        yield f"it stands in namespace {home}; the StatefulSet and {what} are in {namespace}"


def _scheduled(policy: SnapshotPolicy, found: Document, path: Sequence[str | int]) -> SnapshotPolicy:
    """``policy``, once its line and its zone are known to be right."""
    line = found.line(tuple(path))
    try:
        parsed = policy.line() or cron.parse("@daily", policy.rule, zone=policy.time_zone)
        never = bool(policy.schedule) and parsed.next(_SOME_DAY) is None
    except cron.CronError as error:
        zone = error.where == "time zone" and ("timeZone",) in found.lines
        name = "timeZone" if zone else ".".join(map(str, path))
        raise refused(str(error), found.line(("timeZone",)) if zone else line, name) from None
    if never:
        raise refused(f"{policy.schedule!r} never comes", line, ".".join(map(str, path)))
    return policy


def _seconds(text: str, path: Path, found: Document) -> float:
    try:
        seconds = durations.parse(text).total_seconds()
    except durations.DurationError as error:
        raise refused(str(error), found.line(path), ".".join(map(str, path))) from None
    if seconds < 0:
        raise refused("a duration cannot be negative", found.line(path), ".".join(map(str, path)))
    return seconds


def words(policy: SnapshotPolicy) -> list[str]:
    """What it does, one sentence each, without its notes."""
    line = policy.line()
    when = f"takes a set of {policy.target}: {line.describe()}" if line else f"takes one set of {policy.target}, now"
    said = [when]
    if line and policy.run_on_create:
        said.append("the first one as soon as it is stored")
    if line:
        missed = {SKIP: "are left out", RUN_ONCE: "are made up for by one", RUN_ALL: "are made up for, at most three"}
        said.append(f"runs missed while nothing ran {missed[policy.catch_up]}")
        said += [_dark_words(policy, one) for one in policy.blackout]
        said.append("may write on its own (writes: schedules)" if policy.allowed else
                    "may not write on its own: its runs are refused until it says writes: schedules")  # fmt: skip
    if hooks := [name for name in ("recipe", "pre", "post") if policy.create.get(name)]:
        said.append("hooks: " + ", ".join(f"{name} {_shown(policy.create[name])}" for name in hooks))
    keeps = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in policy.retention.items()
                      if name.startswith("keep_"))  # fmt: skip
    said.append(f"afterwards keeps of its own sets: {keeps}" if keeps else "keeps every set")
    return said


def _dark_words(policy: SnapshotPolicy, dark: Blackout) -> str:
    opens = cron.parse(dark.begins, policy.rule, zone=policy.time_zone).describe()
    rule = "begins when it is over" if policy.in_blackout == DEFER else "is left out"
    return f"no run begins from {opens} on for {durations.human(dark.lasts)}; one whose time falls into that {rule}"


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()

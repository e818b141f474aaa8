"""Objects and files as lines to read: describe, YAML, log, contents, volumes, errors grouped and explained."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from lazarus_tui.model.objects import Backup, BackupSpec, Restore, Schedule, record
from lazarus_tui.model.scope import in_words
from lazarus_tui.model.volumes import Held, held, parse_volume_infos
from lazarus_tui.view import backups, restores, schedules, status, times
from lazarus_tui.view.explain import explain
from lazarus_tui.view.sanitise import clean_lines
from lazarus_tui.view.text import (
    BLANK,
    Line,
    Span,
    Tone,
    accent,
    heading,
    labelled,
    line,
    muted,
    plain,
    span,
    strong,
    wrap,
)

# A pane holds this many lines; the command line has the whole file.
LINES_SHOWN = 20_000


def describe(kind: str, found: Mapping[str, Any], now: datetime) -> list[Line]:
    """An object in words. Its raw form is what ``object.get`` gave."""
    if kind == "backup":
        return _backup(record(found, Backup), now)
    if kind == "restore":
        return _restore(record(found, Restore), now)
    return _schedule(record(found, Schedule), now)


def _fact(label: str, value: Span | str, *more: Span | str) -> Line:
    return labelled(label, value if isinstance(value, Span) else span(value, limit=1000), *more, width=18)


def _spec(spec: BackupSpec) -> list[Line]:
    lines = [
        _fact("namespaces", backups.names(spec.included_namespaces, spec.excluded_namespaces)),
        _fact("resources", backups.names(spec.included_resources, spec.excluded_resources)),
        _fact("storage", spec.storage_location or "the default location"),
        _fact("kept for", times.go_duration(spec.ttl) if spec.ttl else "30d (Velero's default)"),
        _fact("volumes", _volume_words(spec)),
    ]
    selectors = [spec.label_selector] if spec.label_selector else spec.or_label_selectors or ()
    labels = " or ".join(filter(None, map(in_words, selectors)))
    if labels:
        lines.append(_fact("labels", labels))
    return lines


def _volume_words(spec: BackupSpec) -> str:
    words = []
    if spec.snapshot_volumes is False:
        words.append("no snapshots")
    if spec.default_volumes_to_fs_backup:
        words.append("file system copies")
    if spec.snapshot_move_data:
        words.append("snapshots moved to storage")
    return ", ".join(words) or "as Velero decides (snapshots where the storage can)"


def _times(start: str | None, end: str | None, now: datetime) -> list[Line]:
    return [
        _fact("started", times.stamp(start), muted(f"  {times.age(start, now)} ago" if start else "")),
        _fact("finished", times.stamp(end), muted("  took "), backups.took(start, end, now)),
    ]


def _problems(phase: str, reason: str, validation: Iterable[str] | None) -> list[Line]:
    lines: list[Line] = []
    for text in [*([reason] if reason else []), *(validation or ())]:
        lines += wrap(f"✗ {text}", 96, Tone.BAD, 3)
        why = explain(text)
        lines += wrap(f"→ {why}", 96, Tone.ACCENT, 5) if why else []
    return [BLANK, heading(" Why"), *lines] if lines else []


def _backup(found: Backup, now: datetime) -> list[Line]:
    state = found.status
    done = state.progress
    return [
        BLANK,
        line(" ", strong(found.metadata.name), "   ", status.phase(state.phase, whole=True)),
        BLANK,
        *_times(state.start_timestamp, state.completion_timestamp, now),
        _fact("expires", times.stamp(state.expiration), "  ", backups.expires(state.expiration, now)),
        _fact("items", "unknown" if done is None else f"{done.items_backed_up} of {done.total_items}"),
        _fact("volume snapshots", backups.volumes(found)),
        _fact("faults", backups.faults(state.errors, state.warnings), muted("   e explains them")),
        _fact("schedule", found.metadata.label(backups.SCHEDULE_LABEL) or "made by hand"),
        *_problems(state.phase, state.failure_reason, state.validation_errors),
        BLANK,
        heading(" What it was asked to hold"),
        *_spec(found.spec),
    ]


def _restore(found: Restore, now: datetime) -> list[Line]:
    state = found.status
    done = state.progress
    return [
        BLANK,
        line(" ", strong(found.metadata.name), "   ", status.phase(state.phase, whole=True)),
        BLANK,
        _fact("from backup", found.spec.backup_name or f"newest of {found.spec.schedule_name}"),
        _fact("into", restores.target(found)),
        _fact("what exists", "is updated" if found.spec.existing_resource_policy == "update" else "is left as it is"),
        *_times(state.start_timestamp, state.completion_timestamp, now),
        _fact("items", "unknown" if done is None else f"{done.items_restored} of {done.total_items}"),
        _fact("faults", backups.faults(state.errors, state.warnings), muted("   e explains them")),
        *_problems(state.phase, state.failure_reason, state.validation_errors),
    ]


def _schedule(found: Schedule, now: datetime) -> list[Line]:
    last = found.status.last_backup
    return [
        BLANK,
        line(" ", strong(found.metadata.name), "   ", schedules.state(found)),
        BLANK,
        _fact("runs", schedules.words(found), muted(f"   {found.spec.schedule}")),
        _fact("last", times.stamp(last), muted(f"  {times.age(last, now)} ago" if last else "")),
        _fact("next", schedules.next_cell(found, now)),
        _fact("skipped", times.stamp(found.status.last_skipped)),
        *_problems(found.status.phase, "", found.status.validation_errors),
        BLANK,
        heading(" What each backup holds"),
        *_spec(found.spec.template),
    ]


def yaml_lines(found: Mapping[str, Any]) -> list[Line]:
    """YAML without managedFields, keys in the accent colour."""
    import yaml

    shown = {key: value for key, value in found.items() if key != "metadata"}
    metadata = {key: value for key, value in (found.get("metadata") or {}).items() if key != "managedFields"}
    ordered: dict[str, Any] = {key: shown.pop(key) for key in ("apiVersion", "kind") if key in shown}
    ordered |= {"metadata": metadata, **shown}
    text = yaml.safe_dump(ordered, sort_keys=False, allow_unicode=False, default_flow_style=False, width=200)
    return [_yaml_line(part) for part in clean_lines(text, lines=LINES_SHOWN)]


def _yaml_line(text: str) -> Line:
    key, colon, value = text.partition(":")
    if not colon or (value and not value.startswith(" ")) or "'" in key or '"' in key:
        return line(" ", span(text, limit=2000))
    return line(" ", accent(key), muted(":"), span(value, limit=2000))


_LEVELS = {"level=error": Tone.BAD, "level=fatal": Tone.BAD, "level=warning": Tone.WARN, "level=debug": Tone.MUTED}


def log(text: str) -> list[Line]:
    """Velero's log with its level shown by tone (the word is in the line)."""
    lines = []
    for part in clean_lines(text.rstrip("\n"), lines=LINES_SHOWN):
        tone = next((tone for level, tone in _LEVELS.items() if level in part), Tone.PLAIN)
        lines.append(line(" ", Span(part, tone)))
    return lines or [BLANK, line(muted("  the log is empty"))]


# The parts of a log that the keys 2 to 6 show: its last so many seconds, as k9s has them.
WINDOWS = {2: 60, 3: 300, 4: 900, 5: 1800, 6: 3600}
_TIME = re.compile(r'time="([^"]+)"')


def window(lines: Sequence[Line], number: int) -> list[Line]:
    """The lines of a log that are at most ``WINDOWS[number]`` seconds older than its last; all for other numbers.

    A line without a time belongs to the one before it.
    """
    times_of = [times.moment(found[1]) if (found := _TIME.search(plain(each))) else None for each in lines]
    last = max(filter(None, times_of), default=None)
    if number not in WINDOWS or last is None:
        return list(lines)
    kept, inside = [], False
    for each, at in zip(lines, times_of, strict=True):
        inside = (last - at).total_seconds() <= WINDOWS[number] if at is not None else inside
        kept += [each] * inside
    return kept


def window_words(number: int) -> str:
    return {0: "to its end", 1: "from its start"}.get(number) or f"its last {times.duration(WINDOWS[number])}"


def artefact(view: str, answer: Mapping[str, Any], width: int = 110) -> list[Line]:
    """The file of a backup or restore for one of the views logs, errors, contents, volumes."""
    if view == "logs":
        return log(str(answer.get("text", "")))
    found = answer.get("json")
    if view == "volumes":
        return volumes(found if isinstance(found, list) else [])
    if not isinstance(found, dict):  # it says nothing, which is not that there was nothing
        return [BLANK, line(span(f"  {status.ASK} not known: the file that Velero kept is empty", Tone.WARN))]
    return results(found, width) if view == "errors" else contents(found)


def contents(found: Mapping[str, Any]) -> list[Line]:
    """Objects by kind, kinds with most objects last read first."""
    groups = {str(kind): names for kind, names in found.items() if isinstance(names, list)}
    total = sum(map(len, groups.values()))
    lines = [BLANK, line(" ", strong(str(total)), f" objects of {len(groups)} kinds")]
    for kind in sorted(groups):
        lines += [BLANK, line(" ", accent(kind), muted(f"  {len(groups[kind])}"))]
        lines += [line("   ", span(name, limit=300)) for name in groups[kind][:2000]]
        if len(groups[kind]) > 2000:
            lines.append(line(muted(f"   … and {len(groups[kind]) - 2000} more")))
    return lines if groups else [BLANK, line(muted("  it holds no objects"))]


def volumes(found: Iterable[Any]) -> list[Line]:
    """Volumes and how their data was captured; one whose data is not there, or not known to be, says why."""
    lines = [_volume(each) for each in found if isinstance(each, dict)]
    return [BLANK, *lines] if lines else [BLANK, line(muted("  it holds no volumes"))]


def _volume(each: Mapping[str, Any]) -> Line:
    claim = strong(f"{each.get('pvcNamespace') or '?'}/{each.get('pvcName') or each.get('pvName') or '?'}".ljust(40))
    method = str(each.get("backupMethod") or each.get("restoreMethod") or "")
    if each.get("skipped") or not method:
        reason = each.get("skippedReason") or "its data is not in here"
        return line(span(" ▲ ", Tone.WARN), claim, span(f"no data: {reason}", Tone.WARN))
    kept = (span(f"{method:<18}"), muted(_volume_size(each)))
    if not each.get("backupMethod"):  # Velero's list of what it restored has no results
        said = muted("  whether all of it came back is not in here")
        return line(span(f" {status.ASK} ", Tone.WARN), claim, *kept, said)
    (info,) = parse_volume_infos([each])
    judged = held(info)
    if judged.held is Held.ABSENT:
        return line(span(f" {status.BAD} ", Tone.BAD), claim, span(f"no data: {judged.reason}", Tone.BAD))
    if judged.held is Held.UNKNOWN:
        return line(span(f" {status.ASK} ", Tone.WARN), claim, *kept, span(f"  {judged.reason}", Tone.WARN))
    return line(span(f" {status.GOOD} ", Tone.GOOD), claim, *kept)


def _volume_size(each: Mapping[str, Any]) -> str:
    for key in ("pvbInfo", "snapshotDataMovementInfo", "csiSnapshotInfo", "pvrInfo"):
        part = each.get(key)
        if isinstance(part, dict) and isinstance(part.get("size"), int | float):
            return times.size(part["size"])
    return ""


def results(found: Mapping[str, Any], width: int) -> list[Line]:
    """Errors first, then warnings, grouped by where they happened; equal ones once, with what usually helps."""
    lines: list[Line] = []
    for part, tone, mark in (("errors", Tone.BAD, "✗"), ("warnings", Tone.WARN, "▲")):
        groups = dict(_groups(found.get(part)))
        total = sum(sum(each.values()) for each in groups.values())
        word = span(f"{mark} {total} {part}", tone) if total else span(f"✓ no {part}", Tone.GOOD)
        lines += [BLANK, line(" ", word)]
        for where, texts in groups.items():
            lines.append(line("   ", accent(where)))
            for text, times_seen in texts.items():
                again = f"  ({times_seen} times)" if times_seen > 1 else ""
                lines += wrap(f"{text[:1500]}{again}", width - 2, Tone.PLAIN, 5)
                why = explain(text)
                lines += wrap(f"→ {why}", width - 2, Tone.ACCENT, 5) if why else []
    return lines


def _groups(found: Any) -> Iterable[tuple[str, dict[str, int]]]:
    if not isinstance(found, dict):
        return
    parts: dict[str, Any] = {name: found.get(name) for name in ("velero", "cluster")}
    spaces = found.get("namespaces")
    if isinstance(spaces, dict):
        parts |= {f"namespace {name}": texts for name, texts in spaces.items()}
    for where, texts in parts.items():
        if isinstance(texts, list) and texts:
            counted: dict[str, int] = {}
            for text in map(str, texts[:5000]):
                counted[text] = counted.get(text, 0) + 1
            yield where, counted

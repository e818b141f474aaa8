"""From what was typed into a form to the parameters of a plan, and from a preview to lines."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from lazarus_tui.view.text import BLANK, Line, Tone, accent, labelled, line, muted, span, strong, wrap

_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?")
_TTL = re.compile(r"(?:(\d+)d)?((?:\d+h)?(?:\d+m)?(?:\d+s)?)")
_YES, _NO = ("y", "yes", "true", "1"), ("n", "no", "false", "0")


def words(text: str) -> list[str]:
    """Names separated by commas or blanks."""
    return [part for part in re.split(r"[,\s]+", text) if part]


def mapping(text: str) -> dict[str, str]:
    """``shop=shop-test, a=b``; raises ``ValueError`` for a part without both names."""
    found = {}
    for part in words(text):
        old, equals, new = part.partition("=")
        if not (old and equals and new):
            raise ValueError(f"{part}: write it as old=new")
        found[old] = new
    return found


def yes_no(text: str) -> bool | None:
    """yes, no, or None for nothing typed; raises ``ValueError`` for anything else."""
    typed = text.strip().lower()
    if typed in ("", *_YES, *_NO):
        return None if not typed else typed in _YES
    raise ValueError(f"{text}: yes, no or empty")


def ttl(text: str) -> str:
    """``30d`` as Velero writes it (``720h0m0s``); raises ``ValueError`` for what is no duration."""
    if not text:
        return ""
    match = _TTL.fullmatch(text)
    if match is None:
        raise ValueError(f"{text}: a time such as 30d, 72h or 90m")
    days = int(match[1] or 0) * 24
    return f"{days}h0m0s" if match[1] and not match[2] else f"{days}h{match[2]}" if match[1] else match[2]


def _name(text: str) -> str:
    if text and not (_NAME.fullmatch(text) and len(text) <= 253):
        raise ValueError(f"{text}: small letters, digits, - and . only")
    return text


def _kept(params: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in params.items() if value not in ("", None, [], {})}


def backup_params(values: Mapping[str, str]) -> dict[str, Any]:
    """Parameters of velero.backup; raises ``ValueError`` with a sentence for the person who types."""
    return _kept(
        {
            "name": _name(values.get("name", "")),
            "namespaces": words(values.get("namespaces", "")),
            "excluded_namespaces": words(values.get("excluded", "")),
            "resources": words(values.get("resources", "")),
            "labels": mapping(values.get("labels", "")),
            "storage_location": values.get("storage", ""),
            "ttl": ttl(values.get("ttl", "")),
            "fs_backup": yes_no(values.get("files", "")),
        }
    )


def restore_params(values: Mapping[str, str]) -> dict[str, Any]:
    """Parameters of velero.restore; raises ``ValueError`` with a sentence for the person who types."""
    if not values.get("backup"):
        raise ValueError("which backup?")
    policy = values.get("existing", "")
    if policy not in ("", "none", "update"):
        raise ValueError(f"{policy}: none or update")
    return _kept(
        {
            "backup": values["backup"],
            "name": _name(values.get("name", "")),
            "namespaces": words(values.get("namespaces", "")),
            "namespace_mapping": mapping(values.get("mapping", "")),
            "existing_policy": policy,
            "restore_volumes": yes_no(values.get("volumes", "")),
            "exclude_resources": words(values.get("without", "")),
        }
    )


def problem(text: str, hint: str = "", width: int = 80, details: Sequence[str] = ()) -> list[Line]:
    """Why there is no preview, and what helps; ``details`` has a line for each thing that is meant."""
    lines = [BLANK, *wrap(f"✗ {text}", width - 1, Tone.WARN, 1)]
    lines += wrap(f"→ {hint}", width - 1, Tone.ACCENT, 1) if hint else []
    return [*lines, *([BLANK] if details else []), *reasons(details, width)]


def reasons(details: Iterable[str], width: int) -> list[Line]:
    """A line for each thing that a refusal is about: what it is, then why."""
    lines: list[Line] = []
    for each in details:
        what, colon, why = each.partition(": ")
        lines += [line("   ", span(what, limit=300)), *wrap(why, width - 1, Tone.MUTED, 5)] if colon else wrap(
            what, width - 1, Tone.PLAIN, 3
        )  # fmt: skip
    return lines


def preview(found: Mapping[str, Any], width: int) -> list[Line]:
    """What a backup with these parameters would hold now."""
    spaces = [str(name) for name in found.get("namespaces") or ()]
    objects = {str(kind): int(count) for kind, count in (found.get("objects") or {}).items()}
    claims = [str(name) for name in found.get("claims") or ()]
    lines = [BLANK, line(accent(" It would hold now"))]
    lines.append(labelled("  namespaces", ", ".join(spaces[:30]) or "none"))
    lines.append(labelled("  objects", strong(str(sum(objects.values()))), f" of {len(objects)} kinds"))
    most = sorted(objects.items(), key=lambda each: (-each[1], each[0]))[:8]
    lines += wrap(", ".join(f"{count} {kind}" for kind, count in most), width - 2, Tone.MUTED, 16) if most else []
    lines.append(labelled("  volumes", ", ".join(claims[:30]) or "none"))
    if not objects:
        lines.append(line(span("   ✗ nothing in the cluster matches: this backup would be empty", Tone.BAD)))
    lines += [part for text in found.get("warnings") or () for part in wrap(f"▲ {text}", width - 2, Tone.WARN, 3)]
    return lines


def waiting(text: str) -> list[Line]:
    return [BLANK, line(muted(f" {text}")), line(span(""))]

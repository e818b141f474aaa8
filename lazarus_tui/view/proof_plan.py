"""The plan of a proof for a person: volumes without data first and loud, then what is made, then every rule's doing."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from lazarus_tui.model.plan import Effect, Plan
from lazarus_tui.view import status, times
from lazarus_tui.view.text import BLANK, Line, Tone, accent, heading, labelled, line, muted, span, strong, wrap

# "S14: the copy makes its own": the safety rule under which something happens to an object.
_RULE = re.compile(r"(S\d{1,2}[a-z]?): (.*)", re.DOTALL)
_VERBS = {
    "create": ("+", Tone.GOOD),
    "pull": ("+", Tone.PLAIN),
    "release": (status.RUN, Tone.PLAIN),
    "empty": (status.BAD, Tone.BAD),
    "block": (status.BAD, Tone.BAD),
    "change": ("~", Tone.WARN),
    "strip": ("~", Tone.WARN),
    "suspend": ("~", Tone.WARN),
    "keep": (status.WARN, Tone.WARN),
    "skip": ("-", Tone.MUTED),
    "left": ("-", Tone.MUTED),
}
# Objects of one rule that are named; more are counted, and all of them are in the plan that is journalled.
_NAMED = 40
_COLUMN = 20  # where names and words begin


def asked(plan: Plan, width: int) -> list[Line]:
    """The point, what must pass, the targets; and that the copy is broken on purpose, where it is."""
    params = plan.params
    lines = [labelled("point", strong(_text(params.get("point"))), muted(f"  {_text(params.get('source'))}"))]
    wanted = params.get("require")
    if isinstance(wanted, list | tuple) and wanted:
        first, *rest = wrap(", ".join(map(str, wanted)), width - 1, Tone.PLAIN, 16)
        lines += [(*labelled("must pass"), *first[1:]), *rest]
    targets = params.get("targets")
    given = {key: value for key, value in targets.items() if value} if isinstance(targets, Mapping) else {}
    if given:
        words = [
            f"{key.removesuffix('_seconds').upper()} {times.duration(float(value))}" for key, value in given.items()
        ]
        lines.append(labelled("targets", ", ".join(words)))
    if params.get("control"):
        lines += [BLANK, line(span(f" ▲ negative control {_text(params['control'])}: the copy is broken on purpose, "
                                   "its checks must go red", Tone.WARN, 200))]  # fmt: skip
    return lines


def volumes(plan: Plan, width: int) -> list[Line]:
    """Each volume of the point: those without data first, in red, because no verdict about them can be green."""
    found = [one for one in plan.params.get("volumes") or () if isinstance(one, Mapping)]
    if not found:
        return []
    found.sort(key=lambda one: one.get("held") == "captured")
    return [BLANK, heading(" Volumes"), *(part for one in found for part in _volume(one, width))]


def _volume(one: Mapping[str, Any], width: int) -> list[Line]:
    claim, held = _text(one.get("claim")), str(one.get("held"))
    if held == "captured":
        size = times.size(one["size"]) if isinstance(one.get("size"), int) and one["size"] else "size not recorded"
        frozen = f"  of {times.stamp(str(one['frozen_at']))}" if one.get("frozen_at") else ""
        data = span(f"{status.GOOD} data", Tone.GOOD)
        return [line("   ", data, "     ", span(claim), muted(f"  {size}, {_text(one.get('method'))}{frozen}"))]
    words, tone = ("✗ NO DATA", Tone.BAD) if held == "absent" else ("? unknown", Tone.WARN)
    why = wrap(_text(one.get("reason")) or "nothing says so", width - 1, tone, 14)
    return [line("   ", span(words, tone), "  ", strong(claim)), *why]


def effects(plan: Plan, width: int) -> list[Line]:
    """What is made, object by object where few; then the doing of each rule, with the objects it is about."""
    made, ruled = [], dict[tuple[str, str, str], list[str]]()
    for effect in plan.effects:
        match = _RULE.fullmatch(effect.detail)
        if match is None:
            made.append(effect)
        else:
            ruled.setdefault((match[1], effect.verb, match[2]), []).append(effect.what)
    lines = [BLANK, heading(" What is made")] if made else []
    lines += _made(made, plan.target, width)
    lines += [BLANK, line(accent(" What the safety rules do"), muted("  docs/rules.md says why"))] if ruled else []
    for (rule, verb, words), what in sorted(ruled.items(), key=lambda one: _place(one[0])):
        lines += _ruled(rule, verb, words, what, width)
    return lines


def _place(key: tuple[str, str, str]) -> tuple[bool, int, str]:
    """What comes without data or against a rule first, then by the number of the rule."""
    rule, verb, words = key
    return (verb not in ("empty", "block", "keep"), int(re.sub(r"\D", "", rule)), words)


def _made(found: Iterable[Effect], target: str, width: int) -> list[Line]:
    """Objects in the quarantine are named together: they are copies, and there are many."""
    inside = f" in {target}"
    copies = [one.what.removesuffix(inside) for one in found if _is_copy(one, inside)]
    rest = [one for one in found if not _is_copy(one, inside)]
    lines = [part for one in rest for part in _line(one.verb, "", one.what, one.detail, width)]
    return lines + (_line("create", "", _list(copies), f"copies in {target}", width) if copies else [])


def _is_copy(found: Effect, inside: str) -> bool:
    return found.verb == "create" and not found.detail and found.what.endswith(inside)


def _ruled(rule: str, verb: str, words: str, what: list[str], width: int) -> list[Line]:
    return _line(verb, rule, _list(what), words, width)


def _line(verb: str, rule: str, what: str, words: str, width: int) -> list[Line]:
    glyph, tone = _VERBS.get(verb, (status.ASK, Tone.WARN))
    first, *rest = wrap(what, width - 1, Tone.PLAIN, _COLUMN) or [BLANK]
    head = line("   ", span(f"{rule:<4}", Tone.ACCENT), span(f" {glyph} {verb:<9} ", tone, 20), *first[1:])
    return [head, *rest, *(wrap(words, width - 1, Tone.MUTED, _COLUMN) if words else [])]


def _list(what: list[str]) -> str:
    more = f" … and {len(what) - _NAMED} more" if len(what) > _NAMED else ""
    return ", ".join(one[:120] for one in what[:_NAMED]) + more


def _text(value: Any) -> str:
    return "" if value is None else str(value)[:500]


def parts(plan: Plan, width: int) -> list[Line]:
    """What stands in the card of a proof instead of the list of effects."""
    return [*volumes(plan, width), *effects(plan, width)]

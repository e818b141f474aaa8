"""Query parameters of lists, watches and writes: parsed, checked, typed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from lazarus_tui.sandbox.api.causes import forbidden, unsupported
from lazarus_tui.sandbox.api.errors import ApiError, Cause, bad_request, invalid

Query = Mapping[str, str]

_TRUE = ("1", "t", "T", "TRUE", "true", "True")
_FALSE = ("0", "f", "F", "FALSE", "false", "False", "")
_MATCH = "resourceVersionMatch"
_MATCHES = ("Exact", "NotOlderThan", "")
_VALIDATIONS = ("", "Ignore", "Warn", "Strict")
_MAX_MANAGER = 128


def flag(query: Query, name: str) -> bool:
    """A boolean as Go's ParseBool reads it; a bare ``?watch`` is true; 400 for anything else."""
    if name not in query:
        return False
    value = query[name]
    if value in _TRUE:
        return True
    if value in _FALSE:
        return False
    raise bad_request(f'strconv.ParseBool: parsing "{value}": invalid syntax')


def number(query: Query, name: str) -> int | None:
    """A whole number, None when absent or empty; 400 for anything else."""
    value = query.get(name, "")
    if not value:
        return None
    if not re.fullmatch(r"[+-]?\d{1,18}", value):
        raise bad_request(f'strconv.ParseInt: parsing "{value}": invalid syntax')
    return int(value)


def revision(text: str) -> int:
    """A resourceVersion; ``""`` is 0."""
    if not text:
        return 0
    if not re.fullmatch(r"\d{1,19}", text):
        why = f'resourceVersion: Invalid value: "{text}": strconv.ParseUint: parsing "{text}": invalid syntax'
        raise bad_request(f"invalid resource version: {why}")
    return int(text)


@dataclass(frozen=True, slots=True)
class ListOptions:
    """``limit`` 0 means all. ``revision_text`` keeps the difference between absent and ``"0"``."""

    watch: bool
    limit: int
    token: str
    revision_text: str
    match: str
    labels: str
    fields: str
    bookmarks: bool
    timeout: int | None
    initial_events: bool

    @property
    def revision(self) -> int:
        return revision(self.revision_text)


def list_options(query: Query, *, watching: bool = False) -> ListOptions:
    options = ListOptions(
        watch=watching or flag(query, "watch"),
        limit=max(0, number(query, "limit") or 0),
        token=query.get("continue", ""),
        revision_text=query.get("resourceVersion", ""),
        match=query.get("resourceVersionMatch", ""),
        labels=query.get("labelSelector", ""),
        fields=query.get("fieldSelector", ""),
        bookmarks=flag(query, "allowWatchBookmarks"),
        timeout=number(query, "timeoutSeconds"),
        initial_events=flag(query, "sendInitialEvents"),
    )
    _check_match(options, "sendInitialEvents" in query)
    return options


def _check_match(options: ListOptions, initial_given: bool) -> None:
    causes = _watch_causes(options, initial_given) if options.watch else _list_causes(options, initial_given)
    if causes:
        raise invalid("ListOptions", "meta.k8s.io", "", causes)


def _list_causes(options: ListOptions, initial_given: bool) -> list[Cause]:
    causes = []
    if options.match:
        if not options.revision_text:
            causes.append(forbidden(_MATCH, "resourceVersionMatch is forbidden unless resourceVersion is provided"))
        if options.token:
            causes.append(forbidden(_MATCH, "resourceVersionMatch is forbidden when continue is provided"))
        if options.match not in _MATCHES:
            causes.append(unsupported(_MATCH, options.match, _MATCHES))
        if options.match == "Exact" and options.revision_text == "0":
            causes.append(forbidden(_MATCH, 'resourceVersionMatch "Exact" is forbidden for resourceVersion "0"'))
    if initial_given:
        causes.append(forbidden("sendInitialEvents", "sendInitialEvents is forbidden for list"))
    return causes


def _watch_causes(options: ListOptions, initial_given: bool) -> list[Cause]:
    causes = []
    if initial_given and options.match != "NotOlderThan":
        why = "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"
        causes.append(forbidden(_MATCH, why))
    if options.match:
        if not initial_given:
            why = "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"
            causes.append(forbidden(_MATCH, why))
        if options.match != "NotOlderThan":
            causes.append(unsupported(_MATCH, options.match, ("NotOlderThan",)))
        if options.token:
            causes.append(forbidden(_MATCH, "resourceVersionMatch is forbidden when continue is provided"))
    return causes


def _refused(field: str, why: str, options: str = "ListOptions") -> ApiError:
    return invalid(options, "meta.k8s.io", "", [Cause(field, why)])


def apply_options(query: Query) -> bool:
    """Whether an apply is forced; 422 when nobody says who applies."""
    if not query.get("fieldManager"):
        raise _refused("fieldManager", "Required value: is required for apply patch", "PatchOptions")
    return flag(query, "force")


def dry_run(query: Query, options: str) -> bool:
    """Whether this write only pretends; also checks what every write may carry."""
    value = query.get("dryRun", "")
    if value not in ("", "All"):
        raise _refused("dryRun", f'Unsupported value: ["{value}"]: supported values: "All"', options)
    validation = query.get("fieldValidation", "")
    if validation not in _VALIDATIONS:
        listed = ", ".join(f'"{one}"' for one in sorted(_VALIDATIONS))
        raise _refused("fieldValidation", f'Unsupported value: "{validation}": supported values: {listed}', options)
    if len(query.get("fieldManager", "").encode()) > _MAX_MANAGER:
        raise _refused("fieldManager", f"Too long: may not be more than {_MAX_MANAGER} bytes", options)
    return value == "All"

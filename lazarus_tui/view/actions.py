"""Every action of the console as data. Keys, footer, help, palette and the greying all come from this one table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from lazarus_tui.model.objects import Backup, Restore, Schedule
from lazarus_tui.model.operation import Operation
from lazarus_tui.model.plan import Danger
from lazarus_tui.model.topics import ContextRow, WorkloadRow
from lazarus_tui.view import times

MODES = ("overview", "backups", "schedules", "restores", "operations")


@dataclass(frozen=True, slots=True)
class Situation:
    """What an action may depend on: where the person is and what the engine last said."""

    mode: str
    now: datetime
    context: ContextRow | None = None
    connected: bool = True
    record: Any = None
    marks: int = 0
    operation: Operation | None = None


Reason = Callable[[Situation], str | None]


@dataclass(frozen=True, slots=True)
class Action:
    """``modes`` empty: everywhere. ``footer`` orders the keys at the bottom, 0 keeps an action out of it."""

    id: str
    keys: tuple[str, ...]
    label: str
    help: str
    modes: frozenset[str] = frozenset()
    danger: Danger = Danger.SAFE
    needs: tuple[Reason, ...] = field(default=())
    footer: int = 0

    def disabled_reason(self, situation: Situation) -> str | None:
        """Why it cannot be done now, in one sentence; None when it can."""
        return next((why for need in self.needs if (why := need(situation))), None)

    def offered(self, mode: str) -> bool:
        return not self.modes or mode in self.modes


def armed(context: ContextRow | None, now: datetime) -> bool:
    """Whether changes are allowed in this context: always in the sandbox, else for the armed minutes."""
    if context is None:
        return False
    if context.write_until == "always":
        return True
    until = times.moment(context.write_until)
    return until is not None and until > now


def engine(situation: Situation) -> str | None:
    return None if situation.connected else "the engine does not answer"


def cluster(situation: Situation) -> str | None:
    if situation.context is None:
        return "no context is in use: choose one with :contexts"
    if situation.context.state == "failed":
        return f"{situation.context.name} cannot be reached: {situation.context.reason}"
    return None


def velero(situation: Situation) -> str | None:
    if situation.context is not None and not situation.context.velero_namespace:
        return "there is no Velero in use in this cluster"
    return None


def writable(situation: Situation) -> str | None:
    if armed(situation.context, situation.now):
        return None
    return "this context is read-only: a arms it for 15 minutes"


def allowed(capability: str) -> Reason:
    """A hint from the API's access review; the API's own answer stays the truth."""

    def reason(situation: Situation) -> str | None:
        denied = situation.context is not None and capability in situation.context.denied
        return f"your account may not {capability}" if denied else None

    return reason


def row(situation: Situation) -> str | None:
    return None if situation.record is not None or situation.mode == "document" else "nothing is selected"


def point(situation: Situation) -> str | None:
    record = situation.record
    if isinstance(record, WorkloadRow) and not record.listed("backups"):
        return "its recovery points are not known: backups cannot be listed"
    if isinstance(record, WorkloadRow):
        return None if record.newest is not None else "this workload has no usable recovery point"
    if isinstance(record, Backup) and record.status.phase not in ("Completed", "PartiallyFailed"):
        return f"a backup that is {record.status.phase or 'New'} cannot be restored"
    return row(situation)


def unpaused(situation: Situation) -> str | None:
    if isinstance(situation.record, Schedule) and situation.record.status.phase == "FailedValidation":
        return "Velero refused this schedule: d shows why"
    return row(situation)


def undoable(situation: Situation) -> str | None:
    found = situation.operation
    if found is None:
        return "no operation is selected"
    return None if found.can_undo else "this operation cannot be taken back"


def parked(situation: Situation) -> str | None:
    found = situation.operation
    if found is None:
        return "no operation is selected"
    return None if found.state == "parked" else f"only a parked operation is resumed; this one is {found.state}"


def closable(situation: Situation) -> str | None:
    found = situation.operation
    if found is None:
        return "no operation is selected"
    return None if found.state == "parked" else f"only a parked operation is closed; this one is {found.state}"


def runs(situation: Situation) -> str | None:
    found = situation.operation
    if found is None:
        return "no operation is selected"
    return None if found.state == "running" else f"only a running operation is parked; this one is {found.state}"


def sandbox(situation: Situation) -> str | None:
    if situation.context is not None and situation.context.sandbox:
        return None
    return "rehearsals run in the sandbox only: lazarus --sandbox"


def log_kept(situation: Situation) -> str | None:
    record = situation.record
    if isinstance(record, Backup | Restore) and record.status.phase in ("", "New", "Queued", "InProgress"):
        return "the log is stored when it is finished"
    return row(situation)


_CHANGE: tuple[Reason, ...] = (engine, cluster, velero, writable)
_ON = frozenset
_OBJECTS = _ON({"backups", "restores", "schedules"})
_ARTEFACTS = _ON({"backups", "restores"})
_DOCUMENTS = _ARTEFACTS | {"document"}
_DESCRIBED = _OBJECTS | _DOCUMENTS | {"overview"}
_OPERATIONS = _ON({"operations", "operation"})
_LISTS = _ON({*MODES, "contexts"})

ACTIONS: tuple[Action, ...] = (
    Action("open", ("enter",), "open", "open what the cursor is on", _LISTS, needs=(row,), footer=1),
    Action("describe", ("d",), "describe", "what it is, in words", _DESCRIBED, needs=(engine, row), footer=2),
    Action(
        "yaml", ("y",), "yaml", "the object as the API has it", _OBJECTS | _DOCUMENTS, needs=(engine, row), footer=10
    ),
    Action("logs", ("l",), "logs", "Velero's log of it", _DOCUMENTS, needs=(engine, log_kept), footer=9),
    Action(
        "errors",
        ("e",),
        "errors",
        "errors and warnings, grouped and explained",
        _DOCUMENTS,
        needs=(engine, log_kept),
        footer=11,
    ),
    Action("contents", ("o",), "contents", "the objects in it", _DOCUMENTS, needs=(engine, log_kept), footer=12),
    Action(
        "volumes",
        ("v",),
        "volumes",
        "its volumes and how they were captured",
        _DOCUMENTS,
        needs=(engine, log_kept),
        footer=13,
    ),
    Action(
        "restore",
        ("r",),
        "restore",
        "plan a restore from this point",
        _ON({"overview", "backups"}),
        Danger.CHANGES,
        (*_CHANGE, allowed("create restores.velero.io"), point),
        3,
    ),
    Action(
        "new",
        ("n",),
        "new backup",
        "plan a backup, with a preview of what it will hold",
        _ON({"overview", "backups", "schedules"}),
        Danger.CHANGES,
        (*_CHANGE, allowed("create backups.velero.io")),
        4,
    ),
    Action(
        "trigger",
        ("t",),
        "run now",
        "make a backup from this schedule now",
        _ON({"schedules"}),
        Danger.CHANGES,
        (*_CHANGE, allowed("create backups.velero.io"), unpaused),
        3,
    ),
    Action(
        "pause",
        ("p",),
        "pause",
        "pause the schedule, or let it go on",
        _ON({"schedules"}),
        Danger.CHANGES,
        (*_CHANGE, allowed("patch schedules.velero.io"), row),
        5,
    ),
    Action(
        "delete",
        ("ctrl+d",),
        "delete",
        "delete the backup or the restore record; its name is typed first",
        _ARTEFACTS,
        Danger.DESTROYS,
        (*_CHANGE, row),
        8,
    ),
    Action(
        "rehearse",
        ("R", "shift+r"),
        "rehearse",
        "lose and restore shop in the sandbox, measured",
        _ON({"overview", "operations"}),
        Danger.DESTROYS,
        (engine, cluster, sandbox),
        5,
    ),
    Action("undo", ("u",), "undo", "take the operation back", _OPERATIONS, Danger.CHANGES, (engine, undoable), 4),
    Action(
        "resume", ("r",), "resume", "let a parked operation go on", _OPERATIONS, Danger.CHANGES, (engine, parked), 3
    ),
    Action(
        "park",
        ("P", "shift+p"),
        "park",
        "stop a running operation at the next safe step",
        _OPERATIONS,
        Danger.CHANGES,
        (engine, runs),
        6,
    ),
    Action(
        "close",
        ("K", "shift+k"),
        "close",
        "end a parked operation as it stands; its target's name is typed first",
        _OPERATIONS,
        Danger.CHANGES,
        (engine, closable),
    ),
    Action(
        "arm",
        ("a",),
        "arm",
        "allow changes in this context for 15 minutes, or stop allowing them",
        _LISTS,
        Danger.CHANGES,
        (engine, cluster),
        14,
    ),
    Action("contexts", ("C", "shift+c"), "contexts", "choose the cluster", _ON(MODES), needs=(engine,), footer=20),
    Action(
        "mark",
        ("space",),
        "mark",
        "mark the row: delete, run now and pause then mean all marked rows, a plan each",
        _LISTS,
    ),
    Action("mark_range", ("ctrl+@", "ctrl+space"), "mark range", "mark from the last mark to here", _LISTS),
    Action("unmark", ("ctrl+backslash",), "unmark", "clear all marks", _LISTS),
    Action("faults", ("ctrl+z",), "faults", "show only what needs a look, or everything again", _LISTS),
    Action("all_namespaces", ("0",), "all", "every namespace, no filter", _LISTS),
    Action("refresh", ("ctrl+r",), "redraw", "paint the screen anew", footer=0),
    Action("save", ("ctrl+s",), "save", "write what this pane shows to a file; its path is said", footer=0),
    Action(
        "copy", ("c",), "copy name", "copy the name to the clipboard of the terminal (OSC 52)", _LISTS, needs=(row,)
    ),
    Action("overview", ("1",), "overview", "the four questions, per workload"),
    Action("backups", ("2",), "backups", "all backups"),
    Action("schedules", ("3",), "schedules", "all schedules"),
    Action("restores", ("4",), "restores", "all restores"),
    Action("operations", ("5",), "operations", "what Lazarus does and did"),
    Action("earlier", ("left_square_bracket",), "earlier", "the place before this one, as they were visited"),
    Action("later", ("right_square_bracket",), "later", "the place after this one, as they were visited"),
    Action("command", ("colon",), "command", "go somewhere by name: :backups shop /daily @context", footer=15),
    Action(
        "filter",
        ("slash",),
        "filter",
        "/x regex · /!x inverse · /-l k=v labels · /-f x fuzzy; in texts: search",
        footer=16,
    ),
    Action("help", ("question_mark",), "help", "the keys of this place", footer=17),
    Action("back", ("escape",), "back", "one step back; never quits"),
    Action("quit", ("q",), "quit", "leave the console; the engine and its operations go on", footer=18),
    Action("interrupt", ("ctrl+c", "ctrl+q"), "detach", "ask: detach or stay; never stops an operation"),
)

BY_ID = {action.id: action for action in ACTIONS}


def offered(mode: str) -> list[Action]:
    """The actions of one place, in table order."""
    return [action for action in ACTIONS if action.offered(mode)]


_KEY_WORDS = {
    "colon": ":", "slash": "/", "question_mark": "?", "escape": "esc", "space": "space", "ctrl+backslash": "^\\",
    "ctrl+@": "^space", "left_square_bracket": "[", "right_square_bracket": "]",
}  # fmt: skip


def key_words(action: Action) -> str:
    """The first key as a person reads it: ``^d``, ``esc``, ``:``."""
    key = action.keys[0]
    return _KEY_WORDS.get(key, key.replace("ctrl+", "^"))

"""Every action of the console as data. Keys, footer, help, palette and the greying all come from this one table."""

from __future__ import annotations

from dataclasses import dataclass, field

from lazarus_tui.model.plan import Danger
from lazarus_tui.view.reasons import (
    Reason,
    Situation,
    allowed,
    closable,
    cluster,
    controlled,
    enabled,
    engine,
    log_kept,
    may,
    parked,
    point,
    provable,
    releasable,
    row,
    runs,
    sandbox,
    stateful,
    undoable,
    unpaused,
    usable,
    velero,
    writable,
)

MODES = ("overview", "backups", "schedules", "restores", "operations", "snapshots", "proofs")


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


_CHANGE: tuple[Reason, ...] = (engine, cluster, velero, writable)
_WRITE: tuple[Reason, ...] = (engine, cluster, writable)
# What an operation on sets cannot do without; the planner asks for the rest.
_SNAPSHOTS, _CONTENTS = "volumesnapshots.snapshot.storage.k8s.io", "volumesnapshotcontents.snapshot.storage.k8s.io"
_TAKE = may(f"create {_SNAPSHOTS}", f"patch {_CONTENTS}")
_REPLACE = may("patch persistentvolumes", "patch statefulsets.apps", "delete persistentvolumeclaims")
_BESIDE = may(f"create {_CONTENTS}")
_PRUNE = may(f"delete {_SNAPSHOTS}", f"patch {_CONTENTS}")
_RELEASE = may("patch persistentvolumes")
_ON = frozenset
_OBJECTS = _ON({"backups", "restores", "schedules"})
_ARTEFACTS = _ON({"backups", "restores"})
_DOCUMENTS = _ARTEFACTS | {"document"}
_DESCRIBED = _OBJECTS | _DOCUMENTS | {"overview", "snapshots"}
_SETS = _ON({"snapshots", "set"})
_PROOFS = _ON({"proofs", "proof"})
_POLICIES = _ON({"policies", "policy"})
_OPERATIONS = _ON({"operations", "operation"})
_LISTS = _ON({*MODES, "proof", "policies", "contexts"})

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
    Action(
        "take",
        ("t",),
        "take a set",
        "plan a snapshot set of the StatefulSet: all its volumes under one id",
        _SETS | {"overview"},
        Danger.CHANGES,
        (*_WRITE, _TAKE, stateful),
        6,
    ),
    Action(
        "in_place",
        ("r",),
        "restore",
        "plan to bring the StatefulSet back to this set, in place; undo brings the old volumes back",
        _SETS,
        Danger.DESTROYS,
        (*_WRITE, _REPLACE, usable),
        3,
    ),
    Action(
        "beside",
        ("b",),
        "beside",
        "plan a restore of this set into another namespace; what runs is not touched",
        _SETS,
        Danger.CHANGES,
        (*_WRITE, _BESIDE, usable),
        4,
    ),
    Action(
        "prove",
        ("p",),
        "prove",
        "plan to restore the point into a closed quarantine, check and judge it, and remove it again",
        _SETS | _PROOFS | {"overview", "backups"},
        Danger.CHANGES,
        (*_WRITE, provable),
        3,
    ),
    Action(
        "control",
        ("x",),
        "control",
        "plan a proof of a copy that is broken on purpose: its checks have to go red",
        _PROOFS,
        Danger.CHANGES,
        (*_WRITE, provable),
        6,
    ),
    Action(
        "policies",
        ("P", "shift+p"),
        "policies",
        "what is proven by itself, how it stands, and what waits in the queue",
        _PROOFS,
        footer=7,
    ),
    Action(
        "queue_proof",
        ("p",),
        "prove now",
        "put a proof of each workload of the policy into the queue now",
        _POLICIES,
        Danger.CHANGES,
        (engine, cluster, enabled),
        3,
    ),
    Action(
        "queue_control",
        ("x",),
        "control now",
        "put the policy's negative control into the queue now: a copy is broken on purpose, and checks have to go red",
        _POLICIES,
        Danger.CHANGES,
        (engine, cluster, enabled, controlled),
        6,
    ),
    Action(
        "prune",
        ("P", "shift+p"),
        "prune",
        "plan to remove the workload's sets that no rule keeps; the plan says which, and why the others stay",
        _SETS,
        Danger.DESTROYS,
        (*_WRITE, _PRUNE, stateful),
        7,
    ),
    Action(
        "release",
        ("X", "shift+x"),
        "release",
        "plan to delete the old volumes a restore in place kept; after that it cannot be undone",
        _OPERATIONS,
        Danger.DESTROYS,
        (*_WRITE, _RELEASE, releasable),
        7,
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
        _OBJECTS,
    ),
    Action("mark_range", ("ctrl+@", "ctrl+space"), "mark range", "mark from the last mark to here", _OBJECTS),
    Action("unmark", ("ctrl+backslash",), "unmark", "clear all marks", _OBJECTS),
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
    Action("snapshots", ("6",), "snapshots", "all snapshot sets of StatefulSets"),
    Action("proofs", ("7",), "proofs", "how far each workload was proven, and how long it takes"),
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

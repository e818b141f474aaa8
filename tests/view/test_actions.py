"""The action table: one meaning per key and place, help for everything, a handler for everything."""

from __future__ import annotations

import itertools

import msgspec
import pytest

from lazarus_tui.model.operation import OpState
from lazarus_tui.model.plan import Danger
from lazarus_tui.model.proofs import RUNGS
from lazarus_tui.model.verdict import Verdict
from lazarus_tui.view import actions, chrome, helping, reasons, status
from lazarus_tui.view.text import plain
from tests.console import worlds

PLACES = (
    *actions.MODES,
    "proof",
    "policies",
    "policy",
    "operation",
    "document",
    "set",
    "contexts",
    "help",
    "plan",
    "form",
)


@pytest.mark.parametrize("mode", PLACES)
def test_a_key_means_one_thing_in_one_place(mode):
    keys = list(itertools.chain.from_iterable(action.keys for action in actions.offered(mode)))
    assert len(keys) == len(set(keys)), sorted(key for key in keys if keys.count(key) > 1)


def test_sort_keys_do_not_collide_with_actions():
    from screens.backups import BackupsScreen
    from screens.operations import OperationsScreen
    from screens.overview import OverviewScreen
    from screens.policies import PoliciesScreen
    from screens.proof import ProofScreen
    from screens.proofs import ProofsScreen
    from screens.restores import RestoresScreen
    from screens.schedules import SchedulesScreen
    from screens.snapshots import SnapshotsScreen

    screens = (OverviewScreen, BackupsScreen, SchedulesScreen, RestoresScreen, OperationsScreen, SnapshotsScreen,
               ProofsScreen, ProofScreen, PoliciesScreen)  # fmt: skip
    for screen in screens:
        taken = {key for action in actions.offered(screen.mode) for key in action.keys}
        sorts = [column.key for column in screen.base_sheet.columns if column.key]
        assert len(sorts) == len(set(sorts))
        assert not taken & set(sorts)


def test_every_action_has_help_and_says_when_it_is_dangerous():
    for action in actions.ACTIONS:
        assert action.label
        assert action.help[0].islower() or action.help[0] in "/V"
        if action.danger is not Danger.SAFE:
            assert reasons.engine in action.needs, f"{action.id} would be offered without an engine"


def test_what_is_created_or_deleted_needs_an_armed_context():
    for name in ("restore", "new", "trigger", "pause", "delete", "take", "in_place", "beside", "prune", "release",
                 "prove", "control"):  # fmt: skip
        assert reasons.writable in actions.BY_ID[name].needs


@pytest.mark.parametrize(
    "mode", [*actions.MODES, "proof", "policies", "policy", "operation", "document", "contexts", "set"]
)
def test_every_offered_action_is_handled(mode):
    from screens import (
        backups,
        contexts,
        document,
        operation,
        operations,
        overview,
        policies,
        policy,
        proof,
        proofs,
        restores,
        schedules,
        set_screen,
        snapshots,
    )

    screens = {
        "overview": overview.OverviewScreen, "backups": backups.BackupsScreen, "schedules": schedules.SchedulesScreen,
        "restores": restores.RestoresScreen, "operations": operations.OperationsScreen,
        "operation": operation.OperationScreen, "document": document.DocumentScreen,
        "contexts": contexts.ContextsScreen, "snapshots": snapshots.SnapshotsScreen, "set": set_screen.SetScreen,
        "proofs": proofs.ProofsScreen, "proof": proof.ProofScreen, "policies": policies.PoliciesScreen,
        "policy": policy.PolicyScreen,
    }  # fmt: skip
    missing = [each.id for each in actions.offered(mode) if not hasattr(screens[mode], f"do_{each.id}")]
    assert not missing


def test_rows_are_marked_only_where_marks_mean_something():
    """What takes all marked rows is in one place with the marks, and the other way round."""
    chosen = {mode for name in ("delete", "trigger", "pause") for mode in actions.BY_ID[name].modes}
    for name in ("mark", "mark_range", "unmark"):
        assert actions.BY_ID[name].modes == chosen == {"backups", "restores", "schedules"}


def test_arming_ends_by_itself():
    row = worlds.context(sandbox=False, write_until=worlds.ago(seconds=1))
    assert not reasons.armed(row, worlds.NOW)
    assert reasons.armed(worlds.context(write_until="always"), worlds.NOW)
    assert not reasons.armed(None, worlds.NOW)


def test_the_footer_keeps_command_filter_and_help_at_any_width():
    situation = reasons.Situation("backups", worlds.NOW, worlds.context())
    for width in (40, 80, 200):
        shown = plain(chrome.footer(actions.offered("backups"), situation, width))
        assert all(word in shown for word in (": command", "/ filter", "? help"))
        assert len(shown) <= max(width, 40)


def test_help_shows_every_key_of_a_place():
    text = "\n".join(map(plain, helping.lines("backups")))
    for action in actions.offered("backups"):
        assert action.help[:60] in text


def test_help_explains_every_sign_of_a_verdict_and_the_order_of_the_rungs():
    text = " ".join("\n".join(map(plain, helping.lines("proofs", 80))).split())
    assert all(status.verdict(each).text[0] in text for each in Verdict)
    assert ", ".join(RUNGS) in text


def test_the_header_names_cluster_uid_and_mode_and_shrinks():
    row = worlds.context(sandbox=False, write_until="")
    wide = plain(chrome.header(row, "connected", worlds.NOW, 80))
    assert "7f3a9c12" in wide
    assert "READ-ONLY" in wide
    narrow = plain(chrome.header(row, "connected", worlds.NOW, 48))
    assert len(narrow) <= 48
    assert "READ-ONLY" in narrow
    assert worlds.CONTEXT in narrow


def test_a_right_that_is_missing_in_one_namespace_greys_its_sets_only():
    denied = ("create volumesnapshots.snapshot.storage.k8s.io in shop", "patch persistentvolumes")
    context = worlds.context(write_until="always", denied=denied)

    def why(name, namespace):
        some = next(row for row in worlds.overview().values() if row.kind == "StatefulSet" and row.claims)
        row = msgspec.structs.replace(some, namespace=namespace)
        situation = reasons.Situation("snapshots", worlds.NOW, context=context, record=row)
        return actions.BY_ID[name].disabled_reason(situation)

    assert why("take", "shop") == "your account may not create volumesnapshots.snapshot.storage.k8s.io in shop"
    assert why("take", "prod") is None
    assert why("in_place", "prod") == "your account may not patch persistentvolumes"
    assert why("beside", "prod") != "your account may not patch persistentvolumes"


def test_why_nothing_is_taken_back_says_what_comes_first_while_it_runs():
    def reason(state):
        operation = msgspec.structs.replace(worlds.running_operation(), state=state, can_undo=False)
        return reasons.undoable(reasons.Situation("operation", worlds.NOW, worlds.context(), operation=operation))

    assert reason(OpState.RUNNING) == "it runs: P parks it first, then u takes it back where that can be done"
    for state in (OpState.DONE, OpState.FAILED, OpState.PARKED, OpState.UNDONE):
        assert reason(state) == "this operation cannot be taken back"

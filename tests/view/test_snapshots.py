"""Sets as rows and cards: what is missing, failed or being cut is never shown as a point one could restore."""

from __future__ import annotations

import pytest

from lazarus_tui.model.sets import SetState
from lazarus_tui.view import set_card, set_forms, snapshots, trouble
from lazarus_tui.view.source import LinkState, TopicState
from lazarus_tui.view.text import plain
from tests.console import sets, worlds


def cells(name: str) -> dict[str, str]:
    shown = snapshots.SHEET.cells(sets.found()[name], worlds.NOW)
    return dict(zip([column.id for column in snapshots.COLUMNS], [each.text for each in shown], strict=True))


def card(name: str, width: int = 79) -> str:
    return "\n".join(map(plain, set_card.card(sets.found()[name], [sets.restore()], worlds.NOW, width)))


def test_a_good_set_says_everything_in_its_row():
    assert cells("db-0400") == {
        "set": "db-0400", "workload": "prod/db", "state": "✓ ready", "volumes": "3/3", "age": "6h00m",
        "proven": "○ NOT TESTED", "hold": "-", "role": "backup", "size": "3.0 GiB", "skew": "2.0s",
        "consistency": "crash",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "state", "volumes", "age", "skew"),
    [
        ("db-0500", "✗ failed", "2/3", "5h00m", "0s"),
        ("db-0300", "✗ incomplete", "2/3", "7h00m", "unknown"),
        ("db-1042", "▶ taking", "0/3", "not cut", "unknown"),
    ],
)
def test_what_cannot_be_used_says_so(name, state, volumes, age, skew):
    found = cells(name)
    assert (found["state"], found["volumes"], found["age"], found["skew"]) == (state, volumes, age, skew)


def test_holds_and_safety_sets_are_told_apart():
    assert cells("db-audit")["hold"] == "audit 2026"
    assert cells("before-9f3c12ab")["role"] == "pre-restore"


def test_faults_only_leaves_out_what_is_good_or_on_its_way():
    wrong = {name for name, found in sets.found().items() if snapshots.SHEET.faulty(found)}
    assert wrong == {"db-0500", "db-0300"}


def test_newest_first_and_those_not_cut_yet_before_all():
    found = sorted(sets.found().values(), key=lambda each: snapshots.order(each, "age"), reverse=True)
    assert [each.id for each in found] == ["db-1042", "before-9f3c12ab", "db-0500", "db-0400", "db-0300", "db-audit"]


def test_the_card_names_every_volume_its_state_and_who_used_it():
    text = card("db-0400")
    assert "✓ ready  data-db-2  kept  cut 2026-11-20 04:42:12 UTC  1.0 GiB  crash" in text
    assert "content snapcontent-db-0400-data-db-2" in text
    assert "handle h-data-db-2" in " ".join(text.split())
    assert "▲ parked  Restore prod/db in place from db-0400  9f3c12ab" in text
    assert "What keeps it from being used" not in text
    assert "2.0s between the first cut and the last" in text
    assert "none: cut together" in card("db-audit")


def test_the_card_begins_with_what_keeps_it_from_being_used():
    failed, lost = card("db-0500"), card("db-0300")
    assert failed.index("✗ data-db-1: no space left") < failed.index("Volumes")
    assert lost.index("✗ data-db-2 has no snapshot") < lost.index("Volumes")
    assert "✗ missing  data-db-2" in lost
    assert "▲ not kept" in lost
    assert "no operation that is known here" in failed


def test_without_the_contents_no_set_is_called_anything():
    pairs = sets.members()
    known = TopicState(3, "ready", records={each.metadata.name: each for each, _ in pairs})
    gathered = snapshots.Gathered()
    refused = gathered(known, TopicState(2, "failed", reason="volumesnapshotcontents is forbidden"))
    assert (refused.state, refused.reason, refused.records) == ("failed", "volumesnapshotcontents is forbidden", {})
    assert gathered(known, TopicState()).state == "loading"
    contents = TopicState(4, "stale", reason="reset", records={each.metadata.name: each for _, each in pairs})
    whole = gathered(known, contents)
    assert (whole.state, whole.records["prod/db-0400"].state) == ("stale", SetState.READY)
    again = gathered(TopicState(9, "ready", records=known.records), contents)
    assert again.records is whole.records, "without news the table is not lined up anew"


def shown(state: TopicState) -> str:
    row = worlds.context(velero=(), velero_namespace="")
    lines = trouble.nothing(
        state, row, TopicState(), LinkState.CONNECTED, "", what="snapshot sets", empty=snapshots.SHEET.nothing,
        velero=snapshots.SHEET.velero,
    )  # fmt: skip
    return " ".join(" ".join(map(plain, lines)).split())


def test_empty_loading_failed_and_no_snapshot_api_are_four_things():
    assert "loading snapshot sets" in shown(TopicState())
    assert "no snapshot sets yet: t on a StatefulSet" in shown(TopicState(1, "ready"))
    assert "✗ snapshot sets cannot be listed" in shown(TopicState(1, "failed", reason="forbidden"))
    absent = shown(TopicState(1, "ready", reason="this cluster has no snapshot API (snapshot.storage.k8s.io)"))
    assert absent.startswith("There are no snapshots in this cluster")
    assert "no snapshot API (snapshot.storage.k8s.io)" in absent


def test_forms_say_only_what_was_typed():
    assert set_forms.in_place_params({"set": "s1"}) == {"set": "s1"}
    typed = {"set": "s1", "replica": "0", "hold": "yes", "safety": "no", "first": "n", "replicas": "3"}
    assert set_forms.in_place_params(typed) == {
        "set": "s1", "ordinal": 0, "replicas": 3, "hold": True, "safety": False, "first": False,
    }  # fmt: skip
    assert set_forms.beside_params({"into": "test", "run": "no"}) == {"into": "test"}
    assert set_forms.prune_params({"keep_last": "7", "keep_within": "48h"}) == {"keep_last": 7, "keep_within": "48h"}


@pytest.mark.parametrize(
    ("make", "values", "words"),
    [
        (set_forms.in_place_params, {"replica": "-1"}, "is no number"),
        (set_forms.in_place_params, {"replica": "1", "claim": "x"}, "not both"),
        (set_forms.in_place_params, {"safety": "perhaps"}, "yes, no or empty"),
        (set_forms.prune_params, {"all": "yes"}, "what to keep"),
        (set_forms.prune_params, {"keep_last": "0"}, "what to keep"),
    ],
)
def test_what_cannot_be_meant_is_said_while_typing(make, values, words):
    with pytest.raises(ValueError, match=words):
        make(values)

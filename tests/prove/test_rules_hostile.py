"""Hostile applications under the rules: nothing of what is left can reach out, and the words say why."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lazarus_tui.model.volumes import Held
from lazarus_tui.prove.points import Contents, Item, PointVolume
from lazarus_tui.prove.rules import Options, Ruling, holds, judge
from lazarus_tui.prove.rules.modifiers import document
from lazarus_tui.sandbox.velero import modifiers as sandbox
from lazarus_tui.sandbox.velero import remake
from lazarus_tui.sandbox.velero.layout import Item as Kept
from tests.prove.harm import dangers
from tests.prove.hostile import APPLICATIONS, Application, namespaced, resource_of

HERE, THERE = "shop", "lazarus-q-01234567"


def contents(app: Application) -> Contents:
    every = [Item(resource_of(b), HERE if namespaced(b) else "", b["metadata"]["name"], b) for b in app.manifests(HERE)]
    volumes = tuple(PointVolume(name, Held.ABSENT, "skipped") for name in app.empty)
    inside = tuple(item for item in every if item.namespace)
    return Contents("velero", "p", HERE, inside, tuple(i for i in every if not i.namespace), volumes)


def ruling(app: Application) -> Ruling:
    return judge(contents(app), Options(target=THERE))


def velero(found: Ruling, item: Item) -> dict[str, Any] | None:
    """What the sandbox's Velero, which shares no code with the rules, makes of the object with this plan."""
    if item.resource in found.excluded or not item.namespace:
        return None
    kept = Kept(item.resource, item.namespace, item.name, json.loads(json.dumps(item.body)))
    if remake.skip_reason(kept):
        return None
    body = remake.remade(kept, THERE, {HERE: THERE}, False)
    if found.modifiers:
        parsed = sandbox.parse({"data": {"rules": document(found.modifiers)}}, "velero/x")
        body, errors = sandbox.apply(parsed, item.resource, item.namespace, body)
        assert errors == []
    return body


@pytest.mark.parametrize("app", APPLICATIONS, ids=lambda app: app.name)
def test_a_hostile_application_is_harmless_in_the_quarantine_or_never_gets_there(app: Application) -> None:
    point, found = contents(app), ruling(app)
    said = {(line.rule, line.verb, f"{line.resource}/{line.name}") for line in found.lines}
    assert set(app.says) <= said
    assert bool(found.blocked) is app.blocked
    if app.blocked:
        return
    for item in (*point.items, *point.cluster):
        restored = velero(found, item)
        if restored is None:
            assert item.name not in found.created.get(item.resource, ())
            continue
        assert dangers(restored, (THERE,)) == [], f"Velero restores {item.ref} with these rules"
        mine = found.apply(item.body)
        assert mine is not None
        assert dangers(mine, (HERE, THERE)) == [], f"applied here: {item.ref}"
        for one in found.expected:
            if (one["resource"], one["group"], one["name"]) == (item.plural, item.group, item.name):
                assert holds(restored, one), one
                assert holds(mine, one), one


def test_the_library_has_applications_of_every_kind_of_harm() -> None:
    assert len(APPLICATIONS) >= 50
    assert len({app.name for app in APPLICATIONS}) == len(APPLICATIONS)
    rules = {rule for app in APPLICATIONS for rule, _, _ in app.says}
    assert rules >= {
        "S2",
        "S3",
        "S6",
        "S7",
        "S8",
        "S9",
        "S10",
        "S11",
        "S12",
        "S13",
        "S14",
        "S15",
        "S16",
        "S17",
        "S18",
        "S19",
    }


@pytest.mark.parametrize("app", APPLICATIONS, ids=lambda app: app.name)
def test_without_the_rules_the_same_objects_are_dangerous(app: Application) -> None:
    """The measure itself can see: every application but those whose harm is in storage or scaling shows some."""
    quiet = {"only-empty-dir", "consumer", "claims-go-with-replicas", "deleted-disk", "quotas"}
    seen = [danger for body in app.manifests(HERE) for danger in dangers(body, (THERE,))]
    assert seen or app.name in quiet


def test_volumes_without_data_can_never_be_green() -> None:
    for app in APPLICATIONS:
        assert bool(app.empty) <= bool(ruling(app).not_green), app.name
    assert any("hostPath" in why for why in ruling(next(a for a in APPLICATIONS if a.name == "host-path")).not_green)
    assert ruling(next(a for a in APPLICATIONS if a.name == "ingress")).not_green == ()

"""Hostile text in every pane: no crash, no control byte, no action fired, nothing taken for markup."""

from __future__ import annotations

import unicodedata
from typing import Any

import msgspec
import pytest

from lazarus_tui.model.objects import Backup, Location, Restore, Schedule
from lazarus_tui.model.operation import Operation
from lazarus_tui.model.proofs import ProofView
from lazarus_tui.model.topics import ContextRow, LogLine, WorkloadRow
from tests.console import proofs, worlds
from tests.view.payloads import PAYLOADS

TEXTS = [text.encode("utf-8", "replace").decode() for text in PAYLOADS]
GROUPS = [TEXTS[at::4] for at in range(4)]
# Facts a program decides by; everything else in a record may be anybody's text.
KEPT = {"verdict", "lastVerdict", "proven", "state", "danger", "last_verdict", "kind", "digest", "result", "control"}


def spoil(value: Any, texts: list[str], key: str = "") -> Any:
    """The same record with hostile text in every string."""
    if isinstance(value, dict):
        return {name: spoil(item, texts, name) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [spoil(item, texts, key) for item in value]
    if isinstance(value, str) and key not in KEPT:
        texts.append(texts.pop(0))
        return texts[0]
    return value


def spoilt(records: dict[str, Any], kind: type, texts: list[str]) -> dict[str, Any]:
    return {
        f"{at}": msgspec.convert(spoil(msgspec.to_builtins(each), texts), kind)
        for at, each in enumerate(records.values())
    }


def poison(link, texts: list[str]) -> None:
    name = worlds.CONTEXT
    operation = msgspec.convert(spoil(msgspec.to_builtins(worlds.finished_operation()), texts), Operation)
    row = msgspec.convert(spoil(msgspec.to_builtins(worlds.context()), texts), ContextRow)
    row = msgspec.structs.replace(row, name=name, state="ready", write_until="always")
    link.put("contexts", {name: row})
    link.put(f"overview/{name}", spoilt(worlds.overview(), WorkloadRow, texts))
    link.put(f"backups/{name}", spoilt(worlds.backups(), Backup, texts))
    link.put(f"schedules/{name}", spoilt(worlds.schedules(), Schedule, texts))
    link.put(f"restores/{name}", spoilt(worlds.restores(), Restore, texts))
    link.put(
        f"locations/{name}", spoilt(worlds.locations(), Location, texts), state="stale", reason=texts[0], hint=texts[1]
    )
    link.put("operations", {operation.id: operation})
    link.put(f"proofs/{name}", spoilt(proofs.views(proofs.red(), proofs.running()), ProofView, texts))
    link.put(f"oplog/{operation.id}", {str(n): LogLine(n, "", text) for n, text in enumerate(texts)})
    link.answers["context.use"] = row
    link.answers["object.get"] = {
        "kind": texts[0],
        "metadata": {"name": texts[1], "labels": {"a": texts[2]}},
        "x": texts,
    }
    link.answers["artefact.get"] = {
        "text": "\n".join(texts),
        "json": {"errors": {"cluster": texts, "namespaces": {texts[0]: texts}}, "v1/Pod": texts},
    }  # fmt: skip


def look(hands, where: str) -> None:
    bad = [char for char in "".join(hands.lines) if unicodedata.category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp")]
    assert not bad, f"{where}: {[hex(ord(char)) for char in bad[:5]]}"


@pytest.mark.parametrize("texts", GROUPS, ids=range(4))
async def test_every_pane_shows_hostile_text_and_obeys_none(opened, link, texts):
    poison(link, list(texts))
    async with opened() as hands:
        look(hands, "overview")
        for key in ("2", "3", "4", "5", "7"):
            await hands.press(key, "j")
            look(hands, key)
        await hands.press("G", "enter")
        look(hands, "proofs of a workload")
        await hands.press("2", "d")
        for key in ("y", "l", "e", "o", "v"):
            await hands.press(key)
            look(hands, f"document {key}")
        await hands.press("escape", "5", "enter")
        look(hands, "operation")
        await hands.press("escape", "C")
        look(hands, "contexts")
        assert {name for name, _ in link.calls} <= {"context.use", "object.get", "artefact.get"}, "nothing was fired"
        assert not hands.app._exit


@pytest.mark.parametrize("texts", GROUPS, ids=range(4))
async def test_plans_and_refusals_with_hostile_text(opened, link, texts):
    from tests.console.fake_link import refused

    plan = spoil(msgspec.to_builtins(worlds.delete_plan()), list(texts))
    link.answers["plan.make"] = {**plan, "danger": "destroys"}
    async with opened() as hands:
        await hands.press("2", "ctrl+d")
        look(hands, "plan")
        link.answers["plan.make"] = refused(texts[0], texts[1])
        await hands.press("escape", "ctrl+d")
        look(hands, "refusal")
        link.lose(texts[2])
        await hands.settle()
        look(hands, "banner")

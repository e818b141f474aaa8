"""The Proofs pane by its keys: rows, runs of a workload, a live proof, and one key that proves what is selected."""

from __future__ import annotations

import msgspec
import pytest

from lazarus_tui.model.objects import BackupSpec
from tests.console import proofs, queueing, worlds
from tests.console.fake_link import refused
from tests.console.moment import CONTEXT


@pytest.fixture
def proven(link):
    proofs.fill(link)
    link.answers["plan.make"] = proofs.plan
    link.answers["operation.start"] = proofs.running()
    return link


async def test_from_the_list_to_a_run_and_back(opened, proven):
    async with opened() as hands:
        await hands.press("7", "j")
        assert proven.wanted >= {f"overview/{CONTEXT}", f"proofs/{CONTEXT}"}
        assert "✗ its data is damaged" in hands.text
        assert max(len(line.rstrip()) for line in hands.lines) <= 80
        await hands.press("enter")
        assert "7 Proofs › shop/StatefulSet/orders" in hands.text
        assert "Back in: the last proofs, target 1m00s" in hands.text
        assert "control withhold" in hands.text
        await hands.press("enter")
        assert "Verdict  ✗ FAILED" in hands.text
        await hands.press("escape", "escape")
        assert "PROVEN UP TO" in hands.text
        await hands.press("colon")
        await hands.type("proofs intranet")
        await hands.press("enter")
        assert "shop/orders" not in hands.text
        assert "intranet/wiki" in hands.text


async def test_what_a_pane_shows_is_written_to_a_file_of_its_own(opened, proven, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    async with opened() as hands:
        await hands.press("7", "j", "ctrl+s")
        (path,) = tmp_path.iterdir()
        assert "written: " in hands.said
        assert path.name in hands.said.replace(" ", "")
        text = path.read_text()
        assert path.stat().st_mode & 0o777 == 0o600
        order = [text.index(words) for words in ("policies  ", "PROVEN UP TO", "intranet/wiki", "its data is damaged")]
        assert order == sorted(order)
        assert "? help" not in text
        path.unlink()
        await hands.press("enter", "enter", "ctrl+s")
        (path,) = tmp_path.iterdir()
        text = path.read_text()
        assert text.index("Prove namespace shop") < text.index("Verdict  ✗ FAILED") < text.index("Judge")


async def test_a_live_proof_ticks_where_it_is_looked_at(opened, proven):
    proofs.fill(proven, *proofs.history().values(), proofs.running("isolation"))
    async with opened() as hands:
        await hands.press("7", "j")
        assert "▶ running 41s" in hands.text
        await hands.press("enter", "enter")
        assert "✓ the internet" in hands.text
        proofs.fill(proven, proofs.running())
        hands.app.screen.renew()
        await hands.settle()
        assert "▶ healthy" in hands.text
        assert "web answers" in hands.text
        assert "Verdict" not in hands.text


async def test_one_key_proves_what_is_selected_and_cancel_is_the_default(opened, proven, unguarded):
    async with opened() as hands:
        await hands.press("down", "p")
        assert "✗ NO DATA" in hands.text
        assert proven.calls[-1][1] == {
            "kind": "prove.run", "context": CONTEXT,
            "params": {"namespace": "shop", "workload": "StatefulSet/orders", "point": "ka-07-offsite-20261120093000"},
        }  # fmt: skip
        await hands.press("enter")
        assert not hands.called("operation.start")
        await hands.press("2", "j", "p")
        asked = hands.called("plan.make")[-1]["params"]
        assert asked == {"namespace": "shop", "point": "ka-03-hourly-20261120100000"}
        await hands.press("right", "enter")
        assert hands.called("operation.start")[0]["confirm"] == ""
        assert "operation feed0123feed0123 is not in the journal yet" in hands.text
        proven.put("operations", {}, "failed", reason="the journal cannot be read")
        hands.app.screen.renew()
        await hands.settle()
        assert "? not known: the journal cannot be read" in hands.text


@pytest.mark.parametrize("keys", [("1",), ("7",), ("7", "enter")])
async def test_a_workload_whose_newest_point_is_a_set_is_proven_from_that_set(opened, proven, keys):
    proven.answers["plan.make"] = refused("stop here")
    rows = worlds.overview()
    of_set = msgspec.structs.replace(rows[proofs.ORDERS].newest, kind="snapshots", name="orders-0400")
    rows[proofs.ORDERS] = msgspec.structs.replace(rows[proofs.ORDERS], newest=of_set)
    proven.put(f"overview/{CONTEXT}", {proofs.ORDERS: rows[proofs.ORDERS]})
    proven.put("contexts", {CONTEXT: worlds.context(velero_namespace="", velero=())})
    async with opened() as hands:
        await hands.press(*keys, "p")
        point = "orders-0400" if keys == ("1",) else "latest"
        assert hands.called("plan.make")[-1]["params"] == {
            "namespace": "shop", "workload": "StatefulSet/orders", "point": point, "source": "snapshots",
        }  # fmt: skip


async def test_a_set_is_proven_as_a_set_and_a_broken_one_is_not(opened, proven):
    proven.answers["plan.make"] = refused("stop here")
    async with opened() as hands:
        await hands.press("6", "slash")
        await hands.type("db-0400")
        await hands.press("enter", "p")
        assert hands.called("plan.make")[-1]["params"] == {
            "namespace": "prod", "workload": "StatefulSet/db", "source": "snapshots", "point": "db-0400",
        }  # fmt: skip
        await hands.press("escape", "slash")
        await hands.type("db-0300")
        await hands.press("enter", "p")
        assert "prove: a set that is incomplete cannot be restored" in hands.lines[-1]


async def test_a_backup_of_several_namespaces_asks_which_one(opened, proven):
    found = worlds.backup("everything", worlds.ago(hours=1))
    found = type(found)(found.metadata, BackupSpec(included_namespaces=["shop", "intranet"]), found.status)
    proven.put(f"backups/{CONTEXT}", {"velero/everything": found})
    async with opened() as hands:
        await hands.press("2", "p")
        assert "One namespace at a time" in hands.text or "only workload" in hands.text
        assert not hands.called("plan.make")
        await hands.press("ctrl+s")
        assert hands.called("plan.make")[-1]["params"] == {"namespace": "shop", "point": "everything"}


async def test_a_negative_control_is_filled_in_and_planned(opened, proven):
    async with opened() as hands:
        await hands.press("7", "j", "x")
        assert "break it by" in hands.text
        await hands.press("ctrl+s")
        assert hands.called("plan.make")[-1]["params"] == {
            "namespace": "shop", "workload": "StatefulSet/orders", "point": "latest", "control": "withhold",
        }  # fmt: skip


async def test_without_proofs_every_row_says_so_and_opening_one_is_no_dead_end(opened, link):
    link.put("operations", {})
    async with opened() as hands:
        await hands.press("7", "enter")
        assert "○ no rung was ever proven: it has no usable point, so there is nothing to prove" in " ".join(
            hands.text.split()
        )
        await hands.press("enter")
        assert "nothing of it was proven yet" in hands.lines[-1]
        await hands.press("p")
        assert "prove: this workload has no usable recovery point" in hands.lines[-1]


async def test_what_is_queued_and_what_proves_by_itself_is_seen_and_asked_for(opened, proven):
    proven.answers["proof-policy.run"] = [queueing.entry(9)]
    async with opened() as hands:
        await hands.press("7")
        assert proven.wanted >= {f"policies/{CONTEXT}", f"queue/{CONTEXT}"}
        assert "○ 2 waiting, the first for 3m" in hands.lines[2]
        assert "▲ 1 overdue" in hands.lines[4]
        await hands.press("P")
        assert "7 Proofs › policies" in hands.lines[1]
        assert "○ not enabled" in hands.text
        await hands.press("p")
        assert "lazarus --sandbox policy enable audit" in hands.lines[-1]
        await hands.press("j", "p")
        assert hands.called("proof-policy.run") == [{"context": CONTEXT, "name": "shop", "control": False}]
        assert "a proof of each workload of shop is queued" in hands.lines[-1]
        proven.answers["proof-policy.run"] = []
        await hands.press("p")
        assert "nothing is queued: no workload has the labels that shop names" in hands.lines[-1]
        await hands.press("x")
        assert hands.called("proof-policy.run")[-1]["control"] is True
        await hands.press("c")
        assert hands.app.clipboard == "shop"
        assert max(len(line.rstrip()) for line in hands.lines) <= 80
        await hands.press("enter")
        assert "it is Failed: nothing to prove" in hands.text
        proven.put(f"policies/{CONTEXT}", {"wiki": queueing.rows()["wiki"]})
        hands.app.screen.renew()
        await hands.settle()
        assert "this policy is gone" in hands.text
        await hands.press("escape", "escape")
        assert "PROVEN UP TO" in hands.text
        await hands.press("1", "colon")
        await hands.type("queue")
        await hands.press("enter")
        assert "POLICY" in hands.text


async def test_an_engine_without_policies_says_so_and_the_list_of_proofs_stays(opened, proven):
    for name in ("policies", "queue"):
        proven.put(f"{name}/{CONTEXT}", {}, state="failed", reason=f"the engine has no topic {name}")
    async with opened() as hands:
        await hands.press("7")
        assert "▲ queue and policies are not known: the engine has no topic policies" in hands.text
        assert "shop/orders" in hands.text
        await hands.press("P")
        assert "the engine has no topic policies" in hands.text


@pytest.mark.parametrize(("topic", "keys"), [
    (f"proofs/{CONTEXT}", ("7", "j", "enter")), (f"policies/{CONTEXT}", ("7", "P", "enter")),
    (f"overview/{CONTEXT}", ("1", "d")), (f"snapshots/{CONTEXT}", ("6", "enter")),
])  # fmt: skip
async def test_what_is_not_known_any_more_is_not_called_gone(opened, proven, topic, keys):
    async with opened() as hands:
        await hands.press(*keys)
        proven.put(topic, {}, state="loading")
        hands.app.screen.renew()
        await hands.settle()
        assert "loading" in hands.text
        assert "gone" not in hands.text
        proven.put(topic, {}, state="failed", reason="the engine has no such topic", hint="look at the engine")
        hands.app.screen.renew()
        await hands.settle()
        assert "? not known: the engine has no such topic" in hands.text
        assert "gone" not in hands.text
        proven.put(topic, {})
        hands.app.screen.renew()
        await hands.settle()
        assert "gone" in hands.text or "nothing of it was proven yet" in hands.text


async def test_commands_are_told_as_they_are_typed_for_the_sandbox(opened, proven):
    proven.answers["proof-policy.run"] = refused("policy shop is not enabled", "lazarus policy enable shop")
    async with opened() as hands:
        await hands.press("7", "P", "j", "x")
        assert "✗ control now: refused" in hands.text
        assert "→ lazarus --sandbox policy enable shop" in hands.text
        await hands.press("escape")
        proven.put(f"policies/{CONTEXT}", {})
        hands.app.screen.renew()
        await hands.settle()
        assert "nothing is proven by itself yet: lazarus --sandbox policy enable shop" in hands.text
        proven.put("contexts", {CONTEXT: worlds.context(sandbox=False)})
        hands.app.screen.renew()
        await hands.settle()
        assert "nothing is proven by itself in this context: lazarus policy apply -f FILE" in hands.text

"""Going places: modes, prompt, filter, marks, help; every key through the real keyboard path."""

from __future__ import annotations

import msgspec

from lazarus_tui.model.operation import OpState
from lazarus_tui.model.topics import Finding
from tests.console import worlds
from tests.console.fake_link import refused


async def test_overview_answers_the_four_questions_at_80x24(opened):
    async with opened() as hands:
        await hands.press("down")
        text, lines = hands.text, hands.lines
    assert "1 What would we lose now? 1h12m of data" in text
    assert "passed over ka-03-hourly-20261120100000" in text
    assert "no data of data-orders-0 in it" in text
    assert "✓ PASSED 3h ago" in text
    assert "47s when last measured" in text
    assert "next backup in 17m50s" in text
    assert "offsite dial tcp: lookup minio.velero.svc: no such host" in text
    assert max(len(line.rstrip()) for line in lines) <= 80


async def test_digits_and_commands_lead_to_the_five_places(opened, link):
    async with opened() as hands:
        for key, word in (
            ("2", "ka-07-offsite-20261120093000"),
            ("3", "PAUSED"),
            ("4", "queued behind"),
            ("5", "STATE"),
        ):
            await hands.press(key)
            assert word in hands.text
        await hands.press("colon")
        await hands.type("sc")
        await hands.press("enter")
        assert hands.app.current_mode == "schedules"
        assert f"schedules/{worlds.CONTEXT}" in link.wanted
        assert f"backups/{worlds.CONTEXT}" not in link.wanted, "only the visible place is followed"


async def test_command_with_namespace_and_filter_narrows_and_esc_takes_it_back(opened):
    async with opened() as hands:
        await hands.press("colon")
        await hands.type("backups shop /offsite-2")
        await hands.press("enter")
        assert "1 of 30  shop  /offsite-2" in hands.lines[1]
        await hands.press("escape")
        assert hands.lines[1].rstrip().endswith(" 30")


async def test_an_unknown_command_says_what_is_known(opened):
    async with opened() as hands:
        await hands.press("colon")
        await hands.type("bakups")
        await hands.press("enter")
        assert hands.said.startswith("unknown: bakups; known: overview, backups")
        assert hands.said.endswith("theme, quit")


async def test_typing_a_filter_narrows_while_it_is_typed(opened):
    async with opened() as hands:
        await hands.press("2", "slash")
        await hands.type("upgr")
        assert "before-the-upgrade" in hands.text
        assert "ka-03" not in hands.text
        await hands.press("escape")
        assert "1 of 30" in hands.lines[1], "leaving the prompt keeps what was found"


async def test_a_filter_without_matches_says_so(opened):
    async with opened() as hands:
        await hands.press("2", "slash")
        await hands.type("zzz")
        await hands.press("enter")
        assert "none of 30 match /zzz" in hands.text


async def test_marks_count_also_where_the_filter_hides_them(opened, link):
    async with opened() as hands:
        await hands.press("2", "space", "space", "slash")
        await hands.type("upgrade")
        await hands.press("enter")
        assert "2 marked" in hands.lines[1]
        assert len(hands.app.screen.table.chosen()) == 2


async def test_sorting_by_name_and_back(opened):
    async with opened() as hands:
        await hands.press("2", "N")
        assert "NAME↑" in hands.text
        assert hands.app.screen.table._keys[0] == "velero/before-the-upgrade"
        await hands.press("N")
        assert "NAME↓" in hands.text


async def test_the_cursor_stays_on_its_record_when_rows_arrive(opened, link):
    async with opened() as hands:
        await hands.press("2", "down", "down")
        key = hands.app.screen.table.key
        new = worlds.backup("brand-new", worlds.ago(seconds=1))
        link.put(f"backups/{worlds.CONTEXT}", {"velero/brand-new": new, **worlds.backups()})
        await hands.settle()
        assert hands.app.screen.table.key == key
        assert "brand-new" in hands.text


async def test_help_lists_the_keys_of_the_place_it_was_asked_in(opened):
    async with opened() as hands:
        await hands.press("3", "question_mark")
        assert "t      run now" in hands.text
        assert "r      restore" not in hands.text
        await hands.press("escape")
        assert hands.app.current_mode == "schedules"


async def test_describe_yaml_and_errors_of_a_backup(opened, link):
    chosen = worlds.backups()["velero/before-the-upgrade"]

    link.answers["object.get"] = {**msgspec.to_builtins(chosen), "kind": "Backup"}
    link.answers["artefact.get"] = {"json": {"errors": {"cluster": ["dial tcp: no such host"] * 2}, "warnings": {}}}
    async with opened() as hands:
        await hands.press("2", "slash")
        await hands.type("upgrade")
        await hands.press("enter", "d")
        assert "What it was asked to hold" in hands.text
        await hands.press("y")
        assert "kind: Backup" in hands.text
        await hands.press("e")
        assert "✗ 2 errors" in hands.text
        assert "(2 times)" in hands.text
        assert "check s3Url" in hands.text
        await hands.press("escape")
        assert hands.called("artefact.get")[0]["kind"] == "BackupResults"


async def test_a_refused_file_is_explained_in_the_pane(opened, link):
    link.answers["artefact.get"] = refused("the bucket does not answer", "from a jump host use a port-forward")
    async with opened() as hands:
        await hands.press("2", "j", "l")
        assert "✗ the bucket does not answer" in hands.text
        assert "→ from a jump host use a port-forward" in hands.text


async def test_ctrl_c_asks_and_stay_is_the_default(opened):
    async with opened() as hands:
        await hands.press("ctrl+c")
        assert "Leave the console?" in hands.text
        await hands.press("enter")
        assert hands.app.is_running
        assert not hands.app._exit
        await hands.press("ctrl+c", "right", "enter")
        assert hands.app._exit
        assert not hands.called("engine.stop"), "leaving stops nothing"


async def test_an_operation_keeps_its_running_step_in_view_until_it_ends(opened, link):
    running = worlds.running_operation()
    planned = [step for step in running.steps if step.state == "planned"]
    done = [msgspec.structs.replace(running.steps[0], name=f"d{n}", title=f"done {n}") for n in range(20)]
    link.put("operations", {running.id: msgspec.structs.replace(running, steps=(*done, running.steps[3], *planned))})
    async with opened() as hands:
        await hands.press("5", "enter")
        assert "▶ restore shop from the point" in hands.text
        assert "volumes" in hands.text
        assert "done 0 " not in hands.text
        await hands.press("g")
        assert "done 0 " in hands.text
        link.put("operations", {running.id: msgspec.structs.replace(worlds.finished_operation(), id=running.id)})
        hands.app._renew()
        await hands.settle()
        assert "Verdict  ✓ PASSED" in hands.text
        assert "from the loss (T0) until every check held (T12)" in hands.text
        assert "of 18254; 18233 restored" in hands.text
        assert "in the shop just before the loss (T0)" in hands.text


async def test_a_card_that_is_too_long_for_80x24_says_so_and_d_shows_all(opened, link):
    key, row = next(iter(worlds.overview().items()))
    texts = [f"tier {n} promises 4h, but runs at 02:00 every day only" for n in range(9)]
    findings = tuple(Finding("warning", text, "more often") for text in texts)
    link.put(f"overview/{worlds.CONTEXT}", {key: msgspec.structs.replace(row, findings=findings)})
    async with opened() as hands:
        assert "more lines: d shows all of it" in hands.text
        assert "running   " in hands.text
        assert "? help" in hands.lines[-1]
        assert "● live" in hands.lines[0]
        await hands.press("d", "G")
        assert "tier 8 promises 4h" in hands.text


async def test_an_open_operation_shows_no_verdict(opened, link):
    ended = worlds.finished_operation()
    link.put("operations", {ended.id: msgspec.structs.replace(ended, state=OpState.RUNNING)})
    async with opened() as hands:
        await hands.press("5")
        assert "PASSED" not in hands.text
        await hands.press("enter", "G")
        assert "Checks so far" in hands.text
        assert "Verdict" not in hands.text
        assert "Measured" not in hands.text


async def test_a_terminal_without_glyphs_gets_letters(opened):
    async with opened(plain_glyphs=True, theme="lazarus-ansi-dark") as hands:
        assert "x ALL" in hands.text
        assert "+ PASSED 3h ago" in hands.text
        assert not set(hands.text) & set("✓✗▲▶○●…")


async def test_without_colours_the_row_of_the_cursor_is_still_seen(opened, monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    async with opened(theme="lazarus-ansi-dark") as hands:
        await hands.press("2", "j")
        strips = hands.app.screen._compositor.render_strips()
        bars = [
            y
            for y, strip in enumerate(strips)
            if any(part.style and part.style.reverse and part.text.strip(" ▁▂▃▄▅▆▇█") for part in strip)
        ]
        assert len(bars) == 1
        assert "ka-03-hourly-20261120100000" in hands.lines[bars[0]]

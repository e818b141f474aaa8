"""The command line under rough hands: pipes that close, names that do not exist, no terminal, wrong confirmations."""

from __future__ import annotations

import json
import subprocess

import pytest
import yaml

from tests.faults.conftest import GOOD, LAZARUS, PATIENCE, Field

LISTS = ("backup", "restore", "schedule", "location", "operation", "context", "evidence")


def test_every_list_is_valid_in_every_form(shop: Field) -> None:
    for noun in LISTS:
        for _ in range(5):  # a Schedule may take one in between, or another one expire
            named, found = listed(shop, noun)
            if named == found:
                break
        assert named == found, noun
        table = shop.run("--sandbox", noun, "list")
        assert table.returncode == 0
        assert "Traceback" not in table.stderr
    whole = shop.run("--sandbox", "location", "list", "-o", "yaml").stdout
    assert [each["metadata"]["name"] for each in yaml.safe_load(whole)] == [
        each["metadata"]["name"] for each in shop.asked("location", "list")
    ]


def listed(shop: Field, noun: str) -> tuple[int, int]:
    """How many names a list has, and how many objects."""
    found = shop.asked(noun, "list")
    assert isinstance(found, list), noun
    return len(shop.run("--sandbox", noun, "list", "-o", "name").stdout.split()), len(found)


@pytest.mark.parametrize("form", ["table", "json", "yaml"])
def test_a_reader_that_has_enough_is_no_failure(shop: Field, form: str) -> None:
    command = " ".join(f"'{word}'" for word in (*LAZARUS, "--sandbox", "backup", "list", "-o", form))
    done = subprocess.run(
        ["bash", "-c", f"{command} | head -n 1; echo ${{PIPESTATUS[0]}}"],
        env=shop.env, capture_output=True, text=True, timeout=PATIENCE, check=True,
    )  # fmt: skip
    assert (done.stdout.splitlines()[-1], done.stderr) == ("0", "")


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ((), 64, "needs a terminal"),
        (("backup", "nonsense"), 64, "No such command"),
        (("restore", "create"), 64, "--from-backup"),
        (("backup", "describe", "nope"), 5, "nope"),
        (("operation", "show", "nope"), 5, "no operation 'nope'"),
        (("undo", "nope"), 5, "no operation 'nope'"),
        (("restore", "create", "--from-backup", "nope"), 5, "there is no backup nope"),
        (("schedule", "run", "nope"), 5, "there is no schedule nope"),
        (("backup", "delete", GOOD), 5, f"--confirm {GOOD}"),
        (("backup", "delete", GOOD, "--confirm", "other"), 5, "is not the target"),
        (("--context", "nope", "backup", "list"), 5, "no context nope"),
    ],
)
def test_a_refusal_is_a_sentence_with_its_code(shop: Field, words: tuple[str, ...], code: int, said: str) -> None:
    done = shop.run("--sandbox", *words)
    assert (done.returncode, done.stdout) == (code, "")
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert "defect of Lazarus" not in done.stderr


def test_a_schedule_is_paused_and_runs_again_by_undo(shop: Field) -> None:
    def paused() -> bool:
        return bool(shop.api("GET", "/apis/velero.io/v1/namespaces/velero/schedules/tier-hot")["spec"].get("paused"))

    assert shop.run("--sandbox", "schedule", "pause", "tier-hot", "--confirm", "tier-hot").returncode == 0
    assert paused()
    newest = shop.asked("operation", "list")[0]
    assert shop.run("--sandbox", "undo", newest["id"], "--confirm", "tier-hot").returncode == 0
    assert not paused()


def test_a_restore_over_the_living_shop_is_never_green(shop: Field) -> None:
    """Velero leaves what exists as it is and calls that Completed; the data on it are not the backup's."""
    done = shop.run("--sandbox", "restore", "create", "--from-backup", GOOD, "-n", "shop", "--confirm", "shop",
                    "-o", "json")  # fmt: skip
    told = json.loads(done.stdout)
    assert (done.returncode, told["verdict"]) == (2, "FAILED")
    assert "NOTHING was restored into it" in done.stdout
    assert told["figures"]["rpa_seconds"] is None

"""kill -9 in the middle of the main job, again and again: the same operation ends well, and nothing is done twice."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from lazarus_tui.sandbox import process
from tests.crash.arena import kept
from tests.faults.conftest import Field

# In which step it is killed, how many are done by then, and whether the cluster dies with it (Velero calls a restore it
# lost Failed, so not in the last).
MOMENTS = (
    ("Create the backup", 2, False),
    ("Wait for 20 more orders", 8, True),
    ("Delete the namespace", 9, True),
    ("Restore the objects", 15, False),
    ("Run the checks", 21, False),
)


def rehearse_until(field: Field, moment: str, before: int, more: int) -> bool:
    """Follow a rehearsal to ``moment`` and leave the command to what happens then; whether the command told of it.

    ``before`` steps come before it, ``more`` of them in this engine's life. Whoever watches may be late: an engine that
    nobody has killed by the end of that step kills itself there.
    """
    field.env["LAZARUS_FP"] = f"runner.before_step_done=kill9@{more + 1}"
    with field.start("rehearse", "-o", "json") as child:
        assert child.stderr is not None
        told = []
        for line in child.stderr:
            told.append(line)
            if moment in line:
                break
        field.kill_engine()
        told.append(child.stderr.read())
    del field.env["LAZARUS_FP"]
    assert child.returncode == 1, told
    assert "run the command again; an open operation resumes by itself" in "".join(told)
    done = [event.body["step"] for event in kept(field.sandbox.journal) if event.kind == "step.done"]
    assert len(done) == before, f"killed in another step than {moment!r}, after {done}"
    return any(moment in line for line in told)


def journalled(path: Path, kind: str) -> list[dict[str, Any]]:
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
        rows = db.execute("SELECT body FROM event WHERE kind = ? ORDER BY seq", (kind,)).fetchall()
    return [json.loads(body) for (body,) in rows]


@pytest.mark.timeout(900)
def test_a_rehearsal_killed_at_five_moments_ends_as_if_nothing_had_happened(field: Field) -> None:
    process.keep(field.sandbox.ensure().cluster)  # between two commands nobody uses it, and it would end by itself
    had, told_of = 0, []
    for moment, before, whole in MOMENTS:
        if rehearse_until(field, moment, before, before - had):
            told_of.append(moment)
        had = before
        if whole:
            field.kill_sandbox()
    done = field.run("rehearse", "-o", "json", timeout=300)
    assert done.returncode == 0, done.stderr
    assert told_of, "none of the steps was told while it ran"  # a short one may be over before it is told
    told = json.loads(done.stdout)
    orders, rta = told["orders"], told["rta"]
    assert (told["state"], told["verdict"]) == ("done", "PASSED")
    assert orders["at_loss"] - orders["lost"] == orders["restored"] >= orders["before"]
    if told["point"]["name"].startswith("tier-"):  # a full hour passed, and a Schedule took a newer one
        assert told["point"]["start"][14:16] == "00"
    else:
        assert (orders["lost"] >= 20, told["rpa_seconds"] >= 15) == (True, True)
    assert rta["total_seconds"] >= max(rta["phases"].values()) > 0
    assert abs(rta["total_seconds"] - sum(rta["phases"].values())) < 0.1
    assert json.loads(Path(told["evidence"]).read_text())["verdict"] == "PASSED"

    (operation,) = field.asked("operation", "list")
    assert operation["recoveries"] == len(MOMENTS)
    ours = f"?labelSelector=lazarus.io%2Fop%3D{operation['id'][:8]}"
    velero = "/apis/velero.io/v1/namespaces/velero"
    restores = field.api("GET", f"{velero}/restores{ours}")["items"]
    backups = [item["metadata"]["name"] for item in field.api("GET", f"{velero}/backups{ours}")["items"]]
    assert [item["status"]["phase"] for item in restores] == ["Completed"]
    assert told["point"]["name"] in backups or told["point"]["name"].startswith("tier-")

    assert field.run("--sandbox", "engine", "stop").returncode == 0
    intents = journalled(field.sandbox.journal, "gate.intent")
    results = Counter(body["intent"] for body in journalled(field.sandbox.journal, "gate.result"))
    assert max(results.values()) == 1
    deleted = {body.get("uid") for body in intents if body["verb"] == "delete" and "namespaces" in json.dumps(body)}
    assert len(deleted) == 1, "one namespace, by one uid"

"""``lazarus sandbox fault`` on a real sandbox: its words, its exit codes, and Lazarus living through it."""

from __future__ import annotations

import http.client
import json
import urllib.error
from collections.abc import Iterator
from typing import Any

import pytest

from tests.faults.conftest import GOOD, Field

MAPS = "/api/v1/namespaces/shop/configmaps"
# Requests to MAPS alone: an engine is there too, and lists what it likes when it likes.
OURS = ("--resource", "configmaps", "--namespace", "shop")


@pytest.fixture
def hurt(shop: Field) -> Iterator[Field]:
    """The shop's sandbox, without a fault before and after."""
    fault(shop, "clear")
    yield shop
    fault(shop, "clear")


def fault(field: Field, *words: str) -> Any:
    done = field.run("sandbox", "fault", *words, "-o", "json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def status(field: Field, method: str = "GET", path: str = MAPS, body: Any = None) -> int:
    try:
        field.api(method, path, body)
    except urllib.error.HTTPError as error:
        with error:
            return error.code
    return 200


def test_without_a_sandbox_there_are_no_faults(field: Field) -> None:
    for words in (("list",), ("log",), ("clear",), ("add", "reset")):
        done = field.run("sandbox", "fault", *words)
        assert (done.returncode, done.stdout) == (4, "")
        assert "the sandbox is down, so it can have no faults" in done.stderr


def test_a_fault_is_added_seen_hit_told_and_cleared(hurt: Field) -> None:
    words = ["--status", "507", *OURS, "--verb", "list", "--for", "10h"]
    (added,) = fault(hurt, "add", "error", *words)
    assert (added["kind"], added["parameters"]["status"], added["hits"]) == ("error", 507, 0)
    assert (status(hurt), status(hurt, path=f"{MAPS}/shop-settings")) == (507, 200)
    assert [one["hits"] for one in fault(hurt, "list")] == [1]
    assert [(hit["target"], hit["done"]) for hit in fault(hurt, "log", "--fault", added["id"])] == [
        (f"list {MAPS}", "answered 507")
    ]
    shown = hurt.run("sandbox", "status")
    assert (shown.returncode, f"faults: {added['id']}" in shown.stdout) == (0, True)
    table = hurt.run("sandbox", "fault", "list").stdout
    assert "status=507" in table
    assert "list configmaps" in table
    assert [one["id"] for one in fault(hurt, "clear", added["id"])] == [added["id"]]
    assert status(hurt) == 200
    again = hurt.run("sandbox", "fault", "clear", added["id"])
    assert (again.returncode, f"no fault '{added['id']}' is active" in again.stderr) == (64, True)


def test_real_connections_break_at_the_byte(hurt: Field) -> None:
    fault(hurt, "add", "reset-after", *OURS, "--times", "1")
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "answerless"}}
    with pytest.raises(OSError):  # noqa: PT011 - how a broken connection shows is the standard library's business
        hurt.api("POST", MAPS, body)
    assert status(hurt, path=f"{MAPS}/answerless") == 200
    assert status(hurt, "DELETE", f"{MAPS}/answerless") == 200
    fault(hurt, "add", "cut", "--bytes", "20", "--verb", "list", *OURS, "--times", "1")
    with pytest.raises((OSError, http.client.IncompleteRead)):
        hurt.api("GET", MAPS)
    assert status(hurt) == 200


def test_a_renewed_token_is_found_and_a_lost_answer_makes_no_second_backup(hurt: Field) -> None:
    assert any(row["metadata"]["name"] == GOOD for row in hurt.asked("backup", "list"))
    old = hurt.token()
    (expired,) = fault(hurt, "add", "token-expired")
    assert status(hurt) == 401
    fault(hurt, "clear", expired["id"])
    assert hurt.token() != old
    assert status(hurt) == 200

    # And a backup whose creation lost its answer is made once.
    (lost,) = fault(hurt, "add", "reset-after", "--verb", "create", "--resource", "backups.velero.io")
    done = hurt.run(
        "--sandbox", "backup", "create", "once", "-n", "shop", "--include-resources", "configmaps", "-o", "json"
    )
    assert done.returncode in (0, 4), done.stderr
    assert len(fault(hurt, "log", "--fault", lost["id"])) == 1
    fault(hurt, "clear")
    found = hurt.api("GET", "/apis/velero.io/v1/namespaces/velero/backups")["items"]
    assert [one["metadata"]["name"] for one in found if "once" in one["metadata"]["name"]] == ["once"]

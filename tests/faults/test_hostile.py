"""Hostile text and secrets through the whole road: cluster, engine, link, console in a terminal, commands, files."""

from __future__ import annotations

import base64
import gzip
import json
import re
import unicodedata
from pathlib import Path
from typing import Any

import pytest

from tests.faults.conftest import GOOD, Field

VELERO = "/apis/velero.io/v1/namespaces/velero"
TEXT = (
    "\x1b]52;c;cm0gLXJmIC8=\x07 \x1b]0;owned\x07 \x1b[6n \x1bc \x9b2J [/x] [@click=app.exit]x[/] [red "
    "\u202egnp.exe \u2066b\u2069 \u200bhidden \u2028 \r\n\x08 \x7f end-of-hostile"
)
NAME = "evil"
# Escape as a terminal with Kitty's keyboard protocol sends it: whatever comes right behind it stays a key of its own.
ESC = b"\x1b[27u"
# What the console's own driver writes: the shape of the mouse pointer; colours and places.
OWN = re.compile(rb"\x1b\]22;[a-z-]*\x07")
CSI = re.compile(rb"\x1b\[[0-9;:?<>=!$\"' ]*[a-zA-Z@`~]|\x1b[=>78]")
FOREIGN = (b"\x1b]52", b"\x1b]0;", b"\x1bc", b"\x1b[6n", b"\x07", b"\x08", b"\x7f", "\x9b".encode(), b"\x9b2J")


# Keys, and what each of them brings to the screen: of the descriptions, the log and the errors their hostile words.
BACK = (ESC, b"1 of ")
BACKUP = (
    (b"2", b"PartiallyFailed"), (b"/evil\r", b"1 of "), (b"d", b"owned"), BACK, (b"y", b"apiVersion"), BACK,
    (b"l", b"owned"), (b"G" + ESC, b"1 of "), (b"e", b"owned"), BACK, (b"v", b"never uploaded"), BACK,
)  # fmt: skip
RESTORE = ((b"4", b"FROM BACKUP"), (b"/evil\r", b"1 of "), (b"d", b"owned"), BACK, (b"e", b"never uploaded"), BACK)
REST = ((b"1", b"EXPOSURE"), (b"C", b"KUBERNETES"), (ESC, b"EXPOSURE"), (b"3", b"run now"), (b"5", b"resume"))


def bad_characters(text: str) -> list[str]:
    return [
        char for char in text if char != "\n" and unicodedata.category(char) in ("Cc", "Cf", "Zl", "Zp", "Co", "Cs")
    ]


@pytest.fixture(scope="session")
def hostile(shop: Field) -> Field:
    """A backup, a restore and a location that say hostile things, and a log with a line of five megabytes."""
    template = shop.api("GET", f"{VELERO}/backups/{GOOD}")
    meta = {"name": NAME, "annotations": {"note": TEXT}, "labels": {"velero.io/storage-location": "default"}}
    status = {**template["status"], "failureReason": TEXT, "phase": "PartiallyFailed", "errors": 3}
    backup = {"apiVersion": "velero.io/v1", "kind": "Backup", "metadata": meta, "spec": template["spec"]}
    fill(bucket(shop) / NAME)  # first: Velero deletes a backup that its bucket knows nothing of
    shop.api("POST", f"{VELERO}/backups", {**backup, "status": status})
    restore = {"backupName": NAME, "includedNamespaces": ["*"]}
    status = {"phase": "Failed", "failureReason": TEXT, "validationErrors": [TEXT], "errors": 1}
    made = {"apiVersion": "velero.io/v1", "kind": "Restore", "metadata": {"name": NAME}, "spec": restore}
    shop.api("POST", f"{VELERO}/restores", {**made, "status": {**status, "startTimestamp": "2026-01-01T00:00:00Z"}})
    location = {"status": {"message": TEXT}}
    shop.api("PATCH", f"{VELERO}/backupstoragelocations/offsite", location, "application/merge-patch+json")
    return shop


def fill(folder: Path) -> None:
    """What its bucket holds of the backup."""
    folder.mkdir(parents=True, exist_ok=True)
    log = gzip.compress((TEXT + "\n" + "x" * 5_000_000 + "\nlast line\n").encode("utf-8", "replace"), 1)
    (folder / f"{NAME}-logs.gz").write_bytes(log)
    results = {"errors": {"velero": [TEXT], "namespaces": {"shop": [TEXT]}}, "warnings": {"cluster": [TEXT]}}
    (folder / f"{NAME}-results.gz").write_bytes(gzip.compress(json.dumps(results).encode()))


def bucket(shop: Field) -> Path:
    return shop.sandbox.cluster / "bucket" / "shop-velero-backups" / "backups"


def test_commands_print_it_visibly_and_nothing_of_it_acts(hostile: Field) -> None:
    found = []
    for words in (
        ("backup", "list"), ("restore", "list"), ("location", "list"), ("overview",), ("doctor",),
        ("backup", "describe", NAME), ("backup", "logs", NAME), ("backup", "errors", NAME),
        ("restore", "create", "--from-backup", NAME, "--dry-run"), ("restore", "errors", NAME),
    ):  # fmt: skip
        for form in ("table", "json"):
            done = (
                hostile.run("--sandbox", *words, "-o", form)
                if "logs" not in words
                else hostile.run("--sandbox", *words)
            )
            assert not bad_characters(done.stdout + done.stderr), (words, form)
            assert "defect of Lazarus" not in done.stderr, done.stderr
            assert "Traceback" not in done.stderr, done.stderr
            found.append(done.stdout + done.stderr)
    assert sum("end-of-hostile" in text for text in found) >= 4, "it was there to be seen"


def test_the_console_shows_it_in_every_pane_and_obeys_none(hostile: Field) -> None:
    window = hostile.window("--sandbox")
    try:
        window.until(b"orders")
        start = len(window.out)
        for key, shows in (*BACKUP, *RESTORE, *REST):
            window.press(key, shows)
        shown = OWN.sub(b"", window.out[start:])
        assert b"owned" in shown, "it was there to be seen"
        for bad in FOREIGN:
            assert bad not in shown, (bad, shown[max(0, shown.find(bad) - 200) : shown.find(bad) + 60])
        rest = CSI.sub(b"", shown).replace(b"\r", b"").decode("utf-8", "replace")
        assert not bad_characters(rest), sorted(set(bad_characters(rest)))
    finally:
        window.hang_up()
    assert hostile.api("GET", f"{VELERO}/backups/{NAME}")["metadata"]["name"] == NAME, "no action was fired"


def test_no_secret_is_written_anywhere(hostile: Field) -> None:
    canary = "canary-5ecret-value"
    applied = json.dumps({"data": {"password": canary}})
    meta = {"name": "db", "annotations": {"kubectl.kubernetes.io/last-applied-configuration": applied}}
    secret: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": meta,
        "stringData": {"password": canary},
    }
    hostile.api("POST", "/api/v1/namespaces/shop/secrets", secret)
    said = []
    hostile.env["LAZARUS_DEBUG"] = "1"
    bundle = str(hostile.folder / "bundle.tar.gz")
    for words in (
        ("backup", "create", "with-secret", "-n", "shop", "--fs-backup"), ("backup", "logs", "with-secret"),
        ("backup", "contents", "with-secret"), ("backup", "volumes", "with-secret"), ("doctor", "--bundle", bundle),
        ("operation", "list", "-o", "json"), ("restore", "create", "--from-backup", "nope"),
        ("restore", "create", "--from-backup", "with-secret", "-n", "shop", "--dry-run"),
    ):  # fmt: skip
        done = hostile.run("--sandbox", *words)
        said.append((" ".join(words), (done.stdout + done.stderr).encode()))
    assert "with-secret" in said[-1][1].decode()
    files = [path for path in hostile.sandbox.home.rglob("*") if path.is_file()]
    ours = [path for path in files if hostile.sandbox.cluster not in path.parents]
    assert {"engine.db", "engine.log"} <= {path.name for path in ours}
    said += [(str(path), path.read_bytes()) for path in [*ours, hostile.sandbox.cluster / "serve.log"]]
    said.append((bundle, gzip.decompress(Path(bundle).read_bytes())))
    needles = [hostile.token(), canary, base64.b64encode(canary.encode()).decode(), "signature="]
    for where, data in said:
        assert not [needle for needle in needles if needle.encode() in data], where

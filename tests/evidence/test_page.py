"""Pages are for people: everything an auditor asks for is on them, and nothing on them can do anything."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from lazarus_tui.evidence import EvidenceStore
from lazarus_tui.evidence.page import index, page
from lazarus_tui.evidence.store import Evidence
from lazarus_tui.journal import Journal
from lazarus_tui.sandbox.clock import VirtualClock
from tests.evidence.records import HOSTILE, proof

ROW = Evidence(
    id="op-1", operation="op", at="2026-03-01T03:00:01Z", file="op-1.json", sha256="aa" * 32, previous="0" * 64
)
ALLOWED = {
    "html", "head", "meta", "title", "style", "body", "h1", "h2", "h3", "p", "span", "table", "tr", "th", "td", "ul",
    "li", "code", "svg", "text", "rect", "a",
}  # fmt: skip


class Reader(HTMLParser):
    """Tags, attributes and text by section."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.sections: dict[str, str] = {}
        self._title, self._in = "", ""
        self.feed(source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self._in = tag
        if tag == "h2":
            self._title = ""

    def handle_endtag(self, tag: str) -> None:
        self._in = ""

    def handle_data(self, data: str) -> None:
        if self._in == "h2":
            self._title += data
        self.sections[self._title] = self.sections.get(self._title, "") + data + " "


def written(**fields: Any) -> dict[str, Any]:
    own = {"written": "2026-03-01T03:10:00Z", "previous": "0" * 64, "number": 1, "journal_head": "bb" * 32}
    return {**proof(**fields), **own}


def test_everything_an_auditor_asks_for_is_on_the_page() -> None:
    found = Reader(page(written(), ROW)).sections
    for title, words in {
        "What and where": ("prod-orders", "uid-1", "kubernetes v1.33.1", "orders@bastion", "nightly-orders", "ab" * 32),
        "Ladder": ("shop/StatefulSet/orders", "healthy", "FAILED", "NOT TESTED", "10m", "not looked at"),
        "What was restored": ("velero", "captured", "PodVolumeBackup", "ef" * 32, "2 rules"),
        "Isolation": ("shown closed: yes", "10.0.0.1:443", "closed"),
        "Checks": ("http", "FAILED", "500 orders", "status=500"),
        "Recovery time (RTA)": ("75.5 s", "60.0 s: missed", "queue", "objects", "15.0 s", "T12-T10"),
        "Recovery point (RPA)": ("3600.0 s", "2026-03-01T02:00:00Z", "none was set"),
        "Deviations": (
            "deviation of orders",
            "missing after the restore: Secret/orders",
            "CrashLoopBackOff",
            "bad image",
        ),
        "Clean-up": ("shown clean no", "kind=PVC name=orders"),
        "Negative control": ("2026-02-27", "PASSED"),
        "What was not captured": ("Velero's list of errors of orders",),
        "Steps": ("Make the quarantine", "done"),
        "Chain and signature": ("op-1", "0" * 64, "first record", "aa" * 32, "NOT SIGNED: no key is configured"),
    }.items():
        for word in words:
            assert word in found[title], (title, word, found[title])


def test_velero_s_log_is_shown_by_its_end() -> None:
    lines = [f"line {n} of <b>it</b>" for n in range(100)]
    log = {"restore": "r-1", "sha256": "cd" * 32, "bytes": 2000, "lines": 100, "cut": True, "text": "\n".join(lines)}
    source = page({**written(), "restore_log": log}, ROW)
    found = Reader(source).sections["Velero's log of the restore"]
    for word in ("r-1", "cd" * 32, "2000", "its first and last lines", "line 60 of <b>it</b>", "line 99 of <b>it</b>"):
        assert word in found
    assert ("line 59 of" in found, "<b>" in source) == (False, False)
    assert "not recorded" in Reader(page(written(), ROW)).sections["Velero's log of the restore"]


def test_hostile_text_stays_text() -> None:
    log = {"restore_log": {"restore": HOSTILE, "sha256": HOSTILE, "text": f"{HOSTILE}\n{HOSTILE}"}}
    source = page(written(say=HOSTILE) | log, ROW)
    found = Reader(source)
    assert found.tags <= ALLOWED
    assert not {name for name in found.attributes if name.startswith("on")}
    assert "<script" not in source
    assert not [char for char in source if char in "\x1b\u202e\u2066"]
    assert source.count("\\u202e") > 10, "it is shown, not dropped"
    assert "default-src &#x27;none&#x27;" in source or "default-src 'none'" in source


def test_what_a_record_does_not_hold_is_said() -> None:
    bare = {"kind": "rehearse", "verdict": "PASSED", "plan": {"title": "Rehearse"}, "checks": [], "figures": None}
    found = Reader(page(bare, ROW)).sections
    assert "not recorded" in found["What and where"]
    assert "not recorded" in found["Recovery time (RTA)"]
    empty = Reader(page({"type": "proof", "verdict": "INCONCLUSIVE"}, ROW)).sections
    assert "not shown that the quarantine was closed" in empty["Isolation"]
    assert "no ladder was climbed" in empty["Ladder"]
    assert "not recorded" in empty["Clean-up"]
    assert "none" not in empty["Clean-up"], "what nobody looked at is not clean"
    for title in ("Checks", "Steps", "Deviations"):
        assert ("not recorded" in empty[title], "none" in empty[title]) == (True, False), title


def restored(source: str, **record: Any) -> str:
    found = {**written(), "point": {"name": "p", "source": source, "volumes": []}}
    found.pop("modifiers")
    return Reader(page(found | record, ROW)).sections["What was restored"].partition("on the way in")[2].strip()


@pytest.mark.parametrize(
    ("source", "record", "words"),
    [
        ("velero", {}, "not recorded"),
        ("velero", {"modifiers": None}, "not recorded"),
        ("velero", {"modifiers": {}}, "0 rules, see the record"),
        ("velero", {"modifiers": {"name": "m", "rules": [{}]}}, "1 rule, see the record"),
        ("velero", {"modifiers": {"name": "m", "rules": None}}, "not recorded"),
        ("snapshots", {"modifiers": {}}, "not recorded"),
    ],
)
def test_rules_that_were_not_recorded_are_not_none(source: str, record: dict[str, Any], words: str) -> None:
    assert restored(source, **record).startswith(words)


def test_volumes_that_were_not_recorded_are_not_none() -> None:
    point = {"name": "p", "source": "velero"}
    said = {key: Reader(page({**written(), "point": point | more}, ROW)).sections["What was restored"].strip()
            for key, more in (("none", {"volumes": []}), ("not recorded", {}))}  # fmt: skip
    assert all(words.endswith(key) for key, words in said.items())


@pytest.mark.parametrize("junk", [3, "x", [1], {"a": 1}, None, True])
def test_a_record_of_odd_shapes_still_has_a_page(junk: Any) -> None:
    record = {**dict.fromkeys(written(), junk), "type": "proof"}
    assert page(record, ROW).startswith("<!doctype html>")


def test_the_index_lists_every_record_and_links_those_that_are_there() -> None:
    other = Evidence(
        id="op2-1", operation="op2", at="2026-03-02T03:00:01Z", file="op2-1.json", sha256="cc" * 32, previous="aa" * 32,
        kind="prove.run", verdict="PASSED", about=HOSTILE, signed_by="ssh-ed25519 AAAA",
    )  # fmt: skip
    source = index([ROW, other], {"op2-1"})
    assert "1 of 2 records are in this bundle" in source
    assert 'href="pages/op2-1.html"' in source
    assert 'href="pages/op-1.html"' not in source
    assert "<script" not in source


def test_who_asked_is_not_guessed_where_no_policy_did() -> None:
    found = Reader(page({**written(), "policy": {"name": None, "hash": None}}, ROW)).sections["What and where"]
    assert "policy none" in " ".join(found.split())
    assert "by hand" not in found, "it may have been an object of the cluster"


def test_the_index_says_how_to_check_it_so_that_nothing_of_the_bundle_is_run_beside_the_verifier() -> None:
    assert "python3 -I verify.py" in index([ROW], set())


async def test_a_page_of_a_signed_record_names_the_key(place: Path, keygen: None, journal: Journal) -> None:
    from lazarus_tui.evidence.signing import Signer
    from lazarus_tui.evidence.verifier import fingerprint
    from tests.evidence.keys import public_line, write_key

    store = EvidenceStore(place / "evidence", journal, VirtualClock(), Signer(write_key(place)))
    row = await store.write("op", proof())
    source = page(await store.get("op"), row)
    assert f"signed by {fingerprint(public_line())}" in source
    assert "number 1" in source

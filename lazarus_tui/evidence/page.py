"""A page for people about one record, and the index of a bundle. Made from the record alone: same record, same page."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from lazarus_tui.evidence import parts
from lazarus_tui.evidence.markup import Markup, document, element, join, pairs, section, table, text, verdict
from lazarus_tui.evidence.store import Evidence
from lazarus_tui.evidence.verifier import FIRST, NAMESPACE, fingerprint

Record = Mapping[str, Any]


def page(record: Record, row: Evidence) -> str:
    """``record`` as it was read from its file, ``row`` as the journal lists it."""
    title = str(parts.mapping(record.get("plan")).get("title") or record.get("kind") or "Evidence")
    facts = parts.mapping(record.get("facts"))
    words = parts.mapping(record.get("proof")).get("words") or facts.get("rehearse.words")
    return document(
        f"{title} — {record.get('verdict')}",
        element("h1", title),
        element("p", verdict(record.get("verdict")), " ", text(words) if words else ""),
        *(section(name, made) for name, made in _sections(record)),
        section("Chain and signature", _chain(record, row)),
    )


def _sections(record: Record) -> Iterable[tuple[str, Markup]]:
    yield "What and where", parts.about(record)
    if record.get("type") == "proof":
        yield "Ladder", parts.ladders(record)
        yield "What was restored", parts.point(record)
        yield "Isolation", parts.isolation(record)
    yield "Checks", parts.checks(record)
    yield "Recovery time (RTA)", parts.recovery_time(record)
    yield "Recovery point (RPA)", parts.recovery_point(record)
    if record.get("type") == "proof":
        yield "Deviations", parts.deviations(record)
        yield "Clean-up", parts.clean_up(record)
        yield "Negative control", parts.control(record)
        yield "What was not captured", parts.not_captured(record)
        yield "Velero's log of the restore", parts.restore_log(record)
    yield "Steps", parts.steps(record)


def _chain(record: Record, row: Evidence) -> Markup:
    previous = record.get("previous")
    first = " (this is the first record)" if previous == FIRST else ""
    signed = f"signed by {fingerprint(row.signed_by)}, namespace {NAMESPACE}" if row.signed_by else ""
    return pairs(
        [
            ("record", f"{row.id}, number {record.get('number', 'not counted')}"),
            ("written", record.get("written")),
            ("sha256 of the record", element("code", row.sha256)),
            ("previous record", join([element("code", previous), first])),
            ("head of the journal then", element("code", record.get("journal_head"))),
            ("signature", signed or f"NOT SIGNED: {row.unsigned}"),
        ]
    )


def index(rows: Sequence[Evidence], inside: Collection[str]) -> str:
    """Every record there is, in order; those of the bundle (``inside``, by id) are links."""
    lines = [
        (
            str(number),
            Markup(f'<a href="pages/{text(row.id)}.html">{text(row.id)}</a>') if row.id in inside else row.id,
            row.at,
            row.kind or None,
            row.about or None,
            verdict(row.verdict) if row.verdict else None,
            "yes" if row.signed_by else "no",
        )
        for number, row in enumerate(rows, 1)
    ]
    header = ("number", "record", "written", "kind", "about", "verdict", "signed")
    words = f"{len(inside)} of {len(rows)} records are in this bundle. Check it: python3 -I verify.py"
    return document("Lazarus evidence", element("h1", "Lazarus evidence"), element("p", words), table(header, lines))

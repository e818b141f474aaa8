"""The parts of a record's page. A field that a record does not have is "not recorded", never left out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from lazarus_tui.evidence.markup import Markup, element, join, listing, pairs, table, text, verdict
from lazarus_tui.model.clock import parse_rfc3339
from lazarus_tui.model.counting import how_many
from lazarus_tui.model.durations import human

Record = Mapping[str, Any]


def mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: object) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else []


def _seconds(value: object) -> str | None:
    return f"{value:.1f} s" if isinstance(value, int | float) and not isinstance(value, bool) else None


def _yes(value: object) -> str:
    return "yes" if value is True else "no" if value is False else "unknown"


def about(record: Record) -> Markup:
    versions, policy = mapping(record.get("versions")), mapping(record.get("policy"))
    return pairs(
        [
            ("kind", record.get("kind")),
            ("target", record.get("target")),
            ("cluster", join([text(record.get("context")), ", uid ", text(record.get("cluster_uid"))])),
            ("versions", ", ".join(f"{name} {said}" for name, said in sorted(versions.items())) or None),
            ("started by", record.get("by")),
            ("reviewed by", record.get("reviewed_by")),
            ("begun", record.get("started")),
            ("written", record.get("written")),
            ("policy", policy.get("name") or "none"),
            ("hash of the policy", policy.get("hash")),
            ("plan that was approved", join(["sha256 ", text(record.get("plan_digest"))])),
            ("Lazarus", record.get("lazarus")),
            ("segregation", record.get("segregation")),
        ]
    )


def ladders(record: Record) -> Markup:
    """Each rung with its age when the record was written."""
    proof, written = mapping(record.get("proof")), record.get("written")
    required = set(map(str, _list(proof.get("required"))))
    found = []
    for ladder in map(mapping, _list(proof.get("ladders"))):
        rows = [
            (rung.get("name"), "yes" if rung.get("name") in required else "no", verdict(rung.get("verdict")),
             rung.get("why") or "—", _age(rung.get("at"), written))
            for rung in map(mapping, _list(ladder.get("rungs")))
        ]  # fmt: skip
        found.append(element("h3", ladder.get("workload")))
        found.append(table(("rung", "required", "verdict", "why", "age at the end"), rows))
    return join(found) if found else element("p", "no ladder was climbed")


def _age(at: object, now: object) -> str:
    try:
        return human((parse_rfc3339(str(now)) - parse_rfc3339(str(at))).total_seconds()) if at else "not looked at"
    except ValueError:
        return "unknown"


def point(record: Record) -> Markup:
    found = mapping(record.get("point"))
    volumes = [
        (one.get("claim"), one.get("held"), one.get("method") or "—", one.get("frozen_at"), one.get("size"),
         one.get("reason") or "—")
        for one in map(mapping, _list(found.get("volumes")))
    ]  # fmt: skip
    return join(
        [
            pairs(
                [
                    ("source", found.get("source")),
                    ("point", found.get("name")),
                    ("begun", found.get("start")),
                    ("phase", found.get("phase")),
                    ("storage location", found.get("location")),
                    ("sha256 of its contents", found.get("contents_digest")),
                    ("changed on the way in", _rules(record, found)),
                ]
            ),
            _known(found.get("volumes"), table(("volume", "data", "method", "frozen at", "bytes", "reason"), volumes)),
        ]
    )


def _rules(record: Record, of: Record) -> str | None:
    """How many rules Velero was given; what was changed of a copy that it did not restore is not in a record."""
    given = record.get("modifiers")
    if not isinstance(given, Mapping) or (not given and of.get("source") != "velero"):
        return None
    rules = given.get("rules", [])
    return f"{how_many(len(rules), 'rule')}, see the record" if isinstance(rules, list) else None


def _known(value: object, shown: Markup) -> Markup:
    """A list that was not recorded is not an empty one."""
    return shown if isinstance(value, list | tuple) else element("p", text(None))


def isolation(record: Record) -> Markup:
    found = mapping(record.get("isolation"))
    if not found:
        return element("p", "not recorded: it was not shown that the quarantine was closed")
    probes = [
        (one.get("what"), one.get("target"), one.get("expected"), one.get("seen"), one.get("words") or "—")
        for one in map(mapping, _list(found.get("probes")))
    ]
    words = f"shown closed: {_yes(found.get('closed'))} — {found.get('words') or ''}"
    return join([element("p", words), table(("probe", "address", "expected", "seen", "words"), probes)])


def checks(record: Record) -> Markup:
    rows = [
        (one.get("name"), one.get("kind"), verdict(one.get("verdict")), _seconds(one.get("seconds")),
         one.get("summary"), _facts(mapping(one.get("evidence"))))
        for one in map(mapping, _list(record.get("checks")))
    ]  # fmt: skip
    return _known(record.get("checks"), table(("check", "kind", "verdict", "took", "result", "evidence"), rows))


def _facts(found: Mapping[str, Any]) -> str:
    return ", ".join(f"{key}={value}" for key, value in sorted(found.items())) or "—"


def recovery_time(record: Record) -> Markup:
    figures = mapping(record.get("figures"))
    target = _target(record, "rto")
    phases = [one for one in map(mapping, _list(figures.get("rta_phases"))) if _seconds(one.get("seconds"))]
    said = pairs(
        [
            ("measured", _seconds(figures.get("rta_seconds"))),
            ("definition", figures.get("rta_definition")),
            ("objective (RTO)", target),
            ("work of Lazarus itself", _seconds(figures.get("engine_seconds"))),
        ]
    )
    rows = [(one.get("name"), _seconds(one.get("seconds")), one.get("definition")) for one in phases]
    return join([said, waterfall(phases), table(("phase", "took", "definition"), rows)])


def _target(record: Record, name: str) -> str | None:
    for one in map(mapping, _list(mapping(record.get("proof")).get("targets"))):
        if one.get("name") == name:
            objective = _seconds(one.get("objective_seconds"))
            return f"{objective}: {one.get('result')}" if objective else "none was set"
    return None


def waterfall(phases: Iterable[Mapping[str, Any]]) -> Markup:
    """The phases as bars, one after the other; pixels are a share of 400."""
    found = list(phases)
    whole = sum(float(one["seconds"]) for one in found)
    if not found or whole <= 0:
        return Markup("")
    bars, begun = [], 0.0
    for line, one in enumerate(found):
        took = float(one["seconds"])
        left, width, top = 140 + 400 * begun / whole, max(1.0, 400 * took / whole), 18 * line
        bars.append(f'<text x="0" y="{top + 13}">{text(one.get("name"))}</text>')
        bars.append(f'<rect x="{left:.1f}" y="{top + 3}" width="{width:.1f}" height="12" fill="#3366aa"/>')
        bars.append(f'<text x="{left + width + 4:.1f}" y="{top + 13}">{took:.1f} s</text>')
        begun += took
    inside = "".join(bars)
    label = 'role="img" aria-label="phases of the recovery time"'
    return Markup(f'<svg {label} viewBox="0 0 620 {18 * len(found)}" width="620">{inside}</svg>')


def recovery_point(record: Record) -> Markup:
    figures, reference = mapping(record.get("figures")), mapping(record.get("reference"))
    return pairs(
        [
            ("measured", _seconds(figures.get("rpa_seconds"))),
            ("definition", figures.get("rpa_definition")),
            ("watermark", figures.get("watermark")),
            ("measured to", reference.get("at")),
            ("objective (RPO)", _target(record, "rpo")),
        ]
    )


def deviations(record: Record) -> Markup:
    proof = mapping(record.get("proof"))
    compared = mapping(record.get("compared"))
    found = [*_list(proof.get("deviations")), *(f"cannot be green: {one}" for one in _list(proof.get("not_green")))]
    for key in ("missing", "unexpected", "violated", "unread"):
        found += [f"{key} after the restore: {_said(one)}" for one in _list(compared.get(key))]
    for one in map(mapping, _list(proof.get("troubles"))):
        found.append(": ".join(str(one[key]) for key in ("where", "seen", "cause", "advice") if one.get(key)))
    if not isinstance(record.get("compared"), Mapping):
        found.append(f"what came back, beside what was planned: {text(None)}")
    return listing(found)


def _said(value: object) -> str:
    return " ".join(f"{key}={said}" for key, said in value.items()) if isinstance(value, Mapping) else str(value)


def clean_up(record: Record) -> Markup:
    found = mapping(record.get("clean_up"))
    left = [*_list(found.get("leftovers")), *_list(found.get("lost"))]
    return pairs(
        [
            ("shown clean", _yes(found.get("clean")) if found else None),
            ("words", found.get("words")),
            ("kept on purpose until", found.get("kept_until") or "not kept"),
            ("left behind", listing(map(_said, left)) if found else None),
        ]
    )


def control(record: Record) -> Markup:
    proof = mapping(record.get("proof"))
    if proof.get("control"):
        return element("p", f"this was one: the copy was broken on purpose ({proof['control']})")
    return element("p", text(_said(record["negative_control"]) if record.get("negative_control") else None))


def not_captured(record: Record) -> Markup:
    """What the record should hold of its sources and does not."""
    if "not_captured" not in record:
        return element("p", text(None))
    return listing(_list(record.get("not_captured")))


# Lines of a log that a page shows: the last ones, where a log says how it ended. The record has all that was kept.
LOG_LINES = 40


def restore_log(record: Record) -> Markup:
    """Velero's own log of the restore: its size, its hash, and how it ended."""
    found = mapping(record.get("restore_log"))
    if not found:
        return element("p", text(None))
    known = pairs(
        [
            ("restore", found.get("restore")),
            ("bytes", found.get("bytes")),
            ("lines", found.get("lines")),
            ("sha256 of the whole", element("code", found.get("sha256"))),
            ("in the record", "its first and last lines" if found.get("cut") else "all of it, without secrets"),
        ]
    )
    lines = str(found.get("text") or "").splitlines()[-LOG_LINES:]
    return join(
        [
            known,
            element("p", f"Its last {how_many(len(lines), 'line')}:"),
            listing(element("code", one) for one in lines),
        ]
    )


def steps(record: Record) -> Markup:
    rows = [
        (one.get("title"), one.get("state"), one.get("started") or "—", _seconds(one.get("seconds")),
         one.get("detail") or "—")
        for one in map(mapping, _list(record.get("steps")))
    ]  # fmt: skip
    return _known(record.get("steps"), table(("step", "state", "begun", "took", "detail"), rows))

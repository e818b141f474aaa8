"""A proof for a person as text, and for a pipeline as JUnit XML."""

from __future__ import annotations

from xml.sax.saxutils import escape, quoteattr

from lazarus_tui.cli.running import recovery_text
from lazarus_tui.model.clock import parse_rfc3339
from lazarus_tui.model.durations import human
from lazarus_tui.model.operation import CheckResult, Operation, OpState
from lazarus_tui.model.proofs import RECORD, UNKEPT, ProofRecord, Reached, Rung
from lazarus_tui.model.verdict import Verdict

_MARKS = {Verdict.PASSED: "✓", Verdict.FAILED: "✗", Verdict.INCONCLUSIVE: "?", Verdict.NOT_TESTED: "-"}
# The element that says so in a report, "" for none; and what a suite counts of them.
_TAGS = {Verdict.PASSED: "", Verdict.FAILED: "failure", Verdict.INCONCLUSIVE: "error", Verdict.NOT_TESTED: "skipped"}
_COUNTED = {"tests": "", "failures": "failure", "errors": "error", "skipped": "skipped"}
_BREAK = "\n"


def proof_text(operation: Operation, record: ProofRecord | None) -> str:
    """The outcome: verdict and why, ladders, checks, figures, what was wrong, what is left."""
    if record is None:
        said = operation.message or "nothing is judged yet"
        return "\n".join([f"{operation.id}  {operation.state.upper()}  {operation.title}", said])
    control = f" (negative control: {record.control})" if record.control else ""
    lines = [f"{record.verdict}{control}  {operation.title}", f"  {record.words}", *_point(operation, record)]
    for ladder in record.ladders:
        lines.append(f"{ladder.workload}")
        lines += [f"  {_MARKS[r.verdict]} {r.name:<11} {r.verdict:<12} {r.why}" for r in ladder.rungs]
    lines += [f"  {c.verdict:<12} {c.name}: {c.summary} ({c.seconds:.2f} s)" for c in operation.checks]
    lines += _figures(operation, record)
    for trouble in record.troubles:
        lines.append(f"{trouble.where}: {trouble.seen}")
        lines += [f"  cause: {trouble.cause}; next: {trouble.advice}"] if trouble.cause else []
    lines += [f"deviation: {one}" for one in record.deviations]
    lines += [f"LEFT BEHIND: {one}" for one in record.left]
    cleaned = operation.facts.get("prove.cleaned") or {}
    lines += [f"clean-up: {cleaned['words']}"] if cleaned.get("words") else []
    if unkept := operation.facts.get(UNKEPT):
        lines.append(f"EVIDENCE MISSING: {unkept['why']}; next: lazarus evidence write {operation.id[:8]}")
    evidence = operation.facts.get("evidence")
    return "\n".join([*lines, *([f"evidence {evidence}"] if evidence else [])])


def _point(operation: Operation, record: ProofRecord) -> list[str]:
    """Which point it was, and how old at the end of the proof."""
    if not record.point_start or not operation.ended:
        return []
    old = parse_rfc3339(operation.ended) - parse_rfc3339(record.point_start)
    return [f"  point {record.point}, {human(old)} old at the end of the proof (begun {record.point_start})"]


def _figures(operation: Operation, record: ProofRecord) -> list[str]:
    figures = operation.figures
    if figures is None or record.control:
        return []
    lines = recovery_text(figures)
    lines += [
        f"{one.name.upper()} {one.objective_seconds:.0f} s: {one.result}"
        for one in record.targets
        if one.result is not Reached.NONE and one.objective_seconds is not None
    ]
    return lines + ([f"newest data restored   {figures.watermark}"] if figures.watermark else [])


def junit(operation: Operation) -> str:
    """One suite per ladder with a case per required rung, one of the checks, and one of the proof as a whole: its
    verdict, what it left behind, its evidence. What could not run is an error.

    Attributes and elements are those of Jenkins' schema for JUnit reports, which others read too; GitLab shows the text
    of a failure, and Jenkins its message, so that both are there.
    """
    import msgspec

    found = operation.facts.get(RECORD)
    record = msgspec.convert(found, ProofRecord) if found else None
    suites: list[tuple[str, list[str]]] = []
    for ladder in record.ladders if record else ():
        rungs = [rung for rung in ladder.rungs if record and rung.name in record.required]
        suites.append((ladder.workload, [_rung(ladder.workload, rung) for rung in rungs]))
    suites.append(("checks", [_check(check) for check in operation.checks]))
    # Pipelines take a skipped case for a good one: a proof without a verdict is an error.
    said = Verdict.INCONCLUSIVE if operation.verdict is Verdict.NOT_TESTED else operation.verdict
    whole = _case("proof", "verdict", said, _said(operation, record), operation.seconds)
    suites.append(("proof", [whole, _cleaned(operation, record), *([_kept(operation)] if record else [])]))
    body = "".join(_suite(name, cases, operation) for name, cases in suites if cases)
    every = [case for _, cases in suites for case in cases]
    counts = f'{_counts(every, "tests", "failures", "errors")} time="{operation.seconds:.3f}"'
    head = f'<?xml version="1.0" encoding="UTF-8"?>\n<testsuites name={_attribute(operation.title)} {counts}>\n'
    return f"{head}{body}</testsuites>\n"


def _said(operation: Operation, record: ProofRecord | None) -> str:
    return record.words if record else operation.message or f"it is {operation.state.value}"


def _cleaned(operation: Operation, record: ProofRecord | None) -> str:
    """Whatever is left in the cluster is a failure: somebody has to look at it (exit code 3)."""
    cleaned = operation.facts.get("prove.cleaned") or {}
    if record is not None and record.left:
        verdict, words = Verdict.FAILED, "\n".join(record.left)
    elif record is None or operation.state is not OpState.DONE:
        verdict, words = Verdict.INCONCLUSIVE, "it did not come to its end: what it left is not known"
    elif cleaned.get("kept_until"):
        verdict, words = Verdict.NOT_TESTED, f"its quarantine is kept until {cleaned['kept_until']}"
    else:
        verdict, words = Verdict.PASSED, ""
    return _case("proof", "nothing left behind", verdict, words, 0.0)


def _kept(operation: Operation) -> str:
    verdict = Verdict.PASSED if operation.facts.get("evidence") else Verdict.INCONCLUSIVE
    words = str((operation.facts.get(UNKEPT) or {}).get("why") or "it was not written")
    return _case("proof", "evidence", verdict, f"evidence missing: {words}", 0.0)


def _suite(name: str, cases: list[str], operation: Operation) -> str:
    seconds = sum(float(case.partition(' time="')[2].partition('"')[0]) for case in cases)
    given = f'{_counts(cases, *_COUNTED)} time="{seconds:.3f}" timestamp={_attribute(operation.started[:19])}'
    return f"  <testsuite name={_attribute(name)} {given}>\n{''.join(cases)}  </testsuite>\n"


def _counts(cases: list[str], *wanted: str) -> str:
    found = {"tests": len(cases)}
    found |= {key: sum(f"<{tag} " in case for case in cases) for key, tag in _COUNTED.items() if tag}
    return " ".join(f'{key}="{found[key]}"' for key in wanted)


def _rung(workload: str, rung: Rung) -> str:
    return _case(workload, rung.name, rung.verdict, rung.why, 0.0)


def _check(check: CheckResult) -> str:
    return _case("checks", check.name, check.verdict, check.summary, check.seconds)


def _case(where: str, name: str, verdict: Verdict, words: str, seconds: float) -> str:
    tag = _TAGS[verdict]
    message = f"message={_attribute(words.partition(_BREAK)[0])}"
    kind = "" if tag == "skipped" else f" type={_attribute(str(verdict))}"
    inside = f"<{tag} {message}{kind}>{_text(words)}</{tag}>" if tag else ""
    head = f'    <testcase classname={_attribute(where)} name={_attribute(name)} time="{seconds:.3f}">'
    return f"{head}{inside}</testcase>\n"


def _attribute(text: str) -> str:
    """Quoted for XML 1.0, which has no place for control characters; nothing outside ASCII stays as it is."""
    return quoteattr(_plain(text), {'"': "&quot;"}).encode("ascii", "xmlcharrefreplace").decode()


def _text(text: str) -> str:
    return "\n".join(escape(_plain(line)) for line in text.splitlines()).encode("ascii", "xmlcharrefreplace").decode()


def _plain(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text)

"""Document, dashboard and rules name what the engine really tells: no metric, label or result that is not there."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from lazarus_tui.engine.metrics.families import PART_STATES, RESULTS, STATES
from lazarus_tui.engine.metrics.names import BY_NAME, METRICS
from lazarus_tui.engine.metrics.owed import LACKS
from lazarus_tui.model.operation import OpState
from lazarus_tui.model.verdict import Verdict
from lazarus_tui.prove.figures import _STAGES

ROOT = Path(__file__).parent.parent
RULES = ROOT / "deploy" / "prometheus" / "lazarus-rules.yaml"
DASHBOARD = ROOT / "deploy" / "grafana" / "lazarus.json"
PAGE = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
VALUES = {
    "result": {*RESULTS.values(), *(verdict.lower().replace(" ", "_") for verdict in Verdict)},
    "verdict": {verdict.lower().replace(" ", "_") for verdict in Verdict},
    "figure": {"actual", "objective"},
    "state": {*STATES, *PART_STATES.values(), *(state.value for state in OpState if state.open)},
    "lack": set(LACKS),
    "phase": {name for name, *_ in _STAGES},
}
# Recorded by the rules themselves, with the labels of what they are made of.
RECORDED = {
    rule["record"]
    for group in yaml.safe_load(RULES.read_text())["groups"]
    for rule in group["rules"]
    if "record" in rule
}


def rules() -> list[dict[str, Any]]:
    return [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]


def panels() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(DASHBOARD.read_text())["panels"]
    return found


def queries() -> Iterator[tuple[str, str]]:
    for rule in rules():
        yield rule.get("alert") or rule["record"], rule["expr"]
    for panel in panels():
        for target in panel["targets"]:
            yield panel["title"], target["expr"]
    for block in re.findall(r"```promql\n(.*?)```", PAGE, re.S):
        for query in re.split(r"\n\n", block.strip()):
            yield "docs/metrics.md", query


QUERIES = list(queries())


def wrong(query: str) -> list[str]:
    """What of a query the engine does not tell."""
    found = []
    for name, selector in re.findall(r"\b(lazarus_\w+)(?:\{([^}]*)\})?", query):
        metric = BY_NAME.get(name)
        if metric is None:
            found.append(name)
            continue
        for key, how, value in re.findall(r'(\w+)\s*(=~|!~|!=|=)\s*"([^"]*)"', selector):
            if key not in metric.labels:
                found.append(f"{name}{{{key}}}")
            elif "$" not in value and key in VALUES:
                found += [
                    f"{key}={one}" for one in (value.split("|") if "~" in how else [value]) if one not in VALUES[key]
                ]
    found += [name for name in re.findall(r"\blazarus:[\w:]+", query) if name not in RECORDED]
    labels = {label for metric in METRICS for label in metric.labels}
    for listed in re.findall(r"\b(?:by|on|ignoring|without|group_left|group_right)\s*\(([^)]*)\)", query):
        found += [one for one in re.split(r"[,\s]+", listed.strip()) if one and one not in labels]
    return found


@pytest.mark.parametrize(("where", "query"), QUERIES, ids=[f"{n}-{where}" for n, (where, _) in enumerate(QUERIES)])
def test_every_query_asks_for_what_there_is(where: str, query: str) -> None:
    assert wrong(query) == []
    assert query.count("(") == query.count(")")


def test_a_query_for_something_else_would_be_found() -> None:
    for query in (
        "lazarus_restore_test_total",
        'lazarus_restore_tests_total{backup_name="x"}',
        "sum by (backup_name) (lazarus_outbox_waiting)",
        'lazarus_restore_tests_total{result="succes"}',
        'lazarus_context_state{state=~"stale|broken"}',
        "lazarus:no:such",
    ):
        assert wrong(query) != [], query


def test_every_metric_stands_in_the_document_as_it_is() -> None:
    lines = re.findall(r"^\| `(lazarus_\w+)` \| (\w+) \| (.*?) \| (.*?) \|$", PAGE, re.M)
    assert len(lines) == len({name for name, *_ in lines})
    said = {name: (kind, tuple(re.findall(r"`(\w+)`", labels)), meaning) for name, kind, labels, meaning in lines}
    assert {name: told[:2] for name, told in said.items()} == {m.name: (m.type, m.labels) for m in METRICS}
    assert {name: told[2] for name, told in said.items()} == {m.name: m.help.replace("|", "\\|") for m in METRICS}


def test_everything_that_can_go_wrong_has_an_alert_with_words() -> None:
    alerts = {rule["alert"]: rule for rule in rules() if "alert" in rule}
    assert len(alerts) == sum(1 for rule in rules() if "alert" in rule)
    for name, rule in alerts.items():
        assert rule["annotations"]["summary"], name
        assert rule["labels"]["severity"] in ("critical", "warning", "info"), name
        used = set(re.findall(r"\$labels\.(\w+)", json.dumps(rule["annotations"])))
        asked = {label for m in re.findall(r"lazarus_\w+", rule["expr"]) for label in BY_NAME[m].labels}
        assert used <= asked, name
    assert "absent(lazarus_engine_info)" in alerts["LazarusAbsent"]["expr"]
    assert "absent(lazarus_restore_tests_total)" in alerts["LazarusNoProofs"]["expr"]


def test_a_rate_without_proofs_is_no_data() -> None:
    """0 / 0 is NaN in PromQL; a divisor that is filtered to what is above 0 leaves nothing to show."""
    rates = [query for _, query in QUERIES if re.search(r"/\s*\(?sum.*restore_tests_total", query, re.S)]
    assert len(rates) >= 4
    for query in rates:
        assert re.search(r"/\s*\(\s*sum[^/]*>\s*0\s*\)", query, re.S), query


def test_the_dashboard_says_no_data_and_takes_any_data_source() -> None:
    found = json.loads(DASHBOARD.read_text())
    assert all(panel["datasource"]["uid"] == "${datasource}" for panel in panels())
    assert all(panel["fieldConfig"]["defaults"]["noValue"] == "no data" for panel in panels())
    assert all(panel["description"] for panel in panels())
    assert [query for _, query in QUERIES if "vector(" in query] == [], "a zero that nobody measured"
    now = [target for panel in panels() if panel["type"] == "stat" for target in panel["targets"]]
    assert all(target["instant"] for target in now), "a figure of now is not the last one that there was"
    places = [tuple(panel["gridPos"][key] for key in "xywh") for panel in panels()]
    cells = [(x + i, y + j) for x, y, w, h in places for i in range(w) for j in range(h)]
    assert len(cells) == len(set(cells)), "panels lie over each other"
    for variable in found["templating"]["list"]:
        if variable["type"] == "query":
            metric, label = re.fullmatch(r"label_values\((\w+), (\w+)\)", variable["query"]["query"]).groups()  # type: ignore[union-attr]
            assert label in BY_NAME[metric].labels


def test_promtool_agrees_where_there_is_one() -> None:
    promtool = shutil.which("promtool")
    if promtool is not None:
        figures = ROOT / "tests" / "prometheus" / "rules.test.yaml"
        for words in (["check", "rules", *map(str, RULES.parent.glob("*.yaml"))], ["test", "rules", str(figures)]):
            done = subprocess.run([promtool, *words], capture_output=True, text=True)
            assert done.returncode == 0, done.stdout + done.stderr

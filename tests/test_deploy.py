"""What is shipped beside the program names what the program really has."""

from __future__ import annotations

import configparser
from pathlib import Path
from typing import Any

import yaml

from lazarus_tui.cli.engine import engine
from lazarus_tui.engine import house
from lazarus_tui.snapshots.names import OP

DEPLOY = Path(__file__).parent.parent / "deploy"


def test_the_unit_starts_a_command_there_is_and_leaves_time_to_let_go() -> None:
    unit = configparser.ConfigParser(interpolation=None)
    unit.optionxform = str  # type: ignore[assignment, method-assign]
    unit.read_string((DEPLOY / "systemd" / "lazarus-engine.service").read_text())
    service = unit["Service"]
    program, group, verb = service["ExecStart"].split()
    assert (Path(program).name, group, verb in engine.commands) == ("lazarus", "engine", True)
    assert int(service["TimeoutStopSec"]) > house.THAW
    assert unit["Install"]["WantedBy"] == "default.target"  # of a user's own manager


def test_the_alert_looks_at_the_beacon_and_at_nothing_that_would_have_to_run() -> None:
    text = (DEPLOY / "prometheus" / "lazarus-at-zero.rules.yaml").read_text()
    [group] = yaml.safe_load(text)["groups"]
    rules: dict[str, Any] = {rule["alert"]: rule for rule in group["rules"]}
    at_zero = rules["LazarusWorkloadAtZero"]
    label = OP.replace(".", "_").replace("/", "_")  # as kube-state-metrics names it
    assert f'kube_statefulset_annotations{{annotation_{label}!=""}}' in at_zero["expr"]
    assert "kube_statefulset_replicas == 0" in at_zero["expr"]
    assert at_zero["for"] == "10m"
    assert f"--metric-annotations-allowlist=statefulsets=[{OP}]" in text
    assert rules["LazarusBeaconsUnseen"]["expr"] == "absent(kube_statefulset_annotations)"

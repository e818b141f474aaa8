"""Sinks in the settings: typed, documented, and never with a secret in them."""

from __future__ import annotations

from pathlib import Path

import pytest

from lazarus_tui.config import NotifySettings, SettingsRefused, SinkSettings, load

CANARY = "Canary9zQ4LmXw7Kp2"


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    target = tmp_path / "config.toml"
    monkeypatch.setenv("LAZARUS_CONFIG", str(target))
    return target


def refusal(config: Path, *lines: str) -> str:
    config.write_text("\n".join(["[[notify.sinks]]", 'name = "ops"', *lines]))
    with pytest.raises(SettingsRefused) as refused:
        load()
    return str(refused.value)


def test_the_example_of_the_documentation_is_accepted(config: Path) -> None:
    page = (Path(__file__).parents[2] / "docs/notifications.md").read_text(encoding="utf-8")
    config.write_text(page.partition("```toml\n")[2].partition("```")[0])
    found = load().notify.sinks
    assert [(sink.name, sink.kind) for sink in found] == [
        ("ops", "slack"),
        ("oncall", "pagerduty"),
        ("siem", "webhook"),
    ]
    assert found[0].severities == ("critical", "error", "warning")


def test_every_field_is_documented_where_it_is_and_on_the_page() -> None:
    page = (Path(__file__).parents[2] / "docs/notifications.md").read_text(encoding="utf-8")
    for name, field in SinkSettings.model_fields.items():
        assert len(field.description or "") > 20, name
        assert f"| `{name}` |" in page, name


@pytest.mark.parametrize(
    "lines",
    [
        ('kind = "slack"', f'url = "https://hooks.slack.com/services/T0/B0/{CANARY}"'),
        ('kind = "pagerduty"', f'secret = "{CANARY}"'),
        ('kind = "pagerduty"', f'secret = "env:{CANARY} x"'),
        ('kind = "webhook"', 'url = "https://x.example"', f'secret = "{CANARY}"'),
        ('kind = "webhook"', f'url = "https://u:{CANARY}@x.example"', 'secret = "env:K"'),
        ('kind = "webhook"', f'url = "https://x.example/?token={CANARY}"', 'secret = "env:K"'),
        ('kind = "webhook"', f'url = "{CANARY}"', 'secret = "env:K"'),
    ],
)
def test_a_literal_secret_is_refused_and_not_repeated(config: Path, lines: tuple[str, ...]) -> None:
    said = refusal(config, *lines)
    assert CANARY not in said
    assert "env:NAME, file:/path or secret:NAMESPACE/NAME/KEY" in said
    assert "notify.sinks.0" in said


@pytest.mark.parametrize(
    ("lines", "word"),
    [
        (('kind = "mail"',), "slack"),
        (('kind = "webhook"', 'secret = "env:K"'), "needs a url"),
        (('kind = "webhook"', 'url = "https://x.example"'), "needs a secret"),
        (('kind = "pagerduty"',), "routing key"),
        (('kind = "pagerduty"', 'secret = "secret:a/b/c"'), "secret_context"),
        (('kind = "pagerduty"', 'secret = "env:K"', "severities = []"), "severities"),
        (('kind = "pagerduty"', 'secret = "env:K"', 'severities = ["loud"]'), "critical"),
        (('kind = "pagerduty"', 'secret = "env:K"', 'networks = ["10.0.0.0/33"]'), "networks"),
        (('kind = "pagerduty"', 'secret = "env:K"', 'networks = ["127.0.0.1/32"]'), "loopback"),
        (('kind = "pagerduty"', 'secret = "env:K"', 'networks = ["0.0.0.0/0"]'), "loopback"),
        (('kind = "pagerduty"', 'secret = "env:K"', 'networks = ["::ffff:7f00:1/128"]'), "loopback"),
        (('kind = "pagerduty"', 'secret = "env:K"', 'networks = ["64:ff9b::/96"]'), "lead to others"),
        (('kind = "pagerduty"', 'secret = "env:K"', "colour = 1"), "no such setting"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_starts(config: Path, lines: tuple[str, ...], word: str) -> None:
    said = refusal(config, *lines)
    assert word in said
    assert "Value error" not in said


def test_two_sinks_of_one_name_are_refused() -> None:
    one = SinkSettings(name="ops", kind="pagerduty", secret="env:K")
    with pytest.raises(ValueError, match="several sinks are called ops"):
        NotifySettings(sinks=(one, one))

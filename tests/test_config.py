from pathlib import Path

import pytest

from lazarus_tui.config import SettingsRefused, descriptions, known_names, load


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    target = tmp_path / "config.toml"
    monkeypatch.setenv("LAZARUS_CONFIG", str(target))
    for name in ("LAZARUS_CONSOLE__THEME", "LAZARUS_ENGINE__IDLE_SECONDS"):
        monkeypatch.delenv(name, raising=False)
    return target


def test_without_a_file_the_defaults_hold(config: Path) -> None:
    settings = load()
    assert (settings.console.theme, settings.engine.idle_seconds, settings.velero.namespace) == ("dark", 60.0, None)


def test_the_environment_wins_over_the_file(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config.write_text('[console]\ntheme = "light"\n[engine]\nidle_seconds = 5\n')
    monkeypatch.setenv("LAZARUS_ENGINE__IDLE_SECONDS", "7")
    settings = load()
    assert (settings.console.theme, settings.engine.idle_seconds) == ("light", 7.0)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('[console]\ntheem = "light"\n', "did you mean console.theme?"),
        ('[console]\ntheme = "pink"\n', "console.theme"),
        ("[engine]\nidle_seconds = 0\n", "engine.idle_seconds"),
        ("[console\n", "not a TOML file"),
        ("[bogus]\nx = 1\n", "bogus"),
        ('[prove]\noutside_address = "example.com:443"\n', "prove.outside_address"),
    ],
)
def test_a_bad_file_is_one_clear_sentence(config: Path, text: str, says: str) -> None:
    config.write_text(text)
    with pytest.raises(SettingsRefused) as refused:
        load()
    assert says in str(refused.value)
    assert str(config) in str(refused.value)


def test_every_setting_says_what_it_does() -> None:
    assert sorted(descriptions()) == sorted(known_names())
    assert all(len(text) > 20 for text in descriptions().values())

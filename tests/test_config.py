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


@pytest.mark.parametrize(
    ("variable", "value", "says"),
    [
        ("LAZARUS_CONSOLE__THEME", "pink", "console.theme: Input should be"),
        ("LAZARUS_CONSOLE__THEEM", "light", "did you mean console.theme?"),
        ("LAZARUS_CONSOL__THEME", "light", "did you mean console.theme?"),
        ("LAZARUS_POLICIES__RUN_OBJECTS", "prod", 'it is not JSON, as the environment has lists: ["a", "b"]'),
        ("LAZARUS_PROVE", "busybox", "it is not JSON"),
    ],
)
def test_a_bad_variable_is_one_clear_sentence_that_names_it(
    config: Path, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, says: str
) -> None:
    config.write_text('[console]\ntheme = "light"\n')
    monkeypatch.setenv("LAZARUS_VELERO__NAMESPACE", "velero")  # one that is right
    monkeypatch.setenv(variable, value)
    with pytest.raises(SettingsRefused) as refused:
        load()
    assert says in refused.value.what
    assert refused.value.where == variable


def test_a_file_that_is_not_text_is_refused_too(config: Path) -> None:
    config.write_bytes(b"\xff\xfe")
    with pytest.raises(SettingsRefused, match="it is not UTF-8") as refused:
        load()
    assert refused.value.where == str(config)


def test_a_list_from_the_environment_is_json(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAZARUS_POLICIES__RUN_OBJECTS", '["prod", "lab"]')
    assert load().policies.run_objects == ("prod", "lab")


def test_every_setting_says_what_it_does() -> None:
    assert sorted(descriptions()) == sorted(known_names())
    assert all(len(text) > 20 for text in descriptions().values())

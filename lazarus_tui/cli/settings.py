"""``lazarus config show``: the settings in force."""

from __future__ import annotations

import click

from lazarus_tui.cli.output import emit, grid, output_option


@click.group()
def config() -> None:
    """Settings: one TOML file plus the environment."""


@config.command("show")
@output_option
def show(output: str) -> int:
    """Show every setting with its value and meaning."""
    from lazarus_tui.cli.sandbox import settings_in_force
    from lazarus_tui.config import config_file, descriptions

    settings = settings_in_force()
    values = settings.model_dump(mode="json")
    rows = [(name, str(values[name.split(".")[0]][name.split(".")[1]]), text) for name, text in descriptions().items()]
    emit(values, output, names=[name for name, *_ in rows],
         table=lambda: f"{config_file()}\n" + grid(["SETTING", "VALUE", "MEANING"], rows))  # fmt: skip
    return 0

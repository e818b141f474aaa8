"""Settings: typed, one file plus the environment, validated as a whole before anything starts.

The file is ``$XDG_CONFIG_HOME/lazarus/config.toml`` (``~/.config/lazarus/config.toml``), or the one that
``LAZARUS_CONFIG`` names. The environment wins over it: ``LAZARUS_CONSOLE__THEME=light`` sets ``console.theme``.
Secrets are never settings.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource


class SettingsRefused(Exception):
    """The settings cannot be used: what is wrong and where; nothing was started."""

    def __init__(self, what: str, where: str) -> None:
        super().__init__(f"{what} ({where})")
        self.what, self.where = what, where


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class ConsoleSettings(_Section):
    """``[console]``"""

    theme: Literal["dark", "light"] = "dark"
    """Colours of the console. NO_COLOR and plain terminals override it."""

    colours: Literal["auto", "standard", "256", "truecolor"] = "auto"
    """How many colours are sent. ``auto`` sends sixteen over SSH, which is about half the bytes."""

    mouse: Literal["auto", "on", "off"] = "auto"
    """Mouse reports. ``auto`` switches them off over SSH, where every movement costs a packet."""


class EngineSettings(_Section):
    """``[engine]``"""

    idle_seconds: float = Field(default=60.0, ge=1, le=86400)
    """After how many seconds without a client and without an open operation the engine ends by itself."""


class VeleroSettings(_Section):
    """``[velero]``"""

    namespace: str | None = None
    """Which Velero to use in clusters that run several. Without it the only one found is used."""


class StorageSettings(_Section):
    """``[storage]``"""

    ca_file: Path | None = None
    """PEM file with the private CA of the object store, when the location does not carry it."""


class PolicySettings(_Section):
    """``[policies]``"""

    run_objects: tuple[str, ...] = ()
    """Contexts whose StatefulSetBackups and StatefulSetRestores this engine runs. It stands for arming them."""

    restore_in_place: tuple[str, ...] = ()
    """Of these, the contexts in which a StatefulSetRestore may replace volumes without a person's agreement."""


class ProveSettings(_Section):
    """``[prove]``"""

    probe_image: str = Field(default="busybox:1.36", min_length=1, pattern=r"^\S+$")
    """Image of the pods that show a quarantine to be closed; it needs `httpd`, `nc`, `nslookup`, `env` and `sleep`."""

    outside_address: str = Field(default="1.1.1.1:443", pattern=r"^(\d+\.\d+\.\d+\.\d+|\[[0-9a-fA-F:.]+\]):\d{1,5}$")
    """An address on the internet, with its port, that no pod of a quarantine may reach."""


class SandboxSettings(_Section):
    """``[sandbox]``"""

    time_factor: float = Field(default=10.0, ge=1, le=100)
    """How many times faster than real the sandbox's Velero keeps its periods (validation, sync, schedules)."""


class Settings(BaseSettings):
    """Everything a person can set. Unknown names are refused, with the nearest known one."""

    model_config = SettingsConfigDict(
        env_prefix="LAZARUS_", env_nested_delimiter="__", extra="forbid", frozen=True, use_attribute_docstrings=True
    )

    console: ConsoleSettings = ConsoleSettings()
    engine: EngineSettings = EngineSettings()
    velero: VeleroSettings = VeleroSettings()
    storage: StorageSettings = StorageSettings()
    policies: PolicySettings = PolicySettings()
    prove: ProveSettings = ProveSettings()
    sandbox: SandboxSettings = SandboxSettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, toml_file=config_file())


def config_file() -> Path:
    """The settings file, whether it exists or not."""
    named = os.environ.get("LAZARUS_CONFIG")
    if named:
        return Path(named)
    home = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    return home / "lazarus" / "config.toml"


def load() -> Settings:
    """The settings in force; raises ``SettingsRefused`` with one clear sentence."""
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        name = ".".join(str(part) for part in first["loc"])
        raise SettingsRefused(f"{name}: {_explain(first, name)}", str(config_file())) from None
    except tomllib.TOMLDecodeError as error:
        raise SettingsRefused(f"not a TOML file: {error}", str(config_file())) from None
    except OSError as error:
        raise SettingsRefused(f"cannot be read: {error.strerror}", str(config_file())) from None


def _explain(error: Any, name: str) -> str:
    if error["type"] != "extra_forbidden":
        return str(error["msg"])
    near = difflib.get_close_matches(name, known_names(), n=1)
    return "no such setting" + (f"; did you mean {near[0]}?" if near else "; see docs/configuration.md")


def known_names() -> list[str]:
    """Every setting as ``section.name``."""
    return [f"{section}.{name}" for section, field in Settings.model_fields.items()
            for name in getattr(field.annotation, "model_fields", {})]  # fmt: skip


def descriptions() -> dict[str, str]:
    """``section.name`` → what it does, from the docstrings above; the documentation is made from it."""
    return {
        f"{section}.{name}": " ".join((inner.description or "").split())
        for section, field in Settings.model_fields.items()
        for name, inner in getattr(field.annotation, "model_fields", {}).items()
    }

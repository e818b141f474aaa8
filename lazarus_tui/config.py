"""Settings: typed, one file plus the environment, validated as a whole before anything starts.

The file is ``$XDG_CONFIG_HOME/lazarus/config.toml`` (``~/.config/lazarus/config.toml``), or the one that
``LAZARUS_CONFIG`` names. The environment wins over it: ``LAZARUS_CONSOLE__THEME=light`` sets ``console.theme``.
Secrets are never settings.
"""

from __future__ import annotations

import difflib
import ipaddress
import json
import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)

PREFIX, NESTED = "LAZARUS_", "__"


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
    """Contexts whose StatefulSetBackups, StatefulSetRestores and LazarusRestoreTests this engine runs. It stands for
    arming them."""

    restore_in_place: tuple[str, ...] = ()
    """Of these, the contexts in which a StatefulSetRestore may replace volumes without a person's agreement."""


# Where a secret is found; what is written here is never the secret itself.
_REFERENCE = re.compile(r"env:[A-Za-z_][A-Za-z0-9_]*|file:/[^\x00]+|secret:[a-z0-9.-]+/[a-z0-9.-]+/[A-Za-z0-9._-]+")
REFERENCES = "env:NAME, file:/path or secret:NAMESPACE/NAME/KEY"


def is_reference(text: str) -> bool:
    return _REFERENCE.fullmatch(text) is not None


def _referred(text: str) -> str:
    """The message must not have the value in it: what is refused may be a secret."""
    if text and not is_reference(text):
        raise ValueError(f"a secret is never written into the settings: name where it is, as {REFERENCES}")
    return text


def _plain_address(text: str) -> str:
    """A reference, or an address that holds nothing secret."""
    if not text or is_reference(text):
        return text
    try:
        found = urlsplit(text)
        odd = found.scheme not in ("http", "https") or not found.hostname or found.port == 0
    except ValueError:
        odd = True
    if odd:
        raise ValueError(f"it is neither a http(s) address nor a reference ({REFERENCES})")
    if found.username or found.password or found.query or found.fragment:
        raise ValueError(f"an address with a user, a query or a fragment may hold a secret: name it by {REFERENCES}")
    return text


def _network(text: str) -> str:
    network = ipaddress.ip_network(text)
    if any(network.version == closed.version and network.overlaps(closed) for closed in _STAYS_CLOSED):
        raise ValueError("loopback, and networks whose addresses lead to others, are not opened by a setting")
    return text


def _once(what: str, names: list[str]) -> None:
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"several {what} are called {', '.join(twice)}")


# Loopback; mapped and compatible addresses, NAT64, 6to4 and Teredo, which would lead there.
_STAYS_CLOSED = tuple(map(ipaddress.ip_network, ("127.0.0.0/8", "::/16", "64:ff9b::/32", "2002::/16", "2001::/32")))
Severity = Literal["critical", "error", "warning", "info"]


class SinkSettings(_Section):
    """``[[notify.sinks]]``"""

    name: str = Field(min_length=1, max_length=63, pattern=r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$")
    """What it is called in lists, commands and the journal; each name once."""

    kind: Literal["slack", "pagerduty", "webhook"]
    """What it speaks: a Slack incoming webhook, PagerDuty Events v2, or signed JSON to an address of your own."""

    url: Annotated[str, AfterValidator(_plain_address)] = ""
    """Where it is. Slack's address is a secret, so a reference; PagerDuty's has a default (give the one for the EU)."""

    secret: Annotated[str, AfterValidator(_referred)] = ""
    """Reference to PagerDuty's routing key, or to the key that signs a webhook. Slack needs none."""

    secret_context: str = ""
    """Context whose cluster holds what a `secret:` reference names."""

    severities: tuple[Severity, ...] = Field(default=("critical", "error", "warning"), min_length=1)
    """Which severities are told: `critical`, `error`, `warning`, `info`."""

    contexts: tuple[str, ...] = ()
    """Contexts that are told of; none named: all."""

    policies: tuple[str, ...] = ()
    """Policies that are told of; none named: everything, what runs without a policy included."""

    networks: tuple[Annotated[str, AfterValidator(_network)], ...] = ()
    """Private networks (CIDR) in which it may be; plain http is spoken to addresses in them alone."""

    ca_file: Path | None = None
    """PEM file with the CA of its certificate; with it nothing else is trusted."""

    @model_validator(mode="after")
    def _whole(self) -> SinkSettings:
        """Each kind has what it needs."""
        if self.kind != "pagerduty" and not self.url:
            raise ValueError(f"a {self.kind} sink needs a url")
        if self.kind == "slack" and not is_reference(self.url):
            raise ValueError(f"the address of a Slack webhook is a secret: name where it is, as {REFERENCES}")
        if self.kind != "slack" and not self.secret:
            what = "its routing key" if self.kind == "pagerduty" else "the key that signs"
            raise ValueError(f"a {self.kind} sink needs a secret: a reference to {what}, as {REFERENCES}")
        if any(text.startswith("secret:") for text in (self.url, self.secret)) and not self.secret_context:
            raise ValueError("a secret: reference needs secret_context, the context whose cluster holds it")
        return self


class NotifySettings(_Section):
    """``[notify]``"""

    sinks: tuple[SinkSettings, ...] = ()
    """Who is told when a proof fails, a run is overdue or a workload stands at zero (see docs/notifications.md)."""

    @model_validator(mode="after")
    def _distinct(self) -> NotifySettings:
        _once("sinks", [sink.name for sink in self.sinks])
        return self


class AlertmanagerSettings(_Section):
    """``[[prove.alertmanagers]]``"""

    name: str = Field(min_length=1, max_length=63, pattern=r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$")
    """What it is called in plans and evidence; each name once."""

    contexts: tuple[str, ...] = Field(min_length=1)
    """Contexts whose alerts it gets."""

    url: Annotated[str, AfterValidator(_plain_address)] = Field(min_length=1)
    """Where it is, with the prefix of its routes if it has one; one of several that form a cluster is enough."""

    token: Annotated[str, AfterValidator(_referred)] = ""
    """Reference to the bearer token that whatever stands in front of it wants."""

    secret_context: str = ""
    """Context whose cluster holds what a `secret:` reference names."""

    networks: tuple[Annotated[str, AfterValidator(_network)], ...] = ()
    """Private networks (CIDR) in which it may be; plain http is spoken to addresses in them alone."""

    ca_file: Path | None = None
    """PEM file with the CA of its certificate; with it nothing else is trusted."""

    @model_validator(mode="after")
    def _whole(self) -> AlertmanagerSettings:
        if any(text.startswith("secret:") for text in (self.url, self.token)) and not self.secret_context:
            raise ValueError("a secret: reference needs secret_context, the context whose cluster holds it")
        return self


class ProveSettings(_Section):
    """``[prove]``"""

    probe_image: str = Field(default="busybox:1.36", min_length=1, pattern=r"^\S+$")
    """Image of the pods that show a quarantine to be closed; it needs `httpd`, `nc`, `nslookup`, `env` and `sleep`."""

    outside_address: str = Field(default="1.1.1.1:443", pattern=r"^(\d+\.\d+\.\d+\.\d+|\[[0-9a-fA-F:.]+\]):\d{1,5}$")
    """An address on the internet, with its port, that no pod of a quarantine may reach."""

    alertmanagers: tuple[AlertmanagerSettings, ...] = ()
    """Alertmanagers in which alerts about a quarantine are silenced while its proof runs (see docs/quarantine.md)."""

    @model_validator(mode="after")
    def _distinct(self) -> ProveSettings:
        _once("Alertmanagers", [one.name for one in self.alertmanagers])
        return self


class EvidenceSettings(_Section):
    """``[evidence]``"""

    key: Path | None = None
    """SSH key that signs evidence: the private one (mode 0600), or a public one (`.pub`) whose private half an agent
    holds. Without it records are unsigned, and say so."""


class MetricsSettings(_Section):
    """``[metrics]``"""

    listen: str = ""
    """Address and port at which `/metrics` is served, like `127.0.0.1:9808`; without one it is not."""

    sandbox_listen: str = ""
    """The same for the engine of the sandbox, which is another process with figures of its own."""

    public: bool = False
    """Whether an address that other machines reach is meant. Names of workloads and policies can be read there."""


class SandboxSettings(_Section):
    """``[sandbox]``"""

    time_factor: float = Field(default=10.0, ge=1, le=100)
    """How many times faster than real the sandbox's Velero keeps its periods (validation, sync, schedules)."""


class Settings(BaseSettings):
    """Everything a person can set. Unknown names are refused, with the nearest known one."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_nested_delimiter=NESTED, extra="forbid", frozen=True, use_attribute_docstrings=True
    )

    console: ConsoleSettings = ConsoleSettings()
    engine: EngineSettings = EngineSettings()
    velero: VeleroSettings = VeleroSettings()
    storage: StorageSettings = StorageSettings()
    policies: PolicySettings = PolicySettings()
    prove: ProveSettings = ProveSettings()
    notify: NotifySettings = NotifySettings()
    evidence: EvidenceSettings = EvidenceSettings()
    metrics: MetricsSettings = MetricsSettings()
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
    given = _in_environment()
    for name, variable in given.items():
        if name.partition(".")[0] not in Settings.model_fields:
            raise SettingsRefused(f"{name}: {_unknown(name)}", variable)
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        name = ".".join(str(part) for part in first["loc"])
        where = given.get(".".join(map(str, first["loc"][:2]))) or str(config_file())
        raise SettingsRefused(f"{name}: {_explain(first, name)}", where) from None
    except SettingsError:
        what = 'it is not JSON, as the environment has lists: ["a", "b"]'
        raise SettingsRefused(what, _unread(given) or "the environment") from None
    except tomllib.TOMLDecodeError as error:
        raise SettingsRefused(f"not a TOML file: {error}", str(config_file())) from None
    except UnicodeDecodeError:
        raise SettingsRefused("not a TOML file: it is not UTF-8", str(config_file())) from None
    except OSError as error:
        raise SettingsRefused(f"cannot be read: {error.strerror}", str(config_file())) from None


def _in_environment() -> dict[str, str]:
    """``section.name`` → the variable that sets it. What has no ``__`` is no setting: LAZARUS_STATE and its kin."""
    names = {one.upper().removeprefix(PREFIX): one for one in os.environ if one.upper().startswith(PREFIX)}
    return {name.lower().replace(NESTED, "."): one for name, one in names.items() if NESTED in name}


def _unread(given: Mapping[str, str]) -> str:
    """The variable whose text is not what it has to be, a list or a whole section; "" when none is known."""
    lists = [given[name] for name in known_names() if name in given and _is_list(name)]
    whole = [one for one in os.environ if one.upper().removeprefix(PREFIX).lower() in Settings.model_fields]
    return next((one for one in (*lists, *whole) if not _is_json(os.environ[one])), "")


def _is_list(name: str) -> bool:
    section, _, field = name.partition(".")
    return isinstance(getattr(Settings.model_fields[section].default, field), tuple)


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def _explain(error: Any, name: str) -> str:
    return _unknown(name) if error["type"] == "extra_forbidden" else str(error["msg"]).removeprefix("Value error, ")


def _unknown(name: str) -> str:
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

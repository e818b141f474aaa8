"""The text of kubeconfig files: parsed and merged as kubectl does, without any I/O.

Every complaint names file and line and never quotes a value: a kubeconfig is full of secrets.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

# Far above any real file; keeps alias bombs and mistakes (a log, a tarball) from eating time.
MAX_BYTES, MAX_NODES = 4 * 1024 * 1024, 200_000


class BadKubeconfig(Exception):
    """``FILE:LINE: what is wrong``."""

    def __init__(self, path: str, line: int, what: str) -> None:
        super().__init__(f"{path}:{line}: {what}")


@dataclass(frozen=True, slots=True)
class ClusterEntry:
    """Where the API is and how its certificate is checked. Paths are absolute."""

    name: str = ""
    server: str = field(default="", repr=False)  # may carry one, too
    ca_file: str = ""
    ca_data: bytes = b""
    insecure: bool = False
    tls_server_name: str = ""
    proxy_url: str = field(default="", repr=False)  # may carry a password
    exec_config: Any = None


@dataclass(frozen=True, slots=True)
class ExecSpec:
    """A credential plugin. ``directory`` is the kubeconfig's: relative commands start there."""

    command: str
    api_version: str
    directory: str
    args: tuple[str, ...] = field(default=(), repr=False)
    env: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    install_hint: str = ""
    provide_cluster_info: bool = False
    interactive_mode: str = ""


@dataclass(frozen=True, slots=True)
class Impersonation:
    user: str = ""
    uid: str = ""
    groups: tuple[str, ...] = ()
    extra: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class UserEntry:
    """How to say who we are. Secrets are left out of the repr."""

    name: str = ""
    token: str = field(default="", repr=False)
    token_file: str = ""
    cert_file: str = ""
    cert_data: bytes = field(default=b"", repr=False)
    key_file: str = ""
    key_data: bytes = field(default=b"", repr=False)
    username: str = ""
    password: str = field(default="", repr=False)
    exec: ExecSpec | None = None
    auth_provider: str = ""
    impersonate: Impersonation = Impersonation()


@dataclass(frozen=True, slots=True)
class ContextEntry:
    name: str
    cluster: str = ""
    user: str = ""
    namespace: str = ""


@dataclass(frozen=True, slots=True)
class Document:
    """One file, or several merged."""

    current: str = ""
    contexts: dict[str, ContextEntry] = field(default_factory=dict)
    clusters: dict[str, ClusterEntry] = field(default_factory=dict)
    users: dict[str, UserEntry] = field(default_factory=dict)


def merge(documents: Iterable[Document]) -> Document:
    """As client-go: the first file that has a name, or a current-context, wins; entries are never mixed."""
    merged = Document()
    for document in documents:
        merged = Document(
            merged.current or document.current,
            document.contexts | merged.contexts,
            document.clusters | merged.clusters,
            document.users | merged.users,
        )
    return merged


def parse(text: bytes, path: str, directory: str) -> Document:
    """The document in ``text``; ``path`` is for messages, ``directory`` is where relative paths start.

    Raises ``BadKubeconfig``. An empty file is an empty document, as for kubectl.
    """
    return _Parser(path, directory).document(text)


class _Parser:
    def __init__(self, path: str, directory: str) -> None:
        self.path, self.directory, self.nodes = path, directory, 0

    def bad(self, node: yaml.Node | None, what: str) -> BadKubeconfig:
        return BadKubeconfig(self.path, node.start_mark.line + 1 if node else 1, what)

    def document(self, text: bytes) -> Document:
        if len(text) > MAX_BYTES:
            raise self.bad(None, "too large for a kubeconfig")
        try:
            root = yaml.compose(text.decode("utf-8-sig"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        except UnicodeDecodeError:
            raise self.bad(None, "not text (UTF-8)") from None
        except yaml.MarkedYAMLError as error:
            line = error.problem_mark.line + 1 if error.problem_mark else 1
            raise BadKubeconfig(self.path, line, f"not YAML ({error.problem or 'unreadable'})") from None
        except (yaml.YAMLError, RecursionError, ValueError):
            raise self.bad(None, "not YAML") from None
        if root is None or self.empty(root):
            return Document()
        top = self.mapping(root, "a kubeconfig")
        if self.text(top, "kind") not in ("", "Config") or not top.keys() & {"clusters", "contexts", "users", "kind"}:
            raise self.bad(root, "not a kubeconfig (kind is not Config)")
        return Document(
            self.text(top, "current-context"),
            {name: self.context(name, entry) for name, entry in self.named(top, "contexts", "context")},
            {name: self.cluster(name, entry) for name, entry in self.named(top, "clusters", "cluster")},
            {name: self.user(name, entry) for name, entry in self.named(top, "users", "user")},
        )

    # --- shapes

    def empty(self, node: yaml.Node | None) -> bool:
        return node is None or (isinstance(node, yaml.ScalarNode) and node.tag == "tag:yaml.org,2002:null")

    def mapping(self, node: yaml.Node | None, what: str) -> dict[str, yaml.Node]:
        if self.empty(node) or node is None:
            return {}
        if not isinstance(node, yaml.MappingNode):
            raise self.bad(node, f"{what} must be a mapping")
        self.nodes += len(node.value)
        if self.nodes > MAX_NODES:
            raise self.bad(node, "too many entries")
        return {key.value: value for key, value in node.value if isinstance(key, yaml.ScalarNode)}

    def sequence(self, fields: dict[str, yaml.Node], key: str) -> list[yaml.Node]:
        node = fields.get(key)
        if node is None or self.empty(node):
            return []
        if not isinstance(node, yaml.SequenceNode):
            raise self.bad(node, f"{key} must be a list")
        return list(node.value)

    def text(self, fields: dict[str, yaml.Node], key: str) -> str:
        node = fields.get(key)
        if node is None or self.empty(node):
            return ""
        if not isinstance(node, yaml.ScalarNode):
            raise self.bad(node, f"{key} must be text")
        return str(node.value)

    def flag(self, fields: dict[str, yaml.Node], key: str) -> bool:
        value = self.text(fields, key)
        if value.lower() not in ("", "true", "false"):
            raise self.bad(fields[key], f"{key} must be true or false")
        return value.lower() == "true"

    def data(self, fields: dict[str, yaml.Node], key: str) -> bytes:
        try:
            return base64.b64decode("".join(self.text(fields, key).split()), validate=True)
        except (binascii.Error, ValueError):
            raise self.bad(fields[key], f"{key} is not base64") from None

    def file(self, fields: dict[str, yaml.Node], key: str) -> str:
        value = self.text(fields, key)
        return str(Path(self.directory, value)) if value else ""

    def named(
        self, top: dict[str, yaml.Node], plural: str, singular: str
    ) -> Iterator[tuple[str, dict[str, yaml.Node]]]:
        seen: set[str] = set()
        for node in self.sequence(top, plural):
            item = self.mapping(node, f"an entry of {plural}")
            name = self.text(item, "name")
            if not name:
                raise self.bad(node, f"an entry of {plural} has no name")
            if name in seen:
                raise self.bad(node, f"a name appears twice in {plural}")
            seen.add(name)
            yield name, self.mapping(item.get(singular), singular)

    # --- entries

    def context(self, name: str, entry: dict[str, yaml.Node]) -> ContextEntry:
        return ContextEntry(name, self.text(entry, "cluster"), self.text(entry, "user"), self.text(entry, "namespace"))

    def cluster(self, name: str, entry: dict[str, yaml.Node]) -> ClusterEntry:
        exec_config = None
        for node in self.sequence(entry, "extensions"):
            item = self.mapping(node, "an extension")
            if self.text(item, "name") == "client.authentication.k8s.io/exec":
                exec_config = self.plain(item.get("extension"))
        return ClusterEntry(
            name=name,
            server=self.text(entry, "server"),
            ca_file=self.file(entry, "certificate-authority"),
            ca_data=self.data(entry, "certificate-authority-data"),
            insecure=self.flag(entry, "insecure-skip-tls-verify"),
            tls_server_name=self.text(entry, "tls-server-name"),
            proxy_url=self.text(entry, "proxy-url"),
            exec_config=exec_config,
        )

    def user(self, name: str, entry: dict[str, yaml.Node]) -> UserEntry:
        provider = self.mapping(entry.get("auth-provider"), "auth-provider")
        return UserEntry(
            name=name,
            token=self.text(entry, "token").strip(),
            token_file=self.file(entry, "tokenFile"),
            cert_file=self.file(entry, "client-certificate"),
            cert_data=self.data(entry, "client-certificate-data"),
            key_file=self.file(entry, "client-key"),
            key_data=self.data(entry, "client-key-data"),
            username=self.text(entry, "username"),
            password=self.text(entry, "password"),
            exec=self.exec(entry.get("exec")),
            auth_provider=self.text(provider, "name") or ("unnamed" if provider else ""),
            impersonate=self.impersonation(entry),
        )

    def impersonation(self, entry: dict[str, yaml.Node]) -> Impersonation:
        extra = self.mapping(entry.get("as-user-extra"), "as-user-extra")
        return Impersonation(
            self.text(entry, "as"),
            self.text(entry, "as-uid"),
            tuple(self.scalars(entry, "as-groups")),
            tuple((key, value) for key in extra for value in self.scalars(extra, key)),
        )

    def scalars(self, fields: dict[str, yaml.Node], key: str) -> list[str]:
        return [self.text({key: node}, key) for node in self.sequence(fields, key)]

    def exec(self, node: yaml.Node | None) -> ExecSpec | None:
        entry = self.mapping(node, "exec")
        if not entry:
            return None
        command = self.text(entry, "command")
        if not command:
            raise self.bad(node, "exec has no command")
        pairs = [self.mapping(item, "an entry of env") for item in self.sequence(entry, "env")]
        return ExecSpec(
            command=command,
            api_version=self.text(entry, "apiVersion"),
            directory=self.directory,
            args=tuple(self.scalars(entry, "args")),
            env=tuple((self.text(pair, "name"), self.text(pair, "value")) for pair in pairs),
            install_hint=self.text(entry, "installHint"),
            provide_cluster_info=self.flag(entry, "provideClusterInfo"),
            interactive_mode=self.text(entry, "interactiveMode"),
        )

    def plain(self, node: yaml.Node | None, depth: int = 0) -> Any:
        """Plain data for the plugin's cluster config."""
        if depth > 32:
            raise self.bad(node, "nested too deeply")
        if isinstance(node, yaml.MappingNode):
            return {key: self.plain(value, depth + 1) for key, value in self.mapping(node, "config").items()}
        if isinstance(node, yaml.SequenceNode):
            self.nodes += len(node.value)
            if self.nodes > MAX_NODES:
                raise self.bad(node, "too many entries")
            return [self.plain(value, depth + 1) for value in node.value]
        if not isinstance(node, yaml.ScalarNode) or self.empty(node):
            return None
        if node.tag in ("tag:yaml.org,2002:bool", "tag:yaml.org,2002:int", "tag:yaml.org,2002:float"):
            return yaml.safe_load(node.value)
        return node.value

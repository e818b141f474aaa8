"""The contexts a person can choose from: kubeconfig files as kubectl finds them, and the pod's own service account."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from lazarus_tui.kube.errors import ConfigError
from lazarus_tui.kube.kubeconfig import MAX_BYTES, BadKubeconfig, ClusterEntry, Document, UserEntry, merge, parse
from lazarus_tui.model.redact import redact

IN_CLUSTER = "in-cluster"
# Where kubelet mounts the service account (kubernetes.io docs, "Accessing the API from a Pod").
SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")


def _nothing() -> Context | None:
    return None


@dataclass(frozen=True, slots=True)
class Context:
    """One way to one cluster. ``refusal`` says why it cannot be used; it is shown, and ``usable`` raises it.

    ``again`` reads the same context from the same files once more; None when it is no longer there.
    """

    name: str
    cluster: ClusterEntry = field(default_factory=ClusterEntry)
    user: UserEntry = field(default_factory=UserEntry)
    namespace: str = ""
    refusal: str = ""
    again: Callable[[], Context | None] = field(default=_nothing, compare=False, repr=False)

    def same_apart_from_secret(self, other: Context) -> bool:
        """Whether both lead to the same cluster as the same user, and at most the token or password is another one."""
        return self._without_secret() == other._without_secret()

    def _without_secret(self) -> Context:
        return replace(self, user=replace(self.user, token="", password=""))

    @property
    def server(self) -> str:
        return redact(self.cluster.server)

    @property
    def insecure(self) -> bool:
        """The server's certificate is not checked: anybody on the way can read and change everything."""
        return self.cluster.insecure or self.cluster.server.startswith("http://")

    @property
    def warnings(self) -> tuple[str, ...]:
        found = []
        if self.insecure and not is_loopback(self.cluster.server):
            found.append("the server's certificate is not verified (insecure-skip-tls-verify or http)")
        if self.cluster.proxy_url:
            found.append(f"through proxy {urlsplit(self.cluster.proxy_url).hostname or 'unnamed'}")
        if self.user.impersonate.user:
            found.append(f"acting as {self.user.impersonate.user}")
        return tuple(found)

    def usable(self) -> Context:
        """Itself; raises ``ConfigError`` when it is refused."""
        if self.refusal:
            raise ConfigError(f"context {self.name}: {self.refusal}", reason="RefusedContext")
        return self


@dataclass(frozen=True, slots=True)
class Kubeconfig:
    """``current`` is "" when it is not certain: nothing then connects without an explicit choice."""

    contexts: Mapping[str, Context] = field(default_factory=dict)
    current: str = ""
    errors: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()

    def context(self, name: str | None = None) -> Context:
        """The named context, or the current one; raises ``ConfigError`` in one sentence."""
        wanted = name or self.current
        if wanted in self.contexts:
            return self.contexts[wanted].usable()
        if wanted:
            names = ", ".join(sorted(self.contexts)[:8]) or "none"
            raise ConfigError(f"there is no context {wanted!r}; there are: {names}", reason="NoSuchContext")
        why = self.errors[0] if self.errors else "no current-context is set"
        if not self.contexts and not self.errors:
            why = f"no kubeconfig found ({', '.join(self.paths)})"
        raise ConfigError(why, reason="NoContext", hint="name one with --context, or set KUBECONFIG")


def kubeconfig_paths(environ: Mapping[str, str]) -> tuple[Path, ...]:
    """$KUBECONFIG as a list without empty and repeated entries, else ~/.kube/config."""
    listed = [Path(part) for part in environ.get("KUBECONFIG", "").split(os.pathsep) if part]
    return tuple(dict.fromkeys(listed)) or (Path(environ.get("HOME") or Path.home(), ".kube", "config"),)


def load_kubeconfig(
    paths: Sequence[str | Path] | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    cwd: str | Path | None = None,
    service_account: Path = SERVICE_ACCOUNT,
) -> Kubeconfig:
    """Everything the files offer. ``paths`` None: as kubectl looks; given: each of them must exist.

    ``environ`` and ``cwd`` are those of the person who asked (the engine runs elsewhere). Never raises: what is wrong
    is in ``errors``. A file that cannot be read leaves ``current`` empty, because it might have set it.
    """
    environ = os.environ if environ is None else environ
    files = kubeconfig_paths(environ) if paths is None else tuple(Path(path) for path in paths)
    files = tuple(Path(cwd or Path.cwd(), path.expanduser()) for path in files)
    documents: list[Document] = []
    errors: list[str] = []
    warnings: list[str] = []
    for file in files:
        try:
            documents.append(_read(file, warnings))
        except BadKubeconfig as error:
            errors.append(str(error))
        except FileNotFoundError:
            if paths is not None:
                errors.append(f"{file}: no such file")
        except OSError as error:
            errors.append(f"{file}: {error.strerror or 'cannot be read'}")
    merged = merge(documents)

    contexts = {name: replace(_resolve(merged, name), again=partial(_again, files, name)) for name in merged.contexts}
    current = "" if errors else merged.current
    if not contexts and not errors and paths is None and (own := in_cluster(environ, service_account)):
        contexts, current = {own.name: own}, own.name
    return Kubeconfig(contexts, current, tuple(errors), tuple(warnings), tuple(str(file) for file in files))


def _again(files: Sequence[Path], name: str) -> Context | None:
    return load_kubeconfig(files).contexts.get(name)


def _read(file: Path, warnings: list[str]) -> Document:
    with file.open("rb") as stream:
        found = os.fstat(stream.fileno())
        if not stat.S_ISREG(found.st_mode) and not stat.S_ISFIFO(found.st_mode):
            raise OSError(0, "is not a file")
        text = stream.read(MAX_BYTES + 1)
    if stat.S_ISREG(found.st_mode) and found.st_mode & 0o077:
        warnings.append(f"{file} can be read by others (mode {found.st_mode & 0o777:04o}); chmod 600 it")
    return parse(text, str(file), str(file.parent))


def _resolve(document: Document, name: str) -> Context:
    entry = document.contexts[name]
    cluster, user = document.clusters.get(entry.cluster), document.users.get(entry.user)
    refusal = ""
    if cluster is None:
        refusal = f"it names cluster {entry.cluster!r}, which is not there"
    elif user is None and entry.user:
        refusal = f"it names user {entry.user!r}, which is not there"
    cluster, user = cluster or ClusterEntry(entry.cluster), user or UserEntry(entry.user)
    return Context(name, cluster, user, entry.namespace, refusal or _refusal(cluster, user))


def _refusal(cluster: ClusterEntry, user: UserEntry) -> str:
    """Why Lazarus will not use this, in words; "" when it will."""
    try:
        server, proxy = urlsplit(cluster.server), urlsplit(cluster.proxy_url)
        _ = server.port, proxy.port
    except ValueError:
        return "its server or proxy-url is not a URL"
    if server.scheme not in ("http", "https") or not server.hostname:
        return "its server is not an http(s) URL"
    if server.username or server.password:
        return "its server URL carries credentials; put them into the user entry"
    if cluster.proxy_url and proxy.scheme not in ("http", "https"):
        return f"proxy-url with {proxy.scheme or 'no scheme'} is not supported; use an http(s) proxy or ssh -L"
    if cluster.insecure and (cluster.ca_file or cluster.ca_data):
        return "insecure-skip-tls-verify and a certificate authority exclude each other"
    if user.auth_provider:
        return f"auth-provider {user.auth_provider} is not supported; use exec with kubelogin or your cloud's plugin"
    if user.impersonate != type(user.impersonate)() and not user.impersonate.user:
        return "as-groups, as-uid and as-user-extra need as"
    if user.exec and user.exec.interactive_mode == "Always":
        return f"its plugin {Path(user.exec.command).name} needs a terminal; log in with kubectl first, or use a token"
    if user.exec and user.exec.api_version not in EXEC_VERSIONS:
        return f"exec with {user.exec.api_version or 'no apiVersion'} is not supported; v1 and v1beta1 are"
    return ""


EXEC_VERSIONS = ("client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1")


def in_cluster(environ: Mapping[str, str], folder: Path = SERVICE_ACCOUNT) -> Context | None:
    """The pod's own service account, or None outside a cluster."""
    host, port = environ.get("KUBERNETES_SERVICE_HOST", ""), environ.get("KUBERNETES_SERVICE_PORT", "")
    if not host or not port or not (folder / "token").is_file():
        return None
    try:
        namespace = (folder / "namespace").read_text().strip()
    except OSError:
        namespace = ""
    server = f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"
    cluster = ClusterEntry(IN_CLUSTER, server, ca_file=str(folder / "ca.crt"))
    return Context(IN_CLUSTER, cluster, UserEntry(IN_CLUSTER, token_file=str(folder / "token")), namespace)


def is_loopback(server: str) -> bool:
    host = urlsplit(server).hostname or ""
    return host == "localhost" or host == "::1" or host.startswith("127.")

"""Who we are to an API server: tokens, token files and credential plugins, kept fresh and out of every message."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import shutil
import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote

import msgspec

from lazarus_tui.kube.contexts import Context
from lazarus_tui.kube.errors import AuthError
from lazarus_tui.kube.kubeconfig import ClusterEntry, ExecSpec, Impersonation, UserEntry
from lazarus_tui.model.clock import Clock, parse_rfc3339
from lazarus_tui.model.redact import redact

# Seconds a plugin may take (reliability A8), and how long its failure is remembered: it must not run per request.
PLUGIN_TIMEOUT, FAILURE_MEMORY = 30.0, 10.0
# Share of a credential's life after which it is fetched anew.
FRESH_SHARE = 0.8
# Seconds between reads of a token file (client-go rereads once a minute).
TOKEN_FILE_PERIOD = 60.0
STDOUT_CAP, STDERR_TAIL = 1024 * 1024, 4096


@dataclass(frozen=True, slots=True)
class Credential:
    """What proves us. Nothing of it is in the repr."""

    token: str = field(default="", repr=False)
    basic: str = field(default="", repr=False)
    certificate: bytes = field(default=b"", repr=False)
    key: bytes = field(default=b"", repr=False)

    def headers(self) -> dict[str, str]:
        if self.token:
            return {"Authorization": f"Bearer {self.token}"}
        return {"Authorization": f"Basic {self.basic}"} if self.basic else {}


class Credentials(Protocol):
    async def get(self) -> Credential:
        """A credential believed good; raises ``AuthError``."""
        ...

    async def refresh(self, refused: Credential) -> bool:
        """After a 401: True when there is another credential than the refused one to try."""
        ...


def credentials_of(context: Context, clock: Clock, *, timeout: float = PLUGIN_TIMEOUT) -> Credentials:
    """client-go's order: a token file beats a token, a token beats a plugin."""
    user = context.user
    if user.token_file:
        return TokenFile(user.token_file, user.token, clock)
    if user.token or not user.exec:
        return Written(context)
    return Plugin(user.exec, context.cluster, clock, timeout=timeout)


def _static(user: UserEntry) -> Credential:
    basic = ""
    if user.username and not user.token:
        basic = base64.b64encode(f"{user.username}:{user.password}".encode()).decode()
    return Credential(_header_safe(user.token, f"user {user.name}"), basic)


def _header_safe(token: str, where: str) -> str:
    if token and not (token.isascii() and token.isprintable() and " " not in token):
        raise AuthError(f"the token of {where} holds characters a header cannot carry", reason="BadToken")
    return token


def impersonation_headers(act: Impersonation) -> list[tuple[str, str]]:
    """The Impersonate-* headers; refuses values a header cannot carry."""
    if not act.user:
        return []
    found = [("Impersonate-User", act.user)]
    if act.uid:
        found.append(("Impersonate-Uid", act.uid))
    found += [("Impersonate-Group", group) for group in act.groups]
    found += [(f"Impersonate-Extra-{quote(key.lower(), safe='')}", value) for key, value in act.extra]
    if not all(value.isascii() and value.isprintable() for _, value in found):
        raise AuthError("an impersonated name holds characters a header cannot carry", reason="BadImpersonation")
    return found


class Written:
    """A token or password written into a kubeconfig: a new login writes another one there.

    It is only ever taken for the same cluster and the same user: a file that changes never leads somewhere else.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._credential = _static(context.user)

    async def get(self) -> Credential:
        return self._credential

    async def refresh(self, refused: Credential) -> bool:
        found = self._context.again()
        if found is None or found.refusal or not found.same_apart_from_secret(self._context):
            return False
        self._credential = _static(found.user)
        return self._credential != refused


class TokenFile:
    """A projected service account token: it is rotated under our feet."""

    def __init__(self, path: str, fallback: str, clock: Clock) -> None:
        self._path, self._clock = Path(path), clock
        self._credential, self._read_at = Credential(fallback), float("-inf")

    async def get(self) -> Credential:
        if self._clock.monotonic() - self._read_at >= TOKEN_FILE_PERIOD:
            self._read()
        return self._credential

    async def refresh(self, refused: Credential) -> bool:
        self._read()
        return self._credential != refused

    def _read(self) -> None:
        try:
            token = self._path.read_text(encoding="utf-8", errors="replace").strip()
        except OSError as error:
            if not self._credential.token:
                text = f"token file {self._path} cannot be read ({error.strerror})"
                raise AuthError(text, reason="NoToken") from None
            token = ""  # keep the last one, as client-go does
        if token:
            self._credential = Credential(_header_safe(token, f"file {self._path}"))
        elif not self._credential.token:
            raise AuthError(f"token file {self._path} is empty", reason="NoToken")
        self._read_at = self._clock.monotonic()


class _PluginStatus(msgspec.Struct, frozen=True, rename="camel"):
    token: str = ""
    client_certificate_data: str = ""
    client_key_data: str = ""
    expiration_timestamp: str | None = None


class _PluginAnswer(msgspec.Struct, frozen=True, rename="camel"):
    kind: str = ""
    api_version: str = ""
    status: _PluginStatus | None = None


class Plugin:
    """A ``client.authentication.k8s.io`` plugin: run when needed, never twice at once, kept for 80 % of its life."""

    def __init__(
        self,
        spec: ExecSpec,
        cluster: ClusterEntry,
        clock: Clock,
        *,
        timeout: float = PLUGIN_TIMEOUT,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self._spec, self._cluster, self._clock, self._timeout = spec, cluster, clock, timeout
        self._environ = os.environ if environ is None else environ
        self._lock = asyncio.Lock()
        self._credential: Credential | None = None
        self._fresh_until = self._good_until = float("inf")
        self._failure: AuthError | None = None
        self._failed_at = self._barren_at = float("-inf")

    @property
    def name(self) -> str:
        return Path(self._spec.command).name

    async def get(self) -> Credential:
        if self._credential and self._now() < self._fresh_until:
            return self._credential
        async with self._lock:
            if self._credential and self._now() < self._fresh_until:
                return self._credential
            try:
                return await self._run_once()
            except AuthError:
                if self._credential and self._now() < self._good_until:
                    return self._credential  # old but still good
                raise

    async def refresh(self, refused: Credential) -> bool:
        async with self._lock:
            due = self._credential == refused and self._now() - self._barren_at >= FAILURE_MEMORY
            if due and await self._run_once() == refused:
                self._barren_at = self._now()  # it gives what the server refuses; do not run it per request
            return self._credential is not None and self._credential != refused

    def _now(self) -> float:
        return self._clock.now().timestamp()

    async def _run_once(self) -> Credential:
        if self._failure and self._clock.monotonic() - self._failed_at < FAILURE_MEMORY:
            raise self._failure
        try:
            credential, expires = self._parse(await self._output())
        except AuthError as error:
            self._failure, self._failed_at = error, self._clock.monotonic()
            raise
        now = self._now()
        self._failure, self._credential = None, credential
        self._good_until = expires.timestamp() if expires else float("inf")
        self._fresh_until = now + FRESH_SHARE * (self._good_until - now) if expires else float("inf")
        return credential

    def _fail(self, what: str, hint: str = "") -> AuthError:
        return AuthError(f"credential plugin {self.name}: {what}", reason="PluginFailed", hint=hint)

    def _command(self) -> str:
        """As kubectl: a path with a slash starts at the kubeconfig, a bare name is looked up in PATH."""
        command = self._spec.command
        if os.sep in command:
            found: str | None = os.path.join(self._spec.directory, command)
        else:
            found = shutil.which(command, path=self._environ.get("PATH"))
        if not found or not os.path.isfile(found):
            raise self._fail("not found", redact(self._spec.install_hint) or f"install {self.name}, or put it on PATH")
        return found

    def _environment(self) -> dict[str, str]:
        info: dict[str, Any] = {
            "kind": "ExecCredential",
            "apiVersion": self._spec.api_version,
            "spec": {"interactive": False},
        }
        if self._spec.provide_cluster_info:
            info["spec"]["cluster"] = self._cluster_info()
        return {**self._environ, **dict(self._spec.env), "KUBERNETES_EXEC_INFO": json.dumps(info)}

    def _cluster_info(self) -> dict[str, Any]:
        cluster = self._cluster
        data = cluster.ca_data
        if not data and cluster.ca_file:
            try:
                data = Path(cluster.ca_file).read_bytes()
            except OSError:
                data = b""
        fields = {
            "server": cluster.server,
            "tls-server-name": cluster.tls_server_name,
            "insecure-skip-tls-verify": cluster.insecure,
            "certificate-authority-data": base64.b64encode(data).decode(),
            "proxy-url": cluster.proxy_url,
            "config": cluster.exec_config,
        }
        return {key: value for key, value in fields.items() if value}

    async def _output(self) -> bytes:
        try:
            process = await asyncio.create_subprocess_exec(
                self._command(),
                *self._spec.args,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                env=self._environment(),
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            raise self._fail(getattr(error, "strerror", None) or "cannot be started") from None
        assert process.stdout is not None
        assert process.stderr is not None
        try:
            async with asyncio.timeout(self._timeout):
                out, tail, code = await asyncio.gather(
                    _drain(process.stdout, head=STDOUT_CAP + 1),
                    _drain(process.stderr, tail=STDERR_TAIL),
                    process.wait(),
                )
        except TimeoutError:
            await _end(process)
            raise self._fail(f"no answer within {self._timeout:g} s") from None
        except BaseException:
            await _end(process)
            raise
        if code:
            said = redact(tail.decode("utf-8", "replace")[-1024:], 160)
            raise self._fail(f"exit code {code}" + (f": {said}" if said else ""))
        if len(out) > STDOUT_CAP:
            raise self._fail("answered with more than 1 MiB")
        return out

    def _parse(self, out: bytes) -> tuple[Credential, datetime | None]:
        try:
            answer = msgspec.json.decode(out, type=_PluginAnswer)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise self._fail("its output is not an ExecCredential") from None
        if answer.kind != "ExecCredential" or answer.api_version != self._spec.api_version or not answer.status:
            raise self._fail(f"its output is not an ExecCredential of {self._spec.api_version}")
        status = answer.status
        pair = (status.client_certificate_data.encode(), status.client_key_data.encode())
        if bool(pair[0]) != bool(pair[1]) or not (status.token or pair[0]):
            raise self._fail("its output holds neither a token nor a certificate with its key")
        try:
            expires = parse_rfc3339(status.expiration_timestamp) if status.expiration_timestamp else None
        except ValueError:
            raise self._fail("its expirationTimestamp is not a time") from None
        return Credential(_header_safe(status.token.strip(), f"plugin {self.name}"), "", *pair), expires


async def _drain(stream: asyncio.StreamReader, *, head: int = 0, tail: int = 0) -> bytes:
    """Read to the end, keeping the first ``head`` or the last ``tail`` bytes: a full pipe would stop the plugin."""
    kept = b""
    while chunk := await stream.read(65536):
        kept = (kept + chunk)[-tail:] if tail else kept + chunk[: max(0, head - len(kept))]
    return kept


async def _end(process: asyncio.subprocess.Process) -> None:
    """A plugin that did not end by itself is killed with all that it started."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    await process.wait()
    transport = getattr(process, "_transport", None)
    if transport is not None:
        transport.close()  # the pipes of a killed plugin's children would stay open

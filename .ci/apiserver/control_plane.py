"""A real etcd, kube-apiserver and kube-controller-manager on loopback, for as long as somebody needs them.

``python control_plane.py FOLDER COMMAND …`` runs the command while they stand; FOLDER holds the programs (``prepare``
prints it). The command finds the administrator's kubeconfig in LAZARUS_CONFORMANCE_KUBECONFIG. There is no node and no
scheduler. The flags are those that versions from 1.20 to today share.
"""

from __future__ import annotations

import base64
import contextlib
import ctypes
import json
import os
import re
import secrets
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, Self

import trustme
import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

NAME = "real-apiserver"
# Seconds until a program must answer: a cold start with other work on the machine.
PATIENCE = 120.0
_LOOK = 0.05
_ACCOUNTS = "/api/v1/namespaces/default/serviceaccounts/default"


class Broken(Exception):
    """Why the servers could not be started, in one sentence."""


class ControlPlane:
    """The three programs with state of their own in ``folder``; ``url``, ``ca_pem`` and ``token`` lead to it."""

    def __init__(self, programs: Path, folder: Path) -> None:
        self.programs, self.folder = programs, folder
        self.token = secrets.token_urlsafe(24)
        self._held = [_hold_port() for _ in range(3)]
        (etcd, _), (peer, _), (self.port, _) = self._held
        self.etcd_url, self.peer_url = f"http://127.0.0.1:{etcd}", f"http://127.0.0.1:{peer}"
        self.url = f"https://127.0.0.1:{self.port}"
        self.kubeconfig = folder / "kubeconfig"
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self._write_files()

    def _write_files(self) -> None:
        authority = trustme.CA(organization_name="Lazarus throw-away")
        leaf = authority.issue_cert("127.0.0.1", "localhost")
        self.ca_pem = authority.cert_pem.bytes()
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        accounts = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
        )
        files = {
            "ca.pem": self.ca_pem,
            "tls.pem": leaf.cert_chain_pems[0].bytes(),
            "tls-key.pem": leaf.private_key_pem.bytes(),
            "accounts.pem": accounts,
            "tokens.csv": f'{self.token},admin,admin,"system:masters"\n'.encode(),
            "kubeconfig": self._kubeconfig().encode(),
        }
        for name, data in files.items():
            path = self.folder / name
            path.touch(mode=0o600)
            path.write_bytes(data)

    def _kubeconfig(self) -> str:
        cluster = {"server": self.url, "certificate-authority-data": base64.b64encode(self.ca_pem).decode()}
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": NAME,
            "clusters": [{"name": NAME, "cluster": cluster}],
            "users": [{"name": "admin", "user": {"token": self.token}}],
            "contexts": [{"name": NAME, "context": {"cluster": NAME, "user": "admin"}}],
        }
        text: str = yaml.safe_dump(document, sort_keys=False)
        return text

    # --- life

    def __enter__(self) -> Self:
        try:
            self.start_etcd()
            self.start_apiserver()
            self.start_controllers()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        for name in ("kube-controller-manager", "kube-apiserver", "etcd"):
            self.end(name)
        for _, held in self._held:
            held.close()

    def end(self, name: str) -> None:
        """At once and without a farewell, as when the machine under it dies."""
        process = self.processes.pop(name, None)
        if process is not None:
            process.kill()
            process.wait()

    def start_etcd(self) -> None:
        self._run(
            "etcd",
            f"--data-dir={self.folder / 'etcd'}",
            f"--listen-client-urls={self.etcd_url}",
            f"--advertise-client-urls={self.etcd_url}",
            f"--listen-peer-urls={self.peer_url}",
            f"--initial-advertise-peer-urls={self.peer_url}",
            f"--initial-cluster=default={self.peer_url}",
            # A request it was held up with is refused after twice this and five seconds; each start takes some of it.
            "--election-timeout=3000",
        )
        self._until("etcd", f"{self.etcd_url}/health")

    def start_apiserver(self, *flags: str) -> None:
        """Returns when it is ready; on the port it had before. ``flags`` come after the usual ones."""
        self.launch_apiserver(*flags)
        self.await_apiserver()

    def await_apiserver(self) -> None:
        self._until("kube-apiserver", f"{self.url}/readyz")

    def launch_apiserver(self, *flags: str) -> None:
        """Not from a thread that ends: the server would end with it."""
        keys = f"{self.folder / 'accounts.pem'}"
        issuer = "https://kubernetes.default.svc"
        self._run(
            "kube-apiserver",
            f"--etcd-servers={self.etcd_url}",
            "--bind-address=127.0.0.1",
            # Endpoints of the service "kubernetes" must not be loopback; nobody connects to this documentation address.
            "--advertise-address=192.0.2.1",
            "--endpoint-reconciler-type=none",
            f"--secure-port={self.port}",
            f"--tls-cert-file={self.folder / 'tls.pem'}",
            f"--tls-private-key-file={self.folder / 'tls-key.pem'}",
            f"--cert-dir={self.folder}",
            f"--client-ca-file={self.folder / 'ca.pem'}",
            f"--requestheader-client-ca-file={self.folder / 'ca.pem'}",
            "--requestheader-allowed-names=front-proxy",
            "--requestheader-extra-headers-prefix=X-Remote-Extra-",
            "--requestheader-group-headers=X-Remote-Group",
            "--requestheader-username-headers=X-Remote-User",
            f"--proxy-client-cert-file={self.folder / 'tls.pem'}",
            f"--proxy-client-key-file={self.folder / 'tls-key.pem'}",
            f"--token-auth-file={self.folder / 'tokens.csv'}",
            "--authorization-mode=RBAC",
            f"--service-account-issuer={issuer}",
            f"--service-account-key-file={keys}",
            f"--service-account-signing-key-file={keys}",
            "--service-cluster-ip-range=10.96.0.0/24",
            "--allow-privileged=true",
            *flags,
        )

    def start_controllers(self) -> None:
        """Returns when they have made the first thing that only they make; without the program there are none."""
        if not (self.programs / "kube-controller-manager").exists():
            return
        version = self.version()
        keys = f"{self.folder / 'accounts.pem'}"
        self._run(
            "kube-controller-manager",
            f"--kubeconfig={self.kubeconfig}",
            f"--service-account-private-key-file={keys}",
            f"--root-ca-file={self.folder / 'ca.pem'}",
            "--leader-elect=false",
            "--bind-address=127.0.0.1",
            "--secure-port=0",
            # Only older ones have a second, open port, and it has to be closed by name.
            *(["--port=0"] if version < 24 else []),
        )
        self._until("kube-controller-manager", f"{self.url}{_ACCOUNTS}")

    def _run(self, name: str, *flags: str) -> None:
        program = self.programs / name
        if not program.exists():
            raise Broken(f"{self.programs} holds no {name}.")
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                [str(program), *flags], stdin=subprocess.DEVNULL, stdout=log, stderr=log, preexec_fn=_die_with_parent
            )

    # --- talk

    def version(self) -> int:
        """The minor version."""
        found = json.loads(self.ask(f"{self.url}/version"))
        return int(re.sub(r"\D", "", found["minor"]))

    def ask(self, url: str, body: Any = None, patience: float = PATIENCE) -> bytes:
        """One request, to the API server as the administrator; each silence of the server may last ``patience`` s."""
        request = urllib.request.Request(url, None if body is None else json.dumps(body).encode())
        if url.startswith(self.url):
            request.add_header("Authorization", f"Bearer {self.token}")
        request.add_header("Content-Type", "application/json")
        context = ssl.create_default_context(cadata=self.ca_pem.decode()) if url.startswith("https") else None
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _https(context))
        with opener.open(request, timeout=patience) as answer:
            found: bytes = answer.read()
        return found

    def grow_old(self) -> None:
        """Let the first versions be forgotten, as on any cluster that has been up for a while."""
        self.end("kube-apiserver")
        self.compact()
        self.start_apiserver()

    def compact(self) -> int:
        """Make etcd forget everything but the present, as the API server does every five minutes; the revision."""
        head = json.loads(self.ask(f"{self.etcd_url}/v3/kv/range", {"key": base64.b64encode(b"\0").decode()}))
        revision = int(head["header"]["revision"])
        self.ask(f"{self.etcd_url}/v3/kv/compaction", {"revision": str(revision), "physical": True})
        return revision

    def _until(self, name: str, url: str) -> None:
        ends = time.monotonic() + PATIENCE
        while time.monotonic() < ends:
            if self.processes[name].poll() is not None:
                break
            with contextlib.suppress(urllib.error.URLError, OSError):
                self.ask(url, patience=10)
                return
            time.sleep(_LOOK)
        log = (self.folder / f"{name}.log").read_text(errors="replace").splitlines()
        raise Broken(f"{name} did not become ready: {' | '.join(log[-3:])}")


def _https(context: ssl.SSLContext | None) -> urllib.request.HTTPSHandler:
    return urllib.request.HTTPSHandler(context=context)


def _hold_port() -> tuple[int, socket.socket]:
    """A free port that stays ours while no program listens on it: before the first start and between two of them.

    Linux lets a program listen on what somebody holds without listening, if both allow it, as these programs do, and
    gives such a port to nobody who asks for any or who connects. Elsewhere it was free a moment ago.
    """
    held = socket.socket()
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    held.bind(("127.0.0.1", 0))
    port: int = held.getsockname()[1]
    if sys.platform != "linux":
        held.close()
    return port, held


def _die_with_parent() -> None:
    """Linux kills the child when the thread that made it is gone, however it ended; elsewhere the block's end does."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def _interrupted(number: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


def main(arguments: list[str]) -> int:
    programs, *command = arguments
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, _interrupted)
    try:
        with tempfile.TemporaryDirectory(prefix="lzk") as folder, ControlPlane(Path(programs), Path(folder)) as plane:
            plane.grow_old()
            environ = {**os.environ, "LAZARUS_CONFORMANCE_KUBECONFIG": str(plane.kubeconfig)}
            return subprocess.run(command, env=environ, check=False, preexec_fn=_die_with_parent).returncode
    except Broken as error:
        sys.stderr.write(f"The real API server could not be started: {error}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""The two API servers that are compared: the sandbox as it is shipped, and a real one when this machine has it.

The real one is etcd, kube-apiserver and kube-controller-manager as ``.ci/apiserver/prepare`` leaves them. Both speak
TLS and have their controllers at work. What they acknowledge outlives them on the same disk, but etcd also waits for
the disk itself: the sandbox promises to survive kill -9, not a power cut.
"""

from __future__ import annotations

import base64
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import yaml

from bench.server_client import Address
from bench.servers import LAZARUS, own_state

CI = Path(__file__).parent.parent / ".ci" / "apiserver"


@dataclass(frozen=True)
class Target:
    """A server that stands; ``pids`` are the processes that hold its objects."""

    address: Address
    pids: tuple[int, ...]

    def resident(self) -> int:
        """Bytes of memory that its processes have."""
        return sum(_resident(pid) for pid in self.pids)

    def busy(self) -> float:
        """Seconds of processor time that they have taken."""
        return sum(_busy(pid) for pid in self.pids)


def _busy(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _resident(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError(f"process {pid} tells no VmRSS")


def address_of(kubeconfig: str) -> Address:
    document = yaml.safe_load(kubeconfig)
    cluster, user = document["clusters"][0]["cluster"], document["users"][0]["user"]
    where = urlsplit(cluster["server"])
    ca_pem = base64.b64decode(cluster["certificate-authority-data"])
    return Address(where.hostname or "", where.port or 0, ca_pem, user["token"])


@contextmanager
def sandbox() -> Iterator[Target]:
    """``lazarus sandbox up`` with a state root of its own; ready when the shop is."""
    with tempfile.TemporaryDirectory(prefix="lzb") as folder:
        env = own_state(folder)
        try:
            subprocess.run([*LAZARUS, "sandbox", "up"], check=True, env=env, capture_output=True)
            shown = subprocess.run(
                [*LAZARUS, "sandbox", "kubeconfig"], check=True, env=env, capture_output=True, text=True
            )
            (pid_file,) = Path(folder).rglob("serve.pid")
            yield Target(address_of(shown.stdout), (int(pid_file.read_text()),))
        finally:
            subprocess.run([*LAZARUS, "sandbox", "down"], env=env, capture_output=True, check=False)


def programs() -> Path | None:
    """The folder with the real server's programs, None when this machine has none."""
    found = subprocess.run(["sh", str(CI / "prepare"), "--cached"], capture_output=True, text=True, check=False)
    return Path(found.stdout.strip()) if found.returncode == 0 else None


@contextmanager
def real() -> Iterator[Target | None]:
    """The real server with fresh state; None without its programs."""
    folder = programs()
    if folder is None:
        yield None
        return
    sys.path.insert(0, str(CI))
    from control_plane import ControlPlane

    with tempfile.TemporaryDirectory(prefix="lzb") as state, ControlPlane(folder, Path(state)) as plane:
        pids = tuple(plane.processes[name].pid for name in ("etcd", "kube-apiserver"))
        yield Target(address_of(plane.kubeconfig.read_text()), pids)


def seconds_to_first_answer_of_the_real_one() -> float | None:
    """From nothing to a list of namespaces: etcd and kube-apiserver; None without them."""
    folder = programs()
    if folder is None:
        return None
    sys.path.insert(0, str(CI))
    from control_plane import ControlPlane

    with tempfile.TemporaryDirectory(prefix="lzb") as state:
        plane = ControlPlane(folder, Path(state))
        started = time.perf_counter()
        try:
            plane.start_etcd()
            plane.start_apiserver()
            plane.ask(f"{plane.url}/api/v1/namespaces")
            return time.perf_counter() - started
        finally:
            plane.stop()

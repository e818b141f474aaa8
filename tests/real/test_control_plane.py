"""What this folder stands on ends with its user, however that ends."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import control_plane
import pytest
from real_world import LOOK, eventually


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@contextmanager
def ended(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """Whatever goes wrong before it is waited for."""
    try:
        yield
    finally:
        process.kill()


@pytest.mark.parametrize(("ends", "code"), [(signal.SIGINT, 130), (signal.SIGKILL, -signal.SIGKILL)])
async def test_nothing_is_left_when_the_starter_is_ended(tmp_path: Path, ends: signal.Signals, code: int) -> None:
    told = tmp_path / "told"
    command = ["sh", "-c", 'echo $$ >"$0.part"; mv "$0.part" "$0"; exec sleep 1000', str(told)]
    starter = [sys.executable, control_plane.__file__, os.environ["LAZARUS_APISERVER"], *command]
    with subprocess.Popen(starter, env={**os.environ, "TMPDIR": str(tmp_path)}) as process, ended(process):
        while not told.exists():  # one that cannot start its servers ends by itself
            assert process.poll() is None
            await asyncio.sleep(LOOK)
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        process.send_signal(ends)
        assert process.wait() == code
    assert int(told.read_text()) in map(int, children)
    assert len(children) >= 3

    async def gone() -> bool:
        return not any(alive(int(pid)) for pid in children)

    await eventually(gone)


def test_a_port_is_for_its_program_alone_while_nothing_listens_on_it(tmp_path: Path) -> None:
    plane = control_plane.ControlPlane(Path("none"), tmp_path)
    try:
        ports = [plane.port, *(int(url.rpartition(":")[2]) for url in (plane.etcd_url, plane.peer_url))]
        assert len(set(ports)) == 3
        for port in ports:
            with socket.socket() as somebody, pytest.raises(OSError, match="already in use"):
                somebody.bind(("127.0.0.1", port))
            with socket.socket() as program:
                program.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                program.bind(("127.0.0.1", port))
                program.listen()
    finally:
        plane.stop()

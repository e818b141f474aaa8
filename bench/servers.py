"""Processes that a measurement needs beside it: each is fresh, is its own, and ends with its block."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

LAZARUS = [sys.executable, "-m", "lazarus_tui.cli"]


def own_state(folder: str) -> dict[str, str]:
    """The environment for a lazarus that keeps everything below ``folder``."""
    return {**os.environ, "LAZARUS_STATE": folder, "XDG_RUNTIME_DIR": ""}


@contextmanager
def served(module: str, *arguments: str) -> Iterator[str]:
    """The line that ``python -m module`` prints when it is ready."""
    command = [sys.executable, "-m", module, *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            line = process.stdout.readline().strip() if process.stdout else ""
            if not line:
                raise RuntimeError(f"{module} did not start")
            yield line
        finally:
            process.kill()


def up(env: dict[str, str]) -> None:
    """Asked again, the command goes on to wait for the same sandbox: on a busy machine that takes longer than once."""
    for left in (2, 1, 0):
        done = subprocess.run([*LAZARUS, "sandbox", "up"], env=env, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return
        if not left:
            raise RuntimeError(f"lazarus sandbox up: {done.stderr}")


@contextmanager
def sandbox() -> Iterator[dict[str, str]]:
    """The environment of a sandbox that is up, with a state root of its own."""
    with tempfile.TemporaryDirectory(prefix="lzb") as folder:
        env = own_state(folder)
        try:
            up(env)
            yield env
        finally:
            for verb in (["--sandbox", "engine", "stop", "--park"], ["sandbox", "down"]):
                subprocess.run([*LAZARUS, *verb], env=env, capture_output=True, check=False)

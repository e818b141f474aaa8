"""What the engine does not need any more goes back to the system."""

from __future__ import annotations

import subprocess
import sys

import pytest

# A block of 300 KiB is freed, which teaches glibc to keep blocks of that size; then: how many of eight are its own.
_LEARNT = """
import ctypes
class Info(ctypes.Structure):
    _fields_ = [(name, ctypes.c_size_t) for name in
                "arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost".split()]
libc = ctypes.CDLL(None)
libc.mallinfo2.restype = Info
if {tidy}:
    from lazarus_tui.engine.process import tidy_memory
    tidy_memory()
bytearray(300 * 1024)
before = libc.mallinfo2().hblks
kept = [bytearray(256 * 1024) for _ in range(8)]
print(libc.mallinfo2().hblks - before)
"""


def _own_blocks(tidy: bool) -> int:
    done = subprocess.run(
        [sys.executable, "-c", _LEARNT.format(tidy=tidy)], capture_output=True, text=True, check=False
    )
    if done.returncode and "mallinfo2" in done.stderr:
        return 8 * tidy  # no glibc: there is nothing to tell it
    assert not done.returncode, done.stderr
    return int(done.stdout)


@pytest.mark.parametrize(("tidy", "own"), [(True, 8), (False, 0)], ids=["engine", "left to itself"])
def test_buffers_of_connections_leave_no_holes(tidy: bool, own: int) -> None:
    assert _own_blocks(tidy) == own

"""What the engine does not need any more goes back to the system."""

from __future__ import annotations

import subprocess
import sys

import pytest

from lazarus_tui.engine import memory

# A block of 300 KiB is freed, which teaches glibc to keep blocks of that size; then: how many of eight are its own.
_LEARNT = """
import ctypes
class Info(ctypes.Structure):
    _fields_ = [(name, ctypes.c_size_t) for name in
                "arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost".split()]
libc = ctypes.CDLL(None)
libc.mallinfo2.restype = Info
if {tidy}:
    from lazarus_tui.engine import memory
    memory.tidy()
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


def test_memory_is_measured_in_bytes() -> None:
    assert 5_000_000 < memory.resident() < 10_000_000_000


class Knot:
    """Garbage that only the collector sees."""

    def __init__(self) -> None:
        self.knot = self


def test_what_is_kept_is_told_from_what_was_in_use() -> None:
    before = memory.figures(collect=True)
    kept = [bytes(20_000) for _ in range(1000)], [object() for _ in range(300_000)]
    more = memory.figures(collect=True)
    # What other tests left in this process comes and goes by some hundred blocks.
    assert more["python_blocks"] - before["python_blocks"] == pytest.approx(301_000, rel=0.02)  # type: ignore[operator]
    if before["malloc_bytes"] is not None:  # no glibc: it cannot say
        taken = more["malloc_bytes"] - before["malloc_bytes"]  # type: ignore[operator]
        assert taken == pytest.approx(20_000_000 + 300_000 * 8, rel=0.1)
    del kept
    knots = [Knot() for _ in range(20_000)]
    del knots
    after = memory.figures(collect=True)
    assert abs(after["python_blocks"] - before["python_blocks"]) < 6000  # type: ignore[operator]
    if before["malloc_bytes"] is not None:
        assert after["malloc_bytes"] - before["malloc_bytes"] < 2_000_000  # type: ignore[operator]

"""This process's memory: how its C library keeps it, and what of it is in use."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import resource
import sys

# Bytes from which on a block of memory is large; the parameters' numbers are those of malloc.h.
LARGE = 128 * 1024
_MMAP_THRESHOLD, _ARENA_MAX = -3, -8


class _Mallinfo(ctypes.Structure):
    """``struct mallinfo2`` of malloc.h (glibc 2.33); all in bytes or counts of blocks."""

    _names = "arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost"
    _fields_ = [(name, ctypes.c_size_t) for name in _names.split()]


def tidy() -> None:
    """Large blocks go back to the system when they are freed, and the threads share two arenas (glibc; else nothing).

    Left to itself glibc learns from the first large block that is freed to keep all of that size, and the buffers of
    passing TLS connections (256 KiB each) leave holes between what stays.
    """
    if sys.platform != "linux":
        return
    with contextlib.suppress(OSError, AttributeError):
        libc = ctypes.CDLL(None)
        libc.mallopt(_MMAP_THRESHOLD, LARGE)
        libc.mallopt(_ARENA_MAX, 2)


def resident() -> int:
    """Resident bytes now; the peak where the system does not say (macOS, in bytes there)."""
    try:
        with open("/proc/self/statm", "rb") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024


def malloc_in_use() -> int | None:
    """Bytes that the C library has given out: large Python objects, TLS, SQLite. None where it cannot say."""
    if sys.platform != "linux":
        return None
    try:
        libc = ctypes.CDLL(None)
        libc.mallinfo2.restype = _Mallinfo
        found = libc.mallinfo2()
    except (OSError, AttributeError):
        return None
    return int(found.uordblks + found.hblkhd)


def figures(*, collect: bool = False) -> dict[str, int | None]:
    """What is resident, and what is in use: bytes of the C library's, and Python's blocks (most are small, its own).

    Holes make resident memory jump by megabytes; what is in use tells whether something is kept for good. ``collect``:
    garbage of cycles does not count; it stops the process for some tenths of a second.
    """
    if collect:
        gc.collect()
    return {"rss_bytes": resident(), "malloc_bytes": malloc_in_use(), "python_blocks": sys.getallocatedblocks()}

"""SPDY/3.1 framing: what is written is read again however it is cut, and what is hostile is refused in time."""

from __future__ import annotations

import struct
import tracemalloc
import zlib
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lazarus_tui.sandbox.api import spdy
from lazarus_tui.sandbox.api.spdy import (
    Data,
    Decoder,
    Encoder,
    Frame,
    GoAway,
    MoreHeaders,
    Ping,
    Reset,
    Settings,
    SpdyError,
    SynReply,
    SynStream,
    WindowUpdate,
)
from lazarus_tui.sandbox.api.spdy_dictionary import DICTIONARY

NUMBER, STREAM = st.integers(0, 0xFFFFFFFF), st.integers(1, 0x7FFFFFFF)
HEADERS = st.dictionaries(st.text("aboöß-\x00", min_size=1, max_size=9), st.text(max_size=9), max_size=4)
FRAMES = st.one_of(
    st.builds(SynStream, STREAM, HEADERS, st.booleans(), st.booleans(), st.integers(0, 0x7FFFFFFF), st.integers(0, 7)),
    st.builds(SynReply, STREAM, HEADERS, st.booleans()),
    st.builds(MoreHeaders, STREAM, HEADERS, st.booleans()),
    st.builds(Reset, STREAM, NUMBER),
    st.builds(Settings, st.lists(st.tuples(st.integers(0, 0xFFFFFF), NUMBER), max_size=4).map(tuple)),
    st.builds(Ping, NUMBER),
    st.builds(GoAway, st.integers(0, 0x7FFFFFFF), NUMBER),
    st.builds(WindowUpdate, STREAM, STREAM),
    st.builds(Data, STREAM, st.binary(max_size=99), st.booleans()),
)


def encoded(*frames: Frame) -> bytes:
    encoder = Encoder()
    return b"".join(encoder.encode(frame) for frame in frames)


def read(data: bytes) -> list[Frame]:
    return list(Decoder().feed(data))


def control(kind: int, body: bytes, *, version: int = 3, length: int | None = None) -> bytes:
    return struct.pack(">HHI", 0x8000 | version, kind, len(body) if length is None else length) + body


def block(plain: bytes) -> bytes:
    packer = zlib.compressobj(zdict=DICTIONARY)
    return packer.compress(plain) + packer.flush(zlib.Z_SYNC_FLUSH)


def test_the_dictionary_is_the_protocols() -> None:
    # The dictionary id every SPDY/3 peer puts into the first two header blocks of a connection.
    assert (len(DICTIONARY), zlib.adler32(DICTIONARY)) == (1423, 0xE3C6A7C2)


def test_a_stream_as_it_stands_on_the_wire() -> None:
    data = encoded(SynStream(1, {"streamtype": "error"}, fin=True), Data(3, b"ab"), Ping(7))
    length = int.from_bytes(data[5:8], "big")
    assert data[:18] == b"\x80\x03\x00\x01\x01" + data[5:8] + struct.pack(">IIBB", 1, 0, 0, 0)
    assert data[18:24] == b"\x78\xbb\xe3\xc6\xa7\xc2"  # zlib, with the dictionary
    inflater = zlib.decompressobj(zdict=DICTIONARY)
    assert inflater.decompress(data[18 : 8 + length]) == b"\0\0\0\1\0\0\0\x0astreamtype\0\0\0\5error"
    assert data[8 + length :] == b"\0\0\0\3\0\0\0\2ab" + b"\x80\x03\0\6\0\0\0\4\0\0\0\7"


@settings(max_examples=50, deadline=None)
@given(st.lists(FRAMES, max_size=4), st.lists(st.integers(1, 60), min_size=1, max_size=4))
def test_frames_come_back_however_they_are_cut(frames: Sequence[Frame], cuts: Sequence[int]) -> None:
    data, decoder, found = encoded(*frames), Decoder(), []
    place = turn = 0
    while place < len(data):
        size = cuts[turn % len(cuts)]
        found += decoder.feed(data[place : place + size])
        place, turn = place + size, turn + 1
    assert found == list(frames)


@settings(max_examples=60, deadline=None)
@given(FRAMES, st.integers(1, 200))
def test_a_frame_that_is_cut_off_is_not_there_yet(frame: Frame, missing: int) -> None:
    data = encoded(frame)
    assert read(data[: max(0, len(data) - missing)]) == []


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=200))
def test_noise_is_refused_or_waited_for_and_nothing_else(noise: bytes) -> None:
    for start in (b"", b"\x80\x03\x00\x01", b"\x80\x03\x00\x02", b"\x80\x03\x00\x04", b"\x80\x03\x00\x07"):
        try:
            frames = read(start + noise)
        except SpdyError:
            continue
        assert all(isinstance(frame, Frame) for frame in frames)


def test_a_reserved_bit_is_no_part_of_a_number() -> None:
    assert read(control(7, struct.pack(">II", 0x80000005, 0))) == [GoAway(5)]


HOSTILE = {
    "a data frame that is too large": struct.pack(">II", 1, spdy.MAX_DATA + 1),
    "a control frame that is too large": control(1, b"", length=spdy.MAX_CONTROL + 1),
    "another version": control(6, b"\0\0\0\1", version=2),
    "a ping that is too long": control(6, b"\0" * 5),
    "a reset that is too short": control(3, b"\0\0\0\1"),
    "a stream without a number": control(1, struct.pack(">IIBB", 0, 0, 0, 0) + block(b"\0\0\0\0")),
    "data for stream 0": struct.pack(">II", 0, 0),
    "a SYN_STREAM without room for its fields": control(1, b"\0\0\0\1"),
    "settings that promise more": control(4, struct.pack(">I", 3) + b"\0" * 8),
    "settings without end": control(4, struct.pack(">I", 4096) + b"\0" * 8 * 4096),
    "a header block that is not zlib": control(2, b"\0\0\0\1" + b"not zlib"),
    "more headers than there are": control(2, b"\0\0\0\1" + block(b"\0\0\0\2\0\0\0\1a\0\0\0\1b")),
    "very many headers": control(2, b"\0\0\0\1" + block(b"\0\1\0\0" + b"\0\0\0\1a\0\0\0\0" * 65536)),
    "a header that is longer than its block": control(2, b"\0\0\0\1" + block(b"\0\0\0\1\xff\xff\xff\xffa")),
    "an empty name": control(2, b"\0\0\0\1" + block(b"\0\0\0\1\0\0\0\0\0\0\0\1b")),
    "a name twice": control(2, b"\0\0\0\1" + block(b"\0\0\0\2" + b"\0\0\0\1a\0\0\0\0" * 2)),
    "a name that is no text": control(2, b"\0\0\0\1" + block(b"\0\0\0\1\0\0\0\1\xff\0\0\0\0")),
    "headers behind the last": control(2, b"\0\0\0\1" + block(b"\0\0\0\0more")),
}


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_frames_are_refused(data: bytes) -> None:
    with pytest.raises(SpdyError):
        read(data)


def test_a_header_block_that_inflates_without_end_costs_no_memory() -> None:
    bomb = block(struct.pack(">II", 1, 1) + b"a" + struct.pack(">I", 8 << 20) + b"\0" * (8 << 20))
    data = control(2, b"\0\0\0\1" + bomb[: spdy.MAX_CONTROL - 4])
    tracemalloc.start()
    try:
        with pytest.raises(SpdyError, match="too large"):
            read(data)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


def test_frames_of_unknown_types_are_skipped() -> None:
    assert read(control(5, b"") + control(99, b"whatever") + encoded(Ping(1))) == [Ping(1)]


def test_what_is_too_large_is_not_written() -> None:
    with pytest.raises(ValueError, match="do not fit"):
        Encoder().encode(Data(1, bytes(spdy.MAX_DATA + 1)))

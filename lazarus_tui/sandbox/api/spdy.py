"""SPDY/3.1 framing without a socket: bytes in, frames out, and back. kubectl's port-forward speaks it in a WebSocket.

A ``Decoder`` and an ``Encoder`` belong to one connection, because header blocks of a direction share one zlib stream.
Flow control is left out: Kubernetes' clients send no window updates and wait for none.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from lazarus_tui.sandbox.api.spdy_dictionary import DICTIONARY

# Bounds on what a peer may make us keep, in bytes. kubectl sends data in pieces of 32 KiB.
MAX_DATA, MAX_CONTROL, MAX_HEADERS = 1 << 20, 64 << 10, 64 << 10
_MAX_HEADER_COUNT, _MAX_SETTINGS = 128, 64
_VERSION = 3
_CONTROL = 0x8000
_STREAM_MASK = 0x7FFFFFFF
_FIN, _UNIDIRECTIONAL = 0x01, 0x02
_SYN_STREAM, _SYN_REPLY, _RST_STREAM, _SETTINGS, _PING, _GOAWAY, _HEADERS, _WINDOW_UPDATE = 1, 2, 3, 4, 6, 7, 8, 9
# Status codes of RST_STREAM.
PROTOCOL_ERROR, INVALID_STREAM, REFUSED_STREAM, CANCEL = 1, 2, 3, 5
# Status codes of GOAWAY.
GOAWAY_OK, GOAWAY_PROTOCOL_ERROR = 0, 1


class SpdyError(ValueError):
    """The peer broke the protocol or a bound; the connection is of no more use."""


@dataclass(frozen=True, slots=True)
class SynStream:
    """A stream begins. Header names are lower case."""

    stream: int
    headers: Mapping[str, str] = field(default_factory=dict)
    fin: bool = False
    unidirectional: bool = False
    associated: int = 0
    priority: int = 0


@dataclass(frozen=True, slots=True)
class SynReply:
    stream: int
    headers: Mapping[str, str] = field(default_factory=dict)
    fin: bool = False


@dataclass(frozen=True, slots=True)
class MoreHeaders:
    """A HEADERS frame."""

    stream: int
    headers: Mapping[str, str] = field(default_factory=dict)
    fin: bool = False


@dataclass(frozen=True, slots=True)
class Reset:
    """RST_STREAM: the stream is over in both directions."""

    stream: int
    status: int


@dataclass(frozen=True, slots=True)
class Settings:
    """Pairs of id and value."""

    entries: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Ping:
    """Odd ids come from the client; the answer has the same id."""

    ident: int


@dataclass(frozen=True, slots=True)
class GoAway:
    """No stream after ``last`` will be served."""

    last: int
    status: int = GOAWAY_OK


@dataclass(frozen=True, slots=True)
class WindowUpdate:
    stream: int
    delta: int


@dataclass(frozen=True, slots=True)
class Data:
    stream: int
    data: bytes
    fin: bool = False


Frame = SynStream | SynReply | MoreHeaders | Reset | Settings | Ping | GoAway | WindowUpdate | Data


class Encoder:
    """Frames to bytes; they must be sent in the order they were encoded."""

    def __init__(self) -> None:
        self._zlib = zlib.compressobj(zdict=DICTIONARY)

    def encode(self, frame: Frame) -> bytes:
        match frame:
            case Data(stream, data, fin):
                return struct.pack(">II", stream & _STREAM_MASK, (fin << 24) | _sized(data, MAX_DATA)) + data
            case SynStream(stream, headers, fin, unidirectional, associated, priority):
                head = struct.pack(">IIBB", stream, associated, priority << 5, 0)
                flags = fin * _FIN | unidirectional * _UNIDIRECTIONAL
                return _control(_SYN_STREAM, flags, head + self._block(headers))
            case SynReply(stream, headers, fin):
                return _control(_SYN_REPLY, fin * _FIN, struct.pack(">I", stream) + self._block(headers))
            case MoreHeaders(stream, headers, fin):
                return _control(_HEADERS, fin * _FIN, struct.pack(">I", stream) + self._block(headers))
            case Reset(stream, status):
                return _control(_RST_STREAM, 0, struct.pack(">II", stream, status))
            case Settings(entries):
                pairs = b"".join(struct.pack(">II", ident, value) for ident, value in entries)
                return _control(_SETTINGS, 0, struct.pack(">I", len(entries)) + pairs)
            case Ping(ident):
                return _control(_PING, 0, struct.pack(">I", ident))
            case GoAway(last, status):
                return _control(_GOAWAY, 0, struct.pack(">II", last, status))
            case WindowUpdate(stream, delta):
                return _control(_WINDOW_UPDATE, 0, struct.pack(">II", stream, delta))

    def _block(self, headers: Mapping[str, str]) -> bytes:
        parts = [struct.pack(">I", len(headers))]
        for name, value in headers.items():
            for text in (name.lower().encode(), value.encode()):
                parts += [struct.pack(">I", len(text)), text]
        return self._zlib.compress(b"".join(parts)) + self._zlib.flush(zlib.Z_SYNC_FLUSH)


def _sized(data: bytes, limit: int) -> int:
    if len(data) > limit:
        raise ValueError(f"{len(data)} bytes do not fit in one frame of at most {limit}")
    return len(data)


def _control(kind: int, flags: int, body: bytes) -> bytes:
    return struct.pack(">HHI", _CONTROL | _VERSION, kind, (flags << 24) | _sized(body, MAX_CONTROL)) + body


class Decoder:
    """Bytes, however cut, to frames. Frames of unknown types are skipped, as the protocol asks for."""

    def __init__(self) -> None:
        self._kept = bytearray()
        self._zlib = zlib.decompressobj(zdict=DICTIONARY)

    def feed(self, data: bytes) -> Iterator[Frame]:
        """The frames that are whole now. ``SpdyError`` ends the connection; nothing may be fed afterwards."""
        self._kept += data
        while len(self._kept) >= 8:
            first, second = struct.unpack_from(">II", self._kept)
            control, flags, length = first >> 31, second >> 24, second & 0xFFFFFF
            if length > (MAX_CONTROL if control else MAX_DATA):
                raise SpdyError(f"a frame of {length} bytes is too large")
            if len(self._kept) < 8 + length:
                return
            body = bytes(self._kept[8 : 8 + length])
            del self._kept[: 8 + length]
            if not control:
                yield Data(_stream(first), body, bool(flags & _FIN))
                continue
            if (first >> 16) & 0x7FFF != _VERSION:
                raise SpdyError(f"SPDY version {(first >> 16) & 0x7FFF} is not spoken here")
            if (frame := self._controlled(first & 0xFFFF, flags, body)) is not None:
                yield frame

    def _controlled(self, kind: int, flags: int, body: bytes) -> Frame | None:
        fin = bool(flags & _FIN)
        if kind == _SYN_STREAM:
            stream, associated, priority, _ = _fields(">IIBB", body, more=True)
            headers = self._headers(body[10:])
            one_way = bool(flags & _UNIDIRECTIONAL)
            return SynStream(_stream(stream), headers, fin, one_way, associated & _STREAM_MASK, priority >> 5)
        if kind in (_SYN_REPLY, _HEADERS):
            (stream,) = _fields(">I", body, more=True)
            make = SynReply if kind == _SYN_REPLY else MoreHeaders
            return make(_stream(stream), self._headers(body[4:]), fin)
        return _fixed(kind, body)

    def _headers(self, block: bytes) -> dict[str, str]:
        try:
            plain = self._zlib.decompress(block, MAX_HEADERS + 1)
        except zlib.error:
            raise SpdyError("a header block cannot be inflated") from None
        if len(plain) > MAX_HEADERS or self._zlib.unconsumed_tail:
            raise SpdyError("a header block is too large")
        reader = _Block(plain)
        headers: dict[str, str] = {}
        count = reader.number()
        if count > _MAX_HEADER_COUNT:
            raise SpdyError(f"{count} headers are too many")
        for _ in range(count):
            name, value = reader.text().lower(), reader.text()
            if not name or name in headers:
                raise SpdyError("a header name is empty or there twice")
            headers[name] = value
        if not reader.ended:
            raise SpdyError("a header block goes on behind its last header")
        return headers


class _Block:
    """The plain bytes of a header block."""

    def __init__(self, data: bytes) -> None:
        self._data, self._place = data, 0

    def number(self) -> int:
        return int.from_bytes(self._take(4), "big")

    def text(self) -> str:
        try:
            return self._take(self.number()).decode()
        except UnicodeDecodeError:
            raise SpdyError("a header is no text") from None

    def _take(self, count: int) -> bytes:
        end = self._place + count
        if end > len(self._data):
            raise SpdyError("a header block is cut off")
        taken, self._place = self._data[self._place : end], end
        return taken

    @property
    def ended(self) -> bool:
        return self._place == len(self._data)


def _fixed(kind: int, body: bytes) -> Frame | None:
    """A control frame without headers; None for an unknown one."""
    if kind == _RST_STREAM:
        stream, status = _fields(">II", body)
        return Reset(_stream(stream), status)
    if kind == _PING:
        return Ping(_fields(">I", body)[0])
    if kind == _GOAWAY:
        last, status = _fields(">II", body)
        return GoAway(last & _STREAM_MASK, status)
    if kind == _WINDOW_UPDATE:
        stream, delta = _fields(">II", body)
        return WindowUpdate(stream & _STREAM_MASK, delta & _STREAM_MASK)
    if kind == _SETTINGS:
        (count,) = _fields(">I", body, more=True)
        if count > _MAX_SETTINGS or len(body) != 4 + 8 * count:
            raise SpdyError("a SETTINGS frame does not hold what it says")
        pairs = struct.iter_unpack(">II", body[4:])
        return Settings(tuple((ident & 0xFFFFFF, value) for ident, value in pairs))
    return None


def _fields(layout: str, body: bytes, *, more: bool = False) -> tuple[int, ...]:
    size = struct.calcsize(layout)
    if len(body) < size or (len(body) > size and not more):
        raise SpdyError(f"a control frame of {len(body)} bytes does not fit its type")
    return struct.unpack_from(layout, body)


def _stream(number: int) -> int:
    if not number & _STREAM_MASK:
        raise SpdyError("stream 0 is none")
    return number & _STREAM_MASK

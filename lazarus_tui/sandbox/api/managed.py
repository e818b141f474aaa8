"""``metadata.managedFields``: who owns which field. Kept beside an object as JSON, because few ever look at it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from lazarus_tui.sandbox.api.errors import ApiError, bad_request
from lazarus_tui.sandbox.api.fieldsets import Fields, Unkeyed, common, compare, fields_of, minus, paths, union
from lazarus_tui.sandbox.api.kinds import Kind
from lazarus_tui.sandbox.api.shapes import Builtin, Custom, Shape

Object = dict[str, Any]
Entry = dict[str, Any]

# Entries of updating managers kept per object; older ones become one entry (upstream's figure and name).
_MAX_UPDATERS = 10
_ANCIENT = "ancient-changes"
# The manager of what the sandbox's own controllers write. Objects that only they wrote carry no entries at all.
OWN_MANAGER = "lazarus-sandbox"
_BEFORE = "before-first-apply"
_MAX_NAME = 128
# What identifies an object or belongs to the server; nobody owns it.
_UNOWNED = frozenset(
    {
        "name",
        "namespace",
        "uid",
        "resourceVersion",
        "creationTimestamp",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "generation",
        "selfLink",
        "managedFields",
    }
)
_BUILTIN = Builtin()

_encode = msgspec.json.encode


@dataclass(frozen=True, slots=True)
class Writer:
    """Who writes. ``applies`` is true for server-side apply, ``at`` is RFC 3339."""

    manager: str
    api_version: str
    at: str
    subresource: str = ""
    applies: bool = False

    @property
    def entry(self) -> Entry:
        made = {
            "manager": self.manager,
            "operation": "Apply" if self.applies else "Update",
            "apiVersion": self.api_version,
            "time": self.at,
            "fieldsType": "FieldsV1",
        }
        return made | ({"subresource": self.subresource} if self.subresource else {})


def manager_name(query: Mapping[str, str], user_agent: str) -> str:
    """The ``fieldManager`` of a request, or the first word of its User-Agent."""
    return query.get("fieldManager") or user_agent.partition("/")[0][:_MAX_NAME] or "unknown"


def shape_of(kind: Kind) -> Shape:
    return Custom(kind.definitions[kind.storage].schema, root=True) if kind.custom else _BUILTIN


def owned(obj: Object) -> Object:
    """The part of an object that can be owned."""
    meta = {key: value for key, value in obj["metadata"].items() if key not in _UNOWNED}
    made = obj.copy()
    for identity_field in ("apiVersion", "kind", "metadata"):
        made.pop(identity_field, None)
    return made | ({"metadata": meta} if meta else {})


def pack(entries: Sequence[Entry]) -> bytes:
    return _encode(entries) if entries else b""


def unpack(packed: bytes) -> list[Entry]:
    return msgspec.json.decode(packed) if packed else []


def identity(entry: Entry) -> tuple[Any, ...]:
    """Appliers are one manager whatever the version they apply; updaters are not."""
    version = "" if entry["operation"] == "Apply" else entry["apiVersion"]
    return (entry["manager"], entry["operation"], version, entry.get("subresource", ""))


def same_owners(one: bytes, other: bytes) -> bool:
    """Whether the same managers own the same fields, whenever they last wrote."""
    if one == other:
        return True
    return _timeless(one) == _timeless(other)


def _timeless(packed: bytes) -> list[Entry]:
    return [{key: value for key, value in entry.items() if key != "time"} for entry in unpack(packed)]


def given(meta: Object) -> bytes | None:
    """Takes ``managedFields`` out of metadata a client sent: b"" to forget all, None when it says nothing of use."""
    sent = meta.pop("managedFields", None)
    if not isinstance(sent, list) or not sent:
        return None
    if sent == [{}]:
        return b""
    needed = ("manager", "operation", "apiVersion", "fieldsV1")
    if all(isinstance(one, dict) and all(one.get(part) is not None for part in needed) for one in sent):
        return pack(sent)
    return None


def created(kind: Kind, obj: Object, writer: Writer) -> bytes:
    """Who owns a new object: its maker, all of it. Nothing is kept for what the sandbox makes for itself."""
    return b"" if writer.manager == OWN_MANAGER else pack(_whole(kind, obj, writer))


def _whole(kind: Kind, obj: Object, writer: Writer) -> list[Entry]:
    try:
        fields = fields_of(owned(obj), shape_of(kind), marked=True)
    except Unkeyed:
        return []
    fields.pop(".", None)
    return [writer.entry | {"fieldsV1": fields}] if fields else []


def updated(kind: Kind, old: Object, new: Object, packed: bytes, writer: Writer) -> bytes:
    """Who owns what after an update: changed fields go to the writer, removed ones to nobody."""
    if not packed and writer.manager == OWN_MANAGER:
        return b""
    try:
        changed, removed = compare(owned(old), owned(new), shape_of(kind))
    except Unkeyed:
        return packed
    if changed is None and removed is None:
        return packed
    me = identity(writer.entry)
    before_all = unpack(packed) or _whole(kind, old, _maker(old, OWN_MANAGER, writer))
    mine = next((entry for entry in before_all if identity(entry) == me), None)
    kept = without((entry for entry in before_all if entry is not mine), union(changed, removed))
    before = mine["fieldsV1"] if mine else None
    fields = union(minus(before, removed), changed)
    if fields is not None:
        kept.append((mine if mine and fields == before else writer.entry) | {"fieldsV1": fields})
    return pack(_capped(kept))


def without(entries: Iterable[Entry], lost: Fields | None) -> list[Entry]:
    """The entries that still own something once ``lost`` is theirs no more."""
    left = ((entry, minus(entry["fieldsV1"], lost)) for entry in entries)
    return [entry | {"fieldsV1": fields} for entry, fields in left if fields is not None]


def _capped(entries: list[Entry]) -> list[Entry]:
    updaters = [entry for entry in entries if entry["operation"] == "Update"]
    if len(updaters) <= _MAX_UPDATERS:
        return entries
    updaters.sort(key=lambda entry: (entry["manager"] != _ANCIENT, entry.get("time", "")))
    oldest = updaters[: len(updaters) - _MAX_UPDATERS + 1]
    fields: Fields | None = None
    for entry in oldest:
        fields = union(fields, entry["fieldsV1"])
    ancient = {key: value for key, value in oldest[-1].items() if key != "subresource"}
    return [ancient | {"manager": _ANCIENT, "fieldsV1": fields}] + [one for one in entries if one not in oldest]


def adopted(kind: Kind, old: Object, packed: bytes, writer: Writer) -> list[Entry]:
    """The entries an apply starts from; what nobody is known to own belongs to whoever was there before."""
    return unpack(packed) or _whole(kind, old, _maker(old, _BEFORE, writer))


def _maker(old: Object, name: str, writer: Writer) -> Writer:
    return Writer(name, writer.api_version, old["metadata"].get("creationTimestamp", writer.at))


def refuse_conflicts(entries: Sequence[Entry], writer: Writer, changed: Fields | None) -> None:
    """409 when others own what an apply would change."""
    causes = []
    for entry in entries:
        if identity(entry) == identity(writer.entry):
            continue
        shared = common(entry["fieldsV1"], changed)
        if shared is not None:
            causes += [(_described(entry), path) for path in paths(shared)]
    if not causes:
        return
    details = {
        "causes": [
            {"reason": "FieldManagerConflict", "message": f"conflict with {who}", "field": path} for who, path in causes
        ]
    }
    raise ApiError(409, "Conflict", _conflict_text(causes), details)


def _conflict_text(causes: Sequence[tuple[str, str]]) -> str:
    if len(causes) == 1:
        return f"Apply failed with 1 conflict: conflict with {causes[0][0]}: {causes[0][1]}"
    lines = []
    for who in sorted({who for who, _ in causes}):
        lines.append(f"conflicts with {who}:")
        lines += [f"- {path}" for one, path in causes if one == who]
    return f"Apply failed with {len(causes)} conflicts: " + "\n".join(lines)


def _described(entry: Entry) -> str:
    text = f'"{entry["manager"]}"'
    if entry.get("subresource"):
        text += f' with subresource "{entry["subresource"]}"'
    if entry["operation"] == "Apply":
        return text
    return f"{text} using {entry['apiVersion']}"


def check_applied(config: Object, name: str) -> None:
    """What an applied configuration must say and must not say; 400 otherwise."""
    kind, version = config.get("kind", ""), config.get("apiVersion", "")
    if not kind or not version:
        group, _, bare = str(version).rpartition("/")
        raise bad_request(f"invalid object type: {group}/{bare}, Kind={kind}")
    meta = config.get("metadata")
    if not isinstance(meta, dict):
        raise bad_request("metadata is required in an applied configuration")
    if meta.get("managedFields") is not None:
        raise bad_request("metadata.managedFields must be nil")
    if meta.get("name", name) != name:
        raise bad_request(f"the name of the object ({meta['name']}) does not match the name on the URL ({name})")

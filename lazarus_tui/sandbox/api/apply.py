"""Server-side apply: an applied configuration over what is stored, without what its manager no longer applies."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from lazarus_tui.sandbox.api import managed
from lazarus_tui.sandbox.api.errors import ApiError
from lazarus_tui.sandbox.api.fieldsets import (
    Fields,
    Unkeyed,
    compare,
    entries,
    fields_of,
    item_key,
    member,
    minus,
    under,
)
from lazarus_tui.sandbox.api.fieldsets import union as both
from lazarus_tui.sandbox.api.kinds import Served
from lazarus_tui.sandbox.api.managed import Entry, Object, Writer
from lazarus_tui.sandbox.api.shapes import Shape

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
# The manager that may go on where client-side apply ended.
_KUBECTL = "kubectl"


class Application:
    """One apply of ``config`` (identity checked, in the version of ``served``) by ``writer``.

    ``onto`` makes the wanted object from the stored one; ``entries`` afterwards says who owns what.
    """

    def __init__(self, served: Served, config: Object, writer: Writer, *, force: bool) -> None:
        self._kind, self._writer, self._force = served.kind, writer, force
        self._shape = managed.shape_of(served.kind)
        self.config: Object = _bounded(_stated(config), served.kind.has_status, writer.subresource)
        try:
            self._fields = fields_of(managed.owned(self.config), self._shape, marked=False)
        except (Unkeyed, AttributeError) as error:
            raise self._untyped(error) from None
        self.entries: list[Entry] = []

    def _untyped(self, error: Exception) -> ApiError:
        meta = self.config["metadata"]
        where = "/".join(part for part in (meta.get("namespace"), meta.get("name")) if part)
        what = f"{self._writer.api_version}, Kind={self._kind.kind}"
        return ApiError(500, "", f"failed to create typed patch object ({where}; {what}): {error}")

    def packed(self) -> bytes:
        return managed.pack(self.entries)

    def created(self) -> Object:
        """The configuration as a new object."""
        self.entries = self._with_mine([])
        return self.config

    def onto(self, stored: Object, packed: bytes) -> Object:
        """409 with every conflict when others own what this would change, unless forced."""
        before = managed.adopted(self._kind, stored, packed, self._writer)
        mine, others = self._split(before)
        try:
            wanted: Object = _merged(stored, self.config, self._shape)
            if mine is not None:
                wanted = msgspec.json.decode(msgspec.json.encode(wanted))
                self._prune(wanted, mine, others)
            changed, removed = compare(managed.owned(stored), managed.owned(wanted), self._shape)
        except Unkeyed as error:
            raise self._untyped(error) from None
        if not self._force:
            managed.refuse_conflicts(others, self._writer, minus(changed, self._given_up(stored)))
        if self._writer.manager == _KUBECTL and _last_applied(stored):
            wanted = _noted(wanted, self.config)
        left = managed.without(others, both(changed, removed))
        self.entries = self._with_mine(left, mine)
        return wanted

    def _given_up(self, stored: Object) -> Fields | None:
        """What client-side apply said last and is so still: kubectl takes that over without a conflict."""
        said = _last_applied(stored) if self._writer.manager == _KUBECTL else ""
        try:
            before = managed.owned(msgspec.json.decode(said, type=dict)) if said else {}
            fields = fields_of(before, self._shape, marked=False)
            changed, removed = compare(before, managed.owned(stored), self._shape)
        except (msgspec.MsgspecError, Unkeyed, AttributeError, KeyError):
            return None
        return minus(minus(fields or None, changed), removed)

    def _split(self, before: Iterable[Entry]) -> tuple[Entry | None, list[Entry]]:
        me = managed.identity(self._writer.entry)
        mine, others = None, []
        for entry in before:
            if managed.identity(entry) == me:
                mine = entry
            else:
                others.append(entry)
        return mine, others

    def _with_mine(self, others: list[Entry], mine: Entry | None = None) -> list[Entry]:
        if not self._fields:
            return others
        unchanged = mine is not None and mine["fieldsV1"] == self._fields
        entry = mine if unchanged and mine is not None else self._writer.entry
        return [entry | {"apiVersion": self._writer.api_version, "fieldsV1": self._fields}, *others]

    def _prune(self, wanted: Object, mine: Entry, others: Iterable[Entry]) -> None:
        kept: Fields | None = self._fields or None
        for entry in others:
            kept = both(kept, entry["fieldsV1"])
        _drop(wanted, mine["fieldsV1"], kept or {"": {}}, self._shape)


def _last_applied(obj: Object) -> str:
    return str((obj["metadata"].get("annotations") or {}).get(LAST_APPLIED) or "")


def _noted(wanted: Object, config: Object) -> Object:
    """With the configuration in the annotation of client-side apply, which otherwise would undo it."""
    told = msgspec.json.encode(config, order="sorted").decode() + "\n"
    meta = wanted["metadata"]
    return wanted | {"metadata": meta | {"annotations": meta["annotations"] | {LAST_APPLIED: told}}}


def _stated(value: Any) -> Any:
    """A private copy without nulls: applying null states nothing."""
    if isinstance(value, dict):
        return {key: _stated(child) for key, child in value.items() if child is not None}
    return [_stated(one) for one in value] if isinstance(value, list) else value


def _bounded(config: Object, has_status: bool, subresource: str) -> Object:
    """The part of a configuration this request may state."""
    if subresource == "status":
        meta = {key: config["metadata"][key] for key in ("name", "namespace") if key in config["metadata"]}
        kept = {key: config[key] for key in ("apiVersion", "kind", "status") if key in config}
        return kept | {"metadata": meta}
    if has_status:
        config.pop("status", None)
    return config


def _merged(old: Any, new: Any, shape: Shape) -> Any:
    """``new`` over ``old`` as the shapes say; items of lists keep their places, new ones come last."""
    before, after = entries(old, shape), entries(new, shape)
    if before is None or after is None or type(old) is not type(new):
        return new
    result = dict(before)
    for name, child in after.items():
        result[name] = _merged(before[name], child, under(shape, name)) if name in before else child
    if isinstance(new, list):
        return list(result.values())
    return {name[2:]: child for name, child in result.items()}


def _drop(value: Any, was: Fields, kept: Fields, shape: Shape) -> None:
    """Take out of ``value``, in place, what was applied before and is kept by nobody."""
    parts = entries(value, shape)
    if parts is None:
        return
    gone = set()
    for name, fields in was.items():
        if name == "." or name not in parts:
            continue
        if name not in kept:
            if not fields or _emptied(parts[name], fields, under(shape, name)):
                gone.add(name)
        else:
            _drop(parts[name], fields, kept[name] or {"": {}}, under(shape, name))
    if isinstance(value, list):
        value[:] = [item for item in value if _name_of(item, shape, value) not in gone]
    else:
        for name in gone:
            del value[name[2:]]


def _emptied(value: Any, fields: Fields, shape: Shape) -> bool:
    """Whether nothing of a part is left that somebody may want: items and marked maps go whole."""
    if member(fields):
        return True
    _drop(value, fields, {"": {}}, shape)
    return not value


def _name_of(item: Any, shape: Shape, whole: list[Any]) -> str:
    if shape.mode(whole) == "map":
        return item_key(shape, item)
    return next(iter(entries([item], shape) or {}), "")

"""Lists: selectors, and pages that all show the same moment."""

from __future__ import annotations

import base64
import binascii
from bisect import bisect_right
from dataclasses import dataclass
from typing import Any

import msgspec

from lazarus_tui.sandbox.api.errors import ApiError, bad_request, expired
from lazarus_tui.sandbox.api.kinds import Kind
from lazarus_tui.sandbox.api.options import ListOptions
from lazarus_tui.sandbox.api.selectors import matcher
from lazarus_tui.sandbox.api.store import Entity, Key, Store, list_order


class _Token(msgspec.Struct, frozen=True):
    """Where the next page goes on: at this revision, behind this key."""

    rv: int
    after: Key


@dataclass(frozen=True, slots=True)
class ListPage:
    """``meta`` is the ListMeta."""

    entities: list[Entity]
    meta: dict[str, Any]


def list_page(store: Store, kind: Kind, namespace: str | None, options: ListOptions) -> ListPage:
    """One page; 400 for a bad token, 410 for one that is too old, 504 for a revision of the future."""
    token = _decode(options) if options.token else None
    revision = token.rv if token else _revision(store, options)
    try:
        entities = store.select_at(kind.group_resource, namespace, revision)
    except ApiError as error:
        if token and error.status == 410:
            raise expired(
                "The provided continue parameter is too old to display a consistent list result. You must start a new "
                "list without the continue parameter."
            ) from None
        raise
    if token:
        start = bisect_right(entities, list_order(token.after), key=lambda entity: list_order(entity.key))
        entities = entities[start:]
    test = matcher(options.labels, options.fields, kind)
    if test is not None:
        entities = [entity for entity in entities if test(entity.obj)]
    meta: dict[str, Any] = {"resourceVersion": str(revision)}
    if options.limit and len(entities) > options.limit:
        left = len(entities) - options.limit
        entities = entities[: options.limit]
        meta["continue"] = _encode(_Token(revision, entities[-1].key))
        if test is None:
            meta["remainingItemCount"] = left
    return ListPage(entities, meta)


def _revision(store: Store, options: ListOptions) -> int:
    asked = options.revision
    exact = options.match == "Exact" or (options.limit > 0 and asked > 0 and not options.match)
    if exact:
        return asked
    if asked > store.revision:
        store.check_known(asked)
    return store.revision


def _encode(token: _Token) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(token)).decode().rstrip("=")


def _decode(options: ListOptions) -> _Token:
    if options.revision_text not in ("", "0"):
        raise bad_request("specifying resource version is not allowed when using continue")
    try:
        raw = base64.b64decode(options.token + "=" * (-len(options.token) % 4), altchars=b"-_", validate=True)
        return msgspec.json.decode(raw, type=_Token)
    except (binascii.Error, ValueError, msgspec.MsgspecError) as error:
        raise bad_request(f"continue key is not valid: {error}") from None

"""Tokens for pods: made for one pod and its account, kept while they are good, renewed in time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lazarus_tui.model.clock import Clock
from lazarus_tui.model.resources import SERVICEACCOUNTS
from lazarus_tui.sandbox.api.tokens import Bound, Tokens
from lazarus_tui.sandbox.dataplane.sources import TOKEN_SECONDS, SourceMissing, sources_of

if TYPE_CHECKING:
    from lazarus_tui.sandbox.api.local import LocalApi

Object = dict[str, Any]

# The kubelet asks for a new token when this share of a token's life is over.
_RENEW = 0.8
_Wish = tuple[str, str, int]


class PodTokens:
    """Gives the same token for the same wish until four fifths of its life are over; a token ends with its pod."""

    def __init__(self, api: LocalApi, clock: Clock, tokens: Tokens) -> None:
        self._api, self._clock, self._tokens = api, clock, tokens
        self._kept: dict[_Wish, tuple[float, str]] = {}

    def __call__(self, pod: Object, audience: str, seconds: int) -> str:
        """Raises ``SourceMissing`` when the account is not there."""
        meta = pod["metadata"]
        now, wish = self._clock.monotonic(), (meta["uid"], audience, seconds)
        due, token = self._kept.get(wish, (now, ""))
        if token and now < due:
            return token
        name = pod["spec"].get("serviceAccountName") or "default"
        account = self._api.get(SERVICEACCOUNTS, name, meta["namespace"])
        if account is None:
            raise SourceMissing(f'failed to fetch token: serviceaccounts "{name}" not found')
        bound = Bound("Pod", meta["name"], meta["uid"])
        token = self._tokens.issue(account, seconds, [audience] if audience else (), bound)
        self._kept = {one: kept for one, kept in self._kept.items() if now < kept[0]}
        self._kept[wish] = (now + seconds * _RENEW, token)
        return token

    def renew_in(self, pod: Object) -> float | None:
        """Seconds until a token in one of the pod's volumes is due; None without one."""
        lives = [
            int(one["serviceAccountToken"].get("expirationSeconds") or TOKEN_SECONDS)
            for volume in pod["spec"].get("volumes") or ()
            for one in sources_of(volume)
            if one.get("serviceAccountToken") is not None
        ]
        return min(lives) * _RENEW if lives else None

"""A background save of Redis that is waited for by its own words, not by a guess of seconds (reference: data §3.1)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from lazarus_tui.model.clock import Clock

Run = Callable[[tuple[str, ...]], Awaitable[str]]

# ``redis-cli`` with the password of the container's environment; what is asked follows.
CLIENT = (
    "sh", "-c",
    'if [ -n "$REDIS_PASSWORD" ]; then export REDISCLI_AUTH="$REDIS_PASSWORD"; fi; exec redis-cli "$@"', "redis-cli",
)  # fmt: skip
_POLL = 0.5


class SaveFailed(Exception):
    """Redis did not save; its words."""


async def save(run: Run, clock: Clock) -> str:
    """Start a save and wait for its end; ``run`` asks the server, and gives its answer. Raises ``SaveFailed``.

    A save that runs already began before us, so it is waited for and ours follows. The time of the last save is also
    set when the server starts, and its status stays "ok" from before: only both together say that ours is done.
    """
    asked = _number((await run(("TIME",))).split("\n")[0], "TIME")
    began = False
    while True:
        if not began:
            answer = (await run(("BGSAVE",))).strip()
            began = "started" in answer
            if not began and "in progress" not in answer:
                raise SaveFailed(answer or "BGSAVE gave no answer")
        found = _fields(await run(("INFO", "persistence")))
        if began and found.get("rdb_bgsave_in_progress") == "0":
            if found.get("rdb_last_bgsave_status") != "ok":
                raise SaveFailed(f"the save ended with status {found.get('rdb_last_bgsave_status') or 'unknown'}")
            if _number(found.get("rdb_last_save_time", ""), "rdb_last_save_time") >= asked:
                return f"saved at {found['rdb_last_save_time']}"
        await clock.sleep(_POLL)


def _fields(text: str) -> dict[str, str]:
    pairs = (line.strip().partition(":") for line in text.splitlines() if ":" in line)
    return {key: value for key, _, value in pairs}


def _number(text: str, what: str) -> int:
    try:
        return int(text.strip())
    except ValueError:
        raise SaveFailed(f"{what} is no number: {text.strip()[:80]!r}") from None

"""Hooks that are known to be right, by database (reference: data §3.1).

Secrets never stand on a command line: clients take them from the container's own environment. A recipe's shell text is
constant; nothing a person gives goes into it but whole numbers of seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from lazarus_tui.model.plan import PlanRefused
from lazarus_tui.snapshots.hooks.fsfreeze import fsfreeze
from lazarus_tui.snapshots.hooks.redis import CLIENT
from lazarus_tui.snapshots.hooks.spec import EXEC, ONCE, REDIS, SESSION, STILL, Hooks
from lazarus_tui.snapshots.hooks.watchdog import ending, guarded

LOCKED, UNLOCKED = "LAZARUS_LOCKED", "LAZARUS_UNLOCKED"

_POSTGRESQL = """\
if [ -z "$PGPASSWORD" ] && [ -n "$POSTGRES_PASSWORD" ]; then export PGPASSWORD="$POSTGRES_PASSWORD"; fi
exec psql -X -At -v ON_ERROR_STOP=1 -U "${POSTGRES_USER:-${POSTGRESQL_USERNAME:-postgres}}" -d postgres -c CHECKPOINT
"""

# -n: a client that buffers never shows the marker. --skip-reconnect: a new connection would not hold the lock.
_MYSQL = """\
for name in MARIADB_ROOT_PASSWORD MYSQL_ROOT_PASSWORD; do
  eval "word=\\${$name:-} file=\\${${name}_FILE:-}"
  if [ -z "$word" ] && [ -r "$file" ]; then word=$(cat "$file"); fi
  if [ -n "$word" ]; then export MYSQL_PWD="$word"; break; fi
done
for client in CLIENTS; do
  if command -v "$client" >/dev/null 2>&1; then exec "$client" -n -N -B --skip-reconnect -uroot; fi
done
echo "no client program in this container" >&2
exit 127
"""

_MONGO = """\
const home = connect("mongodb://127.0.0.1/admin");
const user = process.env.MONGO_INITDB_ROOT_USERNAME || process.env.MONGODB_ROOT_USER;
const word = process.env.MONGO_INITDB_ROOT_PASSWORD || process.env.MONGODB_ROOT_PASSWORD;
if (word) { home.auth(user || "root", word); }
"""
_MONGO_LOCK = 'const done = home.adminCommand({fsync: 1, lock: true}); print("lockCount " + done.lockCount);'
_MONGO_UNLOCK = """\
let left = 1;
let first = true;
while (left > 0) {
  try { left = Number(home.adminCommand({fsyncUnlock: 1}).lockCount); }
  catch (error) { if (/not locked/i.test(String(error))) { break; } throw error; }
  if (first) { print("LAZARUS_STILL_LOCKED"); first = false; }
}
"""


def _postgresql(timeout: float, budget: float) -> Hooks:
    """A checkpoint shortens the replay after a restore; the snapshot is valid without it."""
    return Hooks(how=ONCE, pre=("sh", "-c", _POSTGRESQL), gives="crash")


def _session(clients: str, lock: str, unlock: str, timeout: float, budget: float) -> Hooks:
    """``lock_wait_timeout``: without it one long query makes the lock, and everybody behind it, wait for a year.
    ``wait_timeout``: a server whose client fell silent frees the lock by itself."""
    limits = f"SET SESSION lock_wait_timeout={max(1, int(timeout) - 2)};\nSET SESSION wait_timeout={int(budget) + 1};\n"
    return Hooks(
        how=SESSION, pre=("sh", "-c", _MYSQL.replace("CLIENTS", clients)),
        lock=f"{limits}{lock}\nSELECT '{LOCKED}';\n", locked=LOCKED,
        unlock=f"{unlock}\nSELECT '{UNLOCKED}';\n", unlocked=UNLOCKED,
    )  # fmt: skip


def _mysql(timeout: float, budget: float) -> Hooks:
    return _session("mysql mariadb", "FLUSH TABLES WITH READ LOCK;", "UNLOCK TABLES;", timeout, budget)


def _mariadb(timeout: float, budget: float) -> Hooks:
    stages = "\n".join(f"BACKUP STAGE {stage};" for stage in ("START", "FLUSH", "BLOCK_DDL", "BLOCK_COMMIT"))
    return _session("mariadb mysql", stages, "BACKUP STAGE END;", timeout, budget)


def _mongodb(timeout: float, budget: float) -> Hooks:
    """fsyncLock counts and outlives its client: a watchdog in the container unlocks when nobody else does."""
    lock, free = (f"exec mongosh --quiet --nodb --eval '{_MONGO}{what}'\n" for what in (_MONGO_LOCK, _MONGO_UNLOCK))
    return Hooks(how=EXEC, pre=guarded(lock, free, budget), post=ending(free), proof=STILL)


def _redis(timeout: float, budget: float) -> Hooks:
    """A background save is waited for; the file it leaves is always a complete older one, so nothing is held."""
    return Hooks(how=REDIS, pre=CLIENT, gives="crash")


RECIPES: Mapping[str, Callable[[float, float], Hooks]] = {
    "postgresql": _postgresql,
    "mysql": _mysql,
    "mariadb": _mariadb,
    "mongodb": _mongodb,
    "redis": _redis,
    "fsfreeze": fsfreeze,
}

# What to expect of a restore, in words for the plan.
EXPECT: Mapping[str, str] = {
    "postgresql": "crash-consistent: recovery will replay WAL; a checkpoint makes it shorter",
    "mysql": "application-consistent: tables are flushed and locked by a session that is held until the cut",
    "mariadb": "application-consistent: commits are blocked by a session that is held until the cut",
    "mongodb": "application-consistent: fsyncLock until the cut, with a watchdog in the container",
    "redis": "crash-consistent, with a complete RDB file saved just before the cut",
    "fsfreeze": "crash-consistent on clean file systems: nothing is written from before the cut until after it",
}

# What to say of a database when no hook was asked for.
ADVICE: Mapping[str, str] = {
    "postgresql": "no hook is needed on one volume, recovery replays WAL; --recipe postgresql makes that shorter",
    "mysql": "InnoDB recovers from it; --recipe mysql locks it for the cut",
    "mariadb": "InnoDB recovers from it; --recipe mariadb locks it for the cut",
    "mongodb": "WiredTiger recovers from it on one volume; --recipe mongodb locks it for the cut",
    "redis": "what was written since the last save may be missing; --recipe redis saves just before the cut",
}


def recipe(name: str, timeout: float, budget: float) -> Hooks:
    """Raises ``PlanRefused`` for a name nobody knows."""
    if name not in RECIPES:
        raise PlanRefused(f"there is no recipe {name!r}", where="recipe", hint=f"known: {', '.join(sorted(RECIPES))}")
    return RECIPES[name](timeout, budget)

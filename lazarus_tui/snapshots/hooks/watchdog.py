"""A freeze that outlives its client is ended in the container when nobody else does it (reference: data §3.2).

Shell text is constant; what differs comes as words. The watchdog has a session of its own where the container has
``setsid``: a pre hook that hangs is ended by ``timeout`` with its whole process group. Its number stands in a file, and
is only trusted while that process still calls itself ours, because /tmp may outlive a container.
"""

from __future__ import annotations

# Seconds the watchdog waits longer than the freeze may last: it is for an engine that died, not for a slow one.
LATER = 15

_NAME = "lazarus-watchdog"
_PID = f"/tmp/.{_NAME}"

# Of this freeze, or one that an earlier freeze left behind: that would thaw the next one too early. A process has no
# words while it turns into another program, as a watchdog does that has only just begun: then it is looked at again,
# on a busy node for some seconds. One that has ended and was not waited for (Z) never has words again.
_STOP = f"""\
pid=$(cat {_PID} 2>/dev/null)
look=0
while [ -n "$pid" ] && [ -d "/proc/$pid" ] && [ $look -lt 30 ]; do
  look=$((look+1))
  {{ called=$(cat "/proc/$pid/cmdline"); }} 2>/dev/null
  case "$called" in
    *{_NAME}*) kill -- "-$pid" 2>/dev/null || kill "$pid" 2>/dev/null; break ;;
    ?*) break ;;
  esac
  case "$(cat "/proc/$pid/stat" 2>/dev/null)" in *") Z "*) break ;; esac
  if [ $look -gt 20 ]; then sleep 1; fi
done
rm -f {_PID} 2>/dev/null
"""
_START = f"""\
guard=sh
if command -v setsid >/dev/null 2>&1; then guard="setsid sh"; fi
LAZARUS_THAW=$1
export LAZARUS_THAW
shift
$guard -c 'sleep SECONDS; eval "$LAZARUS_THAW"' {_NAME} "$@" >/dev/null 2>&1 </dev/null &
echo $! 2>/dev/null >{_PID}
"""


def guarded(freeze: str, thaw: str, budget: float, words: tuple[str, ...] = ()) -> tuple[str, ...]:
    """argv of a pre hook: the watchdog is there before ``freeze`` runs. Both texts find ``words`` as ``$@``."""
    start = _START.replace("SECONDS", str(int(budget) + LATER))
    return ("sh", "-c", f"{_STOP}{start}{freeze}", "lazarus", thaw, *words)


def ending(thaw: str, words: tuple[str, ...] = ()) -> tuple[str, ...]:
    """argv of the post hook: as ``thaw`` ends, and the watchdog with it when that went well."""
    text = f"({thaw})\ncode=$?\nif [ $code = 0 ]; then\n{_STOP}fi\nexit $code\n"
    return ("sh", "-c", text, "lazarus", *words)

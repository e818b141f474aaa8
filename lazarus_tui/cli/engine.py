"""``lazarus engine run|stop|status``: the process that does the work."""

from __future__ import annotations

from typing import Any

import click

from lazarus_tui.cli.output import emit, output_option
from lazarus_tui.cli.session import Session, say

# Seconds an engine has to end once it has said that it does: it takes well below one on an ordinary machine.
_END_SECONDS = 60.0


@click.group()
def engine() -> None:
    """The engine: it outlives terminals, and ends by itself when idle and unwatched."""


@engine.command("run")
@click.pass_obj
def run(session: Session) -> int:
    """Keep an engine in the foreground (systemd unit, container)."""
    import subprocess

    from lazarus_tui.cli.spawn import engine_command

    return subprocess.call([*engine_command(session.cluster_kubeconfig(), sandbox=session.sandbox), "--stay"])


@engine.command("stop")
@click.option("--park", is_flag=True, help="Stop open operations at their next safe step.")
@click.pass_obj
def stop(session: Session, park: bool) -> int:
    """End the engine; refused while an operation is open, unless --park."""
    from lazarus_tui.cli.spawn import running_engine

    client = running_engine(session.state_root())
    if client is None:
        say("no engine is running")
        return 0
    stats = client.call("stats", {}, dict[str, Any])
    client.call("engine.stop", {"park": park}, dict[str, Any], timeout=120.0)
    client.close()
    _await_end(int(stats["pid"]), str(session.state_root().log))
    say("the engine has ended")
    for name in stats.get("stays_for_schedules", ()):
        say(f"no engine runs the schedule {name} until one is started")
    for kept in stats.get("stays_for_kept", ()):
        say(f"{kept}; nobody removes it then unless an engine runs: the next one does")
    return 0


def _await_end(pid: int, log: str) -> None:
    """It answers before its last steps: until then the journal is its, and no other engine can begin."""
    import time

    from lazarus_tui.link.codec import LinkFault
    from lazarus_tui.link.protocol import Fault
    from lazarus_tui.model.processes import there

    end = time.monotonic() + _END_SECONDS
    while there(pid):
        if time.monotonic() > end:
            what = f"the engine (process {pid}) was told to end, and is still there after {_END_SECONDS:.0f} s"
            raise LinkFault(Fault("unexpected", what, log, "look into its log; kill it only if that says nothing new"))
        time.sleep(0.02)


@engine.command("status")
@output_option
@click.pass_obj
def status(session: Session, output: str) -> int:
    """Say whether an engine runs and what it is doing; exit 4 when none runs."""
    from lazarus_tui.cli.spawn import running_engine

    client = running_engine(session.state_root())
    if client is None:
        say("no engine is running")
        return 4
    found = client.call("stats", {}, dict[str, Any])
    client.close()
    emit(found, "yaml" if output == "table" else output, names=[str(found.get("pid", ""))], table=str)
    return 0

"""The root of the command line: global options, and verbs that are loaded when used."""

from __future__ import annotations

import importlib
import os
import sys

import click

from lazarus_tui import __version__
from lazarus_tui.cli.session import Session

# verb -> (module, attribute, one line for the help page); a module is imported only when its verb is used.
VERBS: dict[str, tuple[str, str, str]] = {
    "backup": ("backup", "backup", "List, inspect, make and delete Velero backups."),
    "completion": ("completion", "completion", "Print the shell completion script for bash, zsh or fish."),
    "config": ("settings", "config", "Show the settings in force and where they come from."),
    "context": ("context", "context", "List the clusters of the kubeconfig, arm and disarm writes."),
    "doctor": ("doctor", "doctor", "Say what would stop a backup or a restore; make a support bundle."),
    "engine": ("engine", "engine", "Run, inspect or stop the engine process."),
    "evidence": ("evidence", "evidence", "List and show evidence records."),
    "location": ("location", "location", "List backup storage locations."),
    "notify": ("notify", "notify", "Test the notifications; what was told and what waits."),
    "operation": ("operation", "operation", "List operations, show one, close a parked one."),
    "overview": ("overview", "overview", "What would be lost now, per workload."),
    "park": ("operation", "park", "Stop an operation at its next safe step."),
    "policy": ("policy", "policy", "Proofs by themselves: policies, how they stand, their queue."),
    "prove": ("prove", "prove", "Restore a point in quarantine, check it, judge it."),
    "rehearse": ("rehearse", "rehearse", "Lose the sandbox's shop, bring it back, measure."),
    "release": ("snapshot", "release", "Delete the old volumes that a restore in place kept."),
    "restore": ("restore", "restore", "List, inspect and make restores."),
    "resume": ("operation", "resume", "Go on with a parked operation."),
    "sandbox": ("sandbox", "sandbox", "The cluster that Lazarus brings along."),
    "schedule": ("schedule", "schedule", "List, pause, unpause and run schedules."),
    "snapshot": ("snapshot", "snapshot", "List, inspect and take snapshot sets of StatefulSets."),
    "undo": ("operation", "undo", "Take an operation back."),
    "watch": ("operation", "watch", "Follow an operation until it ends."),
}


class Verbs(click.Group):
    """The root group; loads a verb's module on first use."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in VERBS:
            return None
        module, attribute, _ = VERBS[cmd_name]
        command = getattr(importlib.import_module(f"lazarus_tui.cli.{module}"), attribute)
        assert isinstance(command, click.Command)
        return command

    def invoke(self, ctx: click.Context) -> object:
        """A reader that has had enough (``| head``) is no failure; click would make it one."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            sys.stdout = open(os.devnull, "w")  # noqa: SIM115 - the interpreter flushes at exit
            return 0

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, VERBS[name][2]) for name in sorted(VERBS)])


@click.group(cls=Verbs, invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--sandbox", is_flag=True, help="Use the cluster that Lazarus brings along; started when needed.")
@click.option("--context", "context_name", metavar="NAME", help="The kubeconfig context to use.")
@click.option("--kubeconfig", metavar="FILE", help="The kubeconfig to read instead of $KUBECONFIG and ~/.kube/config.")
@click.version_option(__version__, prog_name="lazarus", message="%(prog)s %(version)s")
@click.pass_context
def root(ctx: click.Context, sandbox: bool, context_name: str | None, kubeconfig: str | None) -> None:
    """Never trust a backup you haven't tested.

    Without a command the console opens. Global options work in any position.
    """
    ctx.obj = Session(sandbox=sandbox, context_name=context_name, kubeconfig=kubeconfig)
    if ctx.invoked_subcommand is None:
        from lazarus_tui.cli.console import open_console

        ctx.exit(open_console(ctx.obj))


def run_verb(words: list[str]) -> int:
    """Run one verb and return its exit code; usage errors are 64, an abort at a prompt is an interruption."""
    try:
        result = root.main(words, prog_name="lazarus", standalone_mode=False)
    except click.UsageError as error:
        error.show(sys.stderr)
        return 64
    except click.Abort:
        raise KeyboardInterrupt from None
    except click.ClickException as error:
        error.show(sys.stderr)
        return error.exit_code
    return result if isinstance(result, int) else 0

"""Entry point of ``lazarus``: global options in any position, verbs loaded when used, one exit-code table.

Exit codes (design.md §11): 0 ok · 1 unexpected · 2 failed, start state kept · 3 left changed · 4 inconclusive ·
5 refused in preflight · 64 usage · 130 interrupted.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence

import click

from lazarus_tui import __version__
from lazarus_tui.cli.session import Session, say_error

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
    "operation": ("operation", "operation", "List operations and show one."),
    "overview": ("overview", "overview", "What would be lost now, per workload."),
    "park": ("operation", "park", "Stop an operation at its next safe step."),
    "rehearse": ("rehearse", "rehearse", "Lose the sandbox's shop, bring it back, measure."),
    "restore": ("restore", "restore", "List, inspect and make restores."),
    "resume": ("operation", "resume", "Go on with a parked operation."),
    "sandbox": ("sandbox", "sandbox", "The cluster that Lazarus brings along."),
    "schedule": ("schedule", "schedule", "List, pause, unpause and run schedules."),
    "undo": ("operation", "undo", "Take an operation back."),
    "watch": ("operation", "watch", "Follow an operation until it ends."),
}

_FLAGS = {"--sandbox"}
_VALUED = {"--context", "--kubeconfig"}


def hoist(arguments: Sequence[str]) -> list[str]:
    """Move the global options to the front, so that they work in any position; nothing after ``--`` is touched."""
    front: list[str] = []
    rest: list[str] = []
    index = 0
    while index < len(arguments):
        word = arguments[index]
        if word == "--":
            rest.extend(arguments[index:])
            break
        if word in _FLAGS or any(word.startswith(f"{name}=") for name in _VALUED):
            front.append(word)
        elif word in _VALUED and index + 1 < len(arguments):
            front.extend(arguments[index : index + 2])
            index += 1
        else:
            rest.append(word)
        index += 1
    return front + rest


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


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code; every failure is one clear sentence on stderr."""
    words = hoist(sys.argv[1:] if arguments is None else arguments)
    os.umask(0o077)
    code = _run(words)
    if arguments is None:
        _leave(code)
    return code


def _run(words: list[str]) -> int:
    try:
        result = root.main(words, prog_name="lazarus", standalone_mode=False)
    except click.UsageError as error:
        error.show(sys.stderr)
        return 64
    except (click.Abort, KeyboardInterrupt):
        say_error("interrupted; an operation that was started goes on in the engine")
        return 130
    except click.ClickException as error:
        error.show(sys.stderr)
        return error.exit_code
    except BrokenPipeError:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115 - the reader is gone; the interpreter flushes at exit
        return 0
    except Exception as error:
        from lazarus_tui.cli.failure import code_for

        return code_for(error)
    return result if isinstance(result, int) else 0


def _leave(code: int) -> None:
    """Flush and go: nothing a command leaves behind needs the interpreter's slow shutdown."""
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)

"""``lazarus sandbox``: up, down, status, kubeconfig, scenario, reset, fault. The sandbox is a process of its own."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lazarus_tui.cli.fault import fault
from lazarus_tui.cli.output import emit, output_option
from lazarus_tui.cli.session import Refused, say
from lazarus_tui.link.protocol import Fault
from lazarus_tui.model.paths import StateRoot

if TYPE_CHECKING:
    from lazarus_tui.config import Settings

# Seconds that ``status`` gives a sandbox which is up to say what is wrong with it; a machine under load needs some.
_STATUS_SECONDS = 15.0


@click.group()
def sandbox() -> None:
    """The cluster that Lazarus brings along: for machines without one, for training, for tests."""


sandbox.add_command(fault)


def root() -> Path:
    return StateRoot(sandbox=True).cluster


def ensure_up(state: StateRoot, *, ephemeral: bool) -> Path:
    """Start the sandbox if it is down and return its kubeconfig; an ephemeral one ends when nobody uses it."""
    from lazarus_tui.sandbox import process

    state.ensure()
    try:
        if not process.ask(state.cluster):
            say("starting the sandbox cluster ...")
            process.up(state.cluster, factor=settings_in_force().sandbox.time_factor, ephemeral=ephemeral)
    except process.SandboxFailed as error:
        raise Refused(
            Fault("unexpected", str(error), str(state.cluster), "lazarus sandbox reset starts afresh")
        ) from error
    return process.kubeconfig_path(state.cluster)


def settings_in_force() -> Settings:
    """The settings; a bad file is refused in one sentence before anything starts."""
    from lazarus_tui.config import SettingsRefused, load

    try:
        return load()
    except SettingsRefused as error:
        hint = "correct the file or the environment variable"
        raise Refused(Fault("usage", error.what, error.where, hint)) from None


@sandbox.command("up")
def up() -> int:
    """Start it, detached; back when the shop is ready."""
    state = StateRoot(sandbox=True)
    ensure_up(state, ephemeral=False)
    from lazarus_tui.sandbox import process

    process.keep(state.cluster)
    say(f"the sandbox is up: export KUBECONFIG={process.kubeconfig_path(state.cluster)}")
    return 0


@sandbox.command("down")
def down() -> int:
    """End it and its pods; its state is kept."""
    from lazarus_tui.sandbox import process

    say("the sandbox is down" if process.down(root()) else "the sandbox was not running")
    return 0


@sandbox.command("status")
@output_option
def status(output: str) -> int:
    """Say whether it runs; exit 0 up, 4 down."""
    from lazarus_tui.sandbox import process

    found = process.status(root())
    known = bool(found.server) or not found.running  # one that begins or ends has not said yet, or says no more
    shown = {
        "running": found.running,
        "pid": found.pid,
        "server": found.server,
        "timeFactor": found.factor if known else None,
        "networkPolicies": found.network,
        "root": str(root()),
        "faults": (faults := _faults() if known else None),
    }
    if known:
        text = f"up: {found.server} (pid {found.pid}, Velero's periods run {found.factor:g} times as fast)"
    else:
        text = f"up, and does not say yet where it listens (pid {found.pid})"
    text += f"\nnetwork policies: {found.network or 'not known yet'}"
    if faults != []:
        text += f"\nfaults: {'not known: it does not say' if faults is None else ', '.join(faults)}"
    emit(shown, output, names=["up" if found.running else "down"], table=lambda: text if found.running else "down")
    return 0 if found.running else 4


def _faults() -> list[str] | None:
    """Ids of the faults that are active; none when it is down, None when it runs and does not say."""
    from lazarus_tui.sandbox.faults import client
    from lazarus_tui.sandbox.faults.model import FaultRefused

    try:
        return [one.id for one in client.told(root(), _STATUS_SECONDS).faults]
    except client.SandboxDown:
        return []
    except (FaultRefused, OSError):
        return None


@sandbox.command("kubeconfig")
@click.option("--path", "as_path", is_flag=True, help="Print the file's path instead of its content.")
@click.option(
    "--as",
    "account",
    metavar="ACCOUNT",
    help="For a service account with fewer rights, NAME or NAMESPACE/NAME: lazarus-reader, lazarus-limited, your own.",
)
def kubeconfig(as_path: bool, account: str | None) -> int:
    """Print its kubeconfig; with --as, one for somebody who may do less."""
    from lazarus_tui.sandbox import process

    if account and as_path:
        raise click.UsageError("--as makes a new kubeconfig: there is no file to name with --path")
    path = process.kubeconfig_path(root())
    try:
        text = _kubeconfig_as(account) if account else process.kubeconfig(root())
    except FileNotFoundError:
        what = "the sandbox has never been started"
        raise Refused(Fault("not-found", what, str(path), "lazarus sandbox up")) from None
    sys.stdout.write(f"{path}\n" if as_path else text)
    return 0


def _kubeconfig_as(account: str) -> str:
    from lazarus_tui.sandbox import accounts, process

    try:
        return accounts.kubeconfig_as(root(), account)
    except LookupError as error:
        raise Refused(Fault("not-found", str(error), account, "kubectl get serviceaccounts -A")) from None
    except process.SandboxFailed as error:
        raise Refused(Fault("unreachable", str(error), str(root()), "lazarus sandbox up")) from None


@sandbox.command("scenario")
@click.argument("name", type=click.Choice(["databases", "gitops", "keda"]))
def scenario(name: str) -> int:
    """Print the manifests of something to install: lazarus sandbox scenario databases | kubectl apply -f -"""
    from lazarus_tui.sandbox.scenarios.manifests import text

    sys.stdout.write(text(name))
    return 0


@sandbox.command("reset")
@click.option("--yes", is_flag=True, help="Do not ask.")
def reset(yes: bool) -> int:
    """End it and delete its cluster, volumes and backups. Evidence is kept."""
    if not yes:
        if not sys.stdin.isatty():
            raise Refused(
                Fault(
                    "refused",
                    "this deletes the sandbox cluster and there is no terminal to ask at",
                    str(root()),
                    "add --yes",
                )
            )
        click.confirm(f"Delete the sandbox cluster under {root()}?", abort=True, err=True)
    from lazarus_tui.sandbox import process

    process.reset(root())
    say("the sandbox is gone; the next start makes a fresh one")
    return 0

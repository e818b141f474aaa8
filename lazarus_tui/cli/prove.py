"""``lazarus prove``: what a point is worth, shown by restoring it."""

from __future__ import annotations

import click

from lazarus_tui.cli.prove_checks import checks, manifest
from lazarus_tui.cli.prove_gate import gate, wait
from lazarus_tui.cli.prove_plan import plan
from lazarus_tui.cli.prove_run import list_proofs, run, show_proof
from lazarus_tui.cli.prove_status import status


@click.group()
def prove() -> None:
    """Restore points into a quarantine, check and judge them."""


prove.add_command(plan)
prove.add_command(checks)
prove.add_command(manifest)
prove.add_command(run)
prove.add_command(status)
prove.add_command(list_proofs)
prove.add_command(show_proof)
prove.add_command(gate)
prove.add_command(wait)

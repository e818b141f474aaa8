"""``lazarus doctor``: what would stop a backup or a restore, in plain words; and a redacted support bundle."""

from __future__ import annotations

import io
import os
import platform
import tarfile
from pathlib import Path
from typing import Any

import click

from lazarus_tui import __version__
from lazarus_tui.cli.output import as_json, emit, output_option
from lazarus_tui.cli.session import Session, say

_GLYPHS = {"info": "✓ ok", "warning": "! warning", "error": "✗ error"}
_LOG_BYTES = 256 * 1024


@click.command()
@click.option(
    "--bundle",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE.tar.gz",
    help="Also write findings, versions and the engine's log, redacted, to FILE.",
)
@output_option
@click.pass_obj
def doctor(session: Session, bundle: Path | None, output: str) -> int:
    """Check everything between this terminal and a restore. Exit 4 when an error was found."""
    params = {"context": session.context_name}
    found = session.call("doctor", params, list[dict[str, Any]], timeout=120.0)
    emit(found, output, names=[f.get("check", "") for f in found], table=lambda: _page(found, session.sandbox))
    if bundle is not None:
        write_bundle(session, bundle, found)
        say(f"support bundle written to {bundle}; read it before you send it")
    return 4 if any(f["severity"] == "error" for f in found) else 0


def _page(found: list[dict[str, Any]], sandbox: bool) -> str:
    from lazarus_tui.view.typed import typed

    return typed("\n".join(map(_paragraph, found)), sandbox=sandbox)


def _paragraph(finding: dict[str, Any]) -> str:
    """One finding: glyph and word, check, what was found; what to do next on a line of its own."""
    glyph = _GLYPHS.get(finding["severity"], str(finding["severity"]))
    first = f"{glyph:<10} {finding.get('check', ''):<11} {finding['what']}"
    return first + (f"\n{'':<23}next: {finding['hint']}" if finding.get("hint") else "")


def write_bundle(session: Session, target: Path, findings: list[dict[str, Any]]) -> None:
    """Write the bundle 0600 and never over an existing file: findings, versions and the log's end, all redacted."""
    from lazarus_tui.model.redact import redact_text, redact_value

    versions = {"lazarus": __version__, "python": platform.python_version(), "system": platform.platform()}
    members = {"findings.json": as_json(redact_value(findings)), "versions.json": as_json(versions)}
    log = session.state_root().log
    if log.exists():
        with log.open("rb") as stream:
            stream.seek(max(0, log.stat().st_size - _LOG_BYTES))
            members["engine.log"] = redact_text(stream.read().decode("utf-8", "replace"))
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as out, tarfile.open(fileobj=out, mode="w:gz") as archive:
        for name, text in members.items():
            data = text.encode()
            info = tarfile.TarInfo(f"lazarus-support/{name}")
            info.size, info.mode = len(data), 0o600
            archive.addfile(info, io.BytesIO(data))

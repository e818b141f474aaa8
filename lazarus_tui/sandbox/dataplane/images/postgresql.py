"""PostgreSQL on the claim: made at the first start, recovered at every other one. The pod's port is open to ``app``.

``app`` owns the database of that name and is no superuser; it may check indexes and begin and end a backup. Nobody else
gets in: what a superuser can do to files and programs is nobody's to do.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from engines import address, become, data_folder, needed, port, run  # type: ignore[import-not-found]

_HBA = "host all app all trust\n"
_CLUSTER = "CREATE ROLE app LOGIN\nGRANT pg_monitor TO app\nCREATE DATABASE app OWNER app\n"
# Single-user mode takes one statement a line. Some of what is granted came with PostgreSQL 15.
_DATABASE = "CREATE EXTENSION amcheck\n" + "".join(
    f"DO $$ BEGIN EXECUTE '{statement}'; EXCEPTION WHEN OTHERS THEN NULL; END $$\n"
    for statement in (
        "GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public TO app",
        "GRANT EXECUTE ON FUNCTION pg_backup_start(text, boolean), pg_backup_stop(boolean) TO app",
        "GRANT pg_checkpoint TO app",
    )
)


def make(programs: dict[str, Path], folder: Path) -> None:
    """A new cluster in ``folder``; it appears whole or not at all."""
    fresh = folder.with_name(f"{folder.name}.new")
    shutil.rmtree(fresh, ignore_errors=True)
    run(
        [programs["initdb"], "-D", fresh, "-U", "postgres", "--data-checksums", "--encoding=UTF8", "--locale=C.UTF-8"],
    )
    for database, statements in (("postgres", _CLUSTER), ("app", _DATABASE)):
        run([programs["postgres"], "--single", "-D", fresh, database], statements)
    (fresh / "pg_hba.conf").write_text(_HBA)
    fresh.rename(folder)


def main() -> None:
    programs = needed("postgresql")
    folder = data_folder("postgresql")
    if not folder.exists():
        make(programs, folder)
    # Nobody runs here, by the lock: the number is of a process of an earlier life, or of another pod.
    (folder / "postmaster.pid").unlink(missing_ok=True)
    settings = {
        "listen_addresses": address(), "port": port(5432), "unix_socket_directories": "", "shared_buffers": "16MB",
        "max_connections": "40", "logging_collector": "off", "log_line_prefix": "",
    }  # fmt: skip
    words = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
    become(programs["postgres"], ["-D", str(folder), *words], folder)


if __name__ == "__main__":
    main()

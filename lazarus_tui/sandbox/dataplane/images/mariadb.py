"""MariaDB on the claim: made at the first start, recovered at every other one. The pod's port is open to ``app``.

``app`` owns the database of that name, may flush and lock all tables, and reads or writes no files. Where there are
``server-cert.pem`` and ``server-key.pem`` beside its data it also speaks TLS with them, as MySQL does of itself.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from engines import address, become, data_folder, needed, port, run  # type: ignore[import-not-found]

_SETUP = """DELETE FROM mysql.global_priv WHERE User = 'root';
DELETE FROM mysql.proxies_priv;
FLUSH PRIVILEGES;
CREATE DATABASE app;
CREATE USER app@'%';
GRANT ALL ON app.* TO app@'%';
GRANT RELOAD, PROCESS, LOCK TABLES ON *.* TO app@'%';
"""


def make(programs: dict[str, Path], folder: Path) -> None:
    """A new data directory; it appears whole or not at all."""
    fresh = folder.with_name(f"{folder.name}.new")
    shutil.rmtree(fresh, ignore_errors=True)
    run([
        programs["mariadb-install-db"], "--no-defaults", f"--datadir={fresh}", "--skip-test-db",
        "--auth-root-authentication-method=normal", f"--tmpdir={folder.parent}",
    ])  # fmt: skip
    run([programs["mariadbd"], "--no-defaults", f"--datadir={fresh}", "--bootstrap"], _SETUP)
    fresh.rename(folder)


def main() -> None:
    programs = needed("mariadb")
    folder = data_folder("mariadb")
    if not folder.exists():
        make(programs, folder)
    scratch = Path(os.environ["POD_ROOT"], "tmp")
    scratch.mkdir(exist_ok=True)
    settings = {
        "datadir": str(folder), "tmpdir": str(scratch), "bind-address": address(), "port": port(3306),
        "socket": "mariadbd.sock", "pid-file": "mariadbd.pid", "skip-name-resolve": "1", "max-connections": "40",
        "innodb-buffer-pool-size": "32M", "innodb-flush-log-at-trx-commit": "1", "innodb-use-native-aio": "0",
    }  # fmt: skip
    if (folder / "server-cert.pem").exists():
        settings |= {"ssl-cert": "server-cert.pem", "ssl-key": "server-key.pem"}
    become(programs["mariadbd"], ["--no-defaults", *(f"--{name}={value}" for name, value in settings.items())], folder)


if __name__ == "__main__":
    main()

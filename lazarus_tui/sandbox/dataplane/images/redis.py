"""Redis on the claim, with an append-only file: what was answered is in it, whatever ends the server."""

from __future__ import annotations

from engines import address, become, data_folder, needed, port  # type: ignore[import-not-found]


def main() -> None:
    programs = needed("redis")
    folder = data_folder("redis")
    folder.mkdir(exist_ok=True, mode=0o700)
    settings = {
        "bind": address(), "port": port(6379), "dir": str(folder), "appendonly": "yes", "appendfsync": "always",
        "protected-mode": "no", "daemonize": "no", "save": "",
    }  # fmt: skip
    words = [word for name, value in settings.items() for word in (f"--{name}", value)]
    # One file is several programs: which one it is, it sees by its name.
    become(programs["redis-server"], words, folder, "redis-server")


if __name__ == "__main__":
    main()

"""engine.log: private, rotating, without secrets, and never a reason to stop."""

from __future__ import annotations

import errno
import logging
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lazarus_tui.engine import logfile
from lazarus_tui.model.paths import UnsafePath

TOKEN = "eyJhbGciOiJSUzI1NiIsImtpZCI6IkEifQ.eyJzdWIiOiJzeXN0ZW0ifQ.c2lnbmF0dXJlc2lnbmF0dXJl"


@pytest.fixture
def path(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "engine.log"
    root = logging.getLogger()
    before = (list(root.handlers), root.level)
    logfile.log_to(path)
    yield path
    for handler in [h for h in root.handlers if h not in before[0]]:
        root.removeHandler(handler)
        handler.close()
    root.setLevel(before[1])


def test_lines_are_private_and_stamped_in_utc(path: Path) -> None:
    logging.getLogger("lazarus_tui.engine").info("listening at %s", "/x")
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    line = path.read_text()
    assert line.endswith("INFO lazarus_tui.engine: listening at /x\n")
    assert line[10] == "T"
    assert line[19] == "Z"


def test_no_secret_and_no_second_line_gets_in(path: Path) -> None:
    log = logging.getLogger("lazarus_tui.engine")
    log.warning("Authorization: Bearer %s", TOKEN)
    log.warning("https://u:hunter2secret@store/x?X-Amz-Signature=abcdef0123456789")
    log.warning("one\ntwo\rthree\x1b[31m")
    text = path.read_text()
    assert TOKEN not in text
    assert "hunter2secret" not in text
    assert "abcdef0123456789" not in text
    assert len(text.splitlines()) == 3


def test_of_an_exception_only_class_message_and_places_are_kept(path: Path) -> None:
    def fails() -> None:
        token_in_a_local = "local-sesame-value"
        raise ValueError(f"password=topsecretvalue {len(token_in_a_local)}")

    try:
        fails()
    except ValueError:
        logging.getLogger("lazarus_tui.engine").exception("it failed")
    text = path.read_text()
    assert "ValueError" in text
    assert "test_logfile.py" in text
    assert "topsecretvalue" not in text
    assert "local-sesame-value" not in text
    assert len(text.splitlines()) == 1


def test_request_loggers_are_quiet(path: Path) -> None:
    for name in ("kubernetes_asyncio.client.rest", "httpx", "aiohttp.client"):
        logging.getLogger(name).info("response body: {...}")
    assert not path.exists()


def test_it_rotates(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    handler = next(h for h in logging.getLogger().handlers if isinstance(h, logfile._PrivateFile))
    handler.maxBytes = 500
    for n in range(40):
        logging.getLogger("lazarus_tui.engine").info("line %d %s", n, "x" * 60)
    files = sorted(path.parent.glob("engine.log*"))
    assert len(files) == 1 + logfile.KEPT
    assert all(stat.S_IMODE(os.stat(file).st_mode) == 0o600 for file in files)


def test_a_full_disk_loses_the_line_and_nothing_else(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    handler: Any = next(h for h in logging.getLogger().handlers if isinstance(h, logfile._PrivateFile))

    class Full:
        def write(self, text: str) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        def flush(self) -> None: ...

        def seek(self, *_: int) -> None: ...

        def tell(self) -> int:
            return 0

        def close(self) -> None: ...

    handler.stream = Full()
    logging.getLogger("lazarus_tui.engine").info("not kept")
    assert capsys.readouterr().err == ""


def test_a_log_that_is_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "target").write_text("precious")
    link = tmp_path / "engine.log"
    link.symlink_to(tmp_path / "target")
    handler = logfile._PrivateFile(link, delay=True)
    with pytest.raises(UnsafePath):
        handler._open()
    handler.close()

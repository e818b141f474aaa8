"""Two of busybox's programs: ``httpd -f -p PORT`` listens and answers, ``sleep SECONDS`` is there."""

from __future__ import annotations

import signal
import sys
import time

from wire import say, serve  # type: ignore[import-not-found]


def nothing(method: str, path: str, body: bytes) -> tuple[int, str, bytes]:
    return 404, "text/html", b"<H1>404 Not Found</H1>\n"


def main(words: list[str]) -> int:
    name = words[0] if words else ""
    if name == "httpd" and "-f" in words and "-p" in words[:-1]:
        serve(int(words[words.index("-p") + 1]), nothing)
    elif name == "sleep" and len(words) == 2:
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
        time.sleep(float(words[1]))
    else:
        say(f"busybox: only httpd -f -p PORT and sleep SECONDS are known here, not {' '.join(words) or 'nothing'}")
        return 127
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

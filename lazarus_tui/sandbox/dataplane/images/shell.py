"""A shell of a few words for exec: the commands of tools.py with ``;``, ``&&``, ``||``, ``$?`` and ``exit N``.

No host program can be reached from it: there are no pipes, redirections, variables or background jobs.
"""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable

_JOINS = (";", "&&", "||")
_SPECIAL = "();<>|&"

Run = Callable[[str, list[str]], int]


class Exit(Exception):
    """``exit N``."""


def shell(args: list[str], run: Run) -> int:
    """``sh -c TEXT``, or lines of the standard input until its end; the code of the last command."""
    if args and args[0] != "-c":
        sys.stderr.write(f"sh: {args[0]}: only -c is known here\n")
        return 2
    code = 0
    try:
        if args:
            return line(args[1] if len(args) > 1 else "", run, code)
        while (text := _read()) is not None:
            code = line(text, run, code)
    except Exit as end:
        return int(str(end))
    return code


def _read() -> str | None:
    """The next line, read byte by byte: the commands have the same input."""
    if os.isatty(0):
        os.write(1, b"# ")
    text = b""
    while byte := os.read(0, 1):
        if byte == b"\n":
            return text.decode(errors="replace")
        text += byte
    return text.decode(errors="replace") if text else None


def line(text: str, run: Run, before: int) -> int:
    """Runs one line; ``before`` is what ``$?`` says at its begin."""
    try:
        lexer = shlex.shlex(text, posix=True, punctuation_chars=_SPECIAL)
        lexer.whitespace_split = True
        words = list(lexer)
    except ValueError as fault:
        return _complain(str(fault), 2)
    strange = next((word for word in words if word not in _JOINS and word and not word.strip(_SPECIAL)), None)
    if strange:
        return _complain(f"{strange} is not known here", 2)
    code, wanted, command = before, True, list[str]()
    for word in [*words, ";"]:
        if word not in _JOINS:
            command.append(word)
            continue
        if wanted and command:
            code = _command([part.replace("$?", str(code)) for part in command], run, code)
        command = []
        wanted = word == ";" or (word == "&&") == (code == 0)
    return code


def _command(words: list[str], run: Run, before: int) -> int:
    if words[0] == "exit":
        given = words[1] if len(words) > 1 else str(before)
        raise Exit(int(given) % 256 if given.isdigit() else 2)
    code = run(words[0], words[1:])
    sys.stdout.flush()
    return code


def _complain(text: str, code: int) -> int:
    sys.stderr.write(f"sh: {text}\n")
    return code

"""Running kubectl: where it is, one command with its answer, and the table's way to say what must come."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

# `.ci/kubectl` names the binary; without it the one on PATH is taken.
VARIABLE = "LAZARUS_KUBECTL"
# Seconds a command may take, and how long what has to come is waited for: far longer than it needs on a busy machine.
WITHIN = 90.0


def chosen() -> str:
    return os.environ.get(VARIABLE) or "kubectl"


@dataclass(frozen=True, slots=True)
class Answer:
    code: int
    out: str
    err: str


@dataclass(frozen=True, slots=True)
class Kubectl:
    """``binary`` with a kubeconfig and a home of its own; ``namespace`` is where its commands work."""

    binary: str
    config: Path
    home: Path
    namespace: str = "default"

    @property
    def folder(self) -> Path:
        """Where the files of this namespace's commands are."""
        return self.home / self.namespace

    def within(self, namespace: str) -> Kubectl:
        return replace(self, namespace=namespace)

    def argv(self, line: str) -> list[str]:
        """``{dir}`` and ``{ns}`` are replaced; everything behind `` -- `` is left to the container."""
        words = [word.replace("{dir}", str(self.folder)).replace("{ns}", self.namespace) for word in shlex.split(line)]
        return [self.binary, f"--namespace={self.namespace}", *words]

    def environment(self, **more: str) -> dict[str, str]:
        kept = {name: os.environ[name] for name in ("PATH", "TERM", "LD_LIBRARY_PATH") if name in os.environ}
        return kept | {"HOME": str(self.home), "KUBECONFIG": str(self.config), "LC_ALL": "C.UTF-8"} | more

    def run(self, line: str, *, stdin: str = "", within: float = WITHIN, **environment: str) -> Answer:
        try:
            done = subprocess.run(
                self.argv(line), input=stdin.encode(), capture_output=True, timeout=within, cwd=self.home,
                env=self.environment(**environment), check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired as late:
            out, err = ((part or b"").decode(errors="replace") for part in (late.stdout, late.stderr))
            return Answer(-1, out, f"{err}\nno end within {within:g} s")
        return Answer(done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace"))

    def start(self, line: str, **streams: int) -> subprocess.Popen[bytes]:
        """A command that goes on; the caller ends it."""
        wanted = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT} | streams
        return subprocess.Popen(self.argv(line), cwd=self.home, env=self.environment(), **wanted)  # type: ignore[call-overload, no-any-return]


@dataclass(frozen=True, slots=True)
class Command:
    """One line of a script: each pattern of ``says`` must be found in what it writes, none of ``lacks`` may be.

    ``exact`` is the whole standard output, but for blanks at its ends. ``errs`` is looked for in the standard error.
    ``until`` repeats a command that only reads, until it says so.
    """

    line: str
    says: tuple[str, ...] = ()
    code: int = 0
    errs: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()
    exact: str | None = None
    stdin: str = ""
    until: bool = False
    environment: dict[str, str] = field(default_factory=dict)

    def complaint(self, answer: Answer, namespace: str) -> str:
        """What is wrong with an answer; empty when it is right."""
        if answer.code != self.code:
            return f"exit code {answer.code}, not {self.code}"
        if self.exact is not None and answer.out.strip() != self.exact:
            return f"the output is not exactly {self.exact!r}"
        for pattern, text in [(one, answer.out) for one in self.says] + [(one, answer.err) for one in self.errs]:
            if not re.search(pattern, text, re.MULTILINE):
                return f"no {pattern!r}"
        for pattern in self.lacks:
            if re.search(pattern.replace("{ns}", namespace), answer.out + answer.err, re.MULTILINE):
                return f"there is {pattern!r}"
        return ""

    def run(self, kubectl: Kubectl) -> str:
        end = time.monotonic() + (WITHIN if self.until else 0.0)
        while True:
            more = {name: value.replace("{dir}", str(kubectl.folder)) for name, value in self.environment.items()}
            answer = kubectl.run(self.line, stdin=self.stdin, **more)
            complaint = self.complaint(answer, kubectl.namespace)
            if not complaint or time.monotonic() >= end:
                break
            time.sleep(0.2)
        if not complaint:
            return ""
        return f"kubectl {self.line}\n  {complaint}\n{_indented(answer.out)}{_indented(answer.err)}"


def _indented(text: str) -> str:
    return "".join(f"  | {line}\n" for line in text.splitlines()[:60])


def run(
    line: str,
    *says: str,
    code: int = 0,
    errs: str | Sequence[str] = (),
    lacks: str | Sequence[str] = (),
    exact: str | None = None,
    stdin: str = "",
    until: bool = False,
    **environment: str,
) -> Command:
    def many(given: str | Sequence[str]) -> tuple[str, ...]:
        return (given,) if isinstance(given, str) else tuple(given)

    return Command(line, says, code, many(errs), many(lacks), exact, stdin, until, environment)


@dataclass(frozen=True, slots=True)
class Script:
    """Commands in order, in a namespace of their own; ``files`` are in ``{dir}`` before the first.

    In them ``{ns}`` is replaced, too.
    """

    name: str
    commands: tuple[Command, ...]
    files: dict[str, str] = field(default_factory=dict)

    def run(self, kubectl: Kubectl) -> list[str]:
        """All complaints: a command that fails does not hide what those behind it would say."""
        for name, text in self.files.items():
            path = kubectl.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text.replace("{ns}", kubectl.namespace), encoding="utf-8")
            path.chmod(0o700)
        return [complaint for command in self.commands if (complaint := command.run(kubectl))]

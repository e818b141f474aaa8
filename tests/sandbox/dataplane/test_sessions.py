"""exec on a terminal, attach, and the shell: real processes, real pseudo-terminals."""

from __future__ import annotations

import asyncio
import importlib.util
from typing import Any

import pytest

from lazarus_tui.model.resources import PODS
from lazarus_tui.sandbox.dataplane.catalog import TOOLS
from lazarus_tui.sandbox.runtime import ExecSession, RuntimeRefused


async def box(node: Any, image: str = "pause", *args: str, **container: Any) -> None:
    node.pod("box", image, *args, spec={"restartPolicy": "Never"}, **container)
    await node.until(lambda: (node.get(PODS, "box").get("status") or {}).get("phase") == "Running")


async def hear(session: ExecSession, until: bytes = b"") -> bytes:
    """What comes until ``until`` has come, or to the end."""
    said = b""
    async with asyncio.timeout(60):
        async for _, data in session.output():
            said += data
            if until and until in said:
                break
    return said


async def test_a_terminal_echoes_has_a_size_and_gives_the_exit_code(node: Any) -> None:
    await box(node)
    session = await node.kubelet.exec("shop", "box", "", ["sh"], stdin=True, tty=True)
    await session.resize(132, 43)
    assert await hear(session, b"# ") == b"# "
    await session.write_stdin(b"stty size\r")
    assert (await hear(session, b"43 132\r\n")).startswith(b"stty size\r\n")
    await session.write_stdin(b"exit 7\r")
    await hear(session)
    assert await session.wait() == 7


async def test_control_c_ends_what_runs_on_a_terminal(node: Any) -> None:
    await box(node)
    session = await node.kubelet.exec("shop", "box", "", ["sh", "-c", "echo on; sleep 60"], stdin=True, tty=True)
    await hear(session, b"on\r\n")
    await session.write_stdin(b"\x03")
    await hear(session)
    assert await session.wait() == 128 + 2


async def test_without_a_terminal_there_is_no_size_and_input_has_an_end(node: Any) -> None:
    await box(node)
    code, out, err = await node.run("box", "sh", stdin=b"stty size || echo none; false\necho after $?\nnothing\nexit")
    assert (code, out) == (127, b"none\nafter 1\n")
    assert err == b"stty: standard input: not a terminal\nnothing: not found\n"


async def test_attach_hears_and_feeds_the_container_and_its_end(node: Any) -> None:
    await box(node, "task", "cat", "-", "exit", "3", stdin=True, stdinOnce=True)
    session = await node.kubelet.attach("shop", "box", "main", stdin=True, tty=False)
    await session.write_stdin(b"hello\n")
    assert await hear(session, b"hello\n") == b"hello\n"
    again = await node.kubelet.attach("shop", "box", "main", stdin=False, tty=False)
    await again.write_stdin(b"not heard\n")
    await session.close_stdin()
    assert await hear(again) == b""
    assert await again.wait() == 0
    await node.until(lambda: node.get(PODS, "box")["status"]["phase"] == "Failed")
    ended = node.get(PODS, "box")["status"]["containerStatuses"][0]["state"]["terminated"]
    assert ended["exitCode"] == 3
    assert await node.log("box") == [b"hello\n"]


async def test_leaving_an_attach_leaves_the_container(node: Any) -> None:
    await box(node, "task", "cat", "-", stdin=True, tty=True)
    first = await node.kubelet.attach("shop", "box", "main", stdin=True, tty=True)
    await first.kill()
    second = await node.kubelet.attach("shop", "box", "main", stdin=True, tty=True)
    await second.write_stdin(b"still\r")
    assert b"still" in await hear(second, b"still")


@pytest.mark.parametrize("what", ["exec", "attach"])
async def test_what_does_not_run_is_not_there(node: Any, what: str) -> None:
    node.pod("done", "task", "exit", "0", spec={"restartPolicy": "Never"})
    await node.until(lambda: (node.get(PODS, "done").get("status") or {}).get("phase") == "Succeeded")
    ask = node.kubelet.attach if what == "attach" else node.kubelet.exec
    words = () if what == "attach" else (["ls"],)
    with pytest.raises(RuntimeRefused) as refused:
        await ask("shop", "done", "main", *words, stdin=False, tty=False)
    assert refused.value.status == 500
    assert refused.value.message == 'unable to upgrade connection: container not found ("main")'


def words(text: str, codes: dict[str, int]) -> tuple[list[list[str]], int]:
    """What a line of the shell runs, with commands that end as ``codes`` says, and its code."""
    spec = importlib.util.spec_from_file_location("shell_under_test", TOOLS.with_name("shell.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    ran: list[list[str]] = []

    def run(command: str, args: list[str]) -> int:
        ran.append([command, *args])
        return codes.get(command, 0)

    return ran, module.shell(["-c", text], run)


@pytest.mark.parametrize(
    ("text", "ran", "code"),
    [
        ("", [], 0),
        ("a 'b c' \"d;e\"", [["a", "b c", "d;e"]], 0),
        ("a; bad; c", [["a"], ["bad"], ["c"]], 0),
        ("a && bad && c", [["a"], ["bad"]], 3),
        ("bad || a", [["bad"], ["a"]], 0),
        ("bad && a || c", [["bad"], ["c"]], 0),
        ("a || b; c", [["a"], ["c"]], 0),
        ("bad; a $? x$?", [["bad"], ["a", "3", "x3"]], 0),
        ("exit 3; a", [], 3),
        ("bad; exit", [["bad"]], 3),
        ("exit never", [], 2),
        ("a | b", [], 2),
        ("a > b", [], 2),
        ("a & b", [], 2),
        ("a 'b", [], 2),
    ],
)
def test_the_shell_runs_lines_of_commands_and_nothing_it_does_not_know(
    text: str, ran: list[list[str]], code: int
) -> None:
    assert words(text, {"bad": 3}) == (ran, code)

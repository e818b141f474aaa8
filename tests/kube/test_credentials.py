"""Credential plugins that misbehave, token files that rotate, and secrets that must not show."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from kube_fakes import ManualClock

from lazarus_tui.kube.contexts import Context, load_kubeconfig
from lazarus_tui.kube.credentials import Credential, Plugin, TokenFile, credentials_of, impersonation_headers
from lazarus_tui.kube.errors import AuthError
from lazarus_tui.kube.kubeconfig import ClusterEntry, ExecSpec, Impersonation, UserEntry
from lazarus_tui.model.clock import rfc3339

V1 = "client.authentication.k8s.io/v1"
CLUSTER = ClusterEntry("c", "https://api:6443", ca_data=b"CA", tls_server_name="name", exec_config={"a": [1]})


def script(folder: Path, body: str, name: str = "plugin") -> Path:
    """A plugin in Python; ``count`` beside it grows by one byte per run."""
    file = folder / name
    file.write_text(
        f"#!{sys.executable} -IS\nimport os, sys, json, time\nopen({str(folder / 'count')!r}, 'a').write('x')\n{body}\n"
    )
    file.chmod(0o700)
    return file


def runs(folder: Path) -> int:
    return len((folder / "count").read_text()) if (folder / "count").exists() else 0


def answering(**fields: Any) -> str:
    body = {"kind": "ExecCredential", "apiVersion": V1, "status": fields}
    return f"print({json.dumps(body)!r})"


def counted(folder: Path, status: str) -> str:
    """A plugin whose answer depends on ``n``, the number of its runs."""
    envelope = f"{{'kind': 'ExecCredential', 'apiVersion': {V1!r}, 'status': {status}}}"
    return f"n = os.path.getsize({str(folder / 'count')!r})\nprint(json.dumps({envelope}))"


def plugin(command: Path | str, clock: ManualClock, *, timeout: float = 60.0, **spec: Any) -> Plugin:
    folder = str(Path(command).parent)
    return Plugin(ExecSpec(str(command), V1, folder, **spec), CLUSTER, clock, timeout=timeout)


async def test_a_token_is_kept_until_80_percent_of_its_life(tmp_path: Path, clock: ManualClock) -> None:
    expires = rfc3339(clock.now().replace(hour=1))
    body = counted(tmp_path, f"{{'token': f'tok-{{n}}', 'expirationTimestamp': {expires!r}}}")
    source = plugin(script(tmp_path, body), clock)
    assert (await source.get()).headers() == {"Authorization": "Bearer tok-1"}
    clock.seconds = 0.79 * 3600
    assert (await source.get()).token == "tok-1"
    clock.seconds = 0.81 * 3600
    assert (await source.get()).token == "tok-2"
    assert runs(tmp_path) == 2


async def test_many_requests_start_one_plugin(tmp_path: Path, clock: ManualClock) -> None:
    source = plugin(script(tmp_path, answering(token="t")), clock)
    await asyncio.gather(*(source.get() for _ in range(20)))
    assert runs(tmp_path) == 1
    refused = await source.get()
    answers = await asyncio.gather(*(source.refresh(refused) for _ in range(20)))
    assert answers == [False] * 20  # the same token came back: it is not asked for again and again
    assert runs(tmp_path) == 2


async def test_a_refresh_gives_another_token_or_says_no(tmp_path: Path, clock: ManualClock) -> None:
    body = counted(tmp_path, "{'token': str(n)}")
    source = plugin(script(tmp_path, body), clock)
    first = await source.get()
    assert await source.refresh(first) is True
    assert (await source.get()).token == "2"
    assert await source.refresh(first) is True  # somebody else already refreshed: nothing is run
    assert runs(tmp_path) == 2


@contextmanager
def typed_ahead(text: bytes) -> Iterator[None]:
    """Keys that wait on our own standard input; a plugin must not get them."""
    saved, (read, write) = os.dup(0), os.pipe()
    os.write(write, text)
    os.close(write)
    os.dup2(read, 0)
    try:
        yield
    finally:
        os.dup2(saved, 0)
        os.close(saved)
        os.close(read)


async def test_the_plugin_gets_its_environment_and_no_stdin(tmp_path: Path, clock: ManualClock) -> None:
    body = (
        "info = json.loads(os.environ['KUBERNETES_EXEC_INFO'])\n"
        "seen = [sys.stdin.read(), os.environ['EXTRA'], sys.argv[1], info]\n"
        f"open({str(tmp_path / 'seen')!r}, 'w').write(json.dumps(seen))\n" + answering(token="t")
    )
    script(tmp_path, body)
    spec = ExecSpec("./plugin", V1, str(tmp_path), ("arg",), (("EXTRA", "value"),), provide_cluster_info=True)
    with typed_ahead(b"y\n"):
        await Plugin(spec, CLUSTER, clock).get()
    stdin, extra, argument, info = json.loads((tmp_path / "seen").read_text())
    assert (stdin, extra, argument) == ("", "value", "arg")
    assert info["apiVersion"] == V1
    assert info["spec"] == {
        "interactive": False,
        "cluster": {
            "server": "https://api:6443",
            "tls-server-name": "name",
            "certificate-authority-data": base64.b64encode(b"CA").decode(),
            "config": {"a": [1]},
        },
    }


async def test_a_bare_name_is_looked_up_in_path(tmp_path: Path, clock: ManualClock) -> None:
    script(tmp_path, answering(token="t"), "my-login")
    environ = {"PATH": str(tmp_path)}
    assert (await Plugin(ExecSpec("my-login", V1, "/"), CLUSTER, clock, environ=environ).get()).token == "t"
    with pytest.raises(AuthError, match="credential plugin nope: not found") as caught:
        await Plugin(ExecSpec("nope", V1, "/", install_hint="brew install nope"), CLUSTER, clock, environ=environ).get()
    assert caught.value.hint == "brew install nope"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("print('<html>login</html>')", "its output is not an ExecCredential"),
        ("print('{}')", "its output is not an ExecCredential of"),
        ("sys.stdout.buffer.write(bytes(range(256)))", "its output is not an ExecCredential"),
        (answering(token="t").replace("k8s.io/v1", "k8s.io/v1beta1"), "its output is not an ExecCredential of"),
        (answering(), "neither a token nor a certificate"),
        (answering(clientCertificateData="x"), "neither a token nor a certificate"),
        (answering(token="t", expirationTimestamp="tomorrow"), "expirationTimestamp is not a time"),
        (answering(token="a\nb"), "characters a header cannot carry"),
        ("sys.exit(1)", "exit code 1"),
        ("os.kill(os.getpid(), 15)", "exit code -15"),
        ("sys.stdout.write('x' * 3_000_000)", "more than 1 MiB"),
    ],
)
async def test_misbehaviour_is_one_sentence(tmp_path: Path, clock: ManualClock, body: str, expected: str) -> None:
    with pytest.raises(AuthError, match=expected):
        await plugin(script(tmp_path, body), clock).get()


async def test_stderr_is_drained_and_only_its_redacted_tail_is_told(tmp_path: Path, clock: ManualClock) -> None:
    body = "sys.stderr.write('noise ' * 400_000 + 'password=CANARY expired'); print('CANARY-OUT'); sys.exit(3)"
    with pytest.raises(AuthError) as caught:
        await plugin(script(tmp_path, body), clock).get()
    assert "exit code 3" in str(caught.value)
    assert "CANARY" not in str(caught.value)
    assert len(str(caught.value)) <= 256


async def test_a_hanging_plugin_is_killed_with_its_children(tmp_path: Path, clock: ManualClock) -> None:
    pids = tmp_path / "pids"
    command = tmp_path / "plugin"
    command.write_text(f"#!/bin/sh\nsleep 600 &\necho $$ $! >'{pids}'\nwait\n")
    command.chmod(0o700)
    loop = asyncio.get_running_loop()
    began = loop.time()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "time", lambda: began)  # its time does not begin before it hangs
        asked = asyncio.ensure_future(plugin(command, clock, timeout=0.8).get())
        assert await asyncio.to_thread(_written, pids)
    with pytest.raises(AuthError, match=r"no answer within 0.8 s"):
        await asked
    left = [int(pid) for pid in pids.read_text().split()]
    assert len(left) == 2
    async with asyncio.timeout(60):  # the kernel needs a moment for a process that is not our own child
        while any(map(_alive, left)):
            await asyncio.sleep(0.002)


def _written(file: Path) -> bool:
    """Whether it has a whole line, within a minute."""
    for _ in range(6000):
        if file.exists() and file.read_text().endswith("\n"):
            return True
        time.sleep(0.01)
    return False


def _alive(pid: int) -> bool:
    """A zombie waiting for init is as dead as we can make it."""
    try:
        os.kill(pid, 0)
        if sys.platform != "linux":
            return True
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


async def test_a_child_that_keeps_the_pipe_open_does_not_hang_us(tmp_path: Path, clock: ManualClock) -> None:
    body = (
        "if os.fork() == 0:\n    time.sleep(600)\nelse:\n    "
        + answering(token="t")
        + "\n    sys.stdout.flush()\n    os._exit(0)"
    )
    with pytest.raises(AuthError, match="no answer within"):
        await plugin(script(tmp_path, body), clock, timeout=0.4).get()


async def test_a_failure_is_remembered_for_ten_seconds(tmp_path: Path, clock: ManualClock) -> None:
    source = plugin(script(tmp_path, "sys.exit(1)"), clock)
    for _ in range(5):
        with pytest.raises(AuthError):
            await source.get()
    assert runs(tmp_path) == 1
    clock.seconds = 11
    with pytest.raises(AuthError):
        await source.get()
    assert runs(tmp_path) == 2


async def test_an_old_token_still_serves_when_the_plugin_fails(tmp_path: Path, clock: ManualClock) -> None:
    good = answering(token="t", expirationTimestamp="2026-01-01T01:00:00Z")
    source = plugin(
        script(tmp_path, f"if os.path.getsize({str(tmp_path / 'count')!r}) > 1: sys.exit(1)\n{good}"), clock
    )
    await source.get()
    clock.seconds = 3000
    assert (await source.get()).token == "t"
    clock.seconds = 3601
    with pytest.raises(AuthError):
        await source.get()


async def test_a_token_file_is_read_again_and_stripped(tmp_path: Path, clock: ManualClock) -> None:
    file = tmp_path / "token"
    file.write_text("one\n")
    source = TokenFile(str(file), "", clock)
    assert (await source.get()).token == "one"
    file.write_text("two\r\n")
    assert (await source.get()).token == "one"
    clock.seconds = 61
    assert (await source.get()).token == "two"
    file.write_text("three")
    assert await source.refresh(Credential("two")) is True
    assert (await source.get()).token == "three"
    assert await source.refresh(Credential("three")) is False
    file.unlink()
    clock.seconds = 200
    assert (await source.get()).token == "three"


async def test_a_token_file_that_is_missing_empty_or_binary_is_a_sentence(tmp_path: Path, clock: ManualClock) -> None:
    for content, expected in ((None, "No such file"), (b" \n", "is empty"), (b"a\x00b", "a header cannot carry")):
        file = tmp_path / "token"
        if content is not None:
            file.write_bytes(content)
        with pytest.raises(AuthError, match=expected):
            await TokenFile(str(file), "", clock).get()


async def test_a_file_beats_a_token_and_a_token_beats_a_plugin(tmp_path: Path, clock: ManualClock) -> None:
    (tmp_path / "t").write_text("file")
    spec = ExecSpec("missing", V1, "/")
    both = UserEntry("u", token="inline", token_file=str(tmp_path / "t"), exec=spec)
    assert (await credentials_of(Context("x", CLUSTER, both), clock).get()).token == "file"
    inline = UserEntry("u", token="inline", exec=spec)
    assert (await credentials_of(Context("x", CLUSTER, inline), clock).get()).token == "inline"
    basic = await credentials_of(Context("x", CLUSTER, UserEntry("u", username="a", password="b")), clock).get()
    assert basic.headers() == {"Authorization": "Basic " + base64.b64encode(b"a:b").decode()}
    assert (await credentials_of(Context("x", CLUSTER, UserEntry("u")), clock).get()).headers() == {}


def written(file: Path, token: str, server: str = "https://api:6443", user: str = "u", extra: str = "") -> Path:
    file.write_text(
        f"""{{"current-context": "c", "contexts": [{{"name": "c", "context": {{"cluster": "c", "user": "{user}"}}}}],
        "clusters": [{{"name": "c", "cluster": {{"server": "{server}"}}}}],
        "users": [{{"name": "{user}", "user": {{"token": "{token}"{extra}}}}}]}}"""
    )
    file.chmod(0o600)
    return file


async def test_a_token_in_a_kubeconfig_is_read_again_once_it_is_refused(tmp_path: Path, clock: ManualClock) -> None:
    file = written(tmp_path / "config", "old")
    source = credentials_of(load_kubeconfig([file]).context(), clock)
    old = await source.get()
    assert (old.token, await source.refresh(old)) == ("old", False)
    written(file, "new")
    assert await source.get() == old  # not before it is refused
    assert await source.refresh(old) is True
    assert (await source.get()).token == "new"
    assert await source.refresh(Credential("new")) is False


@pytest.mark.parametrize(
    "change",
    [{"server": "https://elsewhere:6443"}, {"user": "other"}, {"extra": ', "as": "root"'}, {"token": "with space"}],
)
async def test_a_file_that_leads_elsewhere_gives_no_credential(
    tmp_path: Path, clock: ManualClock, change: dict[str, str]
) -> None:
    file = written(tmp_path / "config", "old")
    source = credentials_of(load_kubeconfig([file]).context(), clock)
    written(file, **{"token": "new", **change})
    if "token" in change:
        with pytest.raises(AuthError, match="a header cannot carry"):
            await source.refresh(await source.get())
    else:
        assert await source.refresh(await source.get()) is False
    assert (await source.get()).token == "old"
    file.unlink()
    assert await source.refresh(await source.get()) is False


def test_impersonation_headers() -> None:
    act = Impersonation("jane", "42", ("g1", "g2"), (("Example.com/Scope", "a"),))
    assert impersonation_headers(act) == [
        ("Impersonate-User", "jane"),
        ("Impersonate-Uid", "42"),
        ("Impersonate-Group", "g1"),
        ("Impersonate-Group", "g2"),
        ("Impersonate-Extra-example.com%2Fscope", "a"),
    ]
    with pytest.raises(AuthError):
        impersonation_headers(Impersonation("jane\r\nX: y"))


async def test_no_credential_shows_itself(tmp_path: Path, clock: ManualClock) -> None:
    fields = {"token": "CANARY", "clientCertificateData": "CERTCANARY", "clientKeyData": "KEYCANARY"}
    source = plugin(script(tmp_path, answering(**fields)), clock)
    credential = await source.get()
    assert credential.key == b"KEYCANARY"
    for shown in (repr(credential), str(credential), repr(source), repr(vars(source)), f"{UserEntry(token='CANARY')}"):
        assert "CANARY" not in shown

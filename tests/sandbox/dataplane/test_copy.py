"""Copies of files, the content store, logs and addresses: the parts that need no cluster."""

from __future__ import annotations

import asyncio
import json
import os
import socket
from concurrent.futures import ThreadPoolExecutor

import pytest

from lazarus_tui.sandbox.clock import VirtualClock
from lazarus_tui.sandbox.dataplane import copy as copying
from lazarus_tui.sandbox.dataplane import logs
from lazarus_tui.sandbox.dataplane.addresses import Addresses
from lazarus_tui.sandbox.dataplane.content import ContentStore, DamagedContent
from lazarus_tui.sandbox.dataplane.copy import remove_tree, tree_bytes, tree_files
from lazarus_tui.sandbox.dataplane.logs import LogFile, since_moment
from lazarus_tui.sandbox.dataplane.probes import Probe, Verdict
from lazarus_tui.sandbox.dataplane.volumes import DRIVER, NotOurVolume, VolumeStore


@pytest.fixture
def tree(tmp_path):
    root = tmp_path / "tree"
    (root / "a" / "deep").mkdir(parents=True)
    (root / "a" / "deep" / "file").write_bytes(b"x" * 5000)
    (root / "script").write_text("run")
    (root / "script").chmod(0o751)
    (root / "empty").touch()
    (root / "link").symlink_to("a/deep/file")
    (root / "broken").symlink_to("/nowhere")
    os.utime(root / "a" / "deep" / "file", ns=(1_000_000_000, 2_000_000_123))
    os.utime(root / "a", ns=(1_000_000_000, 3_000_000_000))
    with open(root / "sparse", "wb") as file:
        file.truncate(1 << 20)
    return root


def described(root):
    """Everything a copy must keep, by path."""
    found = {}
    for name, info in tree_files(root):
        path = root / name
        content = os.readlink(path) if path.is_symlink() else path.read_bytes() if path.is_file() else None
        times = None if path.is_symlink() else info.st_mtime_ns
        found[name] = (info.st_mode, times, content)
    return found


def brought_back(source, folder, progress=None):
    """``source`` through the content store, and what the store says of it."""
    store = ContentStore(folder / "kept")
    store.save("one", source)
    return folder / "copy", store.restore("one", folder / "copy", progress)


@pytest.mark.parametrize("in_kernel", [True, False])
def test_a_restored_tree_is_the_same_tree(tree, tmp_path, monkeypatch, in_kernel):
    if not in_kernel:
        monkeypatch.delattr(copying.os, "copy_file_range", raising=False)
    steps = []
    copy, told = brought_back(tree, tmp_path, steps.append)
    assert described(copy) == described(tree)
    assert (told.files, told.bytes) == (4, 5003 + (1 << 20))
    assert steps == sorted(steps)
    assert steps[-1] == told.bytes == tree_bytes(tree)


def test_where_the_kernel_refuses_plain_reads_do(tree, tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(copying.os, "copy_file_range", refuse, raising=False)
    copy, _ = brought_back(tree, tmp_path)
    assert described(copy) == described(tree)


def test_pipes_are_left_out(tree, tmp_path):
    os.mkfifo(tree / "pipe")
    copy, _ = brought_back(tree, tmp_path)
    assert not (copy / "pipe").exists()


def test_removal_follows_no_link_and_is_not_stopped_by_modes(tree, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").touch()
    (tree / "door").symlink_to(outside)
    (tree / "a").chmod(0o500)
    remove_tree(tree)
    assert not tree.exists()
    assert (outside / "kept").exists()


def test_two_removals_at_once_disturb_each_other_not(tmp_path):
    for round_ in range(5):
        root = tmp_path / str(round_)
        for number in range(60):
            (root / f"{number % 7}" / f"{number}").mkdir(parents=True)
        with ThreadPoolExecutor(3) as pool:
            list(pool.map(remove_tree, [root] * 3))
        assert not root.exists()


def test_generations_share_equal_files_and_come_back_whole(tree, tmp_path):
    store = ContentStore(tmp_path / "store")
    first = store.save("one", tree)
    (tree / "script").write_text("changed!")
    second = store.save("two", tree)
    assert first.new_bytes == first.bytes
    assert second.new_bytes == len("changed!")
    store.restore("one", tmp_path / "back")
    assert (tmp_path / "back" / "script").read_text() == "run"
    assert (tmp_path / "back" / "script").stat().st_mode & 0o777 == 0o751
    (tmp_path / "back" / "script").write_text("written to")
    store.restore("one", tmp_path / "again")
    assert (tmp_path / "again" / "script").read_text() == "run"


def test_forgetting_frees_only_what_nobody_needs(tree, tmp_path):
    store = ContentStore(tmp_path / "store")
    store.save("one", tree)
    (tree / "script").write_text("changed!")
    store.save("two", tree)
    store.forget("one")
    assert store.names() == ["two"]
    store.restore("two", tmp_path / "back")
    store.forget("two")
    assert list((tmp_path / "store" / "objects").glob("*/*")) == []


@pytest.mark.parametrize("damage", ["changed", "gone", "tree"])
def test_damage_is_found_and_never_restored(tree, tmp_path, damage):
    store = ContentStore(tmp_path / "store")
    store.save("one", tree)
    kept = max((tmp_path / "store" / "objects").glob("*/*"), key=lambda path: path.stat().st_size)
    kept.chmod(0o600)
    if damage == "changed":
        with open(kept, "r+b") as file:
            file.write(b"!")
    elif damage == "gone":
        kept.unlink()
    else:
        (tmp_path / "store" / "trees" / "one.json").write_text("{")
    with pytest.raises(DamagedContent):
        store.restore("one", tmp_path / "back")
    assert not (tmp_path / "back" / "sparse").exists()


@pytest.mark.parametrize("name", ["", "../one", "a/b", ".hidden"])
def test_names_of_generations_stay_inside_the_store(tmp_path, name):
    with pytest.raises(ValueError, match="generation"):
        ContentStore(tmp_path).forget(name)


@pytest.mark.parametrize(
    "entries",
    [
        [{"path": "../out", "mode": 0o644, "mtime": 0, "link": "x"}],
        [{"path": "/out", "mode": 0o644, "mtime": 0, "link": "x"}],
        [
            {"path": "a", "mode": 0o777, "mtime": 0, "link": "/"},
            {"path": "a/out", "mode": 0o644, "mtime": 0, "link": "x"},
        ],
    ],
)
def test_a_list_that_leads_out_of_the_tree_is_refused(tmp_path, entries):
    (tmp_path / "store" / "trees").mkdir(parents=True)
    listed = {"entries": entries, "files": 0, "bytes": 0}
    (tmp_path / "store" / "trees" / "bad.json").write_text(json.dumps(listed))
    with pytest.raises(DamagedContent, match="leads out"):
        ContentStore(tmp_path / "store").restore("bad", tmp_path / "back")


def test_a_removal_that_a_crash_cut_short_is_finished(tmp_path):
    store = VolumeStore(tmp_path)
    (store.create("data") / "file").touch()
    (tmp_path / "data").rename(tmp_path / ".data.deleted")
    assert list(store.handles()) == []
    store.sweep()
    assert list(tmp_path.iterdir()) == []


def volume(handle, driver=DRIVER):
    return {"metadata": {"name": "v"}, "spec": {"csi": {"driver": driver, "volumeHandle": handle}}}


@pytest.mark.parametrize("handle", ["", "..", "../x", "a/b", "/etc", ".deleted", "UPPER"])
def test_a_volume_handle_never_leads_out_of_the_store(tmp_path, handle):
    store = VolumeStore(tmp_path / "volumes")
    with pytest.raises(NotOurVolume):
        store.delete(volume(handle))


def test_a_foreign_volume_is_not_touched(tmp_path):
    with pytest.raises(NotOurVolume):
        VolumeStore(tmp_path).path(volume("data", "ebs.csi.aws.com"))


async def read(log, **options):
    wanted = {"follow": False, "tail": None, "since": None, "timestamps": False} | options
    return [line async for line in log.read(**wanted)]


async def test_log_lines_are_stamped_and_cut_by_time(tmp_path):
    clock = VirtualClock()
    log = LogFile(tmp_path / "0.log", clock)
    log.append(b"one\ntw")
    await clock.advance(60)
    log.append(b"o\nthree")
    log.close()
    assert await read(log) == [b"one\n", b"two\n", b"three\n"]
    assert (await read(log, timestamps=True))[1] == b"2026-01-01T00:01:00.000000Z two\n"
    assert await read(log, since=since_moment(clock, 30)) == [b"two\n", b"three\n"]
    assert await read(log, tail=1) == [b"three\n"]
    assert await read(log, tail=0) == []


async def test_a_log_is_capped_and_a_follower_misses_nothing_over_a_rotation(tmp_path, monkeypatch):
    monkeypatch.setattr(logs, "LOG_CAP", 2000)
    log = LogFile(tmp_path / "0.log", VirtualClock())
    seen = []

    async def follow():
        async for line in log.read(follow=True, tail=None, since=None, timestamps=False):
            seen.append(int(line))

    task = asyncio.create_task(follow())
    for number in range(200):
        log.append(b"%d\n" % number)
        await asyncio.sleep(0)
    log.close()
    await task
    assert seen == list(range(200))
    assert log.path.stat().st_size + log.rotated.stat().st_size <= 4000


async def test_a_line_without_end_is_cut_not_kept_in_memory(tmp_path):
    log = LogFile(tmp_path / "0.log", VirtualClock())
    log.append(b"x" * 100_000)
    log.close()
    lines = await read(log)
    assert sum(len(line) - 1 for line in lines) == 100_000
    assert max(len(line) for line in lines) <= 16385


def test_two_sandboxes_on_one_machine_share_no_address(tmp_path):
    first, second = Addresses(tmp_path, mapped=False), Addresses(tmp_path, mapped=False)
    first.hold()
    second.hold()
    try:
        taken = {first.pod(uid) for uid in "abc"} | {second.pod(uid) for uid in "abc"}
        assert len(taken) == 6
        assert first.pod("a") == first.pod("a")
    finally:
        first.release()
        second.release()


def test_mapped_ports_are_free_and_stable(tmp_path):
    addresses = Addresses(tmp_path, mapped=True)
    port = addresses.port("uid", 8080)
    assert port == addresses.port("uid", 8080)
    assert port != addresses.port("other", 8080)
    assert addresses.pod("uid") == "127.0.0.1"
    with socket.create_server(("127.0.0.1", port)):
        pass


def test_a_probe_needs_its_thresholds():
    probe = Probe.of({"successThreshold": 2, "failureThreshold": 2})
    assert probe is not None
    verdict = Verdict(probe, good=True)
    assert [verdict.heard(wrong) for wrong in ("no", "", "no", "no")] == [False, False, False, True]
    assert verdict.exhausted
    assert [verdict.heard("") for _ in range(2)] == [False, True]


def test_failures_right_after_the_start_do_not_count():
    probe = Probe.of({"failureThreshold": 3, "periodSeconds": 10})
    assert probe is not None
    verdict = Verdict(probe, good=False)
    for _ in range(20):
        verdict.heard("connection refused")
    assert not verdict.exhausted
    assert verdict.pause == 0.1
    verdict.heard("")
    assert (verdict.good, verdict.pause) == (True, 10.0)

"""A backup's tarball read as a stream: what it holds of one namespace, and what a hostile one may not do."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from lazarus_tui.model.objects import VolumeCopy
from lazarus_tui.model.volumes import Held, coverage, parse_volume_infos
from lazarus_tui.prove import contents
from lazarus_tui.prove.contents import ContentsError, assemble, read_tarball
from lazarus_tui.sandbox.velero.layout import Item, write_tarball

SHOP = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": "shop"}, "data": {"x": "1"}}


def packed(*files: tuple[str, bytes], pack: Callable[[bytes], bytes] = gzip.compress) -> bytes:
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as tar:
        for name, data in files:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return pack(raw.getvalue())


def one(name: str = "resources/configmaps/namespaces/shop/a.json", body: Any = SHOP) -> tuple[str, bytes]:
    return name, json.dumps(body).encode()


def test_each_object_of_the_namespace_is_read_once_and_no_other_one_at_all() -> None:
    other = {**SHOP, "metadata": {"name": "b", "namespace": "bank"}}
    role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "r"}}
    data = write_tarball([
        Item("configmaps", "shop", "a", SHOP), Item("configmaps", "bank", "b", other),
        Item("clusterroles.rbac.authorization.k8s.io", "", "r", role),
    ])  # fmt: skip
    inside, outside = read_tarball(data, "shop")
    assert [(item.resource, item.namespace, item.name, item.body) for item in inside] == [
        ("configmaps", "shop", "a", SHOP)
    ]
    assert [(item.resource, item.namespace) for item in outside] == [("clusterroles.rbac.authorization.k8s.io", "")]


def test_an_object_of_another_namespace_may_be_anything() -> None:
    data = packed(one(), ("resources/configmaps/namespaces/bank/b.json", b"{ not json"))
    assert len(read_tarball(data, "shop")[0]) == 1


def test_it_is_read_whether_or_not_somebody_has_unpacked_it_on_the_way() -> None:
    assert read_tarball(packed(one(), pack=bytes), "shop") == read_tarball(packed(one()), "shop")


def test_links_devices_and_strange_paths_are_passed_over() -> None:
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as tar:
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE):
            info = tarfile.TarInfo("resources/configmaps/namespaces/shop/evil.json")
            info.type, info.linkname = kind, "/etc/shadow"
            tar.addfile(info)
        for name in (
            "../../etc/cron.d/x.json",
            "/resources/configmaps/namespaces/shop/a.json",
            "resources/x.json",
            "resources/configmaps/namespaces/shop/../bank/b.json",
            "resources/pods/v1-x/namespaces/shop/a.json",
        ):
            tar.addfile(tarfile.TarInfo(name))
    assert read_tarball(raw.getvalue(), "shop") == ([], [])


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "empty|readable"),
        (b"not a tarball at all", "readable"),
        (packed(one())[:-30], "readable"),
        (packed(("resources/configmaps/namespaces/shop/a.json", b"{ not json")), "configmaps/a is not JSON"),
        (packed(one(body=[1, 2])), "configmaps/a is not an object"),
        (packed(("resources/configmaps/namespaces/shop/a.json", b"[" * 100_000)), "not JSON"),
    ],
    ids=["empty", "text", "cut short", "bad object", "a list", "deep"],
)
def test_what_is_damaged_is_refused_in_words(data: bytes, words: str) -> None:
    with pytest.raises(ContentsError, match=words):
        read_tarball(data, "shop")


def test_caps_on_bytes_members_objects_and_sizes(monkeypatch: pytest.MonkeyPatch) -> None:
    many = packed(*(one(f"resources/configmaps/namespaces/shop/{n}.json") for n in range(20)))
    monkeypatch.setattr(contents, "MOST_MEMBERS", 10)
    with pytest.raises(ContentsError, match="more than 10 files"):
        read_tarball(many, "shop")
    monkeypatch.setattr(contents, "MOST_MEMBERS", 100)
    monkeypatch.setattr(contents, "MOST_OBJECTS", 15)
    with pytest.raises(ContentsError, match="more than 15 objects"):
        read_tarball(many, "shop")
    monkeypatch.setattr(contents, "LARGEST_OBJECT", 50)
    with pytest.raises(ContentsError, match="larger than 50 bytes"):
        read_tarball(packed(one()), "shop")
    monkeypatch.setattr(contents, "MOST_BYTES", 1_000_000)
    bomb = packed(("resources/configmaps/namespaces/bank/b.json", b"\0" * 20_000_000))
    assert len(bomb) < 100_000
    with pytest.raises(ContentsError, match="1000000 bytes when unpacked"):
        read_tarball(bomb, "shop")


def claim(name: str, volume: str) -> dict[str, Any]:
    meta = {"name": name}
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": meta, "spec": {"volumeName": volume}}


INFOS: list[dict[str, Any]] = [
    {"pvcName": "good", "pvcNamespace": "shop", "backupMethod": "PodVolumeBackup", "result": "succeeded",
     "startTimestamp": "2026-06-01T11:00:00Z", "pvInfo": {"reclaimPolicy": "Retain"},
     "pvbInfo": {"snapshotHandle": "k-1", "size": 4096, "podName": "db-0", "podNamespace": "shop"}},
    {"pvcName": "skipped", "pvcNamespace": "shop", "skipped": True, "skippedReason": "not mounted"},
    {"pvcName": "failed", "pvcNamespace": "shop", "backupMethod": "CSISnapshot", "result": "failed"},
]  # fmt: skip


def of_shop(*names: str) -> bytes:
    items = [Item("persistentvolumeclaims", "shop", name, claim(name, f"pv-{name}")) for name in names]
    kind = {"apiVersion": "v1", "kind": "PersistentVolume"}
    volumes = [f"pv-{name}" for name in (*names, "others")]
    pvs = [Item("persistentvolumes", "", name, {**kind, "metadata": {"name": name}}) for name in volumes]
    return write_tarball([*items, *pvs])


def test_claims_are_joined_with_the_volume_list_and_what_nobody_speaks_of_has_no_data() -> None:
    held = coverage(parse_volume_infos(INFOS))
    found = assemble("p", "shop", of_shop("good", "skipped", "failed", "unheard"), held, INFOS, start="", expires="")
    by_name = {volume.claim: volume for volume in found.volumes}
    good = by_name["good"]
    assert (good.held, good.size, good.handle, good.frozen_at) == (Held.CAPTURED, 4096, "k-1", "2026-06-01T11:00:00Z")
    assert good.by_files
    assert {name: by_name[name].held for name in ("skipped", "failed", "unheard")} == dict.fromkeys(
        ("skipped", "failed", "unheard"), Held.ABSENT
    )
    assert by_name["skipped"].reason == "skipped: not mounted"
    assert by_name["unheard"].reason == "not in this backup"
    assert found.filled_pods == {"db-0"}
    assert sorted(item.name for item in found.cluster) == ["pv-failed", "pv-good", "pv-skipped", "pv-unheard"]


def test_a_pod_that_had_gone_when_the_list_was_written_is_filled_all_the_same() -> None:
    copy = msgspec.convert({"spec": {"pod": {"namespace": "shop", "name": "web-1"}, "volume": "cache"},
                            "status": {"phase": "Completed"}}, VolumeCopy)  # fmt: skip
    held = coverage(parse_volume_infos(INFOS), [copy])
    assert assemble("p", "shop", of_shop("good"), held, INFOS, start="", expires="").filled_pods == {"db-0", "web-1"}


def test_the_digest_is_of_the_contents_and_not_of_their_order_or_packing() -> None:
    held = coverage(parse_volume_infos(INFOS))

    def digest(data: bytes, infos: list[Any] = INFOS) -> str:
        return assemble("p", "shop", data, held, infos, start="", expires="").digest

    assert digest(of_shop("good", "failed")) == digest(of_shop("failed", "good"))
    assert digest(of_shop("good", "failed")) != digest(of_shop("good"))
    moved = [{**INFOS[0], "pvbInfo": {"snapshotHandle": "k-2"}}, *INFOS[1:]]
    assert digest(of_shop("good")) != digest(of_shop("good"), moved)


@pytest.mark.parametrize("listed", [{}, [], None, {"v1/PersistentVolumeClaim": ["other/good"]}, {"v1/Pod": "shop"}])
def test_a_list_that_names_none_of_the_objects_is_not_known(listed: Any) -> None:
    held = coverage(parse_volume_infos(INFOS))
    found = assemble("p", "shop", of_shop("good"), held, INFOS, start="", expires="", listed=listed)
    assert (found.lost, found.unlisted) == ((), "its own list of objects names nothing of shop")
    whole = {"v1/PersistentVolumeClaim": ["shop/good", "shop/gone"]}
    found = assemble("p", "shop", of_shop("good"), held, INFOS, start="", expires="", listed=whole)
    assert (found.lost, found.unlisted) == (("v1/PersistentVolumeClaim/gone",), "")

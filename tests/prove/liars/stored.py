"""Lies about what lies in the bucket: volumes never copied, lists that do not fit, tarballs that do not hold."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from typing import Any

from lazarus_tui.model.resources import POD_VOLUME_BACKUPS
from lazarus_tui.sandbox.bucket import Bucket
from lazarus_tui.sandbox.velero.layout import (
    Item,
    artefact_key,
    packed,
    pod_volumes_key,
    read_tarball,
    unpacked,
    write_tarball,
)
from tests.prove.liars.liar import FAILED, INCONCLUSIVE, REFUSED, Liar, after_the_plan, restoring
from tests.prove.liars.orders import Shop
from tests.prove.proof.trial import BUCKET
from tests.prove.quarantine.grounds import VELERO
from tests.snapshots.stage import SPACE

Json = dict[str, Any]
POINT = "nightly"
CONTENTS = artefact_key("BackupContents", POINT)


def bucket(ground: Shop) -> Bucket:
    return ground.cluster.objects.bucket(BUCKET)


# --- volumes


def without(**spec: Any) -> Callable[[Shop], Any]:
    """A backup of its own that is asked for less: Velero ends it Completed all the same."""

    async def lie(ground: Shop) -> str:
        await ground.backup("liar", **spec)
        return "liar"

    return lie


def listed(**changes: Any) -> Callable[[Shop], None]:
    """The volume list says something else of the volume; ``info`` changes what it says of the copy."""

    def lie(ground: Shop) -> None:
        key, detail = artefact_key("BackupVolumeInfos", POINT), changes.get("info")
        new = {name: value for name, value in changes.items() if name != "info"}
        infos = unpacked(bucket(ground).get(key))
        more = {"pvbInfo": {**infos[0]["pvbInfo"], **detail}} if detail else {}
        bucket(ground).put(key, packed([{**one, **new, **more} for one in infos]))
        if new.get("backupMethod"):  # a copy of its files would speak for it
            _no_copies(ground)

    return lie


def _no_copies(ground: Shop) -> None:
    for one in ground.api.list(POD_VOLUME_BACKUPS, VELERO):
        ground.api.delete(POD_VOLUME_BACKUPS, one["metadata"]["name"], VELERO)
    bucket(ground).put(pod_volumes_key(POINT), packed([]))


def list_is(data: bytes) -> Callable[[Shop], None]:
    return lambda ground: bucket(ground).put(artefact_key("BackupVolumeInfos", POINT), data)


def no_list(ground: Shop) -> None:
    bucket(ground).remove(artefact_key("BackupVolumeInfos", POINT))


def forgotten(ground: Shop) -> None:
    """Neither the list nor any copy knows the volume."""
    list_is(packed([]))(ground)
    _no_copies(ground)


def copies_say(**status: Any) -> Callable[[Shop], None]:
    """The copies' own records, on the cluster and in the bucket."""

    def lie(ground: Shop) -> None:
        for one in ground.api.list(POD_VOLUME_BACKUPS, VELERO):
            ground.api.patch(POD_VOLUME_BACKUPS, one["metadata"]["name"], {"status": status}, VELERO)
        stored = unpacked(bucket(ground).get(pod_volumes_key(POINT)))
        kept = [{**one, "status": {**one["status"], **status}} for one in stored]
        bucket(ground).put(pod_volumes_key(POINT), packed(kept))

    return lie


def records_gone(ground: Shop) -> None:
    """Velero finds no copies in the bucket any more, and restores none; it does not say so."""
    bucket(ground).put(pod_volumes_key(POINT), packed([]))


def data_gone(ground: Shop) -> None:
    bucket(ground).remove(f"kopia/{SPACE}")


def data_flipped(ground: Shop) -> None:
    """One byte of every stored file."""
    for path in sorted(bucket(ground).path(f"kopia/{SPACE}/objects").rglob("*")):
        if path.is_file():
            data = path.read_bytes()
            path.chmod(0o600)
            path.write_bytes(bytes([data[0] ^ 1]) + data[1:])


# --- objects


def objects(change: Callable[[list[Item]], Iterable[Item]]) -> Callable[[Shop], None]:
    def lie(ground: Shop) -> None:
        items = read_tarball(bucket(ground).get(CONTENTS))
        bucket(ground).put(CONTENTS, write_tarball(change(items)))

    return lie


def tarball(change: Callable[[bytes], bytes]) -> Callable[[Shop], None]:
    return lambda ground: bucket(ground).put(CONTENTS, change(bucket(ground).get(CONTENTS)))


def _noise(data: bytes) -> bytes:
    middle = len(data) // 2
    return data[:middle] + random.Random(1).randbytes(64) + data[middle + 64 :]


def _elsewhere(items: list[Item]) -> list[Item]:
    return [Item(i.group_resource, "other" if i.namespace else "", i.name, i.body) for i in items]


def _drop(*kinds: str) -> Callable[[list[Item]], list[Item]]:
    return lambda items: [item for item in items if item.kind not in kinds]


def longer(ground: Shop) -> None:
    """The backup's own list names a workload that its tarball does not hold."""
    key = artefact_key("BackupResourceList", POINT)
    found: Json = unpacked(bucket(ground).get(key))
    found["apps/v1/StatefulSet"] = [*found["apps/v1/StatefulSet"], f"{SPACE}/ledger"]
    bucket(ground).put(key, packed(found))


def objects_are(listed: Any) -> Callable[[Shop], None]:
    return lambda ground: bucket(ground).put(artefact_key("BackupResourceList", POINT), packed(listed))


LIARS = (
    Liar("volumes were not asked for", without(defaultVolumesToFsBackup=False, snapshotVolumes=False), "without data"),
    Liar("a volume was skipped", listed(skipped=True, skippedReason="opted out"), "skipped: opted out"),
    Liar("Completed, and the volume's copy failed", listed(result="failed"), "its copy failed"),
    Liar("the copy's phase is Failed in the list", listed(info={"phase": "Failed", "Phase": "Failed"}),
         "its copy ended Failed"),
    Liar("no method took the volume", listed(backupMethod=""), "no backup method took its data"),
    Liar("a method nobody knows", listed(backupMethod="Wish"), "unknown method Wish"),
    Liar("a snapshot that was never taken", listed(backupMethod="CSISnapshot", result="succeeded"),
         "made anew and empty", params={}),
    Liar("a disk snapshot that was never taken", listed(backupMethod="NativeSnapshot", result="succeeded"),
         "made anew and empty", params={}),
    Liar("moved data that is not there", listed(backupMethod="CSISnapshot", snapshotDataMoved=True, result="succeeded"),
         "0 of 1 volumes were filled"),
    Liar("the list speaks of another namespace", lambda g: (listed(pvcNamespace="other")(g), _no_copies(g))[0],
         "not in this backup"),
    Liar("the list and the copies know nothing", forgotten, "not in this backup"),
    Liar("the list says succeeded, the copy says Failed", copies_say(phase="Failed", message="no space"),
         "its copy ended Failed"),
    Liar("the list says succeeded, the copy was canceled", copies_say(phase="Canceled"), "its copy ended Canceled"),
    Liar("the copy ended before its last byte", copies_say(progress={"totalBytes": 4096, "bytesDone": 10}),
         "10 of 4096 bytes", INCONCLUSIVE),
    Liar("the volume list is no JSON", list_is(packed([])[:12]), "not", REFUSED),
    Liar("the volume list is something else", list_is(packed({"volumes": 1})), "not a list", REFUSED),
    Liar("there is no volume list", no_list, "is not known", REFUSED),
    Liar("records of the copies are gone from the bucket", records_gone, "0 of 1 volumes were filled"),
    Liar("the stored files are gone", data_gone, "cannot be read"),
    Liar("a byte of the stored files flipped", data_flipped, "damaged"),
    Liar("the tarball is cut", tarball(lambda data: data[: len(data) // 2]), "no readable tarball", REFUSED),
    Liar("the tarball is damaged", tarball(_noise), "cannot be used", REFUSED),
    Liar("the tarball is empty", tarball(lambda data: b""), "cannot be used", REFUSED),
    Liar("the tarball is of another namespace", objects(_elsewhere), "holds nothing of namespace prod", REFUSED),
    Liar("the workload is not in it", objects(_drop("StatefulSet", "Pod")), "does not hold: apps/v1/StatefulSet/db"),
    Liar("objects vanish after the plan", objects(_drop("ConfigMap")), "holds something else", INCONCLUSIVE,
         after_the_plan),
    Liar("another backup takes its place after the plan", tarball(_noise), "cannot be used", INCONCLUSIVE,
         after_the_plan),
    Liar("objects vanish while it is restored", objects(_drop("Service", "ConfigMap")), "did not come back", FAILED,
         restoring),
    Liar("everything vanishes while it is restored", objects(lambda items: []), "0 of 1 volumes were filled", FAILED,
         restoring),
    Liar("the list of objects is longer than the tarball", longer, "ledger"),
    Liar("the list of objects is empty", objects_are({}), "names nothing of prod", INCONCLUSIVE),
    Liar("the list of objects is none", objects_are(None), "names nothing of prod", INCONCLUSIVE),
    Liar("the list of objects is of another namespace", objects_are({"v1/Service": ["other/db"]}),
         "names nothing of prod", INCONCLUSIVE),
)  # fmt: skip

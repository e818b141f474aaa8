"""Volumes made of Secrets, ConfigMaps, tokens and the pod itself, and claims made for one pod."""

from __future__ import annotations

import base64

import pytest

from lazarus_tui.model.resources import CLAIMS, CONFIGMAPS, EVENTS, PODS, SECRETS, SERVICEACCOUNTS
from lazarus_tui.sandbox.api.tokens import Tokens
from lazarus_tui.sandbox.dataplane.downward import resource_value
from lazarus_tui.sandbox.dataplane.pod_tokens import PodTokens


def configmap(rig, **data):
    return rig.api.create(CONFIGMAPS, {"metadata": {"name": "settings"}, "data": data}, "shop")


def secret(rig, **data):
    return rig.api.create(SECRETS, {"metadata": {"name": "login"}, "stringData": data}, "shop")


def volume(source, mount="/etc/it", **entry):
    """A pod's spec with one volume, mounted by its container."""
    mounts = [{"name": "it", "mountPath": mount} | entry]
    container = {"name": "main", "image": "lazarus.dev/pause:1", "volumeMounts": mounts}
    return {"containers": [container], "volumes": [{"name": "it"} | source]}


def root(rig, name="box"):
    return rig.root / "pods" / rig.get(PODS, name)["metadata"]["uid"] / "rootfs"


def found(rig, place="etc/it"):
    folder = root(rig) / place
    return {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*") if path.is_file()}


def told(rig, reason):
    return [one["message"] for one in rig.api.list(EVENTS, "shop") if one["reason"] == reason]


async def test_a_config_map_is_a_directory_of_files_that_follow_it(rig):
    configmap(rig, a="1", b="2")
    rig.pod("box", **volume({"configMap": {"name": "settings"}}))
    await rig.settle()
    assert found(rig) == {"a": "1", "b": "2"}
    rig.api.patch(CONFIGMAPS, "settings", {"data": {"a": "new", "b": None}}, "shop")
    await rig.settle()
    assert found(rig) == {"a": "new"}


async def test_items_choose_name_and_mode(rig):
    secret(rig, user="admin", password="hunter2")
    items = [{"key": "password", "path": "deep/word", "mode": 0o400}]
    rig.pod("box", **volume({"secret": {"secretName": "login", "items": items}}))
    await rig.settle()
    assert found(rig) == {"deep/word": "hunter2"}
    file = root(rig) / "etc/it/deep/word"
    assert file.stat().st_mode & 0o777 == 0o400
    assert (root(rig) / "etc/it").resolve().stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ({"secret": {"secretName": "login"}}, 'secret "login" not found'),
        ({"configMap": {"name": "settings"}}, 'configmap "settings" not found'),
        ({"projected": {"sources": [{"secret": {"name": "login"}}]}}, 'secret "login" not found'),
    ],
)
async def test_what_is_missing_keeps_the_pod_waiting_until_it_comes(rig, source, why):
    rig.pod("box", **volume(source))
    await rig.settle()
    status = rig.get(PODS, "box")["status"]
    assert status["phase"] == "Pending"
    assert status["containerStatuses"][0]["state"]["waiting"]["reason"] == "ContainerCreating"
    assert told(rig, "FailedMount") == [f'MountVolume.SetUp failed for volume "it" : {why}']
    secret(rig, user="admin")
    configmap(rig, user="admin")
    await rig.settle()
    assert rig.get(PODS, "box")["status"]["phase"] == "Running"
    assert found(rig) == {"user": "admin"}


async def test_a_key_that_is_missing_is_named_and_what_is_optional_is_not_missed(rig):
    configmap(rig, a="1")
    items = [{"key": "nothing", "path": "x"}]
    rig.pod("wrong", **volume({"configMap": {"name": "settings", "items": items}}))
    rig.pod("box", **volume({"configMap": {"name": "other", "optional": True}}))
    await rig.settle()
    assert "references non-existent config key: nothing" in told(rig, "FailedMount")[0]
    assert rig.get(PODS, "box")["status"]["phase"] == "Running"
    assert found(rig) == {}


async def test_one_file_of_a_volume_can_be_mounted_alone(rig):
    configmap(rig, **{"app.ini": "colour=blue"})
    rig.pod("box", **volume({"configMap": {"name": "settings"}}, "/etc/app.ini", subPath="app.ini"))
    await rig.settle()
    assert (root(rig) / "etc/app.ini").read_text() == "colour=blue"


async def test_a_sub_path_of_a_claim_is_made_and_stays_inside(rig):
    rig.claim("data")
    source = {"persistentVolumeClaim": {"claimName": "data"}}
    rig.pod("box", **volume(source, "/var/lib/db", subPath="db/main"))
    await rig.settle()
    (root(rig) / "var/lib/db/file").write_text("x")
    assert (rig.directory("data") / "db/main/file").read_text() == "x"
    (rig.directory("data") / "out").symlink_to("/")
    rig.pod("evil", **volume(source, "/host", subPath="out/etc"))
    await rig.settle()
    waiting = rig.get(PODS, "evil")["status"]["containerStatuses"][0]["state"]["waiting"]
    assert waiting["reason"] == "CreateContainerConfigError"
    assert not (root(rig, "evil") / "host").exists()


async def test_a_projected_volume_holds_all_its_sources(rig):
    tokens = Tokens(rig.api.store, rig.clock, "seed")
    rig.kubelet.issue = PodTokens(rig.api, rig.clock, tokens)
    rig.api.create(SERVICEACCOUNTS, {"metadata": {"name": "robot"}}, "shop")
    configmap(rig, a="1")
    reference = {"fieldPath": "metadata.annotations"}
    sources = [
        {"serviceAccountToken": {"path": "token", "expirationSeconds": 1000}},
        {"configMap": {"name": "settings"}},
        {"downwardAPI": {"items": [{"path": "notes", "fieldRef": reference}]}},
    ]
    rig.pod("box", serviceAccountName="robot", **volume({"projected": {"sources": sources}}))
    rig.api.patch(PODS, "box", {"metadata": {"annotations": {"a": "it", "b": 'q"'}}}, "shop")
    await rig.settle()
    files = found(rig)
    assert (files["a"], files["notes"]) == ("1", 'a="it"\nb="q\\""')
    user = tokens.user(files["token"])
    assert user.name == "system:serviceaccount:shop:robot"
    await rig.advance(799)
    assert found(rig)["token"] == files["token"]
    await rig.advance(10)
    assert found(rig)["token"] != files["token"]
    tokens.user(found(rig)["token"])


async def test_a_token_without_its_account_is_waited_for(rig):
    rig.kubelet.issue = PodTokens(rig.api, rig.clock, Tokens(rig.api.store, rig.clock, "seed"))
    source = {"projected": {"sources": [{"serviceAccountToken": {"path": "token"}}]}}
    rig.api.create(SERVICEACCOUNTS, {"metadata": {"name": "nobody"}}, "shop")
    rig.pod("box", serviceAccountName="nobody", **volume(source))
    rig.api.delete(SERVICEACCOUNTS, "nobody", "shop")
    await rig.settle()
    assert 'serviceaccounts "nobody" not found' in told(rig, "FailedMount")[0]


async def test_an_ephemeral_volume_has_a_claim_that_goes_with_its_pod(rig):
    claim = {"accessModes": ["ReadWriteOnce"], "storageClassName": "standard"}
    template = {
        "metadata": {"labels": {"for": "scratch"}},
        "spec": claim | {"resources": {"requests": {"storage": "1Gi"}}},
    }
    rig.pod("box", **volume({"ephemeral": {"volumeClaimTemplate": template}}, "/scratch"))
    await rig.settle()
    meta = rig.get(CLAIMS, "box-it")["metadata"]
    assert meta["labels"] == {"for": "scratch"}
    assert (meta["ownerReferences"][0]["kind"], meta["ownerReferences"][0]["controller"]) == ("Pod", True)
    assert rig.get(PODS, "box")["status"]["phase"] == "Running"
    (root(rig) / "scratch/file").write_text("x")
    assert (rig.directory("box-it") / "file").exists()
    rig.api.delete(PODS, "box", "shop")
    await rig.settle()
    assert rig.names(CLAIMS) == []


async def test_an_ephemeral_volume_takes_nobody_elses_claim(rig):
    rig.claim("box-it")
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    rig.pod("box", **volume({"ephemeral": {"volumeClaimTemplate": {"spec": spec}}}))
    await rig.settle()
    (condition,) = rig.get(PODS, "box")["status"]["conditions"]
    assert "PVC shop/box-it was not created for pod shop/box (pod is not owner)" in condition["message"]


def test_binary_data_is_kept_as_it_is(tmp_path):
    from lazarus_tui.sandbox.dataplane.sources import files_of

    class Api:
        def get(self, resource, name, namespace=None):
            return {"binaryData": {"key": base64.b64encode(b"\x00\xff").decode()}}

    pod = {"metadata": {"namespace": "shop"}, "spec": {}}
    assert files_of(Api(), pod, {"configMap": {"name": "x"}}, None)["key"].data == b"\x00\xff"


@pytest.mark.parametrize(
    ("reference", "value"),
    [
        ({"resource": "limits.cpu"}, "1"),
        ({"resource": "limits.cpu", "divisor": "1m"}, "500"),
        ({"resource": "requests.memory", "divisor": "1Mi"}, "64"),
        ({"resource": "requests.memory"}, "67108864"),
        ({"resource": "limits.memory", "divisor": "1Gi"}, "8"),
    ],
)
def test_resources_in_units_of_their_divisor(reference, value):
    container = {"resources": {"limits": {"cpu": "500m"}, "requests": {"memory": "64Mi"}}}
    assert resource_value({"spec": {}}, reference, container) == value

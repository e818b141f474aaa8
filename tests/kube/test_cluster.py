"""Cluster over a scripted transport: paths, decoding, paging, preconditions, and what is never sent twice."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from kube_fakes import ManualClock, answer, sent, status

from lazarus_tui.kube.cluster import Cluster
from lazarus_tui.kube.errors import (
    AlreadyExists,
    Conflict,
    Expired,
    Forbidden,
    Invalid,
    NotFound,
    NotTrusted,
    Pushback,
    ServerFault,
    Unexpected,
    Unreachable,
)
from lazarus_tui.model.objects import Backup, Namespace
from lazarus_tui.model.resources import BACKUPS, CLAIMS, DEPLOYMENTS, NAMESPACES, PODS, SECRETS

Make = Callable[..., Cluster]


def backup(name: str, **extra: object) -> dict[str, object]:
    return {"kind": "Backup", "metadata": {"name": name, "namespace": "velero", "uid": f"u-{name}"}, **extra}


def backups(*names: str, rest: str = "") -> dict[str, object]:
    meta = {"resourceVersion": "7", "continue": rest}
    return {"kind": "BackupList", "metadata": meta, "items": [backup(name) for name in names]}


async def test_get_decodes_into_the_record(scripted: Make) -> None:
    cluster = scripted(answer(backup("daily", status={"phase": "Completed"})))
    found = await cluster.get(BACKUPS, "daily", "velero", type=Backup)
    assert found is not None
    assert (found.metadata.name, found.status.phase) == ("daily", "Completed")
    assert sent(cluster)[0].path == "/apis/velero.io/v1/namespaces/velero/backups/daily"
    assert sent(cluster)[0].timeout == 15.0


async def test_get_is_none_when_absent_and_when_the_kind_is_not_served(scripted: Make) -> None:
    cluster = scripted(
        status(404, 'backups.velero.io "x" not found', "NotFound"),
        answer(b"404 page not found\n", 404, content_type="text/plain; charset=utf-8"),
    )
    assert await cluster.get(BACKUPS, "x", "velero", type=Backup) is None
    assert await cluster.get(BACKUPS, "x", "velero", type=Backup) is None


async def test_a_404_page_of_a_balancer_is_not_absence(scripted: Make) -> None:
    with pytest.raises(Unexpected):
        await scripted(answer(b"<html>default backend</html>", 404)).get(BACKUPS, "x", "velero", type=Backup)


async def test_nulls_mean_absent(scripted: Make) -> None:
    cluster = scripted(answer(backup("n", spec={"ttl": None, "includedNamespaces": None}, status=None)))
    found = await cluster.get(BACKUPS, "n", "velero", type=Backup)
    assert found is not None
    assert found.spec.ttl == ""
    assert found.status.phase == ""


@pytest.mark.parametrize(
    "body",
    [b"<html>login</html>", b"", b"\xff\xfe", b'{"status":"ok"}', {"kind": "Pod"}, {"kind": "Backup", "metadata": 3}],
)
async def test_2xx_that_is_not_the_object_is_unexpected(scripted: Make, body: object) -> None:
    with pytest.raises(Unexpected) as caught:
        await scripted(answer(body)).get(BACKUPS, "x", "velero", type=Backup)
    assert caught.value.status == 200


@pytest.mark.parametrize(
    "body", [{}, {"kind": "PodList", "items": []}, {"items": []}, {"kind": "BackupList", "items": 3}]
)
async def test_a_list_that_is_another_list_is_not_an_empty_one(scripted: Make, body: object) -> None:
    with pytest.raises(Unexpected):
        await scripted(answer(body)).list(BACKUPS, "velero", type=Backup)


async def test_list_follows_pages_of_500(scripted: Make) -> None:
    cluster = scripted(answer(backups("a", "b", rest="tok/en=")), answer(backups("c")))
    found = await cluster.list(BACKUPS, "velero", type=Backup, label_selector="a=b")
    assert [item.metadata.name for item in found] == ["a", "b", "c"]
    first, second = sent(cluster)
    assert dict(first.query) == {"limit": "500", "labelSelector": "a=b"}
    assert dict(second.query)["continue"] == "tok/en="
    assert first.timeout == 30.0


async def test_an_expired_list_begins_again_and_does_not_double_items(scripted: Make) -> None:
    gone = status(410, "The provided continue parameter is too old", "Expired")
    cluster = scripted(answer(backups("a", rest="t")), gone, answer(backups("a", "b")))
    found = await cluster.list(BACKUPS, "velero", type=Backup)
    assert [item.metadata.name for item in found] == ["a", "b"]


async def test_a_list_that_always_expires_gives_up(scripted: Make) -> None:
    gone = status(410, "too old", "Expired")
    with pytest.raises(Expired):
        await scripted(*[answer(backups("a", rest="t")), gone] * 3).list(BACKUPS, "velero", type=Backup)


async def test_reads_are_tried_five_times_with_growing_waits(scripted: Make, clock: ManualClock) -> None:
    cluster = scripted(*[status(500, "etcdserver: leader changed")] * 5)
    with pytest.raises(ServerFault):
        await cluster.get(PODS, "p", "ns", type=dict)
    assert len(sent(cluster)) == 5
    assert clock.slept == [0.5, 1.0, 2.0, 4.0]


async def test_a_read_recovers(scripted: Make) -> None:
    cluster = scripted(ConnectionResetError("reset"), TimeoutError(), answer(backup("a")))
    assert await cluster.get(BACKUPS, "a", "velero", type=Backup) is not None


async def test_retry_after_is_honoured_with_a_cap_and_jitter(scripted: Make, clock: ManualClock) -> None:
    cluster = scripted(
        answer(b"", 429, retry_after="3"), answer(b"", 503, retry_after="600"), answer({"gitVersion": "v1.30.0"})
    )
    assert (await cluster.version()).git_version == "v1.30.0"
    assert clock.slept == [3.0 * 1.2, 60.0 * 1.2]


@pytest.mark.parametrize(
    ("step", "kind"),
    [
        (status(403, "no"), Forbidden),
        (status(400, "bad"), Invalid),
        (answer(b"<html/>", 302), Unexpected),
    ],
)
async def test_what_is_not_repeated(scripted: Make, step: object, kind: type[Exception]) -> None:
    cluster = scripted(step)
    with pytest.raises(kind):
        await cluster.list(PODS, type=dict)
    assert len(sent(cluster)) == 1


async def test_an_untrusted_certificate_is_not_tried_again(scripted: Make) -> None:
    import ssl

    cluster = scripted(ssl.SSLCertVerificationError(1, "self-signed certificate"))
    with pytest.raises(NotTrusted):
        await cluster.version()


async def test_writes_are_sent_once_whatever_happens(scripted: Make) -> None:
    for step, kind in (
        (ConnectionResetError(), Unreachable),
        (status(500, "etcdserver: request timed out"), ServerFault),
        (answer(b"", 429, retry_after="1"), Pushback),
    ):
        cluster = scripted(step)
        with pytest.raises(kind):
            await cluster.create(NAMESPACES, {"kind": "Namespace"})
        assert len(sent(cluster)) == 1
        assert sent(cluster)[0].timeout == 10.0


async def test_preconditions_travel_with_every_write(scripted: Make) -> None:
    ok = {"kind": "Deployment"}
    cluster = scripted(answer(ok), answer(ok), answer(ok))
    patch = {"metadata": {"labels": {"a": "b"}}, "spec": {"replicas": 0}}
    await cluster.merge_patch(DEPLOYMENTS, "web", patch, "shop", uid="U", rv="5")
    await cluster.json_patch(DEPLOYMENTS, "web", [{"op": "remove", "path": "/spec/x"}], "shop", uid="U", rv="5")
    await cluster.delete(DEPLOYMENTS, "web", "shop", uid="U", rv="5")
    merge, steps, delete = (json.loads(request.body) for request in sent(cluster))
    assert merge["metadata"] == {"labels": {"a": "b"}, "uid": "U", "resourceVersion": "5"}
    assert patch["metadata"] == {"labels": {"a": "b"}}
    assert [step["op"] for step in steps] == ["test", "test", "remove"]
    assert steps[0] == {"op": "test", "path": "/metadata/uid", "value": "U"}
    assert delete["preconditions"] == {"uid": "U", "resourceVersion": "5"}
    types = [request.headers["content-type"] for request in sent(cluster)]
    assert types == ["application/merge-patch+json", "application/json-patch+json", "application/json"]
    assert dict(sent(cluster)[2].query) == {}


async def test_lost_races_are_conflicts(scripted: Make) -> None:
    test_failed = status(422, "the server rejected our request due to an error in our request", "Invalid")
    other_uid = status(422, "x is invalid", "Invalid", causes=[{"field": "metadata.uid", "message": "immutable"}])
    wrong = status(422, "x is invalid", "Invalid", causes=[{"field": "spec.replicas", "message": "negative"}])
    cluster = scripted(test_failed, other_uid, wrong, status(409, "exists", "AlreadyExists"))
    with pytest.raises(Conflict):
        await cluster.json_patch(CLAIMS, "c", [], "ns", uid="u")
    with pytest.raises(Conflict):
        await cluster.merge_patch(CLAIMS, "c", {}, "ns", uid="u")
    with pytest.raises(Invalid):
        await cluster.json_patch(CLAIMS, "c", [], "ns")
    with pytest.raises(AlreadyExists):
        await cluster.create(CLAIMS, {}, "ns")


async def test_a_write_answered_with_html_is_not_a_success(scripted: Make) -> None:
    with pytest.raises(Unexpected):
        await scripted(answer(b"<html>ok</html>", 201)).create(PODS, {}, "ns")
    with pytest.raises(Unexpected):
        await scripted(answer({"ok": True}, 201)).create(PODS, {}, "ns")


@pytest.mark.parametrize("name", ["..", "a/b", "%2e%2e", "x?y", "a#b", "a\nb", "a\x1bb"])
async def test_names_cannot_bend_the_path(scripted: Make, name: str) -> None:
    cluster = scripted()
    with pytest.raises(Invalid):
        await cluster.get(SECRETS, name, "ns", type=dict)
    with pytest.raises(Invalid):
        await cluster.delete(PODS, "p", name)
    assert sent(cluster) == []


async def test_cluster_uid_is_remembered_only_once_known(scripted: Make) -> None:
    named = {"kind": "Namespace", "metadata": {"name": "kube-system", "uid": "abc"}}
    cluster = scripted(status(403, "no"), status(404, "gone", "NotFound"), answer(named))
    with pytest.raises(Forbidden):
        await cluster.cluster_uid()
    with pytest.raises(NotFound):
        await cluster.cluster_uid()
    assert [await cluster.cluster_uid() for _ in range(3)] == ["abc"] * 3
    assert len(sent(cluster)) == 3


async def test_has_remembers_yes_and_asks_again_after_no(scripted: Make) -> None:
    served = {"kind": "APIResourceList", "resources": [{"name": "backups", "namespaced": True}]}
    cluster = scripted(answer(b"404 page not found", 404, content_type="text/plain"), answer(served))
    assert await cluster.has(BACKUPS) is False
    assert await cluster.has(BACKUPS) is True
    assert await cluster.has(BACKUPS) is True
    assert [request.path for request in sent(cluster)] == ["/apis/velero.io/v1"] * 2


async def test_namespaces_are_listed_cluster_wide(scripted: Make) -> None:
    body = {"kind": "NamespaceList", "metadata": {}, "items": [{"metadata": {"name": "shop"}}]}
    cluster = scripted(answer(body))
    assert [item.metadata.name for item in await cluster.list(NAMESPACES, type=Namespace)] == ["shop"]
    assert sent(cluster)[0].path == "/api/v1/namespaces"

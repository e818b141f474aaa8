"""Drills of a missing permission: the accounts that come with the sandbox, and a kubeconfig for any other."""

from __future__ import annotations

import asyncio
from base64 import b64decode
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from lazarus_tui.kube.cluster import Cluster
from lazarus_tui.kube.contexts import load_kubeconfig
from lazarus_tui.kube.errors import AuthError, Forbidden
from lazarus_tui.model.clock import SystemClock
from lazarus_tui.model.resources import (
    BACKUPS,
    LOCATIONS,
    NODES,
    PODS,
    RESTORES,
    SCHEDULES,
    SECRETS,
    SERVICEACCOUNTS,
    STATEFULSETS,
    VOLUMES,
    Resource,
)
from lazarus_tui.sandbox.accounts import kubeconfig_as
from lazarus_tui.sandbox.api.http import serve
from lazarus_tui.sandbox.api.kubeconfig import kubeconfig
from lazarus_tui.sandbox.api.store import Store
from lazarus_tui.sandbox.api.tokens import TokenRefused
from lazarus_tui.sandbox.cluster import SandboxCluster
from lazarus_tui.sandbox.process import SandboxFailed, kubeconfig_path

READ = {
    "lazarus-reader": (BACKUPS, LOCATIONS, NODES, PODS, RESTORES, SCHEDULES, STATEFULSETS, VOLUMES),
    "lazarus-limited": (LOCATIONS, PODS, SCHEDULES, STATEFULSETS),
}
HIDDEN = {"lazarus-reader": (SECRETS,), "lazarus-limited": (BACKUPS, NODES, RESTORES, SECRETS, VOLUMES)}


def home(resource: Resource) -> str:
    return "velero" if resource.group == "velero.io" else "shop"


@pytest.fixture
async def sandbox(tmp_path: Path) -> AsyncIterator[SandboxCluster]:
    """Served on loopback, with the administrator's kubeconfig where a sandbox keeps it."""
    made = SandboxCluster(tmp_path, SystemClock(), store=Store(), token="secret", history=False, serve_bucket=False)
    await made.start()
    await made.settle()
    serving = await serve(made.server, tmp_path / "pki")
    kubeconfig_path(tmp_path).write_text(kubeconfig(serving.url, serving.ca_pem, "secret"))
    yield made
    await serving.close()
    await made.stop()


async def opened(sandbox: SandboxCluster, account: str) -> Cluster:
    """A connection as Lazarus would open it with the account's kubeconfig."""
    file = sandbox.root / account.replace("/", "-")
    file.touch(mode=0o600)
    file.write_text(await asyncio.to_thread(kubeconfig_as, sandbox.root, account))
    return await Cluster.open(load_kubeconfig([str(file)], environ={}).context())


@pytest.mark.parametrize("account", sorted(READ))
async def test_an_account_sees_what_is_written_down_and_changes_nothing(sandbox: SandboxCluster, account: str) -> None:
    async with await opened(sandbox, account) as cluster:
        assert cluster.context == account
        for resource in READ[account]:
            assert await cluster.can_i("list", resource, home(resource)) is True
            await cluster.list(resource, home(resource), type=dict)
        for resource in HIDDEN[account]:
            assert await cluster.can_i("list", resource, home(resource)) is False
            with pytest.raises(Forbidden):
                await cluster.list(resource, home(resource), type=dict)
        for resource in READ[account]:
            for verb in ("create", "update", "patch", "delete", "deletecollection"):
                assert await cluster.can_i(verb, resource, home(resource)) is False


async def test_any_account_gets_a_kubeconfig_until_it_is_gone(sandbox: SandboxCluster) -> None:
    sandbox.api.create(SERVICEACCOUNTS, {"metadata": {"name": "mine"}}, "shop")
    async with await opened(sandbox, "shop/mine") as cluster:
        with pytest.raises(Forbidden, match="system:serviceaccount:shop:mine"):
            await cluster.list(PODS, "shop", type=dict)
        sandbox.api.delete(SERVICEACCOUNTS, "mine", "shop")
        with pytest.raises(AuthError):
            await cluster.list(PODS, "shop", type=dict)
    with pytest.raises(LookupError, match="no service account mine in the namespace shop"):
        await asyncio.to_thread(kubeconfig_as, sandbox.root, "shop/mine")


def test_without_a_sandbox_there_is_no_kubeconfig(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        kubeconfig_as(tmp_path, "lazarus-reader")


async def test_a_sandbox_that_is_down_is_told_in_a_sentence(sandbox: SandboxCluster) -> None:
    path = kubeconfig_path(sandbox.root)
    text = path.read_text()
    port = text.split("https://127.0.0.1:")[1].split("\n")[0]
    path.write_text(text.replace(port, "1"))
    with pytest.raises(SandboxFailed, match="the sandbox does not answer"):
        await asyncio.to_thread(kubeconfig_as, sandbox.root, "lazarus-reader")


async def test_a_cluster_of_before_gets_the_roles_every_cluster_has(tmp_path: Path) -> None:
    """State that was kept by a version without roles must not lock everybody out."""
    made = SandboxCluster(tmp_path, SystemClock(), history=False, shop=False, serve_bucket=False)
    await made.start()
    await made.stop()
    for entity in list(made.store.select("clusterrolebindings.rbac.authorization.k8s.io")):
        made.store.commit("clusterrolebindings.rbac.authorization.k8s.io", entity.key, entity, None)
    again = SandboxCluster(tmp_path, SystemClock(), store=made.store, history=False, shop=False, serve_bucket=False)
    await again.start()
    await again.stop()
    names = {entity.key[1] for entity in made.store.select("clusterrolebindings.rbac.authorization.k8s.io")}
    assert {"cluster-admin", "system:discovery", "system:basic-user", "system:public-info-viewer"} <= names


def token_secret(name: str, account: str, **annotations: str) -> dict[str, Any]:
    told = {"kubernetes.io/service-account.name": account, **annotations}
    return {"metadata": {"name": name, "annotations": told}, "type": "kubernetes.io/service-account-token"}


async def test_a_secret_gets_the_token_of_its_account_and_ends_with_it(sandbox: SandboxCluster) -> None:
    account = sandbox.api.create(SERVICEACCOUNTS, {"metadata": {"name": "mine"}}, "shop")
    sandbox.api.create(SECRETS, token_secret("kept", "mine"), "shop")
    sandbox.api.create(SECRETS, token_secret("foreign", "mine") | {"data": {"token": "YS5iLmM="}}, "shop")
    await sandbox.settle()
    tokens = sandbox.server.access.tokens
    for name in ("kept", "foreign"):
        found = sandbox.api.get(SECRETS, name, "shop")
        assert found is not None
        assert found["metadata"]["annotations"]["kubernetes.io/service-account.uid"] == account["metadata"]["uid"]
        assert b64decode(found["data"]["namespace"]) == b"shop"
        token = b64decode(found["data"]["token"]).decode()
        assert tokens.user(token).name == "system:serviceaccount:shop:mine"
    sandbox.api.delete(SECRETS, "foreign", "shop")
    with pytest.raises(TokenRefused, match="Secret foreign"):
        tokens.user(token)
    sandbox.api.delete(SERVICEACCOUNTS, "mine", "shop")
    await sandbox.settle()
    assert sandbox.api.get(SECRETS, "kept", "shop") is None


async def test_a_secret_of_another_account_of_the_same_name_is_removed(sandbox: SandboxCluster) -> None:
    """As a restore into another cluster brings it."""
    sandbox.api.create(SERVICEACCOUNTS, {"metadata": {"name": "mine"}}, "shop")
    wrong = {"kubernetes.io/service-account.uid": "11111111-2222-4333-8444-555555555555"}
    sandbox.api.create(SECRETS, token_secret("old", "mine", **wrong), "shop")
    sandbox.api.create(SECRETS, token_secret("orphan", "nobody"), "shop")
    await sandbox.settle()
    assert [sandbox.api.get(SECRETS, name, "shop") for name in ("old", "orphan")] == [None, None]


async def test_tokens_outlive_a_restart_and_another_administrators_token(tmp_path: Path) -> None:
    made = SandboxCluster(tmp_path, SystemClock(), token="one", history=False, shop=False, serve_bucket=False)
    await made.start()
    account = made.api.create(SERVICEACCOUNTS, {"metadata": {"name": "mine"}}, "default")
    token = made.server.access.tokens.issue(account, 600)
    await made.stop()
    again = SandboxCluster(tmp_path, SystemClock(), store=made.store, token="two", shop=False, serve_bucket=False)
    assert again.server.access.tokens.user(token).name == "system:serviceaccount:default:mine"
    elsewhere = SandboxCluster(tmp_path / "dr", SystemClock(), store=made.store, token="one", serve_bucket=False)
    with pytest.raises(TokenRefused, match="invalid bearer token"):
        elsewhere.server.access.tokens.user(token)

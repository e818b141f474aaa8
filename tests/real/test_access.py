"""Rights and credentials: what the reviews say is what happens, and a credential that ends is renewed or told."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from real_world import Config, World, eventually

from lazarus_tui.kube.access import Question
from lazarus_tui.kube.errors import AuthError, Forbidden
from lazarus_tui.kube.kubeconfig import ExecSpec
from lazarus_tui.kube.watch import stream_events
from lazarus_tui.model.resources import CONFIGMAPS, NAMESPACES, SECRETS

READER = {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list", "watch"]}
WRITER = {"apiGroups": [""], "resources": ["configmaps"], "resourceNames": ["one"], "verbs": ["patch"]}


async def test_reviews_and_refusals_agree(world: World) -> None:
    await world.config("one", x="1")
    await world.config("two", x="1")
    await world.account("clerk", READER, WRITER)
    clerk = await world.as_user(token=await world.token("clerk"))
    patch = {"data": {"x": "2"}}
    doing = {
        Question("list", CONFIGMAPS, world.ns): lambda: clerk.list(CONFIGMAPS, world.ns, type=Config),
        Question("get", CONFIGMAPS, world.ns, "two"): lambda: clerk.get(CONFIGMAPS, "two", world.ns, type=Config),
        Question("patch", CONFIGMAPS, world.ns, "one"): lambda: clerk.merge_patch(CONFIGMAPS, "one", patch, world.ns),
        Question("patch", CONFIGMAPS, world.ns, "two"): lambda: clerk.merge_patch(CONFIGMAPS, "two", patch, world.ns),
        Question("delete", CONFIGMAPS, world.ns, "one"): lambda: clerk.delete(CONFIGMAPS, "one", world.ns),
        Question("create", CONFIGMAPS, world.ns): lambda: clerk.create(
            CONFIGMAPS, {"metadata": {"name": "three"}}, world.ns
        ),
        Question("list", CONFIGMAPS): lambda: clerk.list(CONFIGMAPS, type=Config),
        Question("list", SECRETS, world.ns): lambda: clerk.list(SECRETS, world.ns, type=Config),
        Question("list", NAMESPACES): lambda: clerk.list(NAMESPACES, type=Config),
    }
    said = await clerk.can_i_all(list(doing))
    assert list(said.values()) == [True, True, True, False, False, False, False, False, False]
    for question, act in doing.items():
        if said[question]:
            await act()
            continue
        with pytest.raises(Forbidden) as caught:
            await act()
        told = f'cannot {question.verb} resource "{question.resource.plural}"'
        # Of an answer about Secrets no word is kept.
        assert ("withheld" if question.resource == SECRETS else told) in caught.value.message
    assert await world.data("one") == {"x": "2"}
    assert await world.data("two") == {"x": "1"}


async def test_a_watch_without_the_right_is_forbidden(world: World) -> None:
    await world.account("poor")
    poor = await world.as_user(token=await world.token("poor"))
    with pytest.raises(Forbidden, match="cannot watch resource"):
        async for _ in stream_events(poor, CONFIGMAPS, world.ns, Config, "0"):
            pass


async def test_a_stranger_is_an_auth_error(world: World) -> None:
    stranger = await world.as_user(token="not-a-token")
    with pytest.raises(AuthError) as caught:
        await stranger.list(CONFIGMAPS, world.ns, type=Config)
    assert caught.value.status == 401


async def test_a_token_ends_while_it_is_in_use(world: World) -> None:
    uid = await world.account("guest", READER)
    guest = await world.passing("guest", uid, CONFIGMAPS.path(world.ns))
    refused: list[AuthError] = []

    async def ended() -> bool:
        # The server remembers a good token for ten seconds.
        try:
            await guest.list(CONFIGMAPS, world.ns, type=Config)
        except AuthError as error:
            refused.append(error)
        return bool(refused)

    await eventually(ended)
    assert (refused[0].status, refused[0].hint) == (401, AuthError.hint)


async def test_a_token_that_was_renewed_in_its_file_is_taken_after_the_refusal(world: World, tmp_path: Path) -> None:
    uid = await world.account("guest", READER)
    await world.config("seen")
    file = tmp_path / "token"
    file.write_text(world.ending("guest", uid, 3600))
    guest = await world.as_user(token_file=str(file))
    await guest.list(CONFIGMAPS, world.ns, type=Config)
    file.write_text(world.ending("guest", uid, -5))
    other = await world.as_user(token_file=str(file))
    with pytest.raises(AuthError):
        await other.list(CONFIGMAPS, world.ns, type=Config)
    file.write_text(await world.token("guest") + "\n")
    found = await other.list(CONFIGMAPS, world.ns, type=Config)
    assert "seen" in [item.metadata.name for item in found]


async def test_a_plugin_is_run_again_after_a_refusal(world: World, tmp_path: Path) -> None:
    """The first credential has ended at the server although the plugin believes in it; the second is good."""
    uid = await world.account("guest", READER)
    await world.config("seen")
    for number, token in enumerate([world.ending("guest", uid, -5), await world.token("guest")]):
        answer = {
            "apiVersion": "client.authentication.k8s.io/v1",
            "kind": "ExecCredential",
            "status": {"token": token},
        }
        (tmp_path / str(number)).write_text(json.dumps(answer))
    count = tmp_path / "count"
    count.write_text("0")
    program = (
        "import pathlib, sys; count = pathlib.Path(sys.argv[1]); n = int(count.read_text());"
        "count.write_text(str(n + 1)); print((count.parent / str(min(n, 1))).read_text())"
    )
    spec = ExecSpec(sys.executable, "client.authentication.k8s.io/v1", str(tmp_path), args=("-c", program, str(count)))
    guest = await world.as_user(exec=spec)
    found = await guest.list(CONFIGMAPS, world.ns, type=Config)
    assert "seen" in [item.metadata.name for item in found]
    assert count.read_text() == "2"

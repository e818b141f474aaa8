"""One target for the session, one namespace for each case; everything is removed in the end."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest
import pytest_asyncio

sys.path.insert(0, str(Path(__file__).parent))

import asserts_explained  # noqa: F401
from conformance_api import CM, CRDS, NAMESPACES, PATIENCE, PODS, Api
from conformance_definitions import definitions, established
from conformance_table import ALL
from conformance_target import VARIABLE, Facts, chosen, facts, target

from lazarus_tui.kube import transport
from lazarus_tui.kube.cluster import Cluster
from lazarus_tui.kube.contexts import Context
from lazarus_tui.kube.errors import KubeError
from lazarus_tui.kube.kubeconfig import UserEntry

HERE = Path(__file__).parent


def named(config: pytest.Config) -> bool:
    """Whether somebody asked for this folder, rather than for the default suite."""
    return any(Path(config.invocation_params.dir, arg.split("::")[0]).is_relative_to(HERE) for arg in config.args)


def environment(config: pytest.Config) -> dict[str, str]:
    """A cluster is only touched by a run that names this folder: the default suite stays on the sandbox."""
    return {key: value for key, value in os.environ.items() if key != VARIABLE or named(config)}


FACTS = pytest.StashKey[Facts]()


def pytest_configure(config: pytest.Config) -> None:
    """Nothing runs, and nothing is skipped in silence, when the named cluster may not be touched or does not answer."""
    try:
        config.stash[FACTS] = facts(environment(config))
    except (ValueError, OSError, KubeError) as error:
        raise pytest.UsageError(str(error)) from None


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "case" in metafunc.fixturenames:
        found = metafunc.config.stash[FACTS]
        cases = [case for case in ALL if not case.unfit(found)]
        metafunc.parametrize("case", [pytest.param(case, id=case.name) for case in cases])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Cases that the target cannot have are neither passed nor passed over in silence."""
    found = config.stash[FACTS]
    unfit = {case.name: why for case in ALL if (why := case.unfit(found))}
    if unfit and named(config):
        terminalreporter.section(f"not applicable to 1.{found.minor}: {len(unfit)} of {len(ALL)} cases")
        for name, why in sorted(unfit.items()):
            terminalreporter.write_line(f"{name}  ({why})")


@pytest.fixture(scope="session")
def patience(request: pytest.FixtureRequest) -> Iterator[None]:
    """A server of its own that is held up by the machine is connected to late, and is no worse for that."""
    with pytest.MonkeyPatch.context() as patch:
        if chosen(environment(request.config)) is not None:
            for limit in ("CONNECT_TIMEOUT", "READY_TIMEOUT"):
                patch.setattr(transport, limit, PATIENCE)
        yield


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def connection(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, patience: None
) -> AsyncIterator[Api]:
    """The target with the run's custom kinds; leaves nothing behind."""
    environ = environment(request.config)
    async with (
        target(environ, tmp_path_factory.mktemp("conformance")) as context,
        await Cluster.open(context) as cluster,
        await Cluster.open(stranger(context)) as bare,
    ):
        api = Api(cluster, group=f"lazarus-{uuid4().hex[:8]}.example.com", bare=bare)
        tell(request, f"conformance: context {context.name}, cluster uid {await cluster.cluster_uid()}")
        made = definitions(api.group)
        try:
            for definition in made:
                await api.make(CRDS, definition)
            for definition in made:
                await established(api, definition)
            yield api
            for name in api.namespaces:
                await api.gone(f"{NAMESPACES}/{name}")
        finally:
            for definition in made:
                await api.delete(f"{CRDS}/{definition['metadata']['name']}")


@pytest_asyncio.fixture(loop_scope="session")
async def api(connection: Api, request: pytest.FixtureRequest) -> AsyncIterator[Api]:
    """The connection in a namespace of its own."""
    case = request.getfixturevalue("case")
    mine = Api(connection.cluster, f"lazarus-conformance-{uuid4().hex[:10]}", connection.group, connection.bare)
    if case.namespaced:
        await mine.make(NAMESPACES, {"metadata": {"name": mine.ns}})
        mine.namespaces.append(mine.ns)
    yield mine
    for name in mine.namespaces:
        await release(mine, name)
        await mine.delete(f"{NAMESPACES}/{name}")
    connection.namespaces += mine.namespaces


async def release(api: Api, namespace: str) -> None:
    """Finalizers of a case that ended half-way, and pods of nodes that do not exist, would hold it for long."""
    path = CM.replace("{ns}", namespace)
    answer = await api.get(path)
    for item in answer.body.get("items") or ():
        if item["metadata"].get("finalizers"):
            await api.patch(f"{path}/{item['metadata']['name']}", {"metadata": {"finalizers": None}})
    await api.delete(PODS.replace("{ns}", namespace), {"gracePeriodSeconds": 0})


def stranger(context: Context) -> Context:
    """The same server, reached by somebody who shows a token that is not known."""
    return replace(context, user=UserEntry("stranger", token="not-a-token"))


def tell(request: pytest.FixtureRequest, line: str) -> None:
    """To whoever has asked for this table; the default suite stays quiet."""
    plugins = request.config.pluginmanager
    reporter, capture = plugins.get_plugin("terminalreporter"), plugins.get_plugin("capturemanager")
    if reporter is not None and capture is not None and named(request.config):
        with capture.global_and_fixture_disabled():
            reporter.write_line(line)

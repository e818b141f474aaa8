"""The pods' networks: each has a namespace of its own, and the node's relay, which heeds NetworkPolicies, between them.

Where the machine does not let pods be separated they share its loopback, no policy holds, and that is said: on the Node
(annotation and condition) and in ``state``.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import socket
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from lazarus_tui.model.clock import Clock, listened, rfc3339
from lazarus_tui.model.resources import ENDPOINTS, NAMESPACES, NETWORKPOLICIES, NODES, PODS, SERVICES, Resource
from lazarus_tui.sandbox.controllers.base import Controller, Key, Object, key_of
from lazarus_tui.sandbox.controllers.nodes import NODE as NODE_NAME
from lazarus_tui.sandbox.dataplane import resolver
from lazarus_tui.sandbox.dataplane.addresses import API_SERVICE
from lazarus_tui.sandbox.dataplane.atlas import API_SERVER, DNS, NODE, Atlas, Target
from lazarus_tui.sandbox.dataplane.catalog import Catalog
from lazarus_tui.sandbox.dataplane.gateway import Gateway
from lazarus_tui.sandbox.dataplane.namespaces import Namespace, Namespaces, NotPossible
from lazarus_tui.sandbox.dataplane.policy import Party
from lazarus_tui.sandbox.dataplane.relay import Streams

if TYPE_CHECKING:
    from lazarus_tui.sandbox.api.local import LocalApi

log = logging.getLogger(__name__)

ENFORCEMENT = "lazarus.dev/network-policy"
"""Annotation of the Node: ``enforced``, or ``not enforced: `` and why."""

CONDITION = "NetworkPolicyEnforced"
"""The same as a condition of the Node."""

# Seconds for which a connection is listened for that is being made: within the cluster, and to the outside.
_NEAR_SECONDS, _FAR_SECONDS = 2.0, 10.0
# The search for a name outside the cluster.
_NAME_SECONDS = 5.0
_ALL: Key = ("", "network")
# Whoever was told that one of these has changed can rely on it: the kernel knows before the API answers.
_AT_ONCE = (NETWORKPOLICIES, NAMESPACES, PODS)


def _facts(resource: Resource, obj: Object) -> object:
    """What an atlas reads of an object: most changes of pods are of no concern to it."""
    if resource == PODS:
        return obj["metadata"].get("labels"), (obj.get("status") or {}).get("podIP")
    if resource == NAMESPACES:
        return obj["metadata"].get("labels")
    return obj.get("subsets") if resource == ENDPOINTS else obj.get("spec")


@dataclass(frozen=True, slots=True)
class NetworkState:
    """Whether policies hold; ``why`` not."""

    enforced: bool
    why: str = ""

    def __str__(self) -> str:
        return "enforced" if self.enforced else f"not enforced: {self.why}"


class PodNetwork(Controller):
    """Gives pods their networks and keeps what may pass as the policies want it. ``separate`` is whether to try."""

    name = "pod-network"
    watches: ClassVar[Sequence[Resource]] = (PODS, SERVICES, ENDPOINTS, NAMESPACES, NETWORKPOLICIES, NODES)

    def __init__(
        self, api: LocalApi, clock: Clock, *, catalog: Catalog, separate: bool, namespaces: Namespaces | None = None
    ) -> None:
        super().__init__(api, clock)
        self._catalog, self._namespaces = catalog, namespaces or Namespaces()
        self._separate = separate
        self.state = NetworkState(
            False, "not started" if separate else "pods get no networks of their own in this sandbox"
        )
        self.api_address: tuple[str, int] | None = None
        self._gateways: dict[str, Gateway] = {}
        self._atlas: Atlas | None = None
        self._stale = True  # whether something has changed since the atlas was drawn
        self._turn = itertools.count()
        self._ignores_policies = False

    @property
    def ignores_policies(self) -> bool:
        """Pods keep their namespaces, but policies count for nothing and ``state`` does not say so: a CNI that lies."""
        return self._ignores_policies

    @ignores_policies.setter
    def ignores_policies(self, ignores: bool) -> None:
        self._ignores_policies, self._stale = ignores, True
        for gateway in self._gateways.values():
            gateway.heed()

    # --- as a controller

    def keys(self, resource: Resource, obj: Object, old: Object | None) -> Iterable[Key]:
        if resource == NODES:
            return (_ALL,)
        if not self.state.enforced or (old is not None and self._unchanged(resource, obj, old)):
            return ()
        self._stale = True
        if resource in _AT_ONCE:
            for gateway in self._gateways.values():
                gateway.heed()
        return (_ALL,)

    def _unchanged(self, resource: Resource, obj: Object, old: Object) -> bool:
        namespace, name = key_of(obj)
        return _facts(resource, obj) == _facts(resource, old) and self.api.get(resource, name, namespace) is not None

    async def start(self) -> None:
        if self._separate:
            try:
                await self._namespaces.start()
                self.state = NetworkState(True)
            except NotPossible as fault:
                self.state = NetworkState(False, str(fault))
                log.warning("network policies are not enforced: %s", fault)
        self._report()

    async def stop(self) -> None:
        gateways = list(self._gateways.values())
        self._gateways.clear()
        await asyncio.gather(*(gateway.close() for gateway in gateways))
        await self._namespaces.stop()

    async def reconcile(self, key: Key) -> float | None:
        self._report()
        for gateway in list(self._gateways.values()):
            await gateway.follow()
            await asyncio.sleep(0)
        return None

    @property
    def atlas(self) -> Atlas:
        """The cluster as it is now; the same object for as long as it says the same."""
        if self._atlas is None or self._stale:
            addresses = {uid: gateway.address for uid, gateway in self._gateways.items()}
            drawn = Atlas(self.api, addresses, heed=not self._ignores_policies)
            if self._atlas is None or not drawn.says_the_same_as(self._atlas):
                self._atlas = drawn
            self._stale = False
        return self._atlas

    def _report(self) -> None:
        """Tells the Node what holds."""
        node = self.api.get(NODES, NODE_NAME)
        if node is None:
            return
        if (node["metadata"].get("annotations") or {}).get(ENFORCEMENT) != str(self.state):
            node = self.api.patch(NODES, NODE_NAME, {"metadata": {"annotations": {ENFORCEMENT: str(self.state)}}})
        conditions = list((node.get("status") or {}).get("conditions") or ())
        said: Object = next((one for one in conditions if one["type"] == CONDITION), {})
        status = "True" if self.state.enforced else "False"
        if said.get("status") == status and said.get("message") == str(self.state):
            return
        now = rfc3339(self.clock.now())
        reason = "PodsAreSeparated" if self.state.enforced else "PodsShareLoopback"
        told = {"type": CONDITION, "status": status, "reason": reason, "message": str(self.state),
                "lastHeartbeatTime": now, "lastTransitionTime": now}  # fmt: skip
        others = [one for one in conditions if one["type"] != CONDITION]
        self.api.update_status(NODES, {**node, "status": {**(node.get("status") or {}), "conditions": [*others, told]}})

    # --- for the kubelet and the service proxy

    async def join(self, pod: Object, address: str) -> Namespace | None:
        """The namespace of a pod, made if it has none yet; None where it shares the machine's network.

        Raises ``OSError``: a pod is never started outside its namespace.
        """
        uid = pod["metadata"]["uid"]
        if not self.state.enforced or pod["spec"].get("hostNetwork"):
            return None
        if uid not in self._gateways:
            namespace = await self._namespaces.open(address)
            gateway = Gateway(
                uid, namespace, self._own_ports(pod), self._namespaces, atlas=lambda: self.atlas,
                connect=lambda place, port: self._connect(uid, place, port),
                answer=lambda data: self._answer(uid, data),
            )  # fmt: skip
            self._gateways[uid], self._stale = gateway, True
            try:
                await gateway.follow()
            except BaseException:
                await self.leave(uid)
                raise
            self.enqueue(_ALL)
        return self._gateways[uid].namespace

    async def leave(self, uid: str) -> None:
        gateway = self._gateways.pop(uid, None)
        self._stale = True
        if gateway is not None:
            await gateway.close()
            self.enqueue(_ALL)

    def _own_ports(self, pod: Object) -> set[int]:
        ports: set[int] = set()
        for container in pod["spec"]["containers"]:
            ports.update(int(port["containerPort"]) for port in container.get("ports") or ())
            image = self._catalog.find(container.get("image", ""))
            ports.update(image.ports if image else ())
        return ports

    async def dial(self, address: str, port: int, *, source: str = NODE.address) -> Streams:
        """A connection to a pod, as the node makes it: no policy is asked. Raises ``OSError``."""
        gateway = next((one for one in self._gateways.values() if one.address == address), None)
        if gateway is None:
            return await asyncio.open_connection(address, port)
        return await gateway.dial(port, source)

    def refusal_from_outside(self, address: str, port: int) -> str:
        """Why a connection from outside the cluster to a pod is not let through; ``""`` when it is."""
        if not self.state.enforced:
            return ""
        return self.atlas.refusal(API_SERVER, Target(self.atlas.party_at(address), port))

    # --- what pods send

    async def _connect(self, uid: str, address: str, port: int) -> Streams | None:
        source = self.atlas.parties.get(uid)
        if source is None:
            return None
        targets = self.atlas.targets(address, port)
        first = next(self._turn)
        for step in range(len(targets)):
            target = targets[(first + step) % len(targets)]
            if why := self.atlas.refusal(source, target):
                log.info("%s to %s:%d: %s", source.address, address, port, why)
                continue
            with contextlib.suppress(OSError):
                return await self._reach(source, target)
        return None

    async def _reach(self, source: Party, target: Target) -> Streams:
        if target.party is API_SERVER:
            if self.api_address is None:
                raise ConnectionRefusedError("the API server does not listen yet")
            return await asyncio.open_connection(*self.api_address)
        seconds = _NEAR_SECONDS if target.party.is_pod else _FAR_SECONDS
        return await listened(seconds, self.dial(target.party.address, target.port, source=source.address))

    async def _answer(self, uid: str, data: bytes) -> bytes | None:
        """The reply to a pod's DNS query; silence when a policy drops it."""
        asked, source = resolver.question(data), self.atlas.parties.get(uid)
        if asked is None or source is None or self.atlas.refusal(source, Target(DNS, 53), "UDP"):
            return None
        return resolver.answer(asked, await self._addresses(asked.name))

    async def _addresses(self, name: str) -> list[str] | None:
        if name == f"kubernetes.default.svc.{resolver.DOMAIN}":
            return [API_SERVICE[0]]
        if name.endswith(f".{resolver.DOMAIN}"):
            return resolver.cluster_addresses(self.api, name)
        try:
            async with asyncio.timeout(_NAME_SECONDS):
                found = await asyncio.get_running_loop().getaddrinfo(
                    name, None, family=socket.AF_INET, type=socket.SOCK_STREAM
                )
        except (OSError, UnicodeError):
            return None
        return sorted({str(one[4][0]) for one in found})

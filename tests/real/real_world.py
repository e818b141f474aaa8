"""The kube boundary connected to a real API server, in a namespace of its own."""

from __future__ import annotations

import asyncio
import base64
import json
import signal
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import aclosing, suppress
from dataclasses import dataclass, field, replace
from typing import Any, Self

from control_plane import ControlPlane
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from lazarus_tui.kube.cluster import Cluster
from lazarus_tui.kube.contexts import Context, load_kubeconfig
from lazarus_tui.kube.errors import AlreadyExists, AuthError, Conflict, NotFound
from lazarus_tui.kube.kubeconfig import UserEntry
from lazarus_tui.kube.watch import Batch, follow
from lazarus_tui.model.objects import Meta, Wire
from lazarus_tui.model.resources import CONFIGMAPS, NAMESPACES, SERVICEACCOUNTS, Resource

ROLES = Resource("rbac.authorization.k8s.io", "v1", "roles", "Role")
BINDINGS = Resource("rbac.authorization.k8s.io", "v1", "rolebindings", "RoleBinding")
REVIEWS = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
# Seconds: a test waits so long for something that has to come, and looks so often.
PATIENCE, LOOK = 90.0, 0.02
# Seconds after its end for which a token still passes: the server's tolerance for clocks that differ.
LEEWAY = 60


class Config(Wire, frozen=True):
    metadata: Meta
    data: dict[str, str] | None = None


@dataclass
class World:
    plane: ControlPlane
    context: Context
    cluster: Cluster
    ns: str
    opened: list[Cluster] = field(default_factory=list)

    @classmethod
    async def open(cls, plane: ControlPlane, ns: str) -> Self:
        context = load_kubeconfig([plane.kubeconfig], environ={}).context()
        return cls(plane, context, await Cluster.open(context), ns)

    async def begin(self) -> None:
        await self.cluster.create(NAMESPACES, {"metadata": {"name": self.ns}})

    async def close(self) -> None:
        try:
            with suppress(Conflict, NotFound):  # a test has deleted it already
                await self.cluster.delete(NAMESPACES, self.ns)
        finally:
            for cluster in (self.cluster, *self.opened):
                await cluster.close()

    async def stand(self) -> None:
        """However a test ended: its world's end and the tests after it find the servers as usual."""
        for process in self.plane.processes.values():
            process.send_signal(signal.SIGCONT)
        server = self.plane.processes.get("kube-apiserver")
        if server is None or server.poll() is not None:
            self.plane.end("kube-apiserver")
            await self.restart_apiserver()

    async def restart_apiserver(self, *flags: str) -> None:
        """After it was killed; returns when it is ready."""
        self.plane.launch_apiserver(*flags)
        await asyncio.to_thread(self.plane.await_apiserver)

    async def config(self, name: str, **data: str) -> dict[str, Any]:
        return await self.cluster.create(CONFIGMAPS, {"metadata": {"name": name}, "data": data}, self.ns)

    async def put(self, name: str, **data: str | None) -> None:
        await self.cluster.merge_patch(CONFIGMAPS, name, {"data": data}, self.ns)

    async def data(self, name: str) -> Mapping[str, str] | None:
        """The data of a config map now; None when there is no such map."""
        found = await self.cluster.get(CONFIGMAPS, name, self.ns, type=Config)
        return None if found is None else found.data or {}

    async def own_account(self) -> None:
        """Pods are refused until their namespace has its service account, which a controller makes if there is one."""
        with suppress(AlreadyExists):
            await self.cluster.create(SERVICEACCOUNTS, {"metadata": {"name": "default"}}, self.ns)

    # --- somebody else

    async def account(self, name: str, *rules: Mapping[str, Any]) -> str:
        """A service account that may do what ``rules`` say in this namespace, as the server knows by now; its uid."""
        made = await self.cluster.create(SERVICEACCOUNTS, {"metadata": {"name": name}}, self.ns)
        await self.cluster.create(ROLES, {"metadata": {"name": name}, "rules": list(rules)}, self.ns)
        subject = {"kind": "ServiceAccount", "name": name, "namespace": self.ns}
        role = {"apiGroup": ROLES.group, "kind": "Role", "name": name}
        await self.cluster.create(
            BINDINGS, {"metadata": {"name": name}, "subjects": [subject], "roleRef": role}, self.ns
        )
        for rule in rules:
            await self.permitted(name, rule)
        uid: str = made["metadata"]["uid"]
        return uid

    async def permitted(self, account: str, rule: Mapping[str, Any]) -> None:
        """Returns when the server grants a service account what ``rule`` says: it reads rights from a cache."""
        asked = {"namespace": self.ns, "verb": rule["verbs"][0], "group": rule["apiGroups"][0]}
        asked |= {"resource": rule["resources"][0], "name": (rule.get("resourceNames") or [""])[0]}
        spec = {"user": f"system:serviceaccount:{self.ns}:{account}", "resourceAttributes": asked}
        body = {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": spec}

        async def granted() -> bool:
            answer = await self.cluster.request("POST", REVIEWS, body=body)
            return json.loads(answer.body)["status"]["allowed"] is True

        await eventually(granted)

    async def token(self, account: str) -> str:
        """A token as the server issues it, good for ten minutes: it gives none that is shorter."""
        path = f"{SERVICEACCOUNTS.path(self.ns, account)}/token"
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 600}}
        answer = await self.cluster.request("POST", path, body=body)
        found: str = json.loads(answer.body)["status"]["token"]
        return found

    async def passing(self, account: str, uid: str, path: str) -> Cluster:
        """Somebody whose token has passed at ``path`` and ends soon: one that has ended before that proves nothing."""
        seconds = 3.0
        while True:
            ends = time.time() + seconds
            guest = await self.as_user(token=self.ending(account, uid, seconds))
            try:
                await guest.request("GET", path)
            except AuthError:
                if time.time() < ends - 1:  # its end is a whole second
                    raise
                seconds *= 2
            else:
                return guest

    def ending(self, account: str, uid: str, seconds: float) -> str:
        """The same token, but it ends in ``seconds``: signed with the server's own key."""
        pem = (self.plane.folder / "accounts.pem").read_bytes()
        key = serialization.load_pem_private_key(pem, None)
        assert isinstance(key, rsa.RSAPrivateKey)
        now = int(time.time())
        claims = {
            "iss": "https://kubernetes.default.svc",
            "aud": ["https://kubernetes.default.svc"],
            "sub": f"system:serviceaccount:{self.ns}:{account}",
            "iat": now - 600,
            "nbf": now - 600,
            "exp": round(now + seconds) - LEEWAY,
            "kubernetes.io": {"namespace": self.ns, "serviceaccount": {"name": account, "uid": uid}},
        }
        signed = f"{_base64({'alg': 'RS256'})}.{_base64(claims)}"
        signature = key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
        return f"{signed}.{base64.urlsafe_b64encode(signature).decode().rstrip('=')}"

    async def as_user(self, **user: Any) -> Cluster:
        """The same server, reached by somebody else."""
        cluster = await Cluster.open(replace(self.context, user=UserEntry("somebody", **user)))
        self.opened.append(cluster)
        return cluster


def _base64(value: Mapping[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


class Reading:
    """A follower of the namespace's config maps that a task reads."""

    def __init__(self, world: World, resource: Resource = CONFIGMAPS) -> None:
        self.batches: list[Batch[Config]] = []
        self.task = asyncio.create_task(self._read(world, resource))

    async def _read(self, world: World, resource: Resource) -> None:
        async with aclosing(follow(world.cluster, resource, world.ns, type=Config)) as batches:
            async for batch in batches:
                self.batches.append(batch)

    @property
    def kinds(self) -> list[str]:
        return [batch.kind for batch in self.batches]

    def state(self) -> dict[str, dict[str, str]]:
        """What a reader of the batches knows; without the map that controllers make in each namespace."""
        found: dict[str, dict[str, str]] = {}
        for batch in self.batches:
            found |= {item.metadata.name: item.data or {} for item in batch.items}
            for name in batch.removed:
                found.pop(name.partition("/")[2], None)
        found.pop("kube-root-ca.crt", None)
        return found

    async def until(self, true: Callable[[], object]) -> None:
        """``TimeoutError`` when it never comes true, and at once what ended the reader."""

        async def soon() -> object:
            if self.task.done():
                self.task.result()
            return true()

        await eventually(soon)

    async def end(self) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


async def eventually(true: Callable[[], Awaitable[object]]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not await true():
            await asyncio.sleep(LOOK)

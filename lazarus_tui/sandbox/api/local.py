"""The API for code inside the sandbox: the same verbs and rules as over HTTP, synchronous and without a wire.

Objects that come back are the stored ones: treat them as immutable and copy before editing. Every failure is an
``ApiError``. Namespaces must exist before anything is created in them; ``bootstrap`` makes those every cluster has.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from random import Random
from typing import Any, Literal

from lazarus_tui.model.clock import Clock
from lazarus_tui.model.resources import NAMESPACES, PODS, Resource
from lazarus_tui.sandbox.api.bootstrap import cluster_role_bindings, cluster_roles
from lazarus_tui.sandbox.api.deletion import DeleteOptions, delete
from lazarus_tui.sandbox.api.errors import ApiError
from lazarus_tui.sandbox.api.patches import merge
from lazarus_tui.sandbox.api.priorities import PRIORITY_CLASSES, system_classes
from lazarus_tui.sandbox.api.registry import Registry
from lazarus_tui.sandbox.api.rights import CLUSTER_ROLE_BINDINGS, CLUSTER_ROLES
from lazarus_tui.sandbox.api.selectors import labels_equal, parse_labels
from lazarus_tui.sandbox.api.store import Event, Store
from lazarus_tui.sandbox.api.verbs import Verbs, clone

Object = dict[str, Any]
EventKind = Literal["ADDED", "MODIFIED", "DELETED"]
Callback = Callable[[EventKind, Resource, Object, Object | None], None]

# Namespaces a fresh cluster has; the UID of kube-system identifies the cluster.
SYSTEM_NAMESPACES = ("default", "kube-node-lease", "kube-public", "kube-system")


class LocalApi:
    """Reads and writes without HTTP. ``resource`` names built-in and custom kinds alike."""

    def __init__(
        self,
        store: Store,
        registry: Registry,
        clock: Clock,
        *,
        ids: Callable[[], str] = lambda: str(uuid.uuid4()),
        rng: Random | None = None,
    ) -> None:
        self.verbs = Verbs(store, registry, clock, ids=ids, rng=rng)
        self.store, self.registry, self.clock = store, registry, clock

    def bootstrap(self) -> None:
        """Make the system namespaces, roles, bindings and priority classes that are missing."""
        for name in SYSTEM_NAMESPACES:
            if self.get(NAMESPACES, name) is None:
                self.create(NAMESPACES, {"metadata": {"name": name}})
        for kind, made in (
            (CLUSTER_ROLES, cluster_roles()),
            (CLUSTER_ROLE_BINDINGS, cluster_role_bindings()),
            (PRIORITY_CLASSES, system_classes()),
        ):
            for obj in made:
                if self.get(kind, obj["metadata"]["name"]) is None:
                    self.create(kind, obj)

    def get(self, resource: Resource, name: str, namespace: str | None = None) -> Object | None:
        """The object, or None when there is none (or the kind is not served)."""
        served = self.registry.find(resource.group, resource.version, resource.plural)
        if served is None:
            return None
        entity = self.store.get(served.kind.group_resource, served.kind.key(namespace, name))
        return entity.obj if entity else None

    def list(
        self, resource: Resource, namespace: str | None = None, *, labels: Mapping[str, str] | str | None = None
    ) -> list[Object]:
        """Ordered by namespace and name; ``labels`` is a selector or labels that must be equal."""
        found = self.store.select(resource.group_resource, namespace if resource.namespaced else None)
        if not labels:
            return [entity.obj for entity in found]
        selector = parse_labels(labels) if isinstance(labels, str) else labels_equal(labels)
        return [entity.obj for entity in found if selector.matches_object(entity.obj)]

    def create(self, resource: Resource, obj: Object, namespace: str | None = None) -> Object:
        """``namespace`` may come from the object; ``metadata.generateName`` makes a name."""
        served = self.registry.served(resource)
        obj = clone(obj)
        where = namespace or (obj.get("metadata") or {}).get("namespace")
        return self.verbs.create(served, where, obj).obj

    def update(self, resource: Resource, obj: Object) -> Object:
        """PUT: the whole object; with a resourceVersion in it, 409 when it is stale."""
        return self._replace(resource, obj, "")

    def update_status(self, resource: Resource, obj: Object) -> Object:
        """Only ``status`` is taken; 404 for kinds without that subresource."""
        if not self.registry.served(resource).kind.has_status:
            raise ApiError(404, "NotFound", f"{resource.group_resource} has no status subresource")
        return self._replace(resource, obj, "status")

    def _replace(self, resource: Resource, obj: Object, subresource: str) -> Object:
        meta, wanted = obj["metadata"], clone(obj)
        entity = self.verbs.update(
            self.registry.served(resource),
            meta.get("namespace"),
            meta["name"],
            lambda _: wanted,
            subresource=subresource,
        )
        return entity.obj

    def patch(
        self, resource: Resource, name: str, patch: Object, namespace: str | None = None, *, subresource: str = ""
    ) -> Object:
        """A JSON merge patch; ``subresource`` is ``""``, ``status`` or (namespaces) ``finalize``."""
        entity = self.verbs.update(
            self.registry.served(resource),
            namespace,
            name,
            lambda base: clone(merge(base, patch)),
            subresource=subresource,
            patch=True,
        )
        return entity.obj

    def delete(
        self,
        resource: Resource,
        name: str,
        namespace: str | None = None,
        *,
        uid: str = "",
        propagation: str = "Background",
        grace: int | None = None,
    ) -> None:
        """An absent object is no error. ``grace`` 0 removes a pod at once (the kubelet's last word); 409 on ``uid``."""
        served = self.registry.served(resource)
        options = DeleteOptions(grace, propagation, uid)
        try:
            delete(self.verbs, served.kind, namespace, name, options)
        except ApiError as error:
            if error.status != 404:
                raise

    def bind(self, pod: str, namespace: str, node: str) -> Object:
        """The scheduler's decision."""
        return self.patch(PODS, pod, {"spec": {"nodeName": node}}, namespace)

    def subscribe(self, callback: Callback) -> Callable[[], None]:
        """Called after each commit with (kind, resource, object, old); returns the function that ends it.

        Commits made inside a callback are delivered after it, in order. For a deletion ``object`` is the last version
        under the deletion's resourceVersion.
        """

        def forward(event: Event) -> None:
            kind = self.registry.kind(event.group_resource)
            if kind is not None:
                callback(event.kind, kind.resource, event.entity.obj, event.old.obj if event.old else None)

        return self.store.subscribe(forward)

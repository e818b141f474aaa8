"""Create, update, patch: what every write does before it reaches the store, whoever asks for it.

Synchronous on purpose: nothing is awaited between reading and committing, so a write is atomic without locks.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from random import Random

from lazarus_tui.model.clock import Clock, rfc3339
from lazarus_tui.model.resources import NAMESPACES
from lazarus_tui.sandbox.api import admission, managed, names, schema
from lazarus_tui.sandbox.api.apply import Application
from lazarus_tui.sandbox.api.bounds import RESIZE, SERVER_META, bounded
from lazarus_tui.sandbox.api.crd import definition_causes, fill_definition
from lazarus_tui.sandbox.api.defaults import fill_defaults
from lazarus_tui.sandbox.api.errors import ApiError, Cause, bad_request, not_found
from lazarus_tui.sandbox.api.kinds import Kind, Served
from lazarus_tui.sandbox.api.managed import OWN_MANAGER, Writer
from lazarus_tui.sandbox.api.objects import Object as Object
from lazarus_tui.sandbox.api.objects import clone as clone
from lazarus_tui.sandbox.api.objects import same
from lazarus_tui.sandbox.api.registry import Registry
from lazarus_tui.sandbox.api.rules import create_causes, update_causes
from lazarus_tui.sandbox.api.store import Entity, Store

# How often a generated name may meet a taken one before the create is answered with 409 (upstream's figure).
_NAME_ATTEMPTS = 8

Transform = Callable[[Object], Object]
"""Makes the wanted object from a private copy of the stored one, in the requested version."""


class Verbs:
    """Reads and writes of one cluster. ``ids`` makes UIDs and ``rng`` name suffixes; tests seed both."""

    def __init__(
        self,
        store: Store,
        registry: Registry,
        clock: Clock,
        *,
        ids: Callable[[], str] = lambda: str(uuid.uuid4()),
        rng: Random | None = None,
    ) -> None:
        registry.attach(store)
        self.store, self.registry, self.clock = store, registry, clock
        self._ids, self._rng = ids, rng or Random()

    def stamp(self) -> str:
        return rfc3339(self.clock.now())

    def get(self, kind: Kind, namespace: str | None, name: str) -> Entity:
        entity = self.store.get(kind.group_resource, kind.key(namespace, name))
        if entity is None:
            raise kind.not_found(name)
        return entity

    def writer(self, served: Served, manager: str, *, subresource: str = "", applies: bool = False) -> Writer:
        """Who fields will belong to that are written now."""
        return Writer(manager, served.api_version, self.stamp(), subresource, applies)

    def create(
        self,
        served: Served,
        namespace: str | None,
        obj: Object,
        *,
        dry_run: bool = False,
        manager: str = OWN_MANAGER,
        managers: bytes | None = None,
    ) -> Entity:
        """``obj`` becomes the store's; 409 for a taken name, 404 and 403 for the namespace, 422 for the content.

        The fields belong to ``manager``, or to those in ``managers``.
        """
        kind = served.kind
        meta = _kept_form(served, obj, check_type(served, obj))
        if meta.get("resourceVersion"):
            raise ApiError(500, "", "resourceVersion should not be set on objects to be created")
        settle_namespace(kind, meta, namespace)
        generated = not meta.get("name") and meta.get("generateName")
        for attempt in range(_NAME_ATTEMPTS):
            if generated:
                meta["name"] = names.generate(meta["generateName"], self._rng)
            taken = self.store.get(kind.group_resource, kind.key(namespace, meta.get("name", "")))
            if taken is None:
                break
            if not generated or attempt == _NAME_ATTEMPTS - 1:
                raise kind.already_exists(meta["name"])
        if kind.namespaced:
            self._check_namespace(kind, namespace or "", meta.get("name", ""))
        at = self._initialise(kind, meta)
        if kind.has_status and kind.plural != "nodes":  # a node's kubelet brings its status along
            obj.pop("status", None)
        self._finish(served, obj, None)
        if managers is None:
            managers = managed.created(kind, obj, Writer(manager, served.api_version, at))
        if dry_run:
            return Entity(obj, self.store.revision, managers=managers)
        return self.store.commit(kind.group_resource, kind.key(namespace, meta["name"]), None, obj, managers)

    def _initialise(self, kind: Kind, meta: Object) -> str:
        """Fills in what the server says of a new object; returns when that was."""
        for field in (*SERVER_META, "managedFields", "selfLink", "resourceVersion"):
            meta.pop(field, None)
        if not kind.namespaced:
            meta.pop("namespace", None)
        meta["uid"] = self._ids()
        meta["creationTimestamp"] = at = self.stamp()
        if kind.generation:
            meta["generation"] = 1
        return at

    def _check_namespace(self, kind: Kind, namespace: str, name: str) -> None:
        found = self.store.get(NAMESPACES.group_resource, ("", namespace))
        if found is None:
            raise not_found(NAMESPACES.plural, "", namespace)
        if found.obj["metadata"].get("deletionTimestamp"):
            text = f"namespace {namespace} is being terminated"
            why = f"unable to create new content in namespace {namespace} because it is being terminated"
            raise kind.forbidden(name, why, (Cause("metadata.namespace", text, "NamespaceTerminating"),))

    def _finish(self, served: Served, obj: Object, old: Object | None, *, through: str = "") -> None:
        """Defaults, pruning and every rule; afterwards ``obj`` is what will be stored."""
        kind = served.kind
        meta = obj["metadata"]
        causes = names.metadata_causes(meta, kind.name_rule if old is None else lambda _: "", custom=kind.custom)
        if kind.custom:
            version = kind.definitions[served.version]
            causes += schema.apply(version.schema, obj)
            if version.rules is not None and not causes:
                causes += version.rules.causes(obj, old)
        elif kind.plural == "customresourcedefinitions":
            causes += definition_causes(obj, old)
            if not causes:
                fill_definition(obj, self.stamp())
        else:
            fill_defaults(kind, obj, old, self.store)
            admission.complete(kind, obj, old, self.store)
            if old is None:
                causes += create_causes(kind, obj, self.store)
            elif through != RESIZE:
                causes += update_causes(kind, obj, old)
        if causes:
            raise kind.invalid(meta.get("name", ""), causes)
        admission.check(kind, obj, old, self.store, self.clock.now())
        obj["apiVersion"] = kind.api_version

    def update(
        self,
        served: Served,
        namespace: str | None,
        name: str,
        transform: Transform,
        *,
        subresource: str = "",
        dry_run: bool = False,
        patch: bool = False,
        manager: str = OWN_MANAGER,
        part: str | None = None,
        reveal: bool = False,
    ) -> Entity:
        """Replace what is stored by what ``transform`` makes of it; the same object again keeps its revision.

        ``subresource`` is ``""``, ``status`` or ``finalize`` and bounds what may change. What changes will belong to
        ``manager`` of the subresource ``part`` (by default the same). ``reveal`` shows ``transform`` the managedFields.
        """

        def wanted(base: Object, managers: bytes) -> Object:
            if reveal and managers:
                base["metadata"]["managedFields"] = managed.unpack(managers)
            return transform(base)

        writer = self.writer(served, manager, subresource=subresource if part is None else part)
        return self._change(served, namespace, name, wanted, writer, dry_run=dry_run, patch=patch, bound=subresource)

    def apply(
        self,
        served: Served,
        namespace: str | None,
        name: str,
        config: Object,
        writer: Writer,
        *,
        force: bool = False,
        dry_run: bool = False,
    ) -> tuple[Entity, bool]:
        """Server-side apply; true when it created the object. 409 with all conflicts unless ``force``."""
        meta = _kept_form(served, config, check_type(served, config))
        settle_namespace(served.kind, meta, namespace)
        meta["name"] = name
        application = Application(served, config, writer, force=force)
        stored = self.store.get(served.kind.group_resource, served.kind.key(namespace, name))
        if stored is None and not writer.subresource:
            made = application.created()
            if made["metadata"].get("uid") or made["metadata"].get("resourceVersion"):
                raise served.kind.conflict(name, "uid or resourceVersion in precondition, but there is no such object")
            return self.create(served, namespace, clone(made), dry_run=dry_run, managers=application.packed()), True
        changed = self._change(
            served,
            namespace,
            name,
            lambda base, managers: clone(application.onto(base, managers)),
            writer,
            dry_run=dry_run,
            patch=True,
            bound=writer.subresource,
            application=application,
        )
        return changed, False

    def _change(
        self,
        served: Served,
        namespace: str | None,
        name: str,
        transform: Callable[[Object, bytes], Object],
        writer: Writer,
        *,
        dry_run: bool,
        patch: bool,
        bound: str,
        application: Application | None = None,
    ) -> Entity:
        kind = served.kind
        old = self.get(kind, namespace, name)
        base = clone(old.obj if application or not served.view else served.outward(old.obj))
        base["apiVersion"] = served.api_version
        wanted = transform(base, old.managers)
        meta = check_type(served, wanted)
        if not application:
            meta = _kept_form(served, wanted, meta)
        settle_namespace(kind, meta, namespace)
        _check_identity(kind, meta, old.obj["metadata"], name, patch=patch)
        sent = None if application or bound else managed.given(meta)
        new = bounded(kind, wanted, old.obj, bound)
        self._finish(served, new, old.obj, through=bound)
        _check_finalizers(kind, new["metadata"], old.obj["metadata"])
        if application:
            managers = application.packed()
        else:
            managers = managed.updated(kind, old.obj, new, old.managers if sent is None else sent, writer)
        if same(new, old.obj) and managed.same_owners(managers, old.managers):
            return old
        if kind.generation and _spec_changed(kind, new, old.obj):
            new["metadata"]["generation"] = old.obj["metadata"].get("generation", 0) + 1
        if dry_run:
            return Entity(new, old.revision, managers=managers)
        key = kind.key(namespace, name)
        if released(kind, new):
            self.store.commit(kind.group_resource, key, old, None)
            return Entity(new, self.store.revision, managers=managers)
        return self.store.commit(kind.group_resource, key, old, new, managers)


def check_type(served: Served, obj: Object) -> Object:
    """Fill in or check apiVersion and kind; returns the metadata, made if absent."""
    kind = served.kind
    got_kind, got_version = obj.get("kind") or kind.kind, obj.get("apiVersion") or served.api_version
    if got_kind != kind.kind or got_version != served.api_version:
        raise bad_request(
            f'{got_kind} in version "{got_version}" cannot be handled as a {kind.kind}: no kind "{got_kind}" is '
            f'registered for version "{got_version}" at this address'
        )
    meta = obj.get("metadata")
    if meta is None:
        meta = {}
    if not isinstance(meta, dict):
        raise bad_request(f"{kind.kind} cannot be handled: metadata must be an object")
    rest = {key: value for key, value in obj.items() if key not in ("apiVersion", "kind", "metadata")}
    obj.clear()
    obj.update({"apiVersion": got_version, "kind": got_kind, "metadata": meta}, **rest)
    return meta


def _kept_form(served: Served, obj: Object, meta: Object) -> Object:
    """Turn an object that came through a view into what is stored, in place; returns its metadata."""
    if served.view is None:
        return meta
    kept = served.inward(obj)
    obj.clear()
    obj.update(kept)
    found: Object = obj["metadata"]
    return found


def settle_namespace(kind: Kind, meta: Object, namespace: str | None) -> None:
    if not kind.namespaced:
        meta.pop("namespace", None)
        return
    if meta.get("namespace") not in (None, "", namespace):
        raise bad_request("the namespace of the provided object does not match the namespace sent on the request")
    meta["namespace"] = namespace or ""


def _check_identity(kind: Kind, meta: Object, old: Object, name: str, *, patch: bool) -> None:
    if meta.get("name", name) != name:
        raise bad_request(f"the name of the object ({meta['name']}) does not match the name on the URL ({name})")
    uid = meta.get("uid") or old["uid"]
    if uid != old["uid"]:
        if patch:
            raise kind.invalid(name, [Cause("metadata.uid", f'Invalid value: "{uid}": field is immutable')])
        why = f"Precondition failed: UID in precondition: {uid}, UID in object meta: {old['uid']}"
        raise kind.conflict(name, why)
    if meta.get("resourceVersion") not in (None, "", old["resourceVersion"]):
        raise kind.stale(name)


def _check_finalizers(kind: Kind, meta: Object, old: Object) -> None:
    if not old.get("deletionTimestamp"):
        return
    added = [one for one in meta.get("finalizers") or () if one not in (old.get("finalizers") or ())]
    if added:
        text = f"Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers {added}"
        raise kind.invalid(meta["name"], [Cause("metadata.finalizers", text, "FieldValueForbidden")])


def _spec_changed(kind: Kind, new: Object, old: Object) -> bool:
    ignored = {"metadata", "status"} if kind.has_status else {"metadata"}
    one = {key: value for key, value in new.items() if key not in ignored}
    return not same(one, {key: value for key, value in old.items() if key not in ignored})


def released(kind: Kind, obj: Object) -> bool:
    """Whether nothing holds back an object that is being deleted any more."""
    meta = obj["metadata"]
    if not meta.get("deletionTimestamp") or meta.get("finalizers"):
        return False
    if kind.plural == "namespaces" and not kind.group:
        return not (obj.get("spec") or {}).get("finalizers")
    return not meta.get("deletionGracePeriodSeconds")

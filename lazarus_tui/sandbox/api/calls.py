"""Requests on resources: what each method does at a collection, an object, its status and its scale."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec

from lazarus_tui.model.clock import Clock
from lazarus_tui.model.http import HttpRequest, HttpResponse
from lazarus_tui.sandbox.api import deletion, options, scale, typed
from lazarus_tui.sandbox.api.answers import JSON, Answer, StreamAnswer, json_answer
from lazarus_tui.sandbox.api.bodies import decode_object, decode_options, decode_value, media_type
from lazarus_tui.sandbox.api.duplicates import duplicate_fields
from lazarus_tui.sandbox.api.errors import (
    ApiError,
    Cause,
    bad_request,
    invalid,
    method_not_allowed,
    no_such_route,
    too_large,
    unsupported_media_type,
)
from lazarus_tui.sandbox.api.kinds import Kind, Served
from lazarus_tui.sandbox.api.lists import list_page
from lazarus_tui.sandbox.api.managed import check_applied, manager_name
from lazarus_tui.sandbox.api.patches import json_patch, merge
from lazarus_tui.sandbox.api.protobuf import PROTOBUF
from lazarus_tui.sandbox.api.protobuf_answers import encodes
from lazarus_tui.sandbox.api.render import Accepted, View, negotiate, not_acceptable, respond, view_of
from lazarus_tui.sandbox.api.routes import Route
from lazarus_tui.sandbox.api.selectors import matcher, renamed_fields
from lazarus_tui.sandbox.api.store import Entity
from lazarus_tui.sandbox.api.strategic import strategic_merge
from lazarus_tui.sandbox.api.verbs import Object, Transform, Verbs, clone
from lazarus_tui.sandbox.api.warned import with_warnings
from lazarus_tui.sandbox.api.watches import Watch

JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"
_WRITABLE_SUBRESOURCES = ("", "status", "finalize", "approval", "resize")


@dataclass(frozen=True, slots=True)
class Call:
    """One request on a served kind."""

    verbs: Verbs
    wire: Clock
    request: HttpRequest
    query: Mapping[str, str]
    route: Route
    served: Served
    accept: str
    stopping: Callable[[], bool]
    warnings: list[str] = field(default_factory=list)

    @property
    def kind(self) -> Kind:
        return self.served.kind

    def answer(self) -> Answer:
        """Raises ``ApiError`` for every refusal."""
        if self.served.deprecation:
            self.warnings.append(self.served.deprecation)
        answered = self._answered()
        return with_warnings(answered, self.warnings) if self.warnings else answered

    def _answered(self) -> Answer:
        route = self.route
        if not self.kind.namespaced and route.namespace is not None:
            raise no_such_route()
        if route.subresource == "scale" and self.kind.scale:
            return self._scale()
        if route.subresource not in _WRITABLE_SUBRESOURCES or (
            route.subresource and route.subresource not in self.kind.subresources
        ):
            raise no_such_route()
        if "delete" not in self.kind.verbs and self.request.method != "GET":
            raise method_not_allowed()
        if not route.name:
            return self._collection()
        if self.kind.namespaced and route.namespace is None:
            raise no_such_route()
        return self._object()

    def _collection(self) -> Answer:
        method = self.request.method
        if method == "GET":
            return self._list()
        if self.kind.namespaced and self.route.namespace is None:
            raise method_not_allowed()
        if method == "POST":
            return self._create()
        if method == "DELETE" and "deletecollection" in self.kind.verbs:
            return self._delete_collection()
        raise method_not_allowed()

    def _object(self) -> Answer:
        method = self.request.method
        if method == "GET":
            return self._watch_or_get()
        if method == "PUT":
            return self._put()
        if method == "PATCH" and self.route.subresource != "finalize":
            return self._patch()
        if method == "DELETE" and not self.route.subresource:
            return self._delete()
        raise method_not_allowed()

    def _accepted(self) -> Accepted:
        return negotiate(self.accept, protobuf=PROTOBUF in self.accept and encodes(self.served))

    def _view(self, accepted: Accepted) -> View:
        include = self.query.get("includeObject", "")
        return view_of(accepted, self.served, self.verbs.clock.now(), include)

    def _single(self, entity: Entity, status: int = 200) -> HttpResponse:
        accepted = self._accepted()
        return respond(accepted, self._view(accepted).single(entity), status)

    def _list(self) -> Answer:
        wanted = self._list_options(watching=self.route.watching)
        accepted = self._accepted()
        view = self._view(accepted)
        if wanted.watch and accepted.protobuf:
            raise not_acceptable()
        if wanted.watch:
            return self._watch(wanted, view)
        page = list_page(self.verbs.store, self.kind, self.route.namespace, wanted)
        return respond(accepted, view.collection(page.entities, page.meta))

    def _list_options(self, *, watching: bool = False) -> options.ListOptions:
        wanted = options.list_options(self.query, watching=watching)
        view = self.served.view
        return replace(wanted, fields=renamed_fields(wanted.fields, view.fields)) if view else wanted

    def _watch_or_get(self) -> Answer:
        if self.route.watching or options.flag(self.query, "watch"):
            query = dict(self.query) | {"fieldSelector": f"metadata.name={self.route.name}"}
            wanted = options.list_options(query, watching=True)
            return self._watch(wanted, self._view(self._accepted()))
        if (asked := options.revision(self.query.get("resourceVersion", ""))) > self.verbs.store.revision:
            raise too_large(asked, self.verbs.store.revision)
        return self._single(self.verbs.get(self.kind, self.route.namespace, self.route.name))

    def _watch(self, wanted: options.ListOptions, view: View) -> Answer:
        matcher(wanted.labels, wanted.fields, self.kind)
        try:
            _ = wanted.revision
        except ApiError as error:  # the real server answers a watch on such a revision as a failure of its own
            raise ApiError(500, "", error.message) from None
        kind, registry = self.kind, self.verbs.registry
        watch = Watch(
            self.verbs.store,
            self.wire,
            self.served,
            self.route.namespace,
            wanted,
            view,
            lambda: self.stopping() or registry.kind(kind.group_resource) is None,
        )
        return StreamAnswer(watch.lines(), headers={"content-type": JSON, "cache-control": "no-cache, private"})

    def _create(self) -> Answer:
        dry = options.dry_run(self.query, "CreateOptions")
        obj = decode_object(self.request)
        self._check_fields(obj, obj)
        made = self.verbs.create(self.served, self.route.namespace, obj, dry_run=dry, manager=self._manager)
        return self._single(made, 201)

    @property
    def _manager(self) -> str:
        agent = next((value for name, value in self.request.headers.items() if name.lower() == "user-agent"), "")
        return manager_name(self.query, agent)

    def _check_fields(self, obj: Object, sent: Any, default: str = "Warn") -> None:
        """Refuse, tell or pass over unknown fields of ``obj`` and repeated ones of what was ``sent``."""
        how = self.query.get("fieldValidation") or default
        body = self.request.body
        told = how != "Ignore"
        twice = duplicate_fields(body, sent) if told else []
        unknown = typed.check(self.served, obj, told=told)
        if not told:
            return
        problems = [f'duplicate field "{path}"' for path in twice] + [f'unknown field "{path}"' for path in unknown]
        if problems and how == "Strict":
            raise typed.refusal(self.served, f"strict decoding error: {', '.join(problems)}")
        self.warnings.extend(problems)

    def _put(self) -> Answer:
        dry = options.dry_run(self.query, "UpdateOptions")
        wanted = decode_object(self.request)
        self._check_fields(wanted, wanted)
        meta = wanted.get("metadata")
        if self.kind.custom and isinstance(meta, dict) and not meta.get("resourceVersion"):
            self.verbs.get(self.kind, self.route.namespace, self.route.name)
            why = "Invalid value: 0: must be specified for an update"
            raise self.kind.invalid(self.route.name, [Cause("metadata.resourceVersion", why)])
        return self._single(self._update(lambda _: wanted, dry=dry))

    def _patch(self) -> Answer:
        dry = options.dry_run(self.query, "PatchOptions")
        if media_type(self.request) == APPLY_PATCH:
            return self._apply(dry=dry)
        if "force" in self.query:
            why = "Forbidden: may not be specified for non-apply patch"
            raise invalid("PatchOptions", "meta.k8s.io", "", [Cause("force", why)])
        patch = decode_value(self.request.body)
        patcher = self._patcher(patch)

        def checked(base: Object) -> Object:
            wanted = patcher(base)
            self._check_fields(wanted, patch)
            return wanted

        reveal = b"managedFields" in self.request.body
        return self._single(self._update(checked, dry=dry, patch=True, reveal=reveal))

    def _apply(self, *, dry: bool) -> Answer:
        force = options.apply_options(self.query)
        config = decode_value(self.request.body, yaml_body=True)
        if not isinstance(config, dict):
            raise bad_request("error decoding YAML: the applied configuration is not an object")
        check_applied(config, self.route.name)
        self._check_fields(config, config, "Ignore" if self.kind.custom else "Strict")
        route = self.route
        writer = self.verbs.writer(self.served, self._manager, subresource=route.subresource, applies=True)
        entity, created = self.verbs.apply(
            self.served, route.namespace, route.name, config, writer, force=force, dry_run=dry
        )
        return self._single(entity, 201 if created else 200)

    def _update(self, transform: Transform, *, dry: bool, patch: bool = False, reveal: bool = False) -> Entity:
        route = self.route
        return self.verbs.update(
            self.served,
            route.namespace,
            route.name,
            transform,
            subresource=route.subresource,
            dry_run=dry,
            patch=patch,
            manager=self._manager,
            reveal=reveal,
        )

    def _patcher(self, patch: Any) -> Transform:
        media = media_type(self.request)
        accepted = (JSON_PATCH, MERGE_PATCH) if self.kind.custom else (JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH)
        if media not in accepted:
            raise unsupported_media_type((*accepted, APPLY_PATCH))
        if media == JSON_PATCH:
            return lambda base: _object(json_patch(base, patch))
        if not isinstance(patch, dict):
            why = "json: cannot unmarshal array into Go value of type map[string]interface {}"
            raise bad_request(f"error decoding patch: {why}")
        if media == MERGE_PATCH:
            return lambda base: clone(merge(base, patch))
        return lambda base: clone(strategic_merge(base, patch))

    def _delete(self) -> Answer:
        options.dry_run({**self.query, "fieldValidation": ""}, "DeleteOptions")
        wanted = deletion.parse_options(decode_options(self.request), dict(self.query))
        done = deletion.delete(self.verbs, self.kind, self.route.namespace, self.route.name, wanted)
        if done.gone and not deletion.returns_object(self.kind):
            return json_answer(deletion.success_status(self.kind, done.entity))
        return self._single(done.entity)

    def _delete_collection(self) -> Answer:
        options.dry_run({**self.query, "fieldValidation": ""}, "DeleteOptions")
        wanted = self._list_options()
        how = deletion.parse_options(decode_options(self.request), dict(self.query))
        page = list_page(self.verbs.store, self.kind, self.route.namespace, wanted)
        gone = deletion.delete_collection(self.verbs, self.kind, page.entities, how)
        accepted = self._accepted()
        return respond(accepted, self._view(accepted).collection(gone, page.meta))

    def _scale(self) -> Answer:
        kind, route = self.kind, self.route
        entity = self.verbs.get(kind, route.namespace, route.name)
        method = self.request.method
        if method == "GET":
            return respond(self._accepted(), msgspec.json.encode(scale.scale_of(kind, entity.obj)))
        if method == "PATCH" and media_type(self.request) == APPLY_PATCH:
            return self._apply_scale()
        if method == "PUT":
            wanted = decode_object(self.request)
        elif method == "PATCH":
            wanted = self._patcher(decode_value(self.request.body))(scale.scale_of(kind, entity.obj))
        else:
            raise method_not_allowed()
        dry = options.dry_run(self.query, "UpdateOptions")
        updated = self.verbs.update(
            self.served,
            route.namespace,
            route.name,
            scale.setter(kind, wanted),
            dry_run=dry,
            patch=True,
            manager=self._manager,
            part="scale",
        )
        return respond(self._accepted(), msgspec.json.encode(scale.scale_of(kind, updated.obj)))

    def _apply_scale(self) -> Answer:
        force, dry = options.apply_options(self.query), options.dry_run(self.query, "PatchOptions")
        applied = decode_value(self.request.body, yaml_body=True)
        if not isinstance(applied, dict):
            raise bad_request("error decoding YAML: the applied configuration is not an object")
        route = self.route
        check_applied(applied, route.name)
        config = scale.applied(self.served, applied)
        writer = self.verbs.writer(self.served, self._manager, subresource="scale", applies=True)
        entity, _ = self.verbs.apply(self.served, route.namespace, route.name, config, writer, force=force, dry_run=dry)
        return respond(self._accepted(), msgspec.json.encode(scale.scale_of(self.kind, entity.obj)))


def _object(value: Any) -> Object:
    if not isinstance(value, dict):
        raise ApiError(422, "Invalid", "the server rejected our request due to an error in our request")
    return value

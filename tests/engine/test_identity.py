"""What a cluster says of itself: hints are hints, and a choice is never guessed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lazarus_tui.engine.identity import choose, identify, rights
from lazarus_tui.engine.snapshot_rights import NAMED, WIDE, refusals
from lazarus_tui.kube.errors import Forbidden, KubeError, Unreachable
from lazarus_tui.model.objects import Meta, Namespace
from lazarus_tui.model.resources import CONFIGMAPS, DEPLOYMENTS, LOCATIONS, NAMESPACES, Resource
from lazarus_tui.velero.discover import Installation


class Answers:
    """A cluster that answers what a test says."""

    def __init__(self, **found: Any) -> None:
        self.locations = found.get("locations", ["velero"])
        self.note = found.get("note")
        self.refused = found.get("refused", ())
        self.broken = found.get("broken", {})
        self.context = "prod"

    async def version(self) -> Any:
        if "version" in self.broken:
            raise self.broken["version"]
        return type("V", (), {"git_version": "v1.30.0"})()

    async def cluster_uid(self) -> str:
        return "uid"

    async def get(self, resource: Resource, name: str, namespace: str | None = None, *, type: Any) -> Any:
        assert (resource, name, namespace) == (CONFIGMAPS, "lazarus-sandbox", "kube-system")
        return self.note

    async def list(
        self, resource: Resource, namespace: str | None = None, *, type: Any, label_selector: str = "",
        field_selector: str = "",
    ) -> Any:  # fmt: skip
        if "list" in self.broken:
            raise self.broken["list"]
        if resource is LOCATIONS:
            from lazarus_tui.model.objects import Location, Meta

            return [Location(metadata=Meta(name="default", namespace=name)) for name in self.locations]
        assert resource is DEPLOYMENTS or resource.plural == "daemonsets"
        return []

    async def can_i_all(self, questions: Any) -> Any:
        if "rights" in self.broken:
            raise ExceptionGroup("rights", [self.broken["rights"]])
        return {question: str(question) not in self.refused for question in questions}


async def of(answers: Answers, **options: Any) -> Any:
    return await identify(answers, **options)  # type: ignore[arg-type]


async def test_the_only_velero_is_used() -> None:
    found = await of(Answers())
    assert (found.cluster_uid, found.server_version) == ("uid", "v1.30.0")
    assert (found.velero, found.velero_namespace) == (("velero",), "velero")
    assert found.time_factor == 1.0


async def test_of_several_none_is_guessed() -> None:
    answers = Answers(locations=["a", "b"])
    assert (await of(answers)).velero_namespace == ""
    assert (await of(answers)).velero == ("a", "b")
    assert (await of(answers, wanted="b")).velero_namespace == "b"
    assert (await of(answers, wanted="c")).velero_namespace == ""


def test_the_choice_needs_no_cluster() -> None:
    one, two = Installation("a"), Installation("b")
    assert choose([]) is None
    assert choose([one]) is one
    assert choose([one, two]) is None
    assert choose([one, two], "b") is two
    assert choose([one], "b") is None


async def test_where_nothing_may_be_listed_the_usual_place_is_shown_with_its_refusals() -> None:
    found = await of(Answers(broken={"list": Forbidden("no", status=403)}))
    assert found.velero_namespace == "velero"


async def test_refused_rights_are_named_and_unknown_ones_are_not() -> None:
    found = await of(Answers(refused=("create backups.velero.io", "list pods")))
    assert found.denied == ("list pods", "create backups.velero.io")
    assert (await of(Answers(broken={"rights": Unreachable("gone")}))).denied == ()


def test_without_a_velero_nothing_is_asked_about_it() -> None:
    assert not [question for question in rights("") if "velero" in str(question)]
    assert "create backups.velero.io" in [str(question) for question in rights("velero")]


async def test_a_cluster_that_does_not_answer_is_an_error() -> None:
    with pytest.raises(KubeError):
        await of(Answers(broken={"version": Unreachable("gone")}))


@pytest.mark.parametrize(
    ("note", "file", "factor"),
    [
        ({"data": {"factor": "10"}}, None, 10.0),
        ({"data": {"factor": "nan"}}, {"factor": 5}, 1.0),
        ({"data": None}, None, 1.0),
        (None, {"factor": 5}, 5.0),
        (None, {"factor": -1}, 1.0),
        (None, None, 1.0),
    ],
)
async def test_how_fast_a_sandbox_runs(tmp_path: Path, note: Any, file: Any, factor: float) -> None:
    if file is not None:
        (tmp_path / "serve.json").write_text(json.dumps(file))
    assert (await of(Answers(note=note), sandbox=tmp_path)).time_factor == factor
    assert (await of(Answers(note=note))).time_factor == 1.0


class Rights(Answers):
    """``given``: rights in all namespaces; ``within``: by namespace. Nothing else is allowed."""

    def __init__(self, given: set[str], within: dict[str, set[str]], spaces: int = 2) -> None:
        super().__init__()
        self.given, self.within, self.spaces, self.asked = given, within, spaces, 0

    async def list(self, resource: Resource, *_: Any, **__: Any) -> Any:
        assert resource is NAMESPACES
        names = [*self.within, *(f"n{n}" for n in range(self.spaces - len(self.within)))]
        return [Namespace(metadata=Meta(name=name)) for name in names]

    async def can_i_all(self, questions: Any) -> Any:
        self.asked += len(questions)
        return {one: str(one) in self.given | self.within.get(one.namespace, set()) for one in questions}


async def test_rights_for_sets_are_asked_in_each_namespace_only_where_they_are_not_given_in_all() -> None:
    takes = "create volumesnapshots.snapshot.storage.k8s.io"
    everywhere = {str(question) for question in (*WIDE, *NAMED)}
    whole = Rights(everywhere, {})
    assert (await refusals(whole), whole.asked) == ((), len(everywhere))  # type: ignore[arg-type]
    tenant = Rights(everywhere - {takes, "patch persistentvolumes"}, {"shop": {takes}})
    assert await refusals(tenant) == ("patch persistentvolumes", f"{takes} in n0")  # type: ignore[arg-type]
    many = Rights(everywhere - {takes}, {}, spaces=41)
    assert (await refusals(many), many.asked) == ((), len(everywhere))  # type: ignore[arg-type]

"""In which container a hook runs: by the rules, or not at all."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lazarus_tui.model.plan import PlanRefused
from lazarus_tui.snapshots.hooks.containers import DEFAULT_CONTAINER, candidates, choose_container, family

Object = dict[str, Any]


def pod(*containers: tuple[str, str], sidecars: tuple[tuple[str, str], ...] = (), inits: tuple[str, ...] = (),
        default: str = "") -> Object:  # fmt: skip
    lasting = [{"name": name, "image": image, "restartPolicy": "Always"} for name, image in sidecars]
    ending = [{"name": name, "image": "busybox"} for name in inits]
    notes = {DEFAULT_CONTAINER: default} if default else {}
    return {
        "metadata": {"name": "db-0", "annotations": notes},
        "spec": {
            "containers": [{"name": name, "image": image} for name, image in containers],
            "initContainers": [*ending, *lasting],
        },
    }


PAIR = (("proxy", "envoyproxy/envoy:v1"), ("db", "docker.io/library/postgres:16@sha256:abc"))


@pytest.mark.parametrize(
    ("found", "wanted", "recipe", "container", "why"),
    [
        (pod(*PAIR), "proxy", "", "proxy", "named"),
        (pod(*PAIR, default="db"), "proxy", "", "proxy", "named"),
        (pod(*PAIR, default="proxy"), "", "", "proxy", "the pod's default container"),
        (pod(("only", "scratch")), "", "", "only", "the only container"),
        (pod(("only", "scratch"), sidecars=(("db", "mysql:8"),)), "", "", "only", "the only container"),
        (pod(*PAIR), "", "", "db", "its image is docker.io/library/postgres:16@sha256:abc"),
        (pod(("a", "app"), ("b", "app"), sidecars=(("db", "mysql:8"),)), "", "", "db", "its image is mysql:8"),
        (pod(("a", "mysql:8"), ("b", "redis:7")), "", "redis", "b", "its image is redis:7"),
        (pod(("db", "mongo:7"), ("metrics", "percona/mongodb_exporter")), "", "mongodb", "db", "its image is mongo:7"),
        (pod(*PAIR, sidecars=(("ship", "fluent-bit"),)), "ship", "", "ship", "named"),
    ],
)
def test_the_order_of_the_rules(found: Object, wanted: str, recipe: str, container: str, why: str) -> None:
    choice = choose_container(found, wanted, recipe)
    assert (choice.container, choice.why) == (container, why)


@pytest.mark.parametrize(
    ("found", "wanted", "recipe", "words"),
    [
        (pod(*PAIR), "nobody", "", "there is no container 'nobody'"),
        (pod(*PAIR, inits=("setup",)), "setup", "", "'setup' is an init container that ends before the pod runs"),
        (pod(*PAIR, default="old"), "", "", "no container 'old', which its annotation kubectl"),
        (pod(("a", "app"), ("b", "app")), "", "", "it is not clear in which container"),
        (pod(("a", "postgres:16"), ("b", "mysql:8")), "", "", "several containers fit"),
        (pod(*PAIR), "", "mysql", "it is not clear in which container"),
        (pod(), "", "", "it is not clear"),
    ],
)
def test_what_is_not_clear_is_refused(found: Object, wanted: str, recipe: str, words: str) -> None:
    with pytest.raises(PlanRefused, match=words) as refused:
        choose_container(found, wanted, recipe)
    assert refused.value.hint.startswith("name one: ")


@pytest.mark.parametrize(
    ("image", "name"),
    [
        ("postgres", "postgresql"), ("bitnami/postgresql:16.2", "postgresql"), ("ghcr.io/x/postgis:16", "postgresql"),
        ("mysql/mysql-server:8.0", "mysql"), ("percona:8", "mysql"), ("mariadb@sha256:1", "mariadb"),
        ("bitnami/mariadb-galera:11", "mariadb"), ("mongo:7", "mongodb"), ("localhost:5000/redis", "redis"),
        ("valkey/valkey:8", "redis"), ("prom/mysqld-exporter", ""), ("postgres-exporter", ""), ("redis_exporter", ""),
        ("mysql-router", ""), ("mongo-express", ""), ("nginx", ""), ("", ""), ("postgres-operator", ""),
    ],
)  # fmt: skip
def test_databases_are_known_by_their_images(image: str, name: str) -> None:
    assert family(image) == name


names = st.sampled_from(["a", "b", "c", "d"])
images = st.sampled_from(["postgres:16", "mysql:8", "redis", "envoy", "mysqld-exporter", ""])
pods = st.builds(
    lambda regular, lasting, inits, default: pod(
        *regular.items(), sidecars=tuple(lasting.items()), inits=inits, default=default
    ),
    st.dictionaries(names, images, max_size=3),
    st.dictionaries(st.sampled_from(["x", "y"]), images, max_size=2),
    st.sampled_from([(), ("i",)]),
    st.sampled_from(["", "a", "x", "i"]),
)


@given(pods, st.sampled_from(["", "a", "b", "x", "i", "none"]), st.sampled_from(["", "mysql", "postgresql"]))
def test_a_choice_always_runs_as_long_as_the_pod_and_is_never_a_guess(found: Object, wanted: str, recipe: str) -> None:
    marked = found["metadata"]["annotations"].get(DEFAULT_CONTAINER, "")
    try:
        chosen = choose_container(found, wanted, recipe).container
    except PlanRefused:
        assert wanted not in candidates(found) or not wanted
        return
    assert chosen in candidates(found)
    if wanted:
        assert chosen == wanted
    elif marked:
        assert chosen == marked
    elif len(found["spec"]["containers"]) != 1:
        others = [name for name, image in candidates(found).items() if family(image) and recipe in ("", family(image))]
        assert others == [chosen]

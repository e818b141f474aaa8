"""Ready recipes: what they send, what they wait for, and what a plan says of them."""

from __future__ import annotations

import subprocess
from typing import Any

import pytest

from lazarus_tui.model.plan import PlanRefused
from lazarus_tui.snapshots.hooks import redis
from lazarus_tui.snapshots.hooks.planning import advice
from lazarus_tui.snapshots.hooks.recipes import ADVICE, EXPECT, LOCKED, RECIPES, UNLOCKED, recipe
from lazarus_tui.snapshots.hooks.spec import Hooks
from tests.snapshots.lockapp import LOCK, UNLOCK
from tests.snapshots.stage import NAME, SPACE, staged


class Redis:
    """A server that saves for three seconds; ``busy``: another save began before; its clock is the test's."""

    def __init__(self, *, busy: bool = False, status: str = "ok", words: str = "Background saving started") -> None:
        self.now, self.saved, self.status, self._words = 1000.0, 990, status, words
        self.until: float | None = self.now + 2 if busy else None
        self.asked: list[str] = []

    async def sleep(self, seconds: float) -> None:
        assert seconds >= 0.2, "polled without a pause"
        self.now += seconds
        if self.until is not None and self.now >= self.until:
            self.saved, self.until = int(self.until), None

    async def run(self, argv: tuple[str, ...]) -> str:
        self.asked.append(argv[0])
        if argv[0] == "TIME":
            return f"{int(self.now)}\n123456\n"
        if argv[0] == "BGSAVE" and self.until is not None:
            return "ERR Background save already in progress\n"
        if argv[0] == "BGSAVE":
            self.until = self.now + 3
            return f"{self._words}\n"
        return (
            f"# Persistence\r\nrdb_bgsave_in_progress:{int(self.until is not None)}\r\n"
            f"rdb_last_bgsave_status:{self.status}\r\nrdb_last_save_time:{self.saved}\r\n"
        )


async def saved(server: Redis) -> str:
    return await redis.save(server.run, server)  # type: ignore[arg-type]


async def test_a_save_of_redis_is_waited_for_by_its_own_words() -> None:
    server = Redis()
    assert await saved(server) == "saved at 1003"
    assert server.now == 1003.0


async def test_a_save_that_runs_already_is_not_taken_for_ours() -> None:
    server = Redis(busy=True)
    assert await saved(server) == "saved at 1005"
    assert server.asked.count("BGSAVE") == 5


@pytest.mark.parametrize(
    ("server", "words"),
    [(Redis(status="err"), "ended with status err"), (Redis(words="NOAUTH Authentication required."), "NOAUTH")],
)
async def test_a_save_that_fails_is_told(server: Redis, words: str) -> None:
    with pytest.raises(redis.SaveFailed, match=words):
        await saved(server)


def test_every_recipe_says_what_to_expect() -> None:
    assert set(RECIPES) == set(EXPECT) == {*ADVICE, "fsfreeze"}
    with pytest.raises(PlanRefused, match="no recipe 'oracle'"):
        recipe("oracle", 30, 60)


@pytest.mark.parametrize("name", ["mysql", "mariadb"])
def test_a_session_never_waits_longer_for_its_lock_than_the_hook_may_last(name: str) -> None:
    hooks = recipe(name, 30, 60)
    assert "lock_wait_timeout=28;" in hooks.lock
    assert "wait_timeout=61;" in hooks.lock
    assert (hooks.locked in hooks.lock, hooks.unlocked in hooks.unlock) == (True, True)
    assert (hooks.locked, hooks.unlocked) == (LOCKED, UNLOCKED)
    assert {"-n", "--skip-reconnect"} <= set(hooks.pre[2].split())


def shells() -> list[tuple[str, str]]:
    made = {name: make(30, 60) for name, make in RECIPES.items()}
    return [(name, argv[2]) for name, hooks in made.items() for argv in (hooks.pre, hooks.post) if len(argv) > 1]


@pytest.mark.parametrize(("name", "text"), shells())
def test_shell_texts_are_sound_and_hold_no_secret(name: str, text: str) -> None:
    checked = subprocess.run(["sh", "-n", "-c", text], capture_output=True, check=False)
    assert (checked.returncode, checked.stderr) == (0, b"")
    assert " -p" not in text


def test_the_password_of_the_container_reaches_the_client() -> None:
    text = recipe("mysql", 30, 60).pre[2].replace('exec "$client"', 'printf %s "$MYSQL_PWD"; exit; "$client"')
    env = {"PATH": "/usr/bin:/bin", "MYSQL_ROOT_PASSWORD": "a b$c'"}
    text = text.replace("for client in mysql mariadb", "for client in sh")
    assert subprocess.run(["sh", "-c", text], capture_output=True, env=env, check=True).stdout == b"a b$c'"


async def test_the_plan_shows_hooks_containers_and_what_to_expect() -> None:
    async with staged(replicas=2) as (stage, engine):

        async def planned(**params: Any) -> Any:
            wanted = {"namespace": SPACE, "statefulset": NAME, **params}
            return await engine.passing(engine.registry.plan("snapshots.create", engine.cluster, wanted, stage.clock))

        plan = await planned(recipe="mysql", hook_target="1")
        shown = {effect.what: effect.detail for effect in plan.effects if effect.verb == "change"}
        assert shown == {
            "pod db-1, container db (the only container)": "hooks: mysql; 30 s each, 60 s at most in all",
            "consistency to expect": EXPECT["mysql"],
        }
        assert plan.warnings == ("no hook runs for data-db-0: crash-consistent",)
        assert [step.name for step in plan.steps] == ["freeze", "cut", "thaw", "consistency", "ready", "keep"]
        plan = await planned(pre=["psql", "-c", "CHECKPOINT"])
        assert [step.name for step in plan.steps] == ["freeze", "cut", "consistency", "ready", "keep"]
        assert plan.params["hooks"]["gives"] == "crash"
        plan = await planned(recipe="mariadb", pre=["mariadb", "-n", "-uapp"])
        assert plan.params["hooks"]["pre"] == ["mariadb", "-n", "-uapp"]
        assert "BLOCK_COMMIT" in plan.params["hooks"]["lock"]
        for params, words in (
            ({"recipe": "mysql", "post": LOCK, "pre": LOCK}, "recipe mysql brings its own hooks"),
            ({"recipe": "mongodb", "pre": LOCK}, "recipe mongodb brings its own hooks"),
            ({"post": UNLOCK}, "without a pre hook has nothing to end"),
            ({"pre": "locker lock"}, "pre is not a list of words"),
            ({"pre": LOCK, "hook_timeout": 55}, "a freeze of 60 s is too short for hooks of 55 s"),
            ({"pre": LOCK, "hook_timeout": "soon"}, "'soon' is no number of seconds"),
            ({"pre": LOCK, "max_freeze": 0}, "0 s is out of range"),
            ({"pre": LOCK, "on_error": "ignore"}, "no way to go on"),
            ({"pre": LOCK, "hook_target": "7"}, "there is no replica 7"),
            ({"pre": LOCK, "hook_target": "primary"}, "no label says which pod is the primary"),
            ({"pre": LOCK, "hook_target": "label:role=x"}, "no pod carries role=x"),
            ({"pre": LOCK, "hook_container": "web"}, "there is no container 'web'"),
        ):
            with pytest.raises(PlanRefused, match=words):
                await planned(**params)


def test_a_database_without_hooks_is_told_of_its_recipe() -> None:
    images = [{"name": "a", "image": "mysql:8"}, {"name": "b", "image": "prom/mysqld-exporter"}]
    [said] = advice({"spec": {"template": {"spec": {"containers": images}}}})
    assert said.startswith("image mysql:8: ")
    assert "--recipe mysql" in said


def test_hooks_are_plain_data_in_a_plan() -> None:
    assert Hooks(pre=("a",), post=("b",)).holds
    assert not Hooks(how="once", pre=("a",)).holds

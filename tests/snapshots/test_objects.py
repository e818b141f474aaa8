"""StatefulSetBackups and StatefulSetRestores that stand on a cluster are run: each as it says, each once, and told."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import yaml

from lazarus_tui.engine.errors import Refused
from lazarus_tui.engine.policy_calls import ApplyParams, ContextParams, PolicyParams
from lazarus_tui.kube.errors import Forbidden
from lazarus_tui.model.resources import CRDS, DEPLOYMENTS, NAMESPACES
from lazarus_tui.snapshots.policies import status
from tests.engine.world import CONTEXT
from tests.snapshots import policy_files as files
from tests.snapshots.stage import Object
from tests.snapshots.ward import Commands, Ward, ward

WORKLOADS = {
    "basic": ("default", "postgresql"), "hooked": ("production", "postgresql"), "postgres": ("databases", "postgres"),
    "mongodb": ("databases", "mongodb"), "redis": ("cache", "redis"),
}  # fmt: skip
OPERATOR = "statefulset-backup-operator"


def restore_of(backup: Object, name: str, **spec: Any) -> str:
    """The manual's restore, of another backup."""
    ref = backup["spec"]["statefulSetRef"]
    text = files.RESTORE.replace("production", ref["namespace"]).replace("name: postgresql", f"name: {ref['name']}")
    return text.replace("restore-postgres", name).replace("postgres-scheduled-backup", backup["metadata"]["name"])


async def test_every_example_of_the_manual_goes_through_to_its_data_restored() -> None:
    async with ward() as it:
        commands = Commands(it.stage)
        for namespace, name in WORKLOADS.values():
            await it.deploy(namespace, name, 2 if namespace == "production" else 1)
        made = {name: it.put(text) for name, text in files.BACKUPS.items()}
        await it.look()
        assert it.told(made["basic"])[:2] == ("Ready", "Taken")
        assert it.told(made["hooked"])[:2] == ("Ready", "Scheduled")
        await it.stage.clock.advance(6 * 3600 + 60)
        await it.look()
        taken = {name: it.now(one)["status"]["lastBackupTime"][11:16] for name, one in made.items()}
        assert taken == {
            "basic": "00:00", "hooked": "02:00", "postgres": "06:00", "mongodb": "03:00", "redis": "06:00",
        }  # fmt: skip
        told = {argv for _, argv in commands.ran}
        assert {("redis-cli", "BGSAVE"), ("mongosh", "--eval", "db.fsyncUnlock()"), ("echo", "Backup completed")} < told
        hooked = [where for where, argv in commands.ran if argv[0] == "psql" and where.startswith("production")]
        assert sorted(hooked) == ["production/postgresql-0", "production/postgresql-1"]
        for namespace, _ in WORKLOADS.values():
            it.write(namespace, "spoiled")
        asked = [it.put(restore_of(one, f"restore-{name}")) for name, one in made.items() if name != "hooked"]
        asked.append(it.put(files.RESTORE))
        await it.look()
        assert [it.told(one)[:2] for one in asked] == [("Completed", "Restored")] * 5
        assert [it.data(namespace) for namespace, _ in WORKLOADS.values()] == [{"first"}] * 5
        it.write("production", "spoiled again")
        latest = it.put(files.LATEST)
        await it.look()
        assert (it.told(latest)[:2], it.data("production")) == (("Completed", "Restored"), {"first"})
        found = it.now(latest)["status"]
        assert (found["originalReplicas"], len(found["restoredSnapshots"])) == (2, 2)
        assert {one["pvcName"] for one in found["restoredSnapshots"]} == {"data-postgresql-0", "data-postgresql-1"}
        assert found["startTime"] <= found["completionTime"]
        assert it.events("production") == []


def once(**spec: Any) -> Object:
    """The manual's basic backup, for the stage's own workload."""
    body: Object = yaml.safe_load(files.BASIC)
    body["metadata"] = {"name": "mine", "namespace": "prod"}
    body["spec"]["statefulSetRef"] = {"name": "db"}
    body["spec"] |= spec
    return body


def often(**spec: Any) -> Object:
    return once(schedule="*/5 * * * *", **spec)


def restore(**spec: Any) -> Object:
    body: Object = yaml.safe_load(files.LATEST)
    body["metadata"] = {"name": "back", "namespace": "prod"}
    body["spec"] |= {"statefulSetRef": {"name": "db"}, **spec}
    return body


async def ready(it: Ward) -> None:
    """A set of ``first``, and other data since."""
    it.write("prod", "first")
    await it.stage.cut("good")
    it.write("prod", "spoiled")


async def test_a_killed_engine_neither_takes_a_set_twice_nor_restores_twice() -> None:
    async with ward() as it:
        it.write("prod", "first")
        backup = it.put(once())
        await it.begin()
        it = await it.reborn()
        await it.look()
        assert (it.told(backup)[:2], len(it.sets("prod"))) == (("Ready", "Taken"), 1)
        it.write("prod", "spoiled")
        asked = it.put(restore(useLatestBackup=False, backupName="mine"))
        await it.begin()
        assert it.told(asked)[:2] == ("ScalingDown", "TakenUp")
        it = await it.reborn()
        it.engine.runner.revoke(CONTEXT)  # nobody armed it: the consent was journalled with the operation
        await it.look()
        assert (it.told(asked)[:2], it.data("prod")) == (("Completed", "Restored"), {"first"})
        it = await it.reborn()
        await it.look()
        kinds = [one.kind for one in await it.operations()]
        assert sorted(kinds) == ["snapshots.create", "snapshots.restore-in-place"]


async def test_a_restore_that_was_taken_up_and_not_begun_is_begun_by_the_next_engine_of_the_journal() -> None:
    async with ward() as it:
        await ready(it)
        asked = it.put(restore())

        async def killed(*_: Any, **__: Any) -> Any:
            raise Refused("the power went")

        it.engine.runner.start = killed  # type: ignore[method-assign]
        await it.begin()
        assert (it.told(asked)[1], await it.operations()) == ("TakenUp", [])
        it = await it.reborn()
        await it.look()
        assert (it.told(asked)[:2], it.data("prod")) == (("Completed", "Restored"), {"first"})


async def test_what_another_lazarus_took_up_is_left_to_it() -> None:
    async with ward() as it:
        await ready(it)
        asked, backup = it.put(restore()), it.put(once())
        theirs = {"type": status.CONDITION, "status": "Unknown", "reason": "TakenUp", "message": "a restore begins (x)",
                  "lastTransitionTime": "2026-01-01T00:00:00Z", "observedGeneration": 1}  # fmt: skip
        it.say(asked, phase="Restoring", conditions=[theirs])
        it.say(backup, phase="Ready", conditions=[{**theirs, "status": "True", "reason": "Taken"}])
        await it.look()
        assert (await it.operations(), it.data("prod")) == ([], {"spoiled"})
        assert it.why(asked) == "its phase is Restoring: another Lazarus took it up"
        assert it.why(backup) == "its set was taken by another Lazarus"


async def test_two_engines_that_look_at_once_begin_one_restore() -> None:
    async with ward() as it:
        await ready(it)
        asked = it.put(restore())
        planned = it.engine.registry.plan

        async def slowly(*given: Any) -> Any:
            plan = await planned(*given)
            it.say(asked, phase="ScalingDown")  # the other one was faster by a moment
            return plan

        it.engine.registry.plan = slowly  # type: ignore[method-assign, assignment]
        await it.look()
        await it.look()
        assert (await it.operations(), it.data("prod")) == ([], {"spoiled"})
        assert it.why(asked) == "its phase is ScalingDown, and somebody else wrote that"


async def test_where_their_own_operator_runs_nothing_is_done_until_it_does_not() -> None:
    async with ward() as it:
        await ready(it)
        asked, backup = it.put(restore()), it.put(once())
        namespace = f"{OPERATOR}-system"
        it.stage.api.create(NAMESPACES, {"metadata": {"name": namespace}})
        pod = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "manager", "image": "controller"}]}}
        spec = {"replicas": 1, "selector": {"matchLabels": {"a": "b"}}, "template": pod}
        it.stage.api.create(DEPLOYMENTS, {"metadata": {"name": "c-m", "namespace": namespace}, "spec": spec}, namespace)
        await it.look()
        assert (await it.operations(), "status" in it.now(asked), "status" in it.now(backup)) == ([], False, False)
        assert it.why(asked) == it.why(backup)
        assert it.why(asked).startswith(f"its own operator runs (Deployment {namespace}/c-m)")
        it.stage.api.patch(DEPLOYMENTS, "c-m", {"spec": {"replicas": 0}}, namespace)
        await it.look()
        await it.look()  # the backup has waited for the restore of its workload
        assert (it.told(asked)[0], it.told(backup)[0], it.data("prod")) == ("Completed", "Ready", {"first"})


async def test_a_status_that_somebody_else_writes_is_respected_until_a_person_hands_it_over() -> None:
    async with ward() as it:
        done, running, asked = it.put(once()), it.put(often(), metadata={"name": "often"}), it.put(restore())
        for one in (done, running):
            it.say(one, phase="Ready", lastBackupTime="2025-12-31T02:00:00Z")
        it.say(asked, phase="Failed")
        await it.stage.clock.advance(400)
        await it.look()
        assert await it.operations() == []
        assert it.why(done) == "somebody else has run it: its phase is Ready"
        assert "annotate it lazarus.io/writes=schedules" in it.why(running)
        assert "somebody else wrote that" in it.why(asked)
        assert it.now(running)["status"] == {"phase": "Ready", "lastBackupTime": "2025-12-31T02:00:00Z"}
        it.annotate(running, "lazarus.io/writes", "schedules")
        await it.look()
        await it.stage.clock.advance(300)
        await it.look()
        assert (it.told(running)[:2], len(it.sets("prod"))) == (("Ready", "Taken"), 1)


async def test_a_restore_asks_a_person_and_follows_what_the_person_began() -> None:
    async with ward(in_place=False) as it:
        await ready(it)
        asked = it.put(restore())
        await it.look()
        phase, reason, message = it.told(asked)
        assert (phase, reason, await it.operations()) == ("New", "NeedsPerson", [])
        assert "kubectl get statefulsetrestores.backup.sts-backup.io back -n prod -o yaml | lazarus snap" in message
        plan = await it.stage.plan(it.engine, object=asked["metadata"]["uid"])
        it.stage.armed = True
        await it.engine.run(plan, plan.target)
        await it.look()
        assert (it.told(asked)[:2], it.data("prod")) == (("Completed", "Restored"), {"first"})
        it = await it.reborn(in_place=True)
        await it.look()
        assert len(await it.operations()) == 1


async def test_what_cannot_be_done_is_told_on_the_object_and_as_an_event_once() -> None:
    async with ward() as it:
        asked = it.put(restore(useLatestBackup=False, backupName="nothing"))
        lost = it.put(once(statefulSetRef={"name": "gone"}), metadata={"name": "lost"})
        wrong = it.put(once(schedule="at noon"), metadata={"name": "wrong"})
        hook = {"command": ["mysql", "--password=hunter2hunter2"]}
        secret = it.put(often(preBackupHook=hook), metadata={"name": "secret"})
        for _ in range(4):
            await it.look()
            await it.stage.clock.advance(120)
        assert it.told(asked)[:2] == ("Failed", "Refused")
        assert "no usable set of prod/db is called nothing" in it.told(asked)[2]
        assert it.told(lost)[:2] == ("Failed", "Refused")
        assert "there is no StatefulSet prod/gone" in it.told(lost)[2]
        assert it.told(wrong)[:2] == ("Failed", "Invalid")
        assert it.told(secret)[:2] == ("Failed", "Invalid")
        assert "the journal keeps no secrets" in it.told(secret)[2]
        assert "hunter2" not in repr(await it.engine.journal.events_of("policy"))
        assert it.events("prod") == ["BackupInvalid", "BackupInvalid", "BackupRefused", "RestoreRefused"]
        await ready(it)
        it.change(asked, backupName="good")
        await it.look()
        assert (it.told(asked)[:2], it.data("prod")) == (("Completed", "Restored"), {"first"})


async def test_a_restore_that_stops_says_on_the_object_what_to_type() -> None:
    async with ward() as it:
        await ready(it)
        asked = it.put(restore())
        await it.begin()
        [operation] = it.engine.runner.open
        await it.engine.passing(it.engine.runner.park(operation.id))
        await it.look()
        phase, reason, message = it.told(asked)
        assert (phase, reason, it.events("prod")) == ("ScalingDown", "Waits", ["RestoreWaits"])
        assert f"lazarus resume {operation.id[:8]}, or lazarus undo {operation.id[:8]}" in message
        it.stage.armed = True
        await it.engine.passing(it.engine.runner.undo(operation.id, "prod/db"))
        await it.look()
        assert (it.told(asked)[:2], it.data("prod")) == (("Failed", "Failed"), {"spoiled"})


async def test_retention_is_kept_as_the_object_says_and_ends_with_it() -> None:
    async with ward() as it:
        it.put(often(retentionPolicy={"keepLast": 1}))
        await it.look()
        for _ in range(3):
            await it.stage.clock.advance(300)
            await it.look()
        assert len(it.sets("prod")) == 1
        it.stage.api.delete(status.BACKUPS, "mine", "prod")
        await it.stage.clock.advance(300)
        await it.look()
        assert (it.policies.all(), len(it.sets("prod"))) == ([], 1)


async def test_what_may_not_be_listed_is_told_and_keeps_nothing_else_from_running(caplog: Any) -> None:
    async with ward() as it:
        await ready(it)
        it.put(often())
        await it.look()
        asked = it.put(restore())

        async def refused(request: Any) -> None:
            if request.path.endswith("/statefulsetbackups"):
                raise Forbidden("statefulsetbackups is forbidden")

        it.engine.wire.before = refused
        for _ in range(2):
            await it.stage.clock.advance(150)
            await it.look()
        assert (it.told(asked)[0], it.data("prod")) == ("Completed", {"first"})
        [held] = it.policies.all()
        assert held.blocked == "statefulsetbackups cannot be run: statefulsetbackups is forbidden"
        assert [one for one in it.sets("prod") if one.schedule == "mine"] == []
        assert sum("cannot be run" in one.message for one in caplog.records) == 1


async def test_another_cluster_behind_the_context_gets_nothing() -> None:
    async with ward() as it:
        await ready(it)
        it.put(often())
        await it.look()

        async def other() -> str:
            return "another cluster"

        it.engine.cluster.cluster_uid = other  # type: ignore[method-assign]
        asked = it.put(restore())
        await it.stage.clock.advance(300)
        await it.look()
        assert ("status" in it.now(asked), await it.operations(), it.data("prod")) == (False, [], {"spoiled"})
        assert "leads to another cluster than before" in it.policies.all()[0].blocked


async def test_without_a_status_nothing_is_restored() -> None:
    async with ward() as it:
        await ready(it)
        name = f"{status.RESTORES.plural}.{status.RESTORES.group}"
        definition = it.stage.api.get(CRDS, name)
        assert definition is not None
        versions = [{**one, "subresources": {}} for one in definition["spec"]["versions"]]
        it.stage.api.patch(CRDS, name, {"spec": {"versions": versions}})
        asked = it.put(restore())
        await it.look()
        assert "its definition has no status subresource" in it.why(asked)
        assert (await it.operations(), it.data("prod")) == ([], {"spoiled"})


async def test_by_themselves_they_are_looked_at_and_run_without_any_schedule_beside_them() -> None:
    async with ward() as it:

        async def connect(_: str) -> None: ...

        loops = [asyncio.create_task(one.run(connect)) for one in (it.scheduler, it.objects)]
        backup = it.put(once())
        await it.stage.until(lambda: it.told(backup)[0] == "Ready", "the set is taken")
        for one in loops:
            one.cancel()
        await asyncio.gather(*loops, return_exceptions=True)
        assert (len(it.sets("prod")), it.why(backup)) == (1, "")


async def test_without_the_setting_objects_are_only_listed() -> None:
    async with ward(run=False) as it:
        backup, asked = it.put(once()), it.put(restore())
        await it.look()
        assert (await it.operations(), "status" in it.now(backup), "status" in it.now(asked)) == ([], False, False)
        rows = await it.calls().methods["policy.list"][1](None, ContextParams(CONTEXT))
        assert [(row.name, row.means, row.source) for row in rows] == [
            ("back", "restores prod/db", "cluster"), ("mine", "once", "cluster"),
        ]  # fmt: skip
        assert all("policies.run_objects" in row.trouble for row in rows)


async def test_a_name_belongs_to_the_object_or_to_the_file_and_never_to_both() -> None:
    async with ward() as it:
        it.put(often())
        await it.look()
        methods = it.calls().methods
        own = files.OWN.replace("nightly", "mine")
        with pytest.raises(Refused, match="prod/mine is the name of a StatefulSetBackup"):
            await methods["policy.apply"][1](None, ApplyParams(CONTEXT, own))
        with pytest.raises(Refused, match="is an object of the cluster"):
            await methods["policy.delete"][1](None, PolicyParams(CONTEXT, "prod/mine"))
        [row] = await methods["policy.list"][1](None, ContextParams(CONTEXT))
        assert (row.name, row.source, row.trouble) == ("mine", "engine", "")
        filed = files.MONGODB.replace("databases", "prod").replace("name: mongodb\n", "name: db\n")
        Commands(it.stage)
        applying = methods["policy.apply"][1](None, ApplyParams(CONTEXT, filed, "schedules"))
        row = await it.engine.passing(applying)
        assert (row.name, row.kept_by[:18]) == ("mongodb-backup", "nothing is removed")
        await methods["policy.delete"][1](None, PolicyParams(CONTEXT, "mongodb-backup"))
        other = it.put(often(statefulSetRef={"name": "db", "namespace": "prod"}), metadata={"namespace": "default"})
        await it.look()
        assert it.why(other) == "prod/mine is stored already: it is the name of a StatefulSetBackup in prod"
        forgotten = await it.reborn(run=False)
        assert forgotten.policies.all() == []

"""Workloads: rollout, scale, autoscale, expose, jobs and cron jobs, logs, nodes."""

from __future__ import annotations

from .kubectl_run import Script, run

CRON = """
apiVersion: batch/v1
kind: CronJob
metadata: {name: nightly}
spec:
  schedule: "0 3 * * *"
  jobTemplate:
    spec:
      template:
        spec:
          restartPolicy: Never
          containers: [{name: main, image: "lazarus.dev/task:1", args: [say, done]}]
"""

TALKERS = """
apiVersion: v1
kind: Pod
metadata: {name: pair, labels: {talks: "yes"}}
spec:
  containers:
  - {name: left, image: "lazarus.dev/task:1", args: [say, left-1, say, left-2, say, left-3, sleep, "3600"]}
  - {name: right, image: "lazarus.dev/task:1", args: [say, right-1, sleep, "3600"]}
---
apiVersion: v1
kind: Pod
metadata: {name: single, labels: {talks: "yes"}}
spec:
  containers: [{name: main, image: "lazarus.dev/task:1", args: [say, single-1, sleep, "3600"]}]
---
apiVersion: v1
kind: Pod
metadata: {name: again}
spec:
  containers: [{name: main, image: "lazarus.dev/task:1", args: [say, said-before, exit, "4"]}]
"""

ROLLOUT = Script(
    "rollout",
    (
        run("create deployment app --image=lazarus.dev/pause:1 --replicas=2", "deployment.apps/app created"),
        run("rollout status deployment/app --timeout=80s", 'deployment "app" successfully rolled out'),
        run("annotate deployment app kubernetes.io/change-cause=first", "annotated"),
        run("rollout history deployment/app", r"^REVISION +CHANGE-CAUSE$", r"^1 +first$", until=True),
        run("set env deployment/app COLOUR=blue", "env updated"),
        run("rollout status deployment/app --timeout=80s", "successfully rolled out"),
        run("rollout history deployment/app --revision=2", "COLOUR:.*blue"),
        run("rollout undo deployment/app", "deployment.apps/app rolled back"),
        run("rollout status deployment/app --timeout=80s", "successfully rolled out"),
        run("set env deployment/app --list", "# deployment/app|# Deployment app", lacks="COLOUR"),
        run("rollout history deployment/app", r"^2 ", r"^3 ", lacks=r"^1 "),
        run("rollout pause deployment/app", "deployment.apps/app paused"),
        run("set env deployment/app COLOUR=red", "env updated"),
        run("get deployment app -o jsonpath={.spec.paused}", exact="true"),
        run("get pods -l app=app -o jsonpath={.items[*].spec.containers[*].env}", exact="", until=True),
        run("rollout resume deployment/app", "deployment.apps/app resumed"),
        run("rollout status deployment/app --timeout=80s", "successfully rolled out"),
        run("rollout restart deployment/app", "deployment.apps/app restarted"),
        run("rollout status deployment/app --timeout=80s", "successfully rolled out"),
        run("get deployment app -o jsonpath={.spec.template.metadata.annotations}", "kubectl.kubernetes.io/restartedAt"),
        run("scale deployment/app --replicas=3", "deployment.apps/app scaled"),
        run("scale deployment/app --current-replicas=9 --replicas=1", code=1, errs="[Ee]xpected replicas to be 9, was 3"),
        run("wait deployment/app --for=jsonpath={.status.readyReplicas}=3 --timeout=80s", "condition met"),
        run("wait deployment/app --for=condition=Available --timeout=80s", "deployment.apps/app condition met"),
        run("wait deployment/app --for=condition=Nonsense --timeout=1s", code=1, errs="timed out waiting for the condition"),
        run("autoscale deployment/app --min=1 --max=4 --cpu-percent=80", "horizontalpodautoscaler.autoscaling/app autoscaled"),
        run("get hpa app", r"^app +Deployment/app .* 1 +4 "),
        run("describe hpa app", r"Min replicas: +1", r"Reference: +Deployment/app"),
        run("expose deployment app --port=80 --target-port=8080 --name=front", "service/front exposed"),
        run("get service front -o jsonpath={.spec.selector}{.spec.ports[0].targetPort}", exact='{"app":"app"}8080'),
        run("get deployment app", r"^NAME +READY +UP-TO-DATE +AVAILABLE +AGE$", r"^app +3/3 +3 +3"),
        run("describe deployment app", "StrategyType: +RollingUpdate", r"Replicas: +3 desired \| 3 updated \| 3 total"),
    ),
)  # fmt: skip

JOBS = Script(
    "jobs",
    (
        run("create job once --image=lazarus.dev/task:1 --dry-run=client -o yaml", "kind: Job"),
        run("create -f {dir}/cron.yaml", "cronjob.batch/nightly created"),
        run("get cronjob nightly", r"^nightly +0 3 \* \* \*"),
        run("create job now --from=cronjob/nightly", "job.batch/now created"),
        run("wait --for=condition=complete job/now --timeout=80s", "job.batch/now condition met"),
        run("logs job/now", exact="done"),
        run("get job now -o jsonpath={.status.succeeded}/{.metadata.ownerReferences[0].kind}", exact="1/CronJob"),
        run("get job now", r"^now +Complete +1/1"),
        run("describe job now", r"Pods Statuses: +0 Active .*1 Succeeded"),
        run("""patch cronjob nightly -p '{"spec":{"suspend":true}}'""", "patched"),
        run("describe cronjob nightly", r"Suspend: +True"),
        run("delete cronjob nightly --timeout=80s", 'cronjob.batch "nightly" deleted'),
        run("get job,pod -o name", exact="", until=True),
    ),
    {"cron.yaml": CRON},
)  # fmt: skip

LOGS = Script(
    "logs",
    (
        run("create -f {dir}/talkers.yaml", "pod/pair created", "pod/single created"),
        run("wait --for=condition=Ready pod/pair pod/single --timeout=80s", "pair condition met", "single condition met"),
        run("logs single", exact="single-1", until=True),
        run("logs pair -c left", exact="left-1\nleft-2\nleft-3", until=True),
        run("logs pair -c right", exact="right-1", until=True),
        run("logs pair", exact="left-1\nleft-2\nleft-3", errs='Defaulted container "left" out of: left, right'),
        run("logs pair --all-containers", r"^left-3$", r"^right-1$"),
        run("logs pair --all-containers --prefix", r"^\[pod/pair/left\] left-1$", r"^\[pod/pair/right\] right-1$"),
        run("logs -l talks=yes --all-containers --tail=-1", r"^left-1$", r"^right-1$", r"^single-1$"),
        run("logs pair -c left --tail=1", exact="left-3"),
        run("logs pair -c left --tail=0", exact=""),
        run("logs pair -c left --limit-bytes=9", exact="left-1\nle"),
        run("logs pair -c left --timestamps --tail=1", r"^20\d\d-\d\d-\d\dT[0-9:.]+Z left-3$"),
        run("logs pair -c left --since=1h", exact="left-1\nleft-2\nleft-3"),
        run("logs pair -c left --since-time=2099-01-01T00:00:00Z", exact=""),
        run("logs pair -c nobody", code=1, errs="container nobody is not valid for pod pair"),
        run("logs single --previous", code=1, errs='previous terminated container "main" in pod "single" not found'),
        run("get pod again", r"CrashLoopBackOff|Error", until=True),
        run("wait pod/again --for=jsonpath={.status.containerStatuses[0].lastState.terminated.exitCode}=4 --timeout=80s", "condition met"),
        run("get pod again -o jsonpath={.status.containerStatuses[0].restartCount}", r"^[1-9]\d*$", until=True),
        run("logs again --previous", exact="said-before"),
        run("logs deployment/writer -n shop --tail=1", r"\w", until=True),
        run("logs deployment/nobody", code=1, errs='"nobody" not found'),
        run("logs nobody", code=1, errs='pods "nobody" not found'),
        run("logs -f again --ignore-errors --tail=1", r"said-before"),
    ),
    {"talkers.yaml": TALKERS},
)  # fmt: skip

NODES = Script(
    "nodes",
    (
        run("get nodes", r"^sandbox-node +Ready +\S+ +\S+ +v1\."),
        run("label node sandbox-node zone=here", "node/sandbox-node labeled"),
        run("taint node sandbox-node lazarus.dev/test=yes:PreferNoSchedule", "node/sandbox-node tainted"),
        run("describe node sandbox-node", r"Taints: +lazarus.dev/test=yes:PreferNoSchedule", r"zone=here", r"Ready +True"),
        run("taint node sandbox-node lazarus.dev/test=yes:PreferNoSchedule-", "node/sandbox-node untainted"),
        run("label node sandbox-node zone-", "node/sandbox-node unlabeled"),
        run("create deployment app --image=lazarus.dev/pause:1", "created"),
        run("rollout status deployment/app --timeout=80s", "successfully rolled out"),
        run("cordon sandbox-node", "node/sandbox-node cordoned"),
        run("get nodes", r"^sandbox-node +Ready,SchedulingDisabled"),
        run("run waits --image=lazarus.dev/pause:1", "created"),
        run("get pod waits -o jsonpath={.status.conditions[0].reason}", exact="Unschedulable", until=True),
        run("drain sandbox-node --pod-selector=app=app --timeout=80s", r"evicting pod .*/app-", "node/sandbox-node drained"),
        run("get pod -l app=app -o jsonpath={.items[*].status.phase}", exact="Pending", until=True),
        run("uncordon sandbox-node", "node/sandbox-node uncordoned"),
        run("wait --for=condition=Ready pod/waits --timeout=80s", "pod/waits condition met"),
        run("rollout status deployment/app --timeout=80s", "successfully rolled out"),
    ),
)  # fmt: skip

SCRIPTS = (ROLLOUT, JOBS, LOGS, NODES)

"""Objects made, changed and removed: create, apply, diff, edit, patch, label, set, replace, delete."""

from __future__ import annotations

from .kubectl_run import Script, run

WEB = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web}}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: web
        image: lazarus.dev/web:1
        ports: [{name: http, containerPort: 8080}]
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{name: http, port: 80, targetPort: http}]}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: web, labels: {app: web}}
data: {colour: blue}
"""

PLAIN = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: plain, labels: {part: a}}\ndata: {one: '1', two: '2'}\n"
SHARED = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: shared}\ndata: {colour: COLOUR}\n"
# An editor for KUBE_EDITOR: it puts the edited file through sed.
EDITOR = '#!/bin/sh\nexec sed -i -e \'s/two: "2"/two: "22"/\' "$1"\n'

APPLY = Script(
    "apply",
    (
        run("apply -f {dir}/web.yaml", "deployment.apps/web created", "service/web created", "configmap/web created"),
        run("apply -f {dir}/web.yaml", "deployment.apps/web unchanged", "service/web unchanged", lacks="configured"),
        run("diff -f {dir}/web.yaml", exact=""),
        run("diff -f {dir}/web2.yaml", r"^-  replicas: 1$", r"^\+  replicas: 2$", lacks="colour", code=1),
        run("apply -f {dir}/web2.yaml --dry-run=client", r"deployment.apps/web configured \(dry run\)"),
        run("apply -f {dir}/web2.yaml --dry-run=server", r"deployment.apps/web configured \(server dry run\)"),
        run("get deployment web -o jsonpath={.spec.replicas}", exact="1"),
        run("apply -f {dir}/web2.yaml", "deployment.apps/web configured", "service/web unchanged"),
        run("get deployment web -o jsonpath={.spec.replicas}", exact="2"),
        run("apply view-last-applied deployment/web", "replicas: 2"),
        run("apply set-last-applied -f {dir}/web.yaml", "deployment.apps/web configured"),
        run("apply view-last-applied deployment/web -o json", '"replicas": 1'),
        run("apply -f {dir}/typo.yaml", code=1, errs='unknown field "spec.replicsa"'),
        run("apply -f {dir}/typo.yaml --validate=warn", "configured", errs='Warning: unknown field "spec.replicsa"'),
        run("apply -f {dir}/wrong.yaml", code=1, errs="spec.replicas"),
        run("delete -f {dir}/web.yaml", 'deployment.apps "web" deleted', 'service "web" deleted'),
        run("get deployment,service,configmap web", code=1, errs='configmaps "web" not found'),
    ),
    {
        "web.yaml": WEB,
        "web2.yaml": WEB.replace("replicas: 1", "replicas: 2"),
        "typo.yaml": WEB.replace("replicas: 1", "replicas: 2\n  replicsa: 3"),
        "wrong.yaml": WEB.replace("replicas: 1", "replicas: -1"),
    },
)

SERVER_SIDE = Script(
    "server-side-apply",
    (
        run("apply --server-side -f {dir}/blue.yaml --field-manager=team-a", "configmap/shared serverside-applied"),
        run(
            "apply --server-side -f {dir}/red.yaml --field-manager=team-b",
            code=1,
            errs=[r'conflict with "team-a".*: \.data\.colour', "--force-conflicts"],
        ),
        run("get configmap shared -o jsonpath={.data.colour}", exact="blue"),
        run(
            "apply --server-side -f {dir}/red.yaml --field-manager=team-b --force-conflicts --dry-run=server",
            r"configmap/shared serverside-applied \(server dry run\)",
        ),
        run("get configmap shared -o jsonpath={.data.colour}", exact="blue"),
        run(
            "diff --server-side -f {dir}/red.yaml --field-manager=team-b --force-conflicts", r"^\+  colour: red", code=1
        ),
        run("apply --server-side -f {dir}/red.yaml --field-manager=team-b --force-conflicts", "serverside-applied"),
        run("get configmap shared -o yaml --show-managed-fields", "manager: team-b", "operation: Apply", "colour: red"),
        run("get configmap shared -o yaml", "colour: red", lacks="managedFields"),
    ),
    {"blue.yaml": SHARED.replace("COLOUR", "blue"), "red.yaml": SHARED.replace("COLOUR", "red")},
)

PRUNE = Script(
    "prune",
    (
        run("apply -f {dir}/both", "configmap/old created", "configmap/new created"),
        run(
            "apply -f {dir}/both/new.yaml --prune -l set=one --prune-allowlist=core/v1/ConfigMap",
            "configmap/new unchanged",
            "configmap/old pruned",
        ),
        run("get configmap -l set=one -o name", exact="configmap/new"),
    ),
    {
        f"both/{name}.yaml": f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}, labels: {{set: one}}}}\n"
        for name in ("old", "new")
    },
)

CREATE = Script(
    "create",
    (
        run("create configmap settings --from-literal=colour=blue --from-file={dir}/note.txt", "settings created"),
        run("get configmap settings -o jsonpath={.data}", r'"colour":"blue"', r'"note.txt":"hello\\n"'),
        run("create configmap settings --from-literal=a=b", code=1, errs='configmaps "settings" already exists'),
        run("create secret generic key --from-literal=password=s3cret", "secret/key created"),
        run("get secret key -o go-template='{{.data.password | base64decode}} {{.type}}'", exact="s3cret Opaque"),
        run("create secret docker-registry pull --docker-server=r --docker-username=u --docker-password=p", "created"),
        run("get secret pull -o jsonpath={.type}", exact="kubernetes.io/dockerconfigjson"),
        run("create serviceaccount robot", "serviceaccount/robot created"),
        run("create quota small --hard=pods=5,configmaps=9", "resourcequota/small created"),
        run("get quota small -o jsonpath={.spec.hard.pods}", exact="5"),
        run("create service clusterip plain --tcp=80:8080", "service/plain created"),
        run("get service plain -o jsonpath={.spec.type}/{.spec.ports[0].targetPort}", exact="ClusterIP/8080"),
        run("create poddisruptionbudget calm --selector=app=web --min-available=1", "poddisruptionbudget.*calm created"),
        run("get pdb calm -o jsonpath={.spec.minAvailable}", exact="1"),
        run("create priorityclass kc-high --value=7 --dry-run=server -o yaml", "value: 7"),
        run("create ingress front --rule=shop.example/=web:80", "ingress.networking.k8s.io/front created"),
        run("create deployment made --image=lazarus.dev/pause:1 --replicas=2 --dry-run=client -o yaml", "replicas: 2"),
        run("get deployment made", code=1, errs='deployments.apps "made" not found'),
        run("create -f {dir}/plain.yaml --dry-run=server -o jsonpath={.metadata.uid}", r"^[0-9a-f-]{36}$"),
        run("create -f {dir}/plain.yaml", "configmap/plain created"),
        run("create -f {dir}/plain.yaml", code=1, errs="AlreadyExists"),
        run("create -f -", code=1, errs=r'"Bad_Name" is invalid: metadata.name', stdin=PLAIN.replace("plain", "Bad_Name")),
        run("create -f -", code=1, errs='no matches for kind "Nonsense" in version "v1"', stdin="apiVersion: v1\nkind: Nonsense\nmetadata: {name: a}\n"),
    ),
    {"note.txt": "hello\n", "plain.yaml": PLAIN},
)  # fmt: skip

CHANGE = Script(
    "change",
    (
        run("create -f {dir}/plain.yaml", "configmap/plain created"),
        run("edit configmap plain", "configmap/plain edited", KUBE_EDITOR="{dir}/editor"),
        run("get configmap plain -o jsonpath={.data.two}", exact="22"),
        run("edit configmap plain", errs="Edit cancelled, no changes made", KUBE_EDITOR="true"),
        run("""patch configmap plain --type=merge -p '{"data":{"one":null,"three":"3"}}'""", "configmap/plain patched"),
        run("get configmap plain -o jsonpath={.data}", exact='{"three":"3","two":"22"}'),
        run("""patch configmap plain --type=merge -p '{"data":{"three":"3"}}'""", r"configmap/plain patched \(no change\)"),
        run("""patch configmap plain --type=json -p '[{"op":"test","path":"/data/two","value":"22"},{"op":"remove","path":"/data/two"}]'""", "patched"),
        run("""patch configmap plain --type=json -p '[{"op":"test","path":"/data/three","value":"9"}]'""", code=1, errs="Invalid|invalid"),
        run("create deployment app --image=lazarus.dev/pause:1", "deployment.apps/app created"),
        run("""patch deployment app -p '{"spec":{"template":{"spec":{"containers":[{"name":"side","image":"lazarus.dev/pause:1"}]}}}}'""", "patched"),
        run("get deployment app -o jsonpath={.spec.template.spec.containers[*].name}", exact="side pause"),
        run("""patch deployment app --subresource=scale --type=merge -p '{"spec":{"replicas":2}}'""", "patched"),
        run("get deployment app --subresource=scale -o jsonpath={.spec.replicas}", exact="2"),
        run("label configmap plain tier=gold", "configmap/plain labeled"),
        run("label configmap plain tier=iron", code=1, errs="already has a value"),
        run("label configmap plain tier=iron --overwrite", "configmap/plain labeled"),
        run("label configmap plain tier-", "configmap/plain unlabeled"),
        run("annotate configmap plain note='two words'", "configmap/plain annotated"),
        run("get configmap plain -o jsonpath={.metadata.annotations.note}", exact="two words"),
        run("annotate --all configmap swept=yes", "configmap/plain annotate"),
        run("set image deployment/app pause=lazarus.dev/pause:2 side=lazarus.dev/pause:3", "deployment.apps/app image updated"),
        run("set env deployment/app -c pause COLOUR=blue", "deployment.apps/app env updated"),
        run("set env deployment/app --list", "COLOUR=blue"),
        run("set resources deployment/app -c pause --limits=cpu=200m,memory=64Mi --requests=cpu=100m", "resource requirements updated"),
        run("set serviceaccount deployment/app default", "serviceaccount updated"),
        run("""get deployment app -o jsonpath="{.spec.template.spec.containers[?(@.name=='pause')]}" """, '"image":"lazarus.dev/pause:2"', '"cpu":"200m"', '"name":"COLOUR"'),
        run("create service clusterip app --tcp=80", "created"),
        run("set selector service app tier=gold", "service/app selector updated"),
        run("get service app -o jsonpath={.spec.selector}", exact='{"tier":"gold"}'),
        run("replace -f {dir}/plain2.yaml", "configmap/plain replaced"),
        run("get configmap plain -o jsonpath={.data}", exact='{"one":"1","two":"9"}'),
        run("replace --force -f {dir}/plain.yaml", 'configmap "plain" deleted', "configmap/plain replaced"),
        run("replace -f {dir}/absent.yaml", code=1, errs='"absent" not found'),
    ),
    {
        "plain.yaml": PLAIN,
        "plain2.yaml": PLAIN.replace("'2'", "'9'"),
        "absent.yaml": PLAIN.replace("plain", "absent"),
        "editor": EDITOR,
    },
)  # fmt: skip

DELETE = Script(
    "delete",
    (
        run("create deployment back --image=lazarus.dev/pause:1", "created"),
        run("rollout status deployment/back --timeout=80s", "successfully rolled out"),
        run("delete deployment back --cascade=background", 'deployment.apps "back" deleted'),
        run("get replicaset,pod -l app=back -o name", exact="", until=True),
        run("create deployment front --image=lazarus.dev/pause:1", "created"),
        run("rollout status deployment/front --timeout=80s", "successfully rolled out"),
        run("delete deployment front --cascade=foreground --timeout=80s", 'deployment.apps "front" deleted'),
        run("get replicaset,pod -l app=front -o name", exact=""),
        run("create deployment orphan --image=lazarus.dev/pause:1", "created"),
        run("rollout status deployment/orphan --timeout=80s", "successfully rolled out"),
        run("delete deployment orphan --cascade=orphan", 'deployment.apps "orphan" deleted'),
        run("get replicaset -l app=orphan -o jsonpath={.items[*].metadata.ownerReferences}{.items[*].kind}", exact="ReplicaSet"),
        run("delete replicaset -l app=orphan", r'replicaset.apps "orphan-\w+" deleted'),
        run("create configmap held", "created"),
        run("""patch configmap held --type=merge -p '{"metadata":{"finalizers":["lazarus.dev/hold"]}}'""", "patched"),
        run("delete configmap held --timeout=1s", 'configmap "held" deleted', code=1, errs="timed out waiting for the condition"),
        run("get configmap held -o jsonpath={.metadata.deletionTimestamp}", r"^20\d\d-"),
        run("delete configmap held --wait=false", 'configmap "held" deleted'),
        run("""patch configmap held --type=merge -p '{"metadata":{"finalizers":null}}'""", "patched"),
        run("wait --for=delete configmap/held --timeout=80s", exact=""),
        run("run slow --image=lazarus.dev/pause:1", "pod/slow created"),
        run("wait --for=condition=Ready pod/slow --timeout=80s", "pod/slow condition met"),
        run("delete pod slow --force --grace-period=0", 'pod "slow" force deleted', errs="Immediate deletion does not wait"),
        run("delete pod nobody", code=1, errs='pods "nobody" not found'),
        run("delete pod nobody --ignore-not-found", exact=""),
        run("create configmap one", "created"),
        run("delete configmap --field-selector=metadata.name=one --dry-run=server", r'"one" deleted \(server dry run\)'),
        run("delete configmap --all --ignore-not-found", 'configmap "one" deleted'),
    ),
)  # fmt: skip

SCRIPTS = (APPLY, SERVER_SIDE, PRUNE, CREATE, CHANGE, DELETE)

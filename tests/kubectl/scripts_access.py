"""Who may what: auth can-i, whoami, roles, tokens, impersonation."""

from __future__ import annotations

from .kubectl_run import Script, run

ROBOT = "--as=system:serviceaccount:{ns}:robot"

RIGHTS = Script(
    "rights",
    (
        run("auth whoami", r"Username +lazarus-admin", "system:masters"),
        run("auth whoami -o json", '"username": "lazarus-admin"'),
        run("auth can-i '*' '*' --all-namespaces", exact="yes"),
        run("auth can-i --list", r"^\*\.\* "),
        run("create serviceaccount robot", "created"),
        run(f"auth can-i get pods {ROBOT}", exact="no", code=1),
        run(f"get pods {ROBOT}", code=1, errs=r'Forbidden.*User "system:serviceaccount:{}:robot" cannot list resource "pods"'.replace("{}", r"[a-z0-9-]+")),
        run("create role reader --verb=get,list,watch --resource=pods,pods/log", "role.rbac.authorization.k8s.io/reader created"),
        run("create rolebinding robot-reads --role=reader --serviceaccount={ns}:robot", "rolebinding.*robot-reads created"),
        run(f"auth can-i get pods {ROBOT}", exact="yes"),
        run(f"auth can-i get pods --subresource=log {ROBOT}", exact="yes"),
        run(f"auth can-i delete pods {ROBOT}", exact="no", code=1),
        run(f"auth can-i get pods -n default {ROBOT}", exact="no", code=1),
        run(f"get pods {ROBOT}", errs="No resources found"),
        run(f"delete pod some {ROBOT}", code=1, errs=r'Forbidden.*cannot delete resource "pods"'),
        run(f"auth can-i --list {ROBOT}", r"^pods +\[\] +\[\] +\[get list watch\]"),
        run("create clusterrole kc-nodes --verb=get --resource=nodes --dry-run=server -o jsonpath={.rules[0].verbs}", exact='["get"]'),
        run("auth reconcile -f {dir}/role.yaml", "role.rbac.authorization.k8s.io/writer reconciled"),
        run("get role writer -o jsonpath={.rules[0].verbs}", "create"),
        run("describe role reader", r"^  pods +\[\] +\[\] +\[get list watch\]$"),
        run("describe rolebinding robot-reads", "ServiceAccount +robot"),
        run("create token robot --duration=20m", r"^[\w-]+\.[\w-]+\.[\w-]+$"),
        run("create token nobody", code=1, errs='serviceaccounts "nobody" not found'),
        run("get pods --as=nobody --as-group=system:masters", errs="No resources found"),
        run("get pods --token=wrong --kubeconfig={dir}/anonymous", code=1, errs="provide credentials|Unauthorized|connection refused|localhost"),
    ),
    {
        "role.yaml": "apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: {name: writer, namespace: {ns}}\n"
        "rules: [{apiGroups: [''], resources: [configmaps], verbs: [create]}]\n",
        "anonymous": "apiVersion: v1\nkind: Config\n",
    },
)  # fmt: skip

SCRIPTS = (RIGHTS,)

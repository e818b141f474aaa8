"""Every kind of fault: what it does, its parameters with their defaults and limits, and an example.

The command line's help, the checks of the private endpoint and the documentation are made of this one table.
"""

from __future__ import annotations

from msgspec.structs import replace

from lazarus_tui.sandbox.faults.model import VERBS, WRITE_VERBS, FaultRefused, Wanted
from lazarus_tui.sandbox.faults.parameters import Kind, Parameter, meant

_DAY = 86400.0


def _after(what: str) -> Parameter:
    return Parameter("after", "flag", f"Let the request be carried out first; {what}.", False)


_HOOK = Parameter("webhook", "text", "The webhook's name.", "policy.example.com")

KINDS: tuple[Kind, ...] = (
    Kind(
        "latency",
        "Answers come late.",
        "latency --seconds 2 --jitter 500ms --verb list --resource backups.velero.io --for 5m",
        (
            Parameter("seconds", "seconds", "How late.", most=_DAY),
            Parameter("jitter", "seconds", "Up to this much more, drawn for each request.", 0.0, most=_DAY),
            _after("its answer is what is late"),
        ),
    ),
    Kind(
        "error",
        "Requests are answered with a failure: 500, 502, 503, 504, 507 …",
        "error --status 503 --rate 20% --seed 7",
        (
            Parameter("status", "number", "The HTTP status.", 503, least=400, most=599),
            Parameter(
                "body", "choice", "A Status of the API, or the page of a balancer.", "status", ("status", "html")
            ),
            Parameter(
                "retry-after", "number", "Seconds in a Retry-After header; -1 for none.", -1, least=-1, most=_DAY
            ),
            _after("only its answer is lost"),
        ),
    ),
    Kind(
        "throttle",
        "The server asks to slow down: 429 with Retry-After.",
        "throttle --retry-after 3 --rate 0.3",
        (Parameter("retry-after", "number", "Seconds to wait.", 1, most=_DAY),),
    ),
    Kind("reset", "The connection breaks before the request is carried out.", "reset --verb create --times 1"),
    Kind(
        "reset-after",
        "The request is carried out, then the connection breaks: the answer is lost.",
        "reset-after --verb create --resource restores.velero.io --times 1",
        usual=WRITE_VERBS,
    ),
    Kind(
        "stall",
        "The connection stays open and silent until the fault ends, and breaks then.",
        "stall --verb watch --resource pods --for 2m",
        (
            Parameter("bytes", "number", "Let this many bytes of the answer through first (implies after).", 0),
            _after("its answer never comes"),
        ),
    ),
    Kind(
        "cut",
        "An answer, by default a watch, is cut off after some bytes.",
        "cut --bytes 100 --inside character --times 1",
        (
            Parameter("bytes", "number", "Bytes let through, counted from the answer's first."),
            Parameter(
                "inside",
                "choice",
                "Cut exactly there, inside the line then running, or inside the next character of several bytes.",
                "anything",
                ("anything", "line", "character"),
            ),
            Parameter(
                "end", "choice", "How it ends: broken off, or closed as if it were whole.", "reset", ("reset", "close")
            ),
        ),
        verbs=("watch", "list", "get"),
        usual=("watch",),
    ),
    Kind(
        "trickle",
        "Answers come slowly, a few bytes at a time.",
        "trickle --rate-bytes 1 --verb list",
        (Parameter("rate-bytes", "number", "Bytes a second.", 1, least=1),),
        verbs=("watch", "list", "get"),
    ),
    Kind(
        "gone",
        "The past is forgotten: running watches end with 410, older versions are answered with 410.",
        "gone --resource backups.velero.io",
        verbs=("watch", "list"),
        once=True,
    ),
    Kind(
        "token-expired",
        "Tokens are answered with 401 until the fault ends.",
        "token-expired --for 30s",
        (
            Parameter(
                "whose",
                "choice",
                "The administrator's token, those of service accounts, or all.",
                "admin",
                ("admin", "service", "all"),
            ),
            Parameter("renew", "flag", "At the end there is a new administrator's token, and a new kubeconfig.", True),
        ),
    ),
    Kind(
        "stale",
        'Reads that accept any version (resourceVersion "0") see an older one.',
        "stale --versions 50 --rate 50%",
        (Parameter("versions", "number", "How many versions older than the newest.", 50, least=1),),
        verbs=("get", "list"),
    ),
    Kind(
        "webhook-denied",
        "An admission webhook says no to writes.",
        "webhook-denied --verb create --resource restores.velero.io --message 'not on Fridays'",
        (
            _HOOK,
            Parameter("message", "text", "The webhook's reason.", "denied on demand"),
            Parameter(
                "status", "number", "What the webhook answers with (400 when it names none).", 400, least=400, most=499
            ),
        ),
        verbs=WRITE_VERBS,
    ),
    Kind(
        "webhook-failing",
        "An admission webhook cannot be called, so writes fail.",
        "webhook-failing --resource pods --for 1m",
        (_HOOK, Parameter("why", "choice", "What goes wrong.", "refused", ("refused", "timeout", "no-service"))),
        verbs=WRITE_VERBS,
    ),
    Kind(
        "forbidden",
        "A right is withdrawn: 403, and access reviews say so too.",
        "forbidden --verb create --resource restores.velero.io --namespace velero",
    ),
    Kind(
        "conflict",
        "Somebody else is always faster: 409 on writes.",
        "conflict --resource statefulsets.apps --times 3",
        verbs=WRITE_VERBS,
        usual=("update", "patch", "delete"),
    ),
    Kind(
        "etcd",
        "etcd fails: 500 with its texts.",
        "etcd --text leader-changed --verb patch --after --times 1",
        (
            Parameter("text", "choice", "Which text.", "timeout", ("timeout", "leader-changed", "no-space")),
            _after("only its answer is lost"),
        ),
    ),
    Kind(
        "location-unavailable",
        "The bucket of a backup storage location does not answer, or badly.",
        "location-unavailable --location default --for 2m",
        (
            Parameter("location", "text", "Its name; without one, all of them.", ""),
            Parameter(
                "how",
                "choice",
                "No answer at all, or downloads that are slow or cut off.",
                "refuse",
                ("refuse", "slow", "truncate"),
            ),
            Parameter("delay", "seconds", "How slow, with --how slow.", 20.0, most=_DAY),
        ),
        requests=False,
    ),
    Kind(
        "velero-restart",
        "Velero's server and node agent end and start again: what was running is Failed.",
        "velero-restart --for 30s",
        requests=False,
        once=True,
    ),
    Kind(
        "slow-disk",
        "Copies of volumes take longer (for slow writes of the API server: latency --after).",
        "slow-disk --speed 1000",
        (Parameter("speed", "number", "Bytes a second, by Velero's clock.", least=1),),
        requests=False,
    ),
    Kind(
        "disk-full",
        "There is no space left: in volumes that are restored, in the bucket, or in etcd.",
        "disk-full --part bucket --for 1m",
        (Parameter("part", "choice", "Where.", choices=("volumes", "bucket", "etcd")),),
        several=True,
        requests=False,
    ),
    Kind(
        "torn-copy",
        "Volumes are copied and snapshotted while pods go on writing to them.",
        "torn-copy --for 10m",
        requests=False,
    ),
    Kind(
        "snapshot-stuck",
        "CSI snapshots are cut, but never become ready while this lasts.",
        "snapshot-stuck --for 5m",
        (Parameter("silent", "flag", "The driver does not even answer the call that cuts.", False),),
        requests=False,
    ),
    Kind(
        "snapshot-failing",
        "The CSI driver refuses.",
        "snapshot-failing --call create --message 'quota of snapshots exceeded'",
        (
            Parameter("call", "choice", "Which call.", "create", ("create", "delete")),
            Parameter("message", "text", "What it says.", "the storage refused"),
        ),
        requests=False,
    ),
    Kind(
        "node-not-ready",
        "The kubelet stops reporting: the node is unreachable, its pods are evicted when they tolerate it no longer.",
        "node-not-ready --for 10m",
        requests=False,
    ),
    Kind(
        "crash-loop",
        "The containers of a workload end as soon as they start.",
        "crash-loop --workload shop/web",
        (Parameter("workload", "text", "namespace/name; all pods whose name begins so."),),
        several=True,
        requests=False,
    ),
    Kind(
        "image-pull",
        "An image cannot be pulled; containers that run are left alone.",
        "image-pull --image lazarus.dev/web:1",
        (Parameter("image", "text", "The reference, as pods name it."),),
        several=True,
        requests=False,
    ),
    Kind(
        "cni-ignores-policy",
        "NetworkPolicies are accepted and shown, but nothing heeds them; the sandbox does not say so.",
        "cni-ignores-policy --for 10m",
        requests=False,
    ),
    Kind(
        "quota",
        "A namespace has used up its ResourceQuota.",
        "quota --namespace shop",
        (Parameter("namespace", "text", "Which."),),
        several=True,
        requests=False,
    ),
)


def _closest(name: str) -> str:
    names = tuple(kind.name for kind in KINDS)
    return meant(name, names) or f" (there are {', '.join(names)})"


def kind_named(name: str) -> Kind:
    """Raises ``FaultRefused`` with the closest name for one that does not exist."""
    found = next((kind for kind in KINDS if kind.name == name), None)
    if found is None:
        raise FaultRefused(f"there is no fault {name!r}{_closest(name)}")
    return found


def check(wanted: Wanted) -> Wanted:
    """``wanted`` with complete parameters and the verbs it will be done to; raises ``FaultRefused``."""
    kind = kind_named(wanted.kind)
    parameters = kind.complete(wanted.parameters)
    if not kind.requests:
        _check_plain(kind, wanted)
    if not 0 < wanted.probability <= 1:
        raise FaultRefused(f"the rate lies above 0 and at most at 1 (100%), not at {wanted.probability:g}")
    if wanted.times is not None and wanted.times < 1:
        raise FaultRefused(f"times is at least 1, not {wanted.times}")
    if wanted.seconds is not None and wanted.seconds <= 0:
        raise FaultRefused("a fault lasts longer than no time at all")
    verbs = wanted.match.verbs
    can = kind.verbs or VERBS
    for verb in verbs:
        if verb not in can:
            which = ", ".join(can)
            raise FaultRefused(
                f"{kind.name} cannot be done to verb {verb!r}{meant(verb, can) or f' (only to {which})'}"
            )
    match = replace(wanted.match, verbs=verbs or kind.usual or kind.verbs)
    return replace(wanted, parameters=parameters, match=match)


def _check_plain(kind: Kind, wanted: Wanted) -> None:
    match = wanted.match
    given = [
        name
        for name, value in (
            ("verb", match.verbs),
            ("resource", match.resources),
            ("namespace", match.namespaces),
            ("name", match.names),
            ("user-agent", match.user_agent),
            ("rate", wanted.probability != 1.0),
            ("times", wanted.times),
        )
        if value
    ]
    if given:
        raise FaultRefused(f"{kind.name} is not done to requests: {', '.join(given)} mean nothing to it")

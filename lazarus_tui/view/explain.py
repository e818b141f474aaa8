"""What usually lies behind a message of Velero, and what helps. Only what is known; silence for the rest."""

from __future__ import annotations

_KNOWN: tuple[tuple[tuple[str, ...], str], ...] = (
    (("already exists", "in-cluster version is different"),
     "it exists and differs, and Velero left it as it is: update existing objects, or use another namespace."),
    (("could not restore", "already exists"), "the object is there already and was left as it is."),
    (("no such host",), "the storage's name is not known from where Velero runs: check s3Url and the cluster's DNS."),
    (("connection refused",), "nothing listens at that address: is the object storage up?"),
    (("i/o timeout",), "no answer in time: a firewall, a proxy, or storage that is overloaded."),
    (("x509", "unknown authority"), "the storage's certificate comes from a private CA: set caCert in its location."),
    (("nosuchbucket",), "the bucket does not exist: check its name and region in the storage location."),
    (("accessdenied",), "the storage refuses Velero's credentials: check the secret the location names."),
    (("signaturedoesnotmatch",), "the storage's key is wrong, or the clocks differ."),
    (("not found in backup",), "the backup does not hold it: see its contents (o)."),
    (("pod is not running", "volume"), "a volume of a pod that does not run cannot be copied by the node agent."),
    (("daemonset pod not found",), "no node agent runs on that node: the volume's data was not taken."),
    (("node-agent",), "the node agent had trouble: look at its pod on that node."),
    (("volumesnapshotclass",), "no VolumeSnapshotClass for this driver carries velero.io/csi-volumesnapshot-class."),
    (("backup storage location", "unavailable"), "the storage did not answer Velero's last check: see the Overview."),
    (("no matches for kind",), "this cluster does not know that kind: install its CRD first, then restore again."),
    (("exceeded quota",), "a ResourceQuota of the namespace refuses it."),
    (("admission webhook", "denied"), "a policy of this cluster refuses the object."),
    (("forbidden",), "Velero's own account may not do this: check its ClusterRoleBinding."),
    (("context deadline exceeded",), "it took longer than Velero waits; look at the plugin or the storage."),
    (("found a backup with status", "inprogress"), "Velero restarted while this ran; make a new one."),
)  # fmt: skip


def explain(message: str) -> str:
    """The sentence for the first known pattern in ``message``, or an empty text."""
    text = message[:4000].casefold()
    return next((words for parts, words in _KNOWN if all(part in text for part in parts)), "")

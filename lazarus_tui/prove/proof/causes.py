"""What is commonly wrong with a pod that does not get ready: message → cause → what to do next.

The most telling come first: a container that ends again and again does so for a reason that its log may name.
"""

from __future__ import annotations

import re

_TABLE = (
    (r"database (files|system) .*(corrupt|damaged)|checksum mismatch|invalid (page|magic)|malformed|not a database",
     "its data is damaged", "this point cannot be trusted: prove an older one, and look how it was taken"),
    (r"toomanyrequests|rate limit|429 Too Many",
     "the registry limits how often its images are pulled", "pull through a mirror, or with credentials"),
    (r"manifest unknown|not found: manifest|repository .* not found|name unknown",
     "the image does not exist any more", "the backup names an image that is gone: keep images as long as backups"),
    (r"pull access denied|unauthorized|authentication required|401 Unauthorized",
     "the registry refuses the credentials", "see whether the image pull secret is in the backup, and still valid"),
    (r"ErrImageNeverPull", "the image is not on the node and may not be pulled", "put it there, or allow pulling"),
    (r"ImagePullBackOff|ErrImagePull|Failed to pull image",
     "the image cannot be pulled", "see whether the node reaches the registry and the image still exists"),
    (r"OOMKilled|out of memory|exit(ed with)? code 137",
     "a container was killed for using more memory than its limit", "raise limits.memory of the proof"),
    (r"exceeded quota|forbidden: .*quota|Insufficient quota",
     "the quarantine's quota is full", "raise the proof's limits"),
    (r"violates PodSecurity", "pod security refuses the pod in the quarantine",
     "it wants more than a copy may have; see rule S3 in the plan"),
    (r"failed quota: .* must specify|must specify (limits|requests)",
     "a container says no limits, and the quota wants them", "give the container its limits"),
    (r"Insufficient (cpu|memory|ephemeral-storage)|Too many pods",
     "no node has room for it", "make room, ask for less, or prove on another cluster"),
    (r"untolerated taint|didn't match Pod's node affinity|node\(s\) didn't match",
     "no node is allowed for it", "its node selector, affinity or tolerations fit other nodes"),
    (r"volume node affinity conflict", "its volume is bound to another node or zone",
     "use a storage class that waits for the first consumer"),
    (r"unbound immediate PersistentVolumeClaims|persistentvolumeclaim \"?[^\" ]*\"? not found",
     "a claim it needs is missing or not bound", "see the claim's events; was the claim in the backup?"),
    (r"storageclass.*not found|StorageClass .*not found",
     "the claim's storage class does not exist here", "map it with a change-storage-class ConfigMap"),
    (r"ProvisioningFailed|failed to provision volume", "the volume could not be made", "see the claim's events"),
    (r"FailedMount|FailedAttachVolume|Multi-Attach|Unable to attach or mount",
     "a volume could not be mounted", "see the pod's events; is it in use on another node?"),
    (r"(configmap|secret) \"?[^\" ]+\"? not found|couldn't find key",
     "a ConfigMap or Secret it needs is not there", "was it in the backup, and not left out by a rule?"),
    (r"serviceaccount .*not found", "its service account is not there", "was it in the backup?"),
    (r"no such host|server misbehaving|Temporary failure in name resolution|name or service not known",
     "it looks for somebody that the quarantine does not reach", "expected of what calls out"),
    (r"connection refused|i/o timeout|network is unreachable|no route to host|timed out connecting",
     "it waits for somebody it cannot reach", "in the quarantine only the copy itself can be reached"),
    (r"Startup probe failed", "it does not come up in the time its startup probe gives",
     "see its log; recovery of a large volume may take longer than usual"),
    (r"Readiness probe failed", "it runs and says that it is not ready", "see its log"),
    (r"Liveness probe failed", "it is restarted because its liveness probe fails", "see its log of the run before"),
    (r"permission denied|read-only file system|operation not permitted",
     "it may not write where it wants to", "compare owner and mode of the restored files; see fsGroup"),
    (r"CrashLoopBackOff|Back-off restarting failed container|Error: exit",
     "its container ends again and again", "see the last lines of its log"),
    (r"CreateContainerConfigError|RunContainerError|CreateContainerError",
     "its container cannot be made", "see the message: often a missing ConfigMap, Secret or command"),
)  # fmt: skip

_KNOWN = tuple((re.compile(pattern, re.IGNORECASE), cause, advice) for pattern, cause, advice in _TABLE)


def explain(text: str) -> tuple[str, str]:
    """Cause and next step; ("", "") for what nobody has described yet: it is shown as it is."""
    return next(((cause, advice) for pattern, cause, advice in _KNOWN if pattern.search(text)), ("", ""))

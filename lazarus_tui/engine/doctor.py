"""``lazarus doctor``: what would stop a backup or a restore, each as one sentence with the next step."""

from __future__ import annotations

import platform
import secrets
import shutil
import sqlite3
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import msgspec

from lazarus_tui.engine.contexts import Contexts
from lazarus_tui.engine.gate import Gate
from lazarus_tui.engine.identity import choose, rights
from lazarus_tui.engine.unfinished import unfinished
from lazarus_tui.journal import Journal
from lazarus_tui.kube.access import Question
from lazarus_tui.kube.cluster import Cluster
from lazarus_tui.kube.errors import Forbidden, KubeError
from lazarus_tui.link.codec import LinkFault
from lazarus_tui.model import resources as r
from lazarus_tui.model.clock import Clock, listened
from lazarus_tui.model.counting import how_many
from lazarus_tui.model.paths import StateRoot
from lazarus_tui.model.plan import Danger, Plan, PlannedStep
from lazarus_tui.model.redact import redact
from lazarus_tui.model.steps import Gate as GateProtocol
from lazarus_tui.model.steps import Reader
from lazarus_tui.model.topics import ContextRow, Finding
from lazarus_tui.outward import resolve
from lazarus_tui.prove.quarantine.janitor import standing
from lazarus_tui.velero.discover import Installation, installations
from lazarus_tui.velero.server_status import ANSWER_SECONDS, ServerStatus, Unasked, ask

# Bytes free at the state root below which the doctor warns, and below which it calls it an error.
LOW_DISK, NO_DISK = 512 * 1024 * 1024, 32 * 1024 * 1024
# Older patch levels of 3.11 have known holes in code Lazarus does not use; it says so once (reliability §5.8).
GOOD_PYTHON = (3, 11, 13)
# Seconds of difference to the API server's clock that are worth a word, and that spoil signed addresses.
SKEW_NOTED, SKEW_BAD = 5.0, 60.0


class Check(msgspec.Struct, frozen=True):
    """One finding: ``severity`` is info (all is well), warning or error."""

    severity: str
    check: str
    what: str
    hint: str = ""


class Doctor:
    """``run`` looks at this machine, the kubeconfig and, if one is named or current, a cluster; ``told`` by check."""

    def __init__(
        self, root: StateRoot, contexts: Contexts, journal: Journal, clock: Clock, *,
        told: Mapping[str, Callable[[], Awaitable[Sequence[Finding]]]] | None = None,
    ) -> None:  # fmt: skip
        self._root, self._contexts, self._journal, self._clock = root, contexts, journal, clock
        self._told = told or {}

    async def run(self, context: str | None) -> list[Check]:
        found = [*self._machine(), *self._journal_checks(), *self._kubeconfig()]
        for name, told in self._told.items():
            found += [Check(f.severity, name, f.what, f.hint) for f in await told()]
        try:
            row = await self._contexts.use(context)
        except LinkFault as fault:
            return [*found, Check("error", "context", fault.fault.what, fault.fault.hint)]
        if row.state != "ready":
            what = f"{row.name} ({row.server}) is {row.state}: {row.reason or 'no answer yet'}"
            return [*found, *self._warnings(row.name), Check("error", "api", what, row.hint)]
        cluster = self._contexts.reader(row.name)
        found += self._warnings(row.name)
        looks = (self._api(cluster), self._unfinished(cluster), self._velero(cluster, row), self._quarantines(cluster))
        for part in looks:
            try:
                found += [check async for check in part]
            except KubeError as error:
                found.append(Check("error", "api", error.message, error.hint))
        return found

    # --- this machine

    def _machine(self) -> list[Check]:
        version = sys.version_info[:3]
        text = f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}"
        old = version < GOOD_PYTHON
        hint = "a newer patch release of Python is recommended" if old else ""
        found = [Check("warning" if old else "info", "python", text, hint)]
        free = shutil.disk_usage(self._root.home).free
        severity = "error" if free < NO_DISK else "warning" if free < LOW_DISK else "info"
        hint = f"free some space: df {self._root.home}" if severity != "info" else ""
        found.append(Check(severity, "disk", f"{free // (1024 * 1024)} MiB free at {self._root.home}", hint))
        return found

    def _journal_checks(self) -> list[Check]:
        found = [Check(f.severity, "journal", f.what, f.hint) for f in self._journal.findings]
        return found or [Check("info", "journal", f"intact, head {self._journal.head[:12]}")]

    def _kubeconfig(self) -> list[Check]:
        contexts = self._contexts
        found = [Check("error", "kubeconfig", problem) for problem in contexts.problems]
        found += [Check("warning", "kubeconfig", warning) for warning in contexts.warnings]
        names = contexts.names
        if names:
            found.append(Check("info", "kubeconfig", f"{how_many(len(names), 'context')} in {contexts.kubeconfig}"))
        elif not found:
            hint = "make one with your cloud's command, or try: lazarus --sandbox"
            found.append(Check("error", "kubeconfig", f"no context found ({contexts.kubeconfig})", hint))
        return found

    def _warnings(self, name: str) -> list[Check]:
        context = self._contexts.in_use[name].context
        return [Check("warning", "context", f"{name}: {warning}") for warning in context.warnings]

    # --- a cluster

    async def _api(self, cluster: Cluster) -> AsyncIterator[Check]:
        before = self._clock.now()
        answer = await cluster.request("GET", "/version")
        took = (self._clock.now() - before).total_seconds()
        version = await cluster.version()
        yield Check(
            "info", "api", f"{cluster.context}: {version.git_version or 'version not said'} in {took * 1000:.0f} ms"
        )
        yield skew(answer.headers.get("date", ""), self._clock.now(), took)

    async def _unfinished(self, cluster: Cluster) -> AsyncIterator[Check]:
        try:
            found = await unfinished(cluster)
        except KubeError as error:
            yield Check("warning", "restore", f"whether one is unfinished is not known: {error.message}", error.hint)
            return
        for one in found:
            yield Check("warning", one.check, one.what, one.hint)

    async def _velero(self, cluster: Cluster, row: ContextRow) -> AsyncIterator[Check]:
        found = await installations(cluster, row.velero_namespace)
        velero = choose(found, row.velero_namespace)
        if velero is None:
            yield await _no_velero(cluster, found)
            return
        async for check in self._server(cluster, row.name, velero):
            yield check
        for kind in (r.BACKUPS, r.RESTORES, r.SCHEDULES, r.LOCATIONS, r.DOWNLOAD_REQUESTS, r.DELETE_REQUESTS):
            if not await cluster.has(kind):
                hint = "install the CRDs of this Velero version: velero install --crds-only"
                yield Check("error", "crds", f"{kind.group_resource} is not served", hint)
        async for check in self._locations(cluster, velero.namespace):
            yield check
        async for check in self._rights(cluster, velero.namespace):
            yield check

    async def _server(self, cluster: Cluster, context: str, velero: Installation) -> AsyncIterator[Check]:
        """Whether there is a server, whether it answers, and whether its version is one we are tested with."""
        version = velero.version
        if not velero.hidden and not velero.ready:
            what = "its server has no ready pod" if velero.deployment else "no Velero server runs in this namespace"
            yield Check("error", "velero", f"{velero.namespace}: {what}", f"kubectl -n {velero.namespace} get pods")
        else:
            check, version = await self._answer(cluster, context, velero)
            yield check
        if replace(velero, version=version).supported is False:
            what = f"version {version} is not one Lazarus is tested with (1.14 to 1.18)"
            hint = "only fields that its CRDs know are used; rehearse a restore before you rely on it"
            yield Check("warning", "velero", what, hint)

    async def _answer(self, cluster: Cluster, context: str, velero: Installation) -> tuple[Check, str]:
        """What the server said when asked, and its version as far as it is known."""
        space, known = velero.namespace, velero.version or "version unknown"
        pod = "its pods may not be seen" if velero.hidden else "its pod is ready"
        try:
            status = await self._ask(cluster, context, space)
        except Unasked as why:
            what = redact(f"{space}: {known}, {pod}; the server was not asked: {why}")
            return Check("info", "velero", what), velero.version
        if status is None:
            what = f"{space}: {known}, {pod}, but its server did not answer within {ANSWER_SECONDS:.0f} s"
            hint = f"kubectl -n {space} logs deploy/{velero.deployment or 'velero'}"
            return Check("error", "velero", what, hint), velero.version
        version = status.version or velero.version
        took = f"{status.seconds * 1000:.0f} ms"
        what = f"{space}: {version or 'version unknown'}, answering in {took}, {status.plugins} plugins"
        return Check("info", "velero", what), version

    async def _ask(self, cluster: Cluster, context: str, velero: str) -> ServerStatus | None:
        """Ask the server through a request in the cluster: a write, so through a gate, and only where we may write."""
        if not self._contexts.writable(context):
            raise Unasked("the context is read-only")
        if not await cluster.has(r.STATUS_REQUESTS):
            raise Unasked(f"{r.STATUS_REQUESTS.group_resource} is not served")
        if await cluster.can_i("create", r.STATUS_REQUESTS, velero) is False:
            raise Unasked(f"no right to create {r.STATUS_REQUESTS.group_resource}")
        op, uid = secrets.token_hex(8), await cluster.cluster_uid()
        plan = Plan(
            kind="doctor", context=context, cluster_uid=uid, target=velero, title="Ask Velero for its version",
            danger=Danger.SAFE, params={"velero": velero},
            steps=(PlannedStep("ask", 1, "Ask Velero for its version", mutates=True),),
        )  # fmt: skip
        gate = Gate(
            cluster, self._journal, op, plan, approved=plan.digest(), clock=self._clock,
            permitted=lambda: self._contexts.writable(context),
        )  # fmt: skip
        return await ask(_Reach(gate, cluster, self._clock), velero, owner=op)

    async def _quarantines(self, cluster: Cluster) -> AsyncIterator[Check]:
        """What proofs left standing, or are at."""
        try:
            found = await standing(cluster, self._clock.now(), self._journal.find)
        except Forbidden as error:
            what = f"whether proofs left something is not known: {error.message}"
            yield Check("warning", "quarantine", what, error.hint)
            return
        for finding in (one.finding for one in found):
            yield Check(finding.severity, "quarantine", finding.what, finding.hint)

    async def _locations(self, cluster: Cluster, namespace: str) -> AsyncIterator[Check]:
        places = await cluster.list(r.LOCATIONS, namespace, type=dict[str, Any])
        if not places:
            yield Check("error", "storage", "no backup storage location", "velero backup-location create --help")
        for place in places:
            name, status = place["metadata"]["name"], place.get("status") or {}
            phase = status.get("phase") or "not validated yet"
            message = str(status.get("message") or "")
            if phase == "Available":
                yield Check("info", "storage", f"{name} is Available")
            else:
                what = f"{name} is {phase}" + (f": {redact(message)}" if message else "")
                yield Check("error", "storage", what, explain_storage(message))
            for check in await self._reach(name, (place.get("spec") or {}).get("config") or {}):
                yield check

    async def _reach(self, name: str, settings: dict[str, Any]) -> list[Check]:
        """Whether this machine could fetch from the store: Velero's own view of it says nothing about ours."""
        address = str(settings.get("publicUrl") or settings.get("s3Url") or "")
        host = urlsplit(address).hostname
        if not host:
            return []
        try:
            await listened(5, resolve(host, urlsplit(address).port or 443))
        except (OSError, TimeoutError):
            hint = "logs and contents cannot be fetched: set publicUrl in the location's config to a reachable address"
            return [Check("warning", "storage", f"{name}: {host} does not resolve from this machine", hint)]
        return []

    async def _rights(self, cluster: Cluster, namespace: str) -> AsyncIterator[Check]:
        questions = rights(namespace)
        answers: dict[Question, bool | None] = {}
        try:
            answers = await cluster.can_i_all(questions)
        except* KubeError:
            pass  # then nothing is known of any
        refused = [str(question) for question in questions if answers.get(question) is False]
        unknown = [str(question) for question in questions if answers.get(question) is None]
        if refused:
            hint = "ask for these rights, or use other credentials"
            yield Check("warning", "rights", f"not allowed: {', '.join(refused)}", hint)
        if unknown:
            hint = "the API server did not say; it refuses what is not allowed when that is tried"
            yield Check("warning", "rights", f"not known to be allowed: {', '.join(unknown)}", hint)
        if not refused and not unknown:
            yield Check("info", "rights", "everything the console can do is allowed")


@dataclass
class _Reach:
    """What asking Velero's server needs (``velero.server_status.Reach``)."""

    gate: GateProtocol
    reader: Reader
    clock: Clock


async def _no_velero(cluster: Cluster, found: Sequence[Installation]) -> Check:
    if found:
        what = f"several Veleros run here: {', '.join(item.namespace for item in found)}"
        return Check("error", "velero", what, "choose one: velero.namespace in the settings")
    if await cluster.has(r.BACKUPS):
        what = "Velero's CRDs are installed, but there is neither a server nor a storage location"
        return Check("error", "velero", what, "finish the installation, or name its namespace: velero.namespace")
    return Check("error", "velero", "no Velero runs in this cluster", "install Velero, or use another context")


def skew(date: str, now: datetime, took: float) -> Check:
    """The difference between our clock and the API server's, from its Date header (resolution one second)."""
    try:
        seconds = abs((now - parsedate_to_datetime(date)).total_seconds())
    except (TypeError, ValueError):
        return Check("info", "clock", "the API server does not say its time")
    off = max(0.0, seconds - took - 1.0)
    if off < SKEW_NOTED:
        return Check("info", "clock", "this clock and the API server's agree within 5 s")
    hint = "set the clock (NTP): ages and recovery times are off by this much, and signed addresses may fail"
    return Check(
        "error" if off > SKEW_BAD else "warning", "clock", f"this clock and the server's differ by {off:.0f} s", hint
    )


def explain_storage(message: str) -> str:
    """What to do about a location that is not Available, from what Velero says."""
    text = message.lower()
    if "no such host" in text:
        return "Velero cannot resolve the store's name: check s3Url in the location's config and the cluster's DNS"
    if "x509" in text or "certificate" in text:
        return "give the store's CA: caCert in the location's objectStorage"
    if "accessdenied" in text or "403" in text or "invalidaccesskeyid" in text or "signature" in text:
        return "check the credentials Secret of the location and the bucket's policy"
    if "nosuchbucket" in text or "404" in text:
        return "create the bucket, or correct its name in the location"
    if "timeout" in text or "refused" in text or "i/o" in text or "deadline" in text:
        return "the store does not answer Velero: is it running, and does a network policy let Velero out?"
    return "kubectl -n velero logs deploy/velero | grep -i location"

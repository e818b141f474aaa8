"""Policies in the words of the StatefulSet backup operator's own manual, one of each kind it shows."""

from __future__ import annotations

BASIC = """\
apiVersion: backup.sts-backup.io/v1alpha1
kind: StatefulSetBackup
metadata:
  name: my-database-backup
  namespace: default
spec:
  statefulSetRef:
    name: postgresql
    namespace: default
  retentionPolicy:
    keepLast: 3
  volumeSnapshotClass: csi-hostpath-snapclass
"""
HOOKED = """\
apiVersion: backup.sts-backup.io/v1alpha1
kind: StatefulSetBackup
metadata:
  name: postgres-scheduled-backup
  namespace: production
spec:
  statefulSetRef:
    name: postgresql
    namespace: production
  schedule: "0 2 * * *"  # Every day at 2 AM
  retentionPolicy:
    keepLast: 7  # Keep last 7 backups per replica
  preBackupHook:
    command:
      - "psql"
      - "-U"
      - "postgres"
      - "-c"
      - "CHECKPOINT"
  postBackupHook:
    command:
      - "echo"
      - "Backup completed"
  volumeSnapshotClass: csi-hostpath-snapclass
"""
POSTGRES = """\
apiVersion: backup.sts-backup.io/v1alpha1
kind: StatefulSetBackup
metadata:
  name: postgres-backup
spec:
  statefulSetRef:
    name: postgres
    namespace: databases
  schedule: "0 */6 * * *"  # Every 6 hours
  retentionPolicy:
    keepLast: 8  # Keep 48 hours of backups
  preBackupHook:
    command: ["psql", "-U", "postgres", "-c", "CHECKPOINT"]
  volumeSnapshotClass: csi-hostpath-snapclass
"""
MONGODB = """\
apiVersion: backup.sts-backup.io/v1alpha1
kind: StatefulSetBackup
metadata:
  name: mongodb-backup
spec:
  statefulSetRef:
    name: mongodb
    namespace: databases
  schedule: "0 3 * * *"  # Daily at 3 AM
  retentionPolicy:
    keepLast: 7
  preBackupHook:
    command:
      - "mongosh"
      - "--eval"
      - "db.fsyncLock()"
  postBackupHook:
    command:
      - "mongosh"
      - "--eval"
      - "db.fsyncUnlock()"
  volumeSnapshotClass: csi-hostpath-snapclass
"""
REDIS = """\
apiVersion: backup.sts-backup.io/v1alpha1
kind: StatefulSetBackup
metadata:
  name: redis-backup
spec:
  statefulSetRef:
    name: redis
    namespace: cache
  schedule: "*/30 * * * *"  # Every 30 minutes
  retentionPolicy:
    keepLast: 12  # Keep 6 hours of backups
  preBackupHook:
    command: ["redis-cli", "BGSAVE"]
  volumeSnapshotClass: csi-hostpath-snapclass
"""
RESTORE = """\
apiVersion: backup.sts-backup.io/v1alpha1
kind: StatefulSetRestore
metadata:
  name: restore-postgres
  namespace: production
spec:
  statefulSetRef:
    name: postgresql
    namespace: production
  backupName: postgres-scheduled-backup
  scaleDown: true  # Scale down before restore (recommended)
"""
LATEST = """\
apiVersion: backup.sts-backup.io/v1alpha1
kind: StatefulSetRestore
metadata:
  name: restore-latest
  namespace: production
spec:
  statefulSetRef:
    name: postgresql
    namespace: production
  useLatestBackup: true
  scaleDown: true
"""
# The fields of version 0.0.7 that 0.0.2 did not have.
NEWER_BACKUP = """\
apiVersion: backup.sts-backup.io/v1alpha1
kind: StatefulSetBackup
metadata: {name: newer, namespace: prod}
spec:
  statefulSetRef: {name: db}
  volumeSnapshotClassName: fast
  retentionPolicy: {keepDays: 14}
  preBackupHook: {command: [sync], containerName: main, timeoutSeconds: 45}
"""
NEWER_RESTORE = """\
apiVersion: backup.sts-backup.io/v1alpha1
kind: StatefulSetRestore
metadata: {name: newer, namespace: prod}
spec:
  statefulSetRef: {name: db, namespace: prod}
  snapshotNames: [nightly-1-data-db-0, nightly-1-data-db-1]
  pvcDeletionTimeoutSeconds: 120
  scaleDown: false
"""
POST_ONLY = BASIC.replace("  retentionPolicy:", '  postBackupHook: {command: ["echo", "done"]}\n  retentionPolicy:')
OWN = """\
apiVersion: lazarus.io/v1alpha1
kind: SnapshotPolicy
name: nightly
workload: prod/db
schedule: "30 2 * * *"
timeZone: Europe/Berlin
catchUp: runAll
jitter: 5m
writes: schedules
retention: {keepLast: 2, keepDaily: 7}
"""
BACKUPS = {"basic": BASIC, "hooked": HOOKED, "postgres": POSTGRES, "mongodb": MONGODB, "redis": REDIS}
RESTORES = {"restore": RESTORE, "latest": LATEST}

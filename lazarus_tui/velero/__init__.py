"""Velero through its resources: backups, restores, schedules, deletion, downloads, progress."""

"""Backups that lie: each is proven as it is and as it says it is; the first is never PASSED, the second always."""

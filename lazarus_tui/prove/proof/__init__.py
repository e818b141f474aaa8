"""The proof of a recovery point as one operation: restore in quarantine, look, check, judge, clean, keep evidence."""

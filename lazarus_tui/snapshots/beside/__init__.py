"""Restore of a set beside the workload: into another namespace, as claims alone or with a stripped copy that runs."""

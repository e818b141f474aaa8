"""Restore of a StatefulSet in place: its volumes are replaced by those of a set, and can be had back until released."""

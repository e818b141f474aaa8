"""Faults on demand: what a cluster can do to its clients, seeded, bounded and written down."""

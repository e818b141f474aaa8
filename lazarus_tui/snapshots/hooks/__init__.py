"""Hooks: what is run in the pods before the cut and after it, so that the data on the volumes is consistent.

Order of preference: no lock at all (one volume, or a group), a lock that belongs to a session which is held open, a
freeze with a watchdog in the container (reference: data §3.2).
"""

"""Checks of what came back. Each answers with a ``CheckResult``: INCONCLUSIVE could not run, FAILED ran and was wrong.

All of them go through the API server (a forwarded connection, a command, or reading objects), never by an open route.
"""

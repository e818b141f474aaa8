"""The embedded cluster: a Kubernetes API server, controllers that move real data, and a Velero look-alike.

It stands alone: it imports nothing of Lazarus but ``model``, and nothing but the command line imports it.
"""

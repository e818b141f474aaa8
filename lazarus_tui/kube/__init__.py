"""The only door to a Kubernetes API: connection, requests, errors, watch, access, exec, forward, logs."""

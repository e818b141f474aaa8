"""The sandbox's Kubernetes API server: store, verbs and protocol, with an HTTP and an in-memory front end."""

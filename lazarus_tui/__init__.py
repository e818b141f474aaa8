"""Lazarus: the disaster-recovery console for Kubernetes."""

__version__ = "0.1.0"

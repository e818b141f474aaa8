"""The command line: one file a verb group. Every verb has ``-o table|json|yaml|name``."""

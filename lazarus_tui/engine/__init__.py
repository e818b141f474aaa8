"""The process that works: mirrors clusters, runs operations, answers consoles and commands."""

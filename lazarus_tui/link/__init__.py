"""The link between the console (or a command) and the engine: newline-delimited JSON over a 0600 Unix socket."""

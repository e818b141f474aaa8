"""Controllers of the sandbox: they turn what objects ask for into what is there."""

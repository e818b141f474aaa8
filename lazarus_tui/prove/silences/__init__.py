"""Nobody gets up for alerts about a quarantine: an expiring silence in Alertmanager while a proof runs (S19)."""

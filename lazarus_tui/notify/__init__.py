"""Who is told when something goes wrong: what is told, the outbox in the journal, Slack, PagerDuty and webhooks."""

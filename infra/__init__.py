"""The outside world: settings, logs, database, object store, outbox, audit log."""

"""Alembic migrations; started by ``Database.migrate``."""

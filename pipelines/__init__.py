"""Offline composition: Prefect flows, DVC stages and the command line."""

"""The clinical facade, on FastAPI."""

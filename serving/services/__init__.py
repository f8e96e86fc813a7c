"""One BentoML service per file."""

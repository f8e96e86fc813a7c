"""Online composition roots: the only serving modules that read settings."""

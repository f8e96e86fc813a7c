"""Synthetic chest films with known opacities: drawn from numbers alone, the same bytes on every machine."""

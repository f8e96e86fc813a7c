"""Datasets as code: sources, curation, splits, quality, duplicates and versions. The only home of DVC."""

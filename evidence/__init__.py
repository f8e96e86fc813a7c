"""Statistics, reports and lineage: the proof behind each number."""

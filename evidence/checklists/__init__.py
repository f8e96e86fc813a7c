"""Reporting guidelines as tables, filled from a validation report; what a run cannot know stays open."""

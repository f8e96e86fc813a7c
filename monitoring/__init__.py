"""Is a served model still safe and effective? The only home of Evidently."""

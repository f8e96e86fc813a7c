"""One file per noun of the facade."""

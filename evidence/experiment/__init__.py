"""Model versions on live traffic: what each arm shows, what a comparison says so far, when a version must go."""

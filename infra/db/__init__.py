"""Tables and repositories; every query is scoped to a tenant."""

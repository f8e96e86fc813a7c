"""The platform's database: one repository per noun, one unit of work, on SQLite and PostgreSQL alike."""

"""The database itself: engines, dialects, schema, migrations."""

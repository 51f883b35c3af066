"""The books from outside: audit, seals, the database's schema."""

"""Keeps machines. SQLAlchemy lives here only."""

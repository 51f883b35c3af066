"""Runs the migrations on the connection that ``storage.database.migrate`` opened; it has begun the
transaction and commits it.
"""

from alembic import context

from storage.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
context.run_migrations()

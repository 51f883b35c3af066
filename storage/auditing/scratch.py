"""The file that an excerpt of the books is copied into: a SQLite that is gone with the audit."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import Connection, create_engine

from storage import codec
from storage.tables import as_read, metadata


@contextmanager
def scratch() -> Iterator[Connection]:
    """Make an empty SQLite file with all tables, give a connection to it, and remove it. It is as
    large as what is copied: TMPDIR says where.
    """
    with TemporaryDirectory(prefix="vendgate-audit-") as folder:
        file = Path(folder) / "excerpt.db"
        engine = create_engine(
            f"sqlite:///{file}",
            json_serializer=codec.as_is,
            json_deserializer=codec.as_is,
            # Nobody needs it after a crash.
            connect_args={"isolation_level": None, "check_same_thread": False},
        )
        try:
            with engine.connect() as connection:
                for pragma in ("journal_mode = OFF", "synchronous = OFF", "cache_size = -65536"):
                    connection.exec_driver_sql(f"PRAGMA {pragma}")
                for table in map(as_read, metadata.sorted_tables):
                    # Without constraints: what breaks one is to be found, not to be left out.
                    names = ", ".join(
                        f'"{column.name}" {column.type.compile(connection.dialect)}'
                        for column in table.columns
                    )
                    connection.exec_driver_sql(f"CREATE TABLE {table.name} ({names})")
                # Its name goes at once and the file with its last user: whoever ends this process
                # by a signal leaves no copy of the books.
                file.unlink()
                yield connection
        finally:
            engine.dispose()

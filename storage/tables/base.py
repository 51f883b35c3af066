"""What all tables share: the metadata that names their keys, and the type of counted numbers."""

from sqlalchemy import BigInteger, Integer, MetaData

metadata = MetaData(
    naming_convention={
        "ix": "%(table_name)s_by_%(column_0_N_name)s",
        "uq": "%(table_name)s_one_%(column_0_N_name)s",
        "ck": "%(table_name)s_%(constraint_name)s",
        "fk": "%(table_name)s_of_%(referred_table_name)s",
        "pk": "%(table_name)s_key",
    }
)

Position = BigInteger().with_variant(Integer, "sqlite")
"""A number that the database counts up; SQLite does that for its own INTEGER only."""

"""What a change of a schema takes away from programs of before: the rule of expand and contract.

Flows in: what a database looks like before and after. Flows out: a sentence for each thing that a
program which was written for the one before reads or writes, and cannot any more.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, inspect
from sqlalchemy.engine.reflection import ObjectKind
from sqlalchemy.types import BigInteger, Integer, SmallInteger, String, TypeEngine

UNUSED: Mapping[str, str] = {}
"""What is in the database and in no table of the program any more, as ``table`` or
``table.column``, with the first schema whose program did without it. A contraction takes it away.
"""
_TRIGGERS = {
    "sqlite": "SELECT name, tbl_name FROM sqlite_master WHERE type = 'trigger'",
    "postgresql": "SELECT tgname, tgrelid::regclass::text FROM pg_trigger WHERE NOT tgisinternal",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """One table or view. ``rules`` are what refuses or changes rows: keys, checks, references,
    triggers; each with the columns, or the words, that it is about (None: all).
    """

    columns: Mapping[str, Any]
    rules: Mapping[str, frozenset[str] | None]


def shapes(connection: Connection) -> dict[str, Shape]:
    """Return all tables and views but Alembic's own."""
    there = inspect(connection)
    views = set(there.get_view_names())
    triggers = connection.exec_driver_sql(_TRIGGERS[connection.dialect.name]).all()
    # All tables in one question each: a question for each table is a thousand for each schema.
    keys, uniques = there.get_multi_pk_constraint(), there.get_multi_unique_constraints()
    indexes, checks = there.get_multi_indexes(), there.get_multi_check_constraints()
    references = there.get_multi_foreign_keys()
    found = {}
    for place, told in there.get_multi_columns(kind=ObjectKind.ANY).items():
        name = place[1]
        if name == "alembic_version":
            continue
        rules: dict[str, frozenset[str] | None] = {}
        if name not in views:
            key = keys[place]["constrained_columns"]
            rules[f"primary key of {key}"] = frozenset(key)
            for one in uniques[place]:
                rules[f"unique {one['column_names']}"] = frozenset(one["column_names"])
            for index in indexes[place]:
                names = [each or "" for each in index["column_names"]]
                if index["unique"]:
                    rules[f"unique {names}"] = frozenset(names)
            for check in checks[place]:
                words = frozenset(re.findall(r"\w+", check["sqltext"]))
                rules[f"check {check['name']}: {check['sqltext']}"] = words
            for reference in references[place]:
                names = reference["constrained_columns"]
                rules[f"reference of {names} to {reference['referred_table']}"] = frozenset(names)
        rules |= {f"trigger {row[0]}": None for row in triggers if row[1] == name}
        found[name] = Shape(columns={each["name"]: each for each in told}, rules=rules)
    return found


def taken_away(before: Mapping[str, Shape], after: Mapping[str, Shape]) -> list[str]:
    """Return a sentence for each thing that a program of before cannot do any more."""
    return sorted(
        sentence
        for name, shape in before.items()
        for sentence in (
            _in_one(name, shape, after[name]) if name in after else [f"{name} is gone"]
        )
    )


def _in_one(name: str, before: Shape, after: Shape) -> Iterator[str]:
    for column, old in before.columns.items():
        new = after.columns.get(column)
        if new is None:
            yield f"{name}.{column} is gone"
            continue
        if not _holds_all(old["type"], new["type"]):
            yield f"{name}.{column} was {old['type']!r} and is {new['type']!r}"
        if old["nullable"] and not new["nullable"]:
            yield f"{name}.{column} cannot be null any more"
    for column in after.columns.keys() - before.columns.keys():
        new = after.columns[column]
        if not new["nullable"] and new["default"] is None:
            yield f"{name}.{column} is new and must be given: it needs a server_default"
    for rule in after.rules.keys() - before.rules.keys():
        about = after.rules[rule]
        if about is None or about & before.columns.keys():
            yield f"{name} has a new rule about old rows: {rule}"
    for rule in before.rules.keys() - after.rules.keys():
        if rule.startswith(("primary key", "unique", "trigger")):
            yield f"{name} has lost what an insert or a figure relies on: {rule}"


def _holds_all(old: TypeEngine[Any], new: TypeEngine[Any]) -> bool:
    if isinstance(old, String) and isinstance(new, String):
        return new.length is None or (old.length is not None and old.length <= new.length)
    if isinstance(old, Integer) and isinstance(new, Integer):
        return _bytes(old) <= _bytes(new)
    return repr(old) == repr(new)


def _bytes(of: Integer) -> int:
    return 8 if isinstance(of, BigInteger) else 2 if isinstance(of, SmallInteger) else 4

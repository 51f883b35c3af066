"""What columns the files have: a contract with a version (docs/data.md). Pure.

A column is only ever added, at the end; whatever else changes is another version, and files of the
old one are written again.
"""

from storage.tables import sale_facts

FORMAT = 1

_TYPES = {
    "position": "BIGINT",
    "version": "BIGINT",
    "line": "INTEGER",
    "at_ms": "BIGINT",
    "d": "INTEGER",
    "local_hour": "TINYINT",
    "units": "INTEGER",
    "sales_minor": "BIGINT",
    "discount_minor": "BIGINT",
}
FACTS: dict[str, str] = {
    column.name: _TYPES.get(column.name, "VARCHAR")
    for column in sale_facts.columns
    if column.name
    in {
        *("machine_id", "version", "line", "position", "at_ms", "d", "local_hour", "kind"),
        *("vend_id", "column", "product", "currency", "units", "sales_minor", "discount_minor"),
        *("payer_id", "site", "district", "site_type", "offer"),
    }
}
"""Of SALES, by name: the type of DuckDB. None is ever null but what was added later; what is not
known is empty.
"""
ADDED = ("offer",)
"""Texts that files of before have not, in the files of both kinds. Such a row has null there, and
so has one whose fact a program of before told.
"""
CUBE_KEYS: dict[str, str] = {
    "d": "INTEGER",
    "local_hour": "TINYINT",
    "machine_id": "VARCHAR",
    "product": "VARCHAR",
    "district": "VARCHAR",
    "site_type": "VARCHAR",
    "currency": "VARCHAR",
    "offer": "VARCHAR",
}
CUBE_SUMS: dict[str, str] = {
    "units": "sum(units)",
    "sales_minor": "sum(sales_minor)",
    "discount_minor": "sum(discount_minor)",
    "given_back_minor": "sum(CASE kind WHEN 'GOODWILL' THEN -sales_minor ELSE 0 END)",
    "written_off_minor": "sum(CASE kind WHEN 'WRITE_OFF' THEN sales_minor ELSE 0 END)",
}
"""Of CUBES: what each sum, a BIGINT, is made of."""
CUBES = (*(name for name in CUBE_KEYS if name not in ADDED), *CUBE_SUMS, *ADDED)
"""The columns of CUBES in their order: what is added stands at the end."""
ORDER = ("machine_id", "version", "line")
"""In which rows of SALES stand; together they are a fact's key."""

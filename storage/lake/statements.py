"""What DuckDB is asked: texts, made of names of files and of questions. Pure, and the same text on
one computer and in a task of Ray's. No text cuts time: days and hours are numbers already.
"""

from collections.abc import Mapping, Sequence

from storage.insight.sales import By, SalesWanted
from storage.lake.columns import ADDED, CUBE_KEYS, CUBE_SUMS, CUBES, FACTS, FORMAT, ORDER

_KEYS = {
    By.DAY: "d",
    By.WEEKDAY: "d",
    By.HOUR: "local_hour",
    By.WEEKDAY_HOUR: "d * 100 + local_hour",
    By.PRODUCT: "product",
    By.CATEGORY: "coalesce(category, '')",
    By.DISTRICT: "district",
    By.SITE_TYPE: "site_type",
    By.MACHINE: "machine_id",
    By.MACHINE_DAY: "d || '-' || machine_id",
    By.OFFER: "coalesce(offer, '')",
}
UNTOLD = "?"
"""Stands for null on the way from SQL, where a text cannot be it; no code has it."""


def quoted(text: str) -> str:
    """Return a text as SQL has it."""
    return "'" + text.replace("'", "''") + "'"


def files(paths: Sequence[str]) -> str:
    """Return what reads these files, whatever folders they are in. Columns that were added later
    are null in those of before.
    """
    listed = ", ".join(map(quoted, paths))
    added = ", ".join(f"NULL::VARCHAR AS {columns([name])}" for name in ADDED)
    return (
        f"(FROM read_parquet([{listed}], hive_partitioning = false, union_by_name = true) "
        f"UNION ALL BY NAME SELECT {added} WHERE false)"
    )


def columns(names: Sequence[str]) -> str:
    """Return these columns, as SQL has them."""
    return ", ".join(f'"{name}"' for name in names)


def load_rows(path: str) -> str:
    """Make the table ``facts`` of a file of comma-separated rows without a head."""
    kinds = ", ".join(f"{quoted(name)}: {quoted(kind)}" for name, kind in FACTS.items())
    texts = ", ".join(quoted(name) for name, kind in FACTS.items() if kind == "VARCHAR")
    told = ", ".join(
        f"nullif({columns([name])}, '{UNTOLD}') AS {columns([name])}" for name in ADDED
    )
    return (
        f"CREATE OR REPLACE TEMP TABLE facts AS SELECT * REPLACE ({told}) "
        f"FROM read_csv({quoted(path)}, "
        f"columns = {{{kinds}}}, force_not_null = [{texts}], header = false, "
        "hive_partitioning = false, auto_detect = false, delim = ',', quote = '\"', escape = '\"')"
    )


def day_of_facts(d: int) -> str:
    """Return the facts of one local day, from the table ``facts``, in their order."""
    return f"SELECT {columns(tuple(FACTS))} FROM facts WHERE d = {d} ORDER BY {columns(ORDER)}"


def merged(paths: Sequence[str], *, unknown: str) -> str:
    """Return all facts of some files in their order, without payers who stand in the table
    ``unknown``.
    """
    known = f"CASE WHEN payer_id IN (FROM {unknown}) THEN '' ELSE payer_id END AS payer_id"
    told = [known if name == "payer_id" else columns([name]) for name in FACTS]
    return f"SELECT {', '.join(told)} FROM {files(paths)} ORDER BY {columns(ORDER)}"


def day_cube(paths: Sequence[str]) -> str:
    """Return the facts of some files, added up by hour, machine, product and where it stood."""
    told = ", ".join(
        f"{CUBE_SUMS[name]}::BIGINT AS {name}" if name in CUBE_SUMS else columns([name])
        for name in CUBES
    )
    keys = columns(tuple(CUBE_KEYS))
    return f"SELECT {told} FROM {files(paths)} GROUP BY {keys} ORDER BY {keys}"


def cubes(made: Sequence[str], sales: Sequence[str]) -> str:
    """Return cubes that are ``made``, and those of days of which there are only files of ``sales``;
    of no file at all, no rows.
    """
    names = columns(CUBES)
    parts = [f"SELECT {names} FROM {files(made)}"] if made else []
    if sales:
        parts.append(f"SELECT {names} FROM ({day_cube(sales)})")
    if not parts:
        empty = [f"NULL::{CUBE_KEYS.get(name, 'BIGINT')} AS {name}" for name in CUBES]
        parts.append(f"SELECT {', '.join(empty)} WHERE false")
    return " UNION ALL ".join(parts)


def from_cubes(wanted: SalesWanted, first: int, last: int, source: str) -> str:
    """Return key, currency, units and amount of a question about these days, and of the goods of
    which the cost is known units, amount and cost. The tables ``categories`` (product, category),
    ``districts`` (district) and ``machines`` (machine_id) hold what it names, and ``costs``
    (product, currency, unit_cost_minor) what goods cost.
    """
    key = _KEYS[wanted.by]
    where = [f"d BETWEEN {first} AND {last}"]
    if wanted.machine_ids:
        where.append("machine_id IN (SELECT machine_id FROM machines)")
    elif wanted.district:
        where.append("district IN (SELECT district FROM districts)")
    elif wanted.site_type:
        where.append(f"site_type = {quoted(wanted.site_type)}")
    joined = " LEFT JOIN categories USING (product)" if wanted.by is By.CATEGORY else ""
    return (
        f"SELECT {key} AS key, currency, sum(units)::BIGINT AS units, "
        "sum(sales_minor)::BIGINT AS sales_minor, "
        "coalesce(sum(units) FILTER (unit_cost_minor IS NOT NULL), 0)::BIGINT AS costed_units, "
        "coalesce(sum(sales_minor) FILTER (unit_cost_minor IS NOT NULL), 0)::BIGINT "
        "AS costed_sales_minor, "
        "coalesce(sum(units * unit_cost_minor::BIGINT), 0)::BIGINT AS cost_minor "
        f"FROM ({source}){joined} LEFT JOIN costs USING (product, currency) "
        f"WHERE {' AND '.join(where)} GROUP BY ALL"
    )


def copied(query: str, path: str, told: Mapping[str, str]) -> str:
    """Return what writes a query's rows to a file of Parquet, with what is ``told`` in its foot."""
    foot = {"vendgate_format": str(FORMAT), **told}
    listed = ", ".join(f"{name}: {quoted(value)}" for name, value in foot.items())
    how = f"FORMAT parquet, COMPRESSION zstd, KV_METADATA {{{listed}}}"
    return f"COPY ({query}) TO {quoted(path)} ({how})"

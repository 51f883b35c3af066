"""Texts as cells of a file that a spreadsheet opens, in which what begins like a formula would be
carried out. Pure.
"""

FORMULA = frozenset("=+-@＝＋－＠")
"""What a spreadsheet takes for the beginning of a formula."""


def guarded(cell: str) -> str:
    """Return a cell as it is written."""
    return f"'{cell}" if cell[:1] in FORMULA or cell != bare(cell) else cell


def bare(cell: str) -> str:
    """Return what a cell was before it was written."""
    return cell[1:] if cell[:1] == "'" and cell[1:2] in (FORMULA | {"'"}) else cell

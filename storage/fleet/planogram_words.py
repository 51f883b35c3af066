"""What another planogram comes to, in words: for the audit log, for rehearsals and for refusals.
Pure.
"""

from collections.abc import Sequence

from actors.machine.state import Column

GONE_SHOWN_MAX = 10
DIFFERENCES_SHOWN_MAX = 16


def differences(before: Sequence[Column], after: Sequence[Column]) -> list[str]:
    """Return what another planogram changes, column by column."""
    old, new = ({one.column: one for one in columns} for columns in (before, after))
    said = []
    for name, one in new.items():
        if name not in old:
            said.append(f"{name}: new, {one.product} for {one.price_minor}, {one.capacity} fit")
            continue
        pairs = (
            (word, getattr(old[name], field), getattr(one, field))
            for word, field in (("", "product"), ("price ", "price_minor"), ("fit ", "capacity"))
        )
        if parts := [f"{word}{was} -> {now}" for word, was, now in pairs if was != now]:
            said.append(f"{name}: {', '.join(parts)}")
    said += [f"{name}: removed, {one.product}" for name, one in old.items() if name not in new]
    if not said and list(old) != list(new):
        said.append("another order of columns")
    return said


def shown(differences_: Sequence[str]) -> list[str]:
    """Return as many differences as are shown, and how many more there are."""
    more = len(differences_) - DIFFERENCES_SHOWN_MAX
    behind = [f"and {more} more columns"] if more > 0 else []
    return [*differences_[:DIFFERENCES_SHOWN_MAX], *behind]


def said_without_place(gone: Sequence[Column]) -> str:
    """Return in words which goods have no place in a planogram, at most ten columns of them."""
    return f"{goods_of(gone)} have no place any more"


def goods_of(columns: Sequence[Column]) -> str:
    """Return in words how many of what are of which columns, at most ten of them."""
    said = [f"{one.stock} {one.product} of {one.column}" for one in columns[:GONE_SHOWN_MAX]]
    if len(columns) > GONE_SHOWN_MAX:
        said.append(f"those of {len(columns) - GONE_SHOWN_MAX} more columns")
    return ", ".join(said)

"""What administrators set of a product, a change of it, and what differs. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

PLAIN = (
    "category",
    "tax_class",
    "barcode",
    "shelf_life_days",
    "unit_cost_minor",
    "unit_cost_currency",
    "image_sha256",
)
"""What is set of a product and its row has a column for."""
NAMES_MAX = 16
"""A product has names in this many languages."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductContent:
    """What administrators set of a product. ``names`` are by language; ``unit_cost_minor`` is in
    minor units of ``unit_cost_currency``, None and empty if nobody said; ``shelf_life_days`` is 0
    then.
    """

    names: Mapping[str, str] = field(default_factory=dict)
    category: str = ""
    tax_class: str = ""
    barcode: str = ""
    shelf_life_days: int = 0
    unit_cost_minor: int | None = None
    unit_cost_currency: str = ""
    image_sha256: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductChange:
    """What is to be set. ``plain`` are values by their names in ``PLAIN``; ``names`` are all names,
    None leaves them; ``some_names`` are single ones by language, empty takes one away. ``archived``
    None leaves it as it is.
    """

    plain: Mapping[str, Any] = field(default_factory=dict)
    names: Mapping[str, str] | None = None
    some_names: Mapping[str, str] = field(default_factory=dict)
    archived: bool | None = None

    def of(self, content: ProductContent) -> ProductContent:
        """Return what the content is afterwards."""
        names = {**(content.names if self.names is None else self.names), **self.some_names}
        kept = {language: name for language, name in names.items() if name}
        return replace(content, names=kept, **self.plain)


def difference(before: ProductContent, after: ProductContent) -> str:
    """Return what differs, each as ``field before -> after``; empty if nothing does."""
    said = []
    for language in sorted({*before.names, *after.names}):
        old, new = before.names.get(language), after.names.get(language)
        if old != new:
            said.append(f"name {language} {_word(old)} -> {_word(new)}")
    for name in PLAIN:
        old, new = getattr(before, name), getattr(after, name)
        if old != new:
            said.append(f"{name} {_word(old)} -> {_word(new)}")
    return "; ".join(said)


def _word(value: object) -> str:
    return "none" if value in {None, ""} else repr(value)

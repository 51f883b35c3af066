"""The figures as a table for a terminal: one line a figure, one column a subject."""

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from gateway.bench.figures import Results


def shown(results: Results) -> RenderableType:
    """Return what a terminal shows of a run: figures, ratios, remarks."""
    remarks = [Text(f"* {remark}") for remark in results.remarks]
    failures = [Text(f"! {failure}", style="red") for failure in results.failures]
    return Group(_figures(results), _ratios(results), *remarks, *failures)


def number(value: float | None) -> str:
    """Return the number with as many digits as are worth reading."""
    if value is None or value != value:  # noqa: PLR0124 - NaN is not equal to itself
        return ""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _figures(results: Results) -> Table:
    subjects = list(results.figures)
    names: dict[str, str] = {}
    for found in results.figures.values():
        for one in found:
            names.setdefault(one.name, one.unit)
    table = Table(title="figures of this run")
    table.add_column("figure")
    table.add_column("unit")
    for subject in subjects:
        table.add_column(subject, justify="right")
    for name, unit in names.items():
        table.add_row(name, unit, *(number(results.value(subject, name)) for subject in subjects))
    return table


def _ratios(results: Results) -> Table:
    table = Table(title="ratios, which is what can be compared")
    table.add_column("ratio")
    table.add_column("value", justify="right")
    table.add_column("better")
    for one in results.ratios():
        table.add_row(one.name, number(one.value), one.better.value)
    return table

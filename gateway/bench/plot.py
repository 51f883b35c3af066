"""Bars, as SVG, written by hand: what each subject reached in one figure. Pure."""

from collections.abc import Sequence
from html import escape

from gateway.bench.figures import CPU, RATE, Results

_WIDTH, _LEFT, _RIGHT = 720, 150, 110
_BAR, _GAP, _TITLE = 22, 8, 34
_SHOWN = (RATE, CPU, "approval, half load, p99", "approval, fleet's load, p99")
_COLOURS = ("#4c78a8", "#f58518", "#54a24b", "#b279a2", "#e45756", "#72b7b2")


def plot(results: Results) -> str:
    """Return a drawing of the figures that several subjects have, each in bars of its own scale."""
    charts = []
    height = 0
    for name in _SHOWN:
        bars = [
            (subject, value, _unit(results, subject, name))
            for subject in results.figures
            if (value := results.value(subject, name)) is not None
        ]
        if bars:
            charts += _chart(name, bars, top=height)
            height += _TITLE + len(bars) * (_BAR + _GAP) + _GAP
    opening = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" '
        'font-family="sans-serif" font-size="13">'
    )
    return "\n".join(
        (
            opening,
            f'<rect width="{_WIDTH}" height="{height}" fill="#ffffff"/>',
            *charts,
            "</svg>",
            "",
        )
    )


def _unit(results: Results, subject: str, name: str) -> str:
    return next(one.unit for one in results.figures[subject] if one.name == name)


def _chart(name: str, bars: Sequence[tuple[str, float, str]], *, top: int) -> list[str]:
    most = max(value for _, value, _ in bars) or 1.0
    lines = [f'<text x="8" y="{top + 22}" font-weight="bold">{escape(name)}</text>']
    for place, (subject, value, unit) in enumerate(bars):
        y = top + _TITLE + place * (_BAR + _GAP)
        width = max(1.0, value / most * (_WIDTH - _LEFT - _RIGHT))
        colour = _COLOURS[place % len(_COLOURS)]
        text = y + _BAR - 6
        lines += [
            f'<text x="{_LEFT - 8}" y="{text}" text-anchor="end">{escape(subject)}</text>',
            f'<rect x="{_LEFT}" y="{y}" width="{width:.1f}" height="{_BAR}" fill="{colour}"/>',
            f'<text x="{_LEFT + width + 6:.1f}" y="{text}">{value:,.4g} {escape(unit)}</text>',
        ]
    return lines

"""The drawing is SVG that any browser opens, whatever the subjects are called."""

import xml.etree.ElementTree as ET

from gateway.bench.figures import CPU, PLAIN, RATE, Figure, Results
from gateway.bench.plot import plot

SVG = "{http://www.w3.org/2000/svg}"


def bars(drawing: str) -> list[float]:
    """The widths of the bars; the first rectangle is the ground."""
    return [float(one.get("width", "")) for one in ET.fromstring(drawing).iter(f"{SVG}rect")][1:]


def test_a_bar_is_as_long_as_its_figure() -> None:
    """The longest of a chart reaches its end, and half of it half as far; charts have their own
    scales.
    """
    results = Results(made={})
    results.add(PLAIN, Figure(name=RATE, value=500.0, unit="1/s"))
    results.add("a <b> & c", Figure(name=RATE, value=1_000.0, unit="1/s"))
    results.add(PLAIN, Figure(name=CPU, value=7.0, unit="us"))

    drawing = plot(results)

    half, whole, alone = bars(drawing)
    assert (2 * half, alone) == (whole, whole)
    texts = [one.text for one in ET.fromstring(drawing).iter(f"{SVG}text")]
    assert "a <b> & c" in texts
    assert "1,000 1/s" in texts


def test_nothing_measured_is_an_empty_drawing() -> None:
    """It is still SVG."""
    assert [] == bars(plot(Results(made={})))

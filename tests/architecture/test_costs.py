"""The report of what tests cost, and the list of those that may cost much."""

import ast

import pytest

from tests.architecture.house import ROOT
from tests.support.costs import COSTLY_S, Costs, listed, told


def test_rooms_are_added_up_and_the_costly_are_named() -> None:
    """The dearest first; what stands in the list is known."""
    costs = {
        "tests/storage/test_codec.py::test_a[1]": COSTLY_S + 1,
        "tests/storage/test_codec.py::test_b": 0.5,
        "tests/e2e/test_demo.py::test_c": COSTLY_S + 2,
        "tests/e2e/test_demo.py::test_d": 40.0,
    }
    why = "costs much and does not stand in tests_that_cost_much.txt"
    assert [
        "54 s of processor: e2e 47, storage 6",
        "  40.0 s tests/e2e/test_demo.py::test_d",
        "  7.0 s tests/e2e/test_demo.py::test_c",
        "  6.0 s tests/storage/test_codec.py::test_a[1]",
        "  0.5 s tests/storage/test_codec.py::test_b",
        f"7.0 s: tests/e2e/test_demo.py::test_c {why}",
        f"6.0 s: tests/storage/test_codec.py::test_a[1] {why}",
    ] == told(costs, {"tests/e2e/test_demo.py::test_d"})


def test_ten_are_named_and_no_more() -> None:
    """The rest would hide them."""
    costs = {f"tests/deploy/test_it.py::test_{number}": number / 10 for number in range(12)}
    named = told(costs, ())[1:]
    assert (10, "  1.1 s tests/deploy/test_it.py::test_11") == (len(named), named[0])


def test_what_is_listed_is_there() -> None:
    """A test that is gone leaves the list."""
    for name in listed():
        path, _, test = name.partition("::")
        tree = ast.parse((ROOT / path).read_text())
        names = {
            node.name
            for node in tree.body
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        }
        assert test.partition("[")[0] in names, name


def test_every_run_measures(request: pytest.FixtureRequest) -> None:
    """Whatever is run, and in whichever worker: here as well."""
    assert isinstance(request.config.pluginmanager.get_plugin("costs"), Costs)

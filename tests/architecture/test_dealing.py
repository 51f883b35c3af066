"""How tests are dealt to workers."""

import pytest

from tests.support.dealing import dealt, group_of


@pytest.mark.parametrize(
    ("nodeid", "marked", "group"),
    [
        ("tests/e2e/test_demo.py::test_a", "processes", "processes"),
        ("tests/gateway/web/test_app.py::test_a[/x::y@z]", "", "gateway/web/test_app"),
        ("tests/gateway/office/test_stock.py::test_a", "", "gateway/office"),
        ("tests/gateway/office/evadts/test_fields.py::test_a", "", "gateway/office/evadts"),
        ("tests/storage/test_codec.py::test_a", "", "storage"),
    ],
)
def test_a_file_stays_together(nodeid: str, marked: str, group: str) -> None:
    """With its folder where that sends the same SQL; a mark says otherwise."""
    assert group == group_of(nodeid, marked)


def test_the_long_come_first_and_the_small_last() -> None:
    """Within a group they stay as they were."""
    groups = ["protos/a", "storage", "worlds", "storage", "deploy/b", "processes", "worlds"]
    assert [5, 2, 6, 4, 1, 3, 0] == dealt(groups)

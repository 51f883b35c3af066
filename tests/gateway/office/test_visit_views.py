"""Visits as administrators read them."""

from gateway.office import visit_views
from storage.office.visit_rows import VisitView
from storage.office.visits import VisitLine


def test_a_visit_shows_who_and_when() -> None:
    """Without control characters; an open one has no end."""
    view = VisitView(
        id=3,
        visit="v-1",
        machine_id="VM-1",
        van="VAN:7",
        revision=1,
        opened_by="ann\x1b",
        opened_at_ms=1_000,
        closed_by="",
        closed_at_ms=None,
        reason="",
    )
    shown = visit_views.visit(view)
    assert ("v-1", "VM-1", "VAN:7", False) == (
        shown.visit,
        shown.machine_id,
        shown.van,
        shown.HasField("closed_at"),
    )
    assert "\x1b" not in shown.opened_by
    assert shown.etag


def test_a_line_shows_each_number() -> None:
    """Under its own name."""
    names = ("taken", "loaded", "unloaded", "returned", "missing", "found", "lost", "wasted")
    numbers = dict(zip(names, range(1, 9), strict=True))
    shown = visit_views.line(VisitLine(product="cola", **numbers))
    assert numbers == {name: getattr(shown, name) for name in names}

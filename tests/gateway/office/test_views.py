"""What is kept is shown whole, and turns no line around."""

from gateway.office import views
from storage.office.product_content import ProductContent
from storage.office.product_rows import ProductView


def test_a_product_is_shown_without_what_is_not_there() -> None:
    """No cost and no archive are absent, not 0."""
    view = ProductView(
        product="cola",
        content=ProductContent(names={"en": "Co\u202ela"}),
        revision=3,
        created_at_ms=1_500,
        updated_at_ms=2_000,
        archived_at_ms=None,
    )
    shown = views.product(view)
    assert ("3", 1, 500_000_000) == (shown.etag, shown.created_at.seconds, shown.created_at.nanos)
    assert (False, False) == (shown.HasField("unit_cost"), shown.HasField("archived_at"))
    assert {"en": "Co\ufffdla"} == dict(shown.names)

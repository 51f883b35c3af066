"""Pages that have their place and nothing to show yet, and say so."""

from gateway.web.view import ConsolePage, Looking

CAMPAIGNS = (
    "Campaigns will be shown with what they changed, and how sure that is, as soon as there are "
    "offers and experiments. This version has none, so there is nothing to draw: that is no zero."
)


async def campaigns(_looking: Looking) -> ConsolePage:
    """Return the page."""
    return ConsolePage(title="Campaigns", template="later.html", values={"why": CAMPAIGNS})

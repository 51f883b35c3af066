"""Pages that have their place and nothing to show yet, and say so."""

from gateway.web.view import ConsolePage, Looking

CUSTOMERS = (
    "Customers will be shown by their tags, never by their names, as soon as tags exist. "
    "None is defined in this version, so there is nothing to draw: that is no zero."
)
CAMPAIGNS = (
    "Campaigns will be shown with what they changed, and how sure that is, as soon as there are "
    "offers and experiments. This version has none, so there is nothing to draw: that is no zero."
)


async def customers(_looking: Looking) -> ConsolePage:
    """Return the page."""
    return ConsolePage(title="Customers", template="later.html", values={"why": CUSTOMERS})


async def campaigns(_looking: Looking) -> ConsolePage:
    """Return the page."""
    return ConsolePage(title="Campaigns", template="later.html", values={"why": CAMPAIGNS})

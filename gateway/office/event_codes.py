"""What EVA-DTS event codes say, in words: those that machines which take no cash tell of.

Source: the event list of the EVA-DTS standard, to which the EA1 block of a read-out refers.
"""

MEANINGS = {
    "EGS": "the door is open",
    "EIE": "no mobile network",
    "EIJ": "the gateway device is not set up",
    "EIK": "the mobile network fails often",
    "EIL": "the machine's controller does not respond",
    "EIN": "weak mobile network",
    "EJB": "a dispense motor",
    "EJH": "the health timer has run out",
    "EJJ": "refrigeration",
    "EJL": "the delivery detector",
    "EJM": "the delivery system",
    "EKE": "the payment reader refused a payment",
    "EKM": "the payment reader does not respond",
    "ELA": "a product was not delivered",
    "ELB": "a column is empty, and was not believed to be",
    "ELE": "a column is nearly empty",
}


def meaning(code: str) -> str:
    """Return what a code says; empty if it is none of these."""
    return MEANINGS.get(code, "")
